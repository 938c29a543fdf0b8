"""Failed starts, the deployments that end so, and what the planner proposes: each proposal a question to the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator import recording, workflow
from generator.catalogue.boot_lines import boot_failures
from generator.errors import GeneratorError
from generator.models.request import Request
from generator.operations.mending import FailedStart, changed, mended
from generator.sources.boot_log import boot_of_text
from tests.oracle import records
from tests.oracle.draws import directory_of
from tests.oracle.questions import key_of, question_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from generator.models.boot import Failure
    from generator.models.checkpoint import ModelFacts
    from generator.models.plan import Plan, Repair
    from tests.oracle.judge import Judge

RELEASE = "0.33.0"
KINDS = (*(row.name for row in boot_failures() if row.levers), "taken_memory/one small GPU")
"""Ends of a start that a change of the plan may mend; behind a slash another deployment that ends so."""
_LINES = json.loads((Path(__file__).parents[1] / "fixtures" / "boot_lines.json").read_text(encoding="utf-8"))
_ASKED: dict[str, dict[str, Any]] = {
    "heads": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpus": 8, "overrides": {"tensor_parallel_size": 8}},
    "gpus": {"gpus": 4, "gpu": "L4"},
    "bfloat16": {"gpu": "T4", "gpus": 4, "overrides": {"dtype": "bfloat16"}},
    "quantization_gpu": {"gpu": "T4", "gpus": 4, "overrides": {"quantization": "fp8"}},
    "quantization": {"overrides": {"quantization": "fp8"}},
    "longer_than_model": {"overrides": {"max_model_len": 99999}},
    "backend": {"overrides": {"attention_backend": "FLASHINFER"}},
    "batched_tokens": {"overrides": {"max_num_batched_tokens": 128, "max_num_seqs": 256}},
    "taken_memory": {"gpu": "L4", "gpus": 2},
    "taken_memory/one small GPU": {"gpu": "L4"},
    "context_too_long": {"gpu": "L4"},
}
"""What was asked for where a start ends so; else Qwen3-8B on an L40S."""


class Mend(NamedTuple):
    """One proposal: the request with it, its plan, and the question."""

    repair: Repair
    request: Request
    plan: Plan
    key: str

    @property
    def model(self) -> str:
        """As the directories with configs are called."""
        return directory_of(self.request.model)

    def question(self, directory: Path) -> dict[str, Any]:
        """What the judge is asked, where the model's config.json lies in `directory`."""
        return question_of(self.plan, directory, RELEASE) | {"id": self.key}


class Failed(NamedTuple):
    """A start that failed: how it ended, and what it was planned from."""

    failure: Failure
    request: Request
    facts: ModelFacts

    @property
    def proposals(self) -> tuple[Repair, ...]:
        """The planner's changes, in their order."""
        return mended(FailedStart(self.failure, self.request, _planned(self.request, self.facts)), self.facts)


def failed(kind: str) -> Failed:
    """A start that ended so, by vLLM's own words."""
    request = Request(
        **({"model": "Qwen/Qwen3-8B", "gpu": "L40S", "source": "embedded", "vllm": RELEASE} | _ASKED.get(kind, {}))
    )
    failure = boot_of_text(f"non-default args: {{}}\n{_LINES['failures'][kind.partition('/')[0]]}\n").failure
    assert failure is not None, kind
    return Failed(failure, request, workflow.facts_for(request, offline=True))


def mends(kind: str) -> Iterator[Mend]:
    """Every proposal to such a start, planned."""
    one = failed(kind)
    for repair in one.proposals:
        request = changed(one.request, repair)
        plan = recording.prove(request, one.facts).plan
        key = key_of(question_of(plan, records.FILE, RELEASE), directory_of(request.model))
        yield Mend(repair, request, plan, key)


def record(judge: Judge, directories: Mapping[str, Path]) -> int:
    """Ask what nobody has asked yet of every proposal, and keep the answers; how many were asked."""
    kept = records.load()
    wanted = {one.key: (kind, one) for kind in KINDS for one in mends(kind)}
    new = {key: pair for key, pair in wanted.items() if key not in kept}
    for key, (kind, one) in new.items():
        question = one.question(directories[one.model])
        answer = records.recorded(key, one.model, question, judge.ask(question))
        asked = one.request.model_dump(mode="json", exclude_defaults=True)
        kept[key] = answer | {"draw": f"mended-{kind}", "request": asked}
    records.save(kept)
    return len(new)


def _planned(request: Request, facts: ModelFacts) -> Plan | None:
    """The plan; None where the planner refuses what was asked for as vLLM did."""
    try:
        return recording.prove(request, facts).plan
    except GeneratorError:
        return None
