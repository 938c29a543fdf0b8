"""Experts that move between ranks, and mega kernels: what a release starts of them is planned, the rest refused."""

import json
from pathlib import Path

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import facts_for, plan_for

STORED = json.loads((Path(__file__).parents[1] / "fixtures" / "stored_experts.json").read_text(encoding="utf-8"))
BALANCED = {"enable_eplb": True, "enable_expert_parallel": True, "tensor_parallel_size": 2}
MEGA = {"moe_backend": "deep_gemm_mega_moe", "block_size": 256, "kv_cache_dtype": "fp8"}
QWEN, MINIMAX, DEEPSEEK = "Qwen/Qwen3-30B-A3B", "MiniMaxAI/MiniMax-M2.5", "deepseek-ai/DeepSeek-V4-Flash"


def planned(model, own, *, gpu="H200-SXM-141GB", gpus=2, vllm="0.33.0"):
    asked = Request(model=model, gpu=gpu, gpus=gpus, source="embedded", vllm=vllm, overrides=own)
    return plan_for(asked, embedded_model(model))


@pytest.mark.parametrize(("release", "starts"), [("0.20.2", False), ("0.28.0", False), ("0.29.0", True)])
def test_a_class_that_lists_no_experts_ends_in_runner_v1(release, starts):
    """Asserted in 0.20.2 to 0.28 v1/worker/gpu_model_runner.py: eplb_step; Model Runner V2 goes on (vllm#40740)."""
    if starts:
        assert planned(MINIMAX, BALANCED, gpus=2, vllm=release).layout.enable_expert_parallel
        return
    with pytest.raises(RequestError, match="balances no experts of MiniMaxM2ForCausalLM"):
        planned(MINIMAX, BALANCED, gpus=2, vllm=release)


@pytest.mark.parametrize("release", ["0.20.2", "0.26.0", "0.33.0"])
@pytest.mark.parametrize(("spares", "starts"), [(0, True), (1, False), (2, True)])
def test_ranks_hold_as_many_experts(release, spares, starts):
    """128 experts and the spare ones over 2 ranks: "EPLB currently only supports even distribution of experts"."""
    own = BALANCED | {"eplb_config": {"num_redundant_experts": spares}}
    if starts:
        assert planned(QWEN, own, vllm=release).feasibility.starts.answer != "no"
        return
    with pytest.raises(RequestError, match="129 do not divide over 2 ranks"):
        planned(QWEN, own, vllm=release)


def test_one_rank_has_nothing_to_balance():
    """EPLB asks for tensor or data parallelism (vLLM 0.33 config/parallel.py)."""
    with pytest.raises(RequestError, match="moves experts between ranks, and there is one"):
        planned(QWEN, {"enable_eplb": True}, gpus=1)
    with pytest.raises(RequestError, match="add --enable-expert-parallel"):
        planned(QWEN, BALANCED | {"enable_expert_parallel": False})


@pytest.mark.parametrize("release", ["0.27.1", "0.33.0"])
@pytest.mark.parametrize(
    ("own", "gpus", "said"),
    [
        ({"data_parallel_size": 3, "enable_expert_parallel": True}, 3, "256 do not divide over 3 ranks"),
        ({"pipeline_parallel_size": 3}, 3, "requires expert parallelism"),
        ({"data_parallel_size": 4, "enable_expert_parallel": True}, 4, ""),
    ],
)
def test_a_mega_kernel_has_whole_experts_on_every_rank(release, own, gpus, said):
    """DeepSeek-V4-Flash of 256 experts (vllm#52435; judge: "MegaMoE currently requires expert parallel")."""
    own = MEGA | {"tensor_parallel_size": 1} | own
    if not said:
        assert planned(DEEPSEEK, own, gpu="B200-180GB", gpus=gpus, vllm=release).layout.data_parallel_size == gpus
        return
    with pytest.raises(RequestError, match=said):
        planned(DEEPSEEK, own, gpu="B200-180GB", gpus=gpus, vllm=release)


