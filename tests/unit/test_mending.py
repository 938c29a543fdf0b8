"""What is proposed to a failed start: each change is planned, and fits."""

import json
from pathlib import Path

import pytest
from fixtures.boot_logs import log_of, rows

from generator import recording, workflow
from generator.catalogue.boot_lines import boot_failures
from generator.errors import GeneratorError
from generator.models.request import Request
from generator.operations.mending import Start, changed, mended, stands
from generator.sources.boot_log import boot_of_text

ROWS = rows()
FAILURES = json.loads((Path(__file__).parents[1] / "fixtures" / "boot_lines.json").read_text())["failures"]
OPENING = "\n".join(log_of(ROWS[-1]).splitlines()[:8])
ASKED = {
    "heads": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpus": 8, "overrides": {"tensor_parallel_size": 8}},
    "gpus": {"gpus": 4, "gpu": "L4"},
    "bfloat16": {"gpu": "T4", "gpus": 4, "overrides": {"dtype": "bfloat16"}},
    "quantization_gpu": {"gpu": "T4", "gpus": 4, "overrides": {"quantization": "fp8"}},
    "quantization": {"overrides": {"quantization": "fp8"}},
    "longer_than_model": {"overrides": {"max_model_len": 99999}},
    "backend": {"overrides": {"attention_backend": "FLASHINFER"}},
    "batched_tokens": {"overrides": {"max_num_batched_tokens": 128, "max_num_seqs": 256}},
    "taken_memory": {"gpu": "L4", "gpus": 2},
    "context_too_long": {"gpu": "L4"},
}
"""What was asked for where a start ends so; else Qwen3-8B on an L40S."""


def request_for(kind):
    fields = {"model": "Qwen/Qwen3-8B", "gpu": "L40S", "source": "embedded"} | ASKED.get(kind, {})
    return Request(**fields)


def plan_of(request, facts):
    """The plan; None where the planner refuses what was asked for as vLLM did."""
    try:
        return recording.prove(request, facts).plan
    except GeneratorError:
        return None


@pytest.mark.parametrize("kind", [row.name for row in boot_failures() if row.levers])
def test_a_known_end_is_answered_by_changes_that_plan_and_fit(kind):
    failure = boot_of_text(f"{OPENING}\n{FAILURES[kind]}\n").failure
    request = request_for(kind)
    facts = workflow.facts_for(request, offline=True)
    found = mended(Start(failure, request, plan_of(request, facts)), facts)
    assert found, kind
    for one in found:
        assert one.flags
        assert stands(request, one, facts)
        assert changed(request, one) != request


def test_others_memory_is_left_to_them():
    failure = boot_of_text(f"{OPENING}\n{FAILURES['taken_memory']}\n").failure
    request = request_for("taken_memory")
    facts = workflow.facts_for(request, offline=True)
    first = mended(Start(failure, request, recording.prove(request, facts).plan), facts)[0]
    assert first.flags == ("--reserve-gb", "5")  # 22.03 GiB of which 17.05 are free
