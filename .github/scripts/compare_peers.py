"""What other tools say of one request's cache, against vLLM's own allocator: a Markdown table.

    python -m venv peers && peers/bin/pip install . -r .github/scripts/peers.txt
    peers/bin/python .github/scripts/compare_peers.py --truth kv_truth.json --configs hf_configs

Run by hand, in an environment of its own; each tool is asked offline through its own reader of config.json, for one
request of the model's context on one GPU in the cache's own dtype. Of the truth's records of a model the first of one
rank without options is taken. A tool that refuses a model has not answered.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import hf_mem.safetensors.kv_cache as hf_mem
import kvfit.architectures as kvfit
import ridgepoint
from ridgepoint import hf as ridgepoint_hf

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from generator.errors import GeneratorError  # noqa: E402
from generator.planning.kv_cache.layout import cache_layout  # noqa: E402
from tests.accuracy import truth as vllm  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

NEAR, FAR = 0.01, 0.1
_ANY_PARAMETERS = 10**9
"""The cache of a request does not depend on them."""
_REFUSED = (KeyError, ValueError, TypeError, RuntimeError, ZeroDivisionError, GeneratorError)
"""What the tools raise for a model that they do not know."""


class Question(NamedTuple):
    """One model: vLLM's record, the folder of configs, its config.json, and bytes of a cached element."""

    record: vllm.Record
    configs: Path
    config: dict[str, Any]
    element: float

    @property
    def tokens(self) -> int:
        """Tokens of the request."""
        return int(self.record["max_model_len"])

    @property
    def truth(self) -> int:
        """What vLLM's allocator wants for it, in bytes."""
        return int(self.record["needed_bytes_one_request_per_stage"][0])


def questions(truth: Path, configs: Path) -> list[Question]:
    """One question a model of the truth file that has a config."""
    found: dict[str, Question] = {}
    for record in vllm.records(truth):
        plain = (record["tp"], record["pp"], record["dp"], record["engine_args"]) == (1, 1, 1, {})
        if plain and record["model"] not in found and vllm.has_config(record, configs):
            path = configs / record["model"] / "config.json"
            element = 1.0 if record["cache_dtype"].startswith("fp8") else 2.0
            found[record["model"]] = Question(record, configs, json.loads(path.read_text(encoding="utf-8")), element)
    return list(found.values())


def _ours(asked: Question) -> float:
    model = vllm.model(asked.record["model"], asked.configs)
    held = cache_layout(model.architecture, vllm.layout(asked.record), vllm.settings(asked.record, model))
    return held.request_bytes(asked.tokens)[0]


def _hf_mem(asked: Question) -> float:
    config = asked.config.get("text_config") or asked.config
    dtype = "F8_E4M3" if asked.element == 1 else "BF16"
    size = hf_mem.compute_safetensors_kv_cache_size
    return float(size(config=config, cache_dtype=dtype, max_model_len=asked.tokens, batch_size=1))


def _kvfit(asked: Question) -> float:
    return float(kvfit.estimate_cache(asked.config, context_tokens=asked.tokens, kv_bytes=asked.element).total_bytes)


def _ridgepoint(asked: Question) -> float:
    ridgepoint_hf._download_json = lambda *_: asked.config  # noqa: SLF001 - its reader knows the Hub alone
    ridgepoint_hf._params_from_index = lambda *_: _ANY_PARAMETERS  # noqa: SLF001
    dtype = "fp8" if asked.element == 1 else "fp16"
    said = ridgepoint.fit("a/b", "h100-80gb", kv_cache_dtype=dtype, ctx=asked.tokens, as_json=True)
    return float(json.loads(said)["capacity"]["bytes_per_seq"])


TOOLS: dict[str, Callable[[Question], float]] = {
    "vllm-wizard": _ours,
    "hf-mem": _hf_mem,
    "kvfit": _kvfit,
    "ridgepoint": _ridgepoint,
}


def errors(tool: Callable[[Question], float], asked: list[Question]) -> list[float]:
    """The relative error of each model that the tool answers."""
    found = []
    for one in asked:
        try:
            found.append(abs(tool(one) / one.truth - 1))
        except _REFUSED:
            continue
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    options = parser.parse_args()
    asked = questions(options.truth, options.configs)
    print(f"{len(asked)} models")
    print("| tool | within 1 % | within 10 % | further off | no answer |")
    print("| --- | --- | --- | --- | --- |")
    for name, tool in TOOLS.items():
        found = errors(tool, asked)
        near, far = sum(e <= NEAR for e in found), sum(e <= FAR for e in found)
        print(f"| {name} {version(name)} | {near} | {far} | {len(found) - far} | {len(asked) - len(found)} |")


if __name__ == "__main__":
    main()