def test_a_mega_kernel_wants_its_cores():
    """Hopper has none: "DeepGEMM MegaMoE requires SM100 GPUs" (vLLM 0.33.0 fused_moe/deep_gemm_mega_moe.py)."""
    with pytest.raises(RequestError, match="requires a datacenter GPU of Blackwell, H200-SXM-141GB is none"):
        planned(DEEPSEEK, MEGA | {"enable_expert_parallel": True, "tensor_parallel_size": 4}, gpus=4)


def test_a_mega_kernel_cuts_no_tile():
    """DeepGEMM: "requires hidden and intermediate sizes to be multiples of 128" (vLLM 0.33.0, and 0.20.2)."""
    facts, own = embedded_model(DEEPSEEK), MEGA | {"enable_expert_parallel": True, "tensor_parallel_size": 4}
    kinds = facts.architecture.layer_kinds
    narrow = [
        kind.model_copy(update={"feed_forward": kind.feed_forward.model_copy(update={"moe_intermediate_size": 2112})})
        for kind in kinds
    ]
    architecture = facts.architecture.model_copy(update={"layer_kinds": tuple(narrow)})
    asked = Request(model=DEEPSEEK, gpu="B200", gpus=4, source="embedded", overrides=own)
    assert plan_for(asked, facts).layout.enable_expert_parallel
    with pytest.raises(RequestError, match=r"multiples of 128, and the model has 2,112"):
        plan_for(asked, facts.model_copy(update={"architecture": architecture}))


@pytest.mark.parametrize(("method", "starts"), [("awq", False), ("gptq", False), ("fp8", True)])
@pytest.mark.parametrize("release", ["0.20.2", "0.33.0"])
def test_some_ways_to_store_experts_keep_them_where_they_are(method, starts, release, tmp_path):
    """NotImplementedError "EPLB is not supported" (vLLM 0.33.0 fused_moe/routed_experts.py:198), FP8 is moved."""
    named = {"awq": {"zero_point": True}, "gptq": {"desc_act": False, "sym": True}, "fp8": {}}[method]
    scheme = {"fp8": {"activation_scheme": "dynamic"}}.get(method, {"bits": 4, "group_size": 128})
    stated = STORED["models"][STORED["ways"]["unquantized"]["model"]]
    config = stated | {"quantization_config": {"quant_method": method} | scheme | named}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    asked = Request(model=str(tmp_path), gpu="H100-SXM-80GB", gpus=2, source="local", vllm=release, overrides=BALANCED)
    if starts:
        assert plan_for(asked, facts_for(asked)).layout.enable_expert_parallel
        return
    with pytest.raises(RequestError, match=f"EPLB is not supported for experts stored as {method} int4"):
        plan_for(asked, facts_for(asked))


@pytest.mark.parametrize(
    ("stored", "gpu", "release", "own", "said"),
    [
        ("int4", "H100", "0.33.0", {}, "in the kernel humming: .* name --moe-backend triton, or"),
        ("int4", "H100", "0.33.0", {"moe_backend": "triton"}, ""),
        ("int4", "H100", "0.26.0", {}, "stored as compressed-tensors int4: leave enable_eplb out, or"),
        ("nvfp4", "B200", "0.33.0", {}, ""),
        ("nvfp4", "B200", "0.33.0", {"moe_backend": "cutlass"}, "in the kernel cutlass: .*flashinfer"),
        ("nvfp4", "B200", "0.26.0", {}, "EPLB is not supported"),
        ("int8", "H100", "0.33.0", {}, "EPLB is not supported"),
        ("fp8", "H100", "0.20.2", {}, ""),
    ],
)
def test_some_kernels_keep_experts_where_they_are(stored, gpu, release, own, said, tmp_path):  # noqa: PLR0917
    """Each release's own `supports_eplb`: of compressed-tensors INT4 Triton's (vLLM 0.33.0 moe_wna16.py:562)."""
    stated = STORED["ways"][f"compressed-tensors {stored}"]
    config = STORED["models"][stated["model"]] | stated["changes"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    asked = Request(model=str(tmp_path), gpu=gpu, gpus=2, source="local", vllm=release, overrides=BALANCED | own)
    if not said:
        assert plan_for(asked, facts_for(asked)).layout.enable_expert_parallel
        return
    with pytest.raises(RequestError, match=said):
        plan_for(asked, facts_for(asked))
