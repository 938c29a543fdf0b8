"""Values of the user's that contradict each other are refused as vLLM refuses them, and planned where they do not."""

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import plan_for


def planned(own, model="Qwen/Qwen3-8B"):
    asked = Request(model=model, gpu="H100", gpus=2, source="embedded", vllm="0.33.0", overrides=own)
    return plan_for(asked, embedded_model(model))


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"long_prefill_token_threshold": 99999, "max_model_len": 8192}, "cannot be greater than the context"),
        ({"kv_transfer_config": {"kv_connector": "NixlConnector"}}, "add kv_role, like kv_both"),
        (
            {"speculative_config": {
                "method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 5, "prompt_lookup_max": 2}},
            "must be at most prompt_lookup_max",
        ),
        (
            {"cudagraph_capture_sizes": [1, 2], "compilation_config": {"cudagraph_capture_sizes": [1, 2]}},
            "drop one of them",
        ),
        ({"enable_dbo": True}, "needs an all2all_backend that overlaps"),
        ({"enable_mamba_cache_stochastic_rounding": True}, "set mamba_ssm_cache_dtype to float16"),
        ({"distributed_executor_backend": "foo"}, "'foo' is none of external_launcher, mp, ray, uni"),
        ({"enable_eplb": True}, "add --enable-expert-parallel"),
    ],
)  # fmt: skip
def test_what_vllm_033_was_asked_about_and_refused_is_refused(own, says):
    with pytest.raises(RequestError, match=says):
        planned(own)


@pytest.mark.parametrize(
    "own",
    [
        {"long_prefill_token_threshold": 4096, "max_model_len": 8192},
        {"kv_transfer_config": {"kv_connector": "NixlConnector", "kv_role": "kv_both"}},
        {"speculative_config": {"method": "ngram", "num_speculative_tokens": 3}},
        {"distributed_executor_backend": "mp"},
        {"cudagraph_capture_sizes": [1, 2]},
    ],
)
def test_what_it_starts_is_planned(own):
    assert planned(own).feasibility.fits


def test_balanced_experts_are_spread_over_the_ranks():
    """The planner takes the layout that balancing needs."""
    made = planned({"enable_eplb": True}, "Qwen/Qwen3-30B-A3B")
    assert made.layout.enable_expert_parallel
