"""A config.json with fields that nobody would write ends in a plan whose figures count something, or in one line.

60 mutants in the suite, 2,000 in the long checks (`HYPOTHESIS_PROFILE=full`).
"""

from __future__ import annotations

import json
import math
import os
import time
from copy import deepcopy

from fixtures.checkpoints import TINY_LLAMA
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.errors import GeneratorError
from generator.models.request import Request
from generator.sources.config import assemble
from generator.workflow import plan_for

FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"
MIXTURE = TINY_LLAMA | {
    "model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "num_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 64, "decoder_sparse_step": 1, "norm_topk_prob": True,
}  # fmt: skip
GROUPS = TINY_LLAMA | {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True}}
SCALED = TINY_LLAMA | {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}}
BASES = (TINY_LLAMA, MIXTURE, GROUPS, SCALED)
ODD = st.sampled_from([
    -1, 0, 1, 3, 7, 2**31, 2**63, 10**40, 1e-9, 1e308, -0.5, 1.5, math.nan, math.inf, True, False, None, "", "32",
    "eight", "bfloat16", [], [1, -2], [[]], {}, {"a": {"b": {"c": -1}}}, "x" * 3000,
])  # fmt: skip
SLOWEST_S = 5.0 if FULL else 20.0
"""The law is 5 s; shared machines of CI may take a breath."""


@st.composite
def mutants(draw):
    config = deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        part = config
        nested = [name for name, value in part.items() if isinstance(value, dict)]
        if nested and draw(st.booleans()):
            part = part[draw(st.sampled_from(sorted(nested)))]
        name = draw(st.sampled_from(sorted(part))) if part else "a"
        match draw(st.sampled_from(("odd", "odd", "gone", "swapped"))):
            case "odd":
                part[name] = deepcopy(draw(ODD))
            case "gone":
                part.pop(name, None)
            case "swapped":
                part[name] = deepcopy(config.get(draw(st.sampled_from(sorted(config)))))
    return json.loads(json.dumps(config))


def figures(value):
    """Every number of a plan, however deep."""
    if isinstance(value, dict):
        return [one for inner in value.values() for one in figures(inner)]
    if isinstance(value, list):
        return [one for inner in value for one in figures(inner)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


@settings(
    max_examples=2000 if FULL else 60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not FULL
)
@given(mutants())
def test_a_mutant_is_planned_in_figures_or_refused_in_a_line(config):
    began, refusal, kept = time.monotonic(), None, {}
    try:
        facts = assemble(id="a/mutant", revision=None, source="local", config=config, quant_config=None, tensors=None)
        made = plan_for(Request(model="a/mutant", gpu="L4", source="local"), facts)
        kept = made.model_dump(mode="json", exclude={"inputs"})
    except GeneratorError as error:
        refusal = error
    assert time.monotonic() - began < SLOWEST_S
    assert all(one >= 0 and math.isfinite(one) for one in figures(kept))
    assert refusal is None or refusal.status in {2, 4, 5, 7}
    assert "\n" not in str(refusal)
    assert len(str(refusal)) < 1500
