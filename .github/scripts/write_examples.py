"""Write examples/README.md: every example with the reason that it states, and what is planned for it.

    python .github/scripts/write_examples.py

Plans rest on embedded facts, so that the page is the same on every machine; tests/golden/test_golden.py compares it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generator.cli.options import request_from
from generator.models.request import Request
from generator.presenting.text import plural, tokens_text
from generator.sources.profile import load_profile
from generator.workflow import plan

if TYPE_CHECKING:
    from generator.models.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
_HEAD = """\
# Examples

Real deployments, each a profile with the reason for it in its first line. Plan one, or make a repository of it:

```console
vllm-wizard plan --profile examples/chat-one-gpu.yaml --offline
vllm-wizard generate --profile examples/chat-one-gpu.yaml --offline --output-dir chat --yes
```

What each renders lies in `tests/golden`, linked below: a change of the planner or of a template shows there, and the
programs that read such files judge them in the tests. The figures are those of today's plans, from embedded facts; the
ranges behind them, and their reasons, are in each repository's own README.

<!-- Written by .github/scripts/write_examples.py; do not edit. -->

| example | model, GPUs | why | planned |
|---|---|---|---|
"""


def reason(example: Path) -> str:
    """The sentence of an example's first line of comment that says why."""
    lines = example.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# ") and "$schema=" not in line)


def planned(example: Path) -> Plan:
    """The plan of an example, from embedded facts."""
    answers = load_profile(example).answers
    return plan(request_from({name: it for name, it in answers.items() if name in Request.model_fields}), offline=True)


def figures(made: Plan) -> str:
    """Layout, context, requests at once and speed of a plan, in a line."""
    layout = made.layout
    sizes = {"TP": layout.tensor_parallel_size, "PP": layout.pipeline_parallel_size, "DP": layout.data_parallel_size}
    words = [", ".join(f"{name} {size}" for name, size in sizes.items() if size > 1) or "one GPU"]
    if made.kv_cache and made.runner == "generate":
        words.append(f"context {tokens_text(made.kv_cache.at_max_model_len)}")
        room, asked = made.feasibility.max_concurrency_at_context, made.inputs.load.concurrency
        words.append(f"room for {room:,} requests at once, {asked} asked for")
    if made.estimate:
        words.append(f"{made.estimate.output_tokens_per_s.mean:,.0f} tokens/s")
    if made.pooling:
        words.append(f"{made.pooling.requests_per_s.mean:,.0f} requests/s")
    return "; ".join([*words, f"OOM risk {made.feasibility.oom_risk}"])


def row(example: Path) -> str:
    """The example's line of the table."""
    made = planned(example)
    where = f"{plural(made.cluster.total_gpus, 'GPU')} {made.cluster.gpu.name}"
    tree = f"[{example.stem}]({example.name}), [tree](../tests/golden/{example.stem})"
    return f"| {tree} | {made.model.id} on {where} | {reason(example)} | {figures(made)} |"


def page() -> str:
    """examples/README.md."""
    return _HEAD + "\n".join(map(row, sorted(EXAMPLES.glob("*.yaml")))) + "\n"


if __name__ == "__main__":
    (EXAMPLES / "README.md").write_text(page(), encoding="utf-8")
