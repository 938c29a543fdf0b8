"""Arguments that vLLM takes only beside others are refused alone, and planned with what they need."""

from __future__ import annotations

import pytest

from generator.catalogue.companions import companions
from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import plan_for

EVERY = [row for rows in companions("0.33.0").values() for row in rows]
ROWS = {row.argument: row for row in EVERY if not row.against and "." not in row.argument}
VALUES = {
    "offload_backend": "prefetch", "kda_prefill_backend": "fused",
    "collect_detailed_traces": ["all"], "mamba_ssu_algorithm": "simple", "per_request_spec_decode_metrics": "summary",
}  # fmt: skip
BESIDE = {
    "collect_detailed_traces": {"otlp_traces_endpoint": "http://127.0.0.1:4317"},
    "enable_log_outputs": {"enable_log_requests": True},
    "enable_elastic_ep": {"enable_eplb": True, "enable_expert_parallel": True},
    "data_parallel_hybrid_lb": {"data_parallel_size_local": 1},
    "mamba_ssu_algorithm": {"mamba_backend": "flashinfer"},
    "per_request_spec_decode_metrics": {"speculative_config": {"method": "ngram", "num_speculative_tokens": 3}},
    "return_sampling_mask": {"logprobs_mode": "processed_logprobs"},
    "ray_workers_use_nsight": {"distributed_executor_backend": "ray"},
    "offload_backend": {"offload_group_size": 4},
    "enable_return_routed_experts": {},
}
"""What makes vLLM 0.33 take each, where one engine on this host does."""


def planned(own, model):
    asked = Request(model=model, gpu="H100", gpus=2, source="embedded", vllm="0.33.0", overrides=own)
    return plan_for(asked, embedded_model(model))


@pytest.mark.parametrize("name", ROWS)
def test_alone_it_is_refused(name):
    """The message names the argument, and what it needs."""
    needs = ROWS[name].needs
    model = "Qwen/Qwen3-30B-A3B" if needs else "Qwen/Qwen3-8B"
    with pytest.raises(RequestError, match=f"{name} (needs {needs[0]}|is for models with)" if needs else name):
        planned({name: VALUES.get(name, True)}, model)


@pytest.mark.parametrize("name", BESIDE)
def test_beside_what_it_needs_it_is_planned(name):
    """A companion that is stated lets it pass."""
    assert planned({name: VALUES.get(name, True)} | BESIDE[name], "Qwen/Qwen3-30B-A3B").feasibility.fits


@pytest.mark.parametrize(
    "own", [{"per_request_spec_decode_metrics": "none"}, {"offload_backend": "auto"}, {"kda_prefill_backend": "triton"}]
)
def test_a_value_that_switches_it_off_needs_nothing(own):
    """What measures, offloads or chooses nothing asks for nothing."""
    assert planned(own, "Qwen/Qwen3-8B").feasibility.fits


def test_requests_are_dealt_to_ranks_where_there_are_several():
    """Batch-sharded sampling wants tensor parallelism, which the planner then chooses."""
    assert planned({"enable_batch_sharded_sampling": True}, "Qwen/Qwen3-8B").layout.tensor_parallel_size == 2


OPPOSED = [
    (
        "Qwen/Qwen3-30B-A3B",
        {"enable_return_routed_experts": True, "enable_prefix_caching": False},
        "enable_prefix_caching",
    ),
    ("Qwen/Qwen3-8B", {"speculative_config.index_share_for_mtp_iteration": True}, "method=ngram"),
    ("Qwen/Qwen3-8B", {"speculative_config.draft_lm_head_quantization": "fp8"}, "method=ngram"),
    (
        "Qwen/Qwen3-8B",
        {"speculative_config.synthetic_acceptance_length": 2.0},
        "needs .*rejection_sample_method=synthetic",
    ),
    ("Qwen/Qwen3-30B-A3B", {"all2all_backend": "moonep", "enable_eplb": True}, "does not go with enable_eplb"),
    ("Qwen/Qwen3-30B-A3B-FP8", {"all2all_backend": "moonep"}, "unquantized models in bfloat16, and this one is fp8"),
    ("Qwen/Qwen3-8B", {"offload_group_size": 2, "offload_num_in_group": 4}, r"\(4\) must be at most .* \(2\)"),
    ("Qwen/Qwen3-8B", {"default_mm_loras": {"audio": "x"}, "enable_lora": True}, "takes images or sounds"),
    ("Qwen/Qwen3-VL-8B-Instruct", {"mm_encoder_attn_dtype": "fp8"}, "needs mm_encoder_attn_backend=FLASHINFER"),
    (
        "Qwen/Qwen3-VL-8B-Instruct",
        {"mm_encoder_attn_dtype": "fp8", "mm_encoder_attn_backend": "FLASHINFER"},
        "is for Blackwell",
    ),
    ("Qwen/Qwen3-8B", {"compilation_config": {"custom_ops": ["foo"]}}, "'foo', which is none of all, none"),
    ("Qwen/Qwen3-8B", {"compilation_config": {"custom_ops": ["all", "none"]}}, "all or none once"),
    ("Qwen/Qwen3-VL-8B-Instruct", {"mm_tensor_ipc": "torch_shm", "tensor_parallel_size": 2}, "layout has 2"),
    ("Qwen/Qwen3-8B", {"prefix_match_unit": 48}, r"prefix_match_unit \(48\) is not the block of 16 tokens"),
]
"""What vLLM 0.33's own start-up code refuses in these words, asked of it."""


def spelled(own):
    """`argument.key` as a key inside the argument, beside drafts of n-grams."""
    found, drafts = {}, {"method": "ngram", "num_speculative_tokens": 3}
    for name, value in own.items():
        outer, dot, inner = name.partition(".")
        found[outer] = {**found.get(outer, drafts), inner: value} if dot else value
    return found


@pytest.mark.parametrize(("model", "own", "why"), OPPOSED)
def test_what_does_not_go_together_is_refused(model, own, why):
    """Two values that end the start with an error, though each alone is one of the release's."""
    with pytest.raises(RequestError, match=f"{next(iter(own)).rpartition('.')[2]}.*{why}|{why}"):
        planned(spelled(own), model)


def test_a_release_that_does_not_look_takes_them():
    """Of 0.30: routes are told without prefix caching, too."""
    asked = {row.argument: row for rows in companions("0.30.0").values() for row in rows if row.against}
    assert "enable_return_routed_experts" not in asked
    assert "pooler_config.pooling_type" in asked
