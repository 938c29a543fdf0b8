"""Adapters take what vLLM 0.32 allocated for them: tensors of its CPU build, summed over two layers of tiny models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.catalogue.classes import classes_of
from generator.catalogue.models import embedded_model
from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.dtype import DType
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.planning.memory.lora import lora_bytes
from generator.sources.architectures import read_architecture
from generator.workflow import plan_for

ADAPTERS = json.loads((Path(__file__).parents[1] / "fixtures" / "adapters.json").read_text())
DEEPSEEK_BYTES = 1_396_047_872


def adapters(shapes, layout, **asked):
    """What adapters take in the release whose tensors were measured."""
    return lora_bytes(shapes, classes_of("0.32.0").of(shapes.architecture), layout, **asked, dtype=DType.BF16)


TINY = {
    "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 1000, "max_position_embeddings": 256,
}  # fmt: skip
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 96, "decoder_sparse_step": 1}


@pytest.mark.parametrize(
    ("model_type", "name", "more", "slots_and_rank", "allocated"),
    [
        ("llama", "LlamaForCausalLM", {"tie_word_embeddings": False}, (2, 16), 279_552),
        ("llama", "LlamaForCausalLM", {"tie_word_embeddings": True}, (1, 8), 69_888),
        ("mistral", "MistralForCausalLM", {}, (1, 8), 35_840),
        ("qwen2", "Qwen2ForCausalLM", {}, (1, 8), 35_840),
        ("qwen3", "Qwen3ForCausalLM", {"tie_word_embeddings": True}, (1, 8), 69_888),
        ("qwen3_moe", "Qwen3MoeForCausalLM", EXPERTS, (1, 8), 173_568),
        ("gemma", "GemmaForCausalLM", {}, (2, 16), 143_360),
        ("gemma2", "Gemma2ForCausalLM", {}, (1, 8), 35_840),
        ("gemma3_text", "Gemma3ForCausalLM", {}, (2, 16), 143_360),
        ("granite", "GraniteForCausalLM", {}, (2, 16), 279_552),
        (
            "mixtral",
            "MixtralForCausalLM",
            {"num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 96},
            (2, 16),
            448_000,
        ),
        ("qwen2_moe", "Qwen2MoeForCausalLM", EXPERTS | {"shared_expert_intermediate_size": 128}, (2, 16), 640_128),
        (
            "glm4_moe",
            "Glm4MoeForCausalLM",
            {
                "n_routed_experts": 8,
                "num_experts_per_tok": 2,
                "moe_intermediate_size": 96,
                "n_shared_experts": 1,
                "first_k_dense_replace": 1,
            },
            (2, 16),
            381_440,
        ),
    ],
)
def test_adapters_take_what_vllm_allocates(model_type, name, more, slots_and_rank, allocated):
    slots, rank = slots_and_rank
    shapes = read_architecture(TINY | more | {"model_type": model_type, "architectures": [name]})
    found = adapters(shapes, Layout(), max_loras=slots, max_lora_rank=rank)
    assert found == (allocated,)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_every_class_takes_what_vllm_allocates(name):
    """Four layers of each family, two adapters of rank 16: the tensors of vLLM 0.32's LoRAModelManager, summed."""
    shapes = read_architecture(ADAPTERS[name]["config"])
    found = adapters(shapes, Layout(), max_loras=2, max_lora_rank=16)
    assert found == (ADAPTERS[name]["bytes"],)


def test_latent_attention_and_shared_experts_are_counted():
    """DeepSeek-R1 with one dense layer and three of experts, measured in the same way."""
    whole = embedded_model("deepseek-ai/DeepSeek-R1").architecture
    shapes = type(whole).model_validate(whole.model_dump() | {"layer_pattern": "0 1*3"})
    found = adapters(shapes, Layout(), max_loras=2, max_lora_rank=16)
    assert found == (DEEPSEEK_BYTES,)


def test_fully_sharded_adapters_split_the_other_half_too():
    """Llama 3.1 8B, rank 16, TP 2 by create_lora_weights: A of 8 x 4096 before split outputs, B of 2048 x 16 behind."""
    shapes = embedded_model("meta-llama/Llama-3.1-8B-Instruct").architecture
    layer = 3 * 8 * 4096 + 16 * (2048 + 512 + 512) + 16 * (2048 + 2048)
    layer += 2 * 8 * 4096 + 16 * 14336 + 16 * (7168 + 2048)
    ends = 2 * 16 * (128256 + 4096)
    halves = Layout(tensor_parallel_size=2)
    found = adapters(shapes, halves, max_loras=4, max_lora_rank=16, fully_sharded=True)
    assert found == ((32 * layer + ends) * 4 * 2,)


def test_fully_sharded_adapters_need_a_rank_that_divides():
    sharded = {"enable_lora": True, "fully_sharded_loras": True, "tensor_parallel_size": 4, "max_lora_rank": 1}
    with pytest.raises(RequestError, match="choose a multiple"):
        planned(sharded, gpus=4)
    assert planned(sharded | {"max_lora_rank": 16}, gpus=4).feasibility.fits


def test_tensor_parallelism_splits_one_half_of_each_pair():
    """Llama 3.1 8B, rank 16, TP 2 by lora/layers: q/k/v A 3x16x4096, B 16x(2048+512+512), and so on."""
    shapes = embedded_model("meta-llama/Llama-3.1-8B-Instruct").architecture
    layer = 3 * 16 * 4096 + 16 * (2048 + 512 + 512) + 16 * (2048 + 4096)
    layer += 2 * 16 * 4096 + 16 * 14336 + 16 * (7168 + 4096)
    ends = 2 * 16 * (128256 + 4096)
    halves = Layout(tensor_parallel_size=2)
    found = adapters(shapes, halves, max_loras=4, max_lora_rank=16)
    assert found == ((32 * layer + ends) * 4 * 2,)


def test_stages_share_the_layers_and_keep_the_ends():
    shapes = embedded_model("meta-llama/Llama-3.1-8B-Instruct").architecture
    whole = adapters(shapes, Layout(), max_loras=1, max_lora_rank=16)
    first, last = adapters(shapes, Layout(pipeline_parallel_size=2), max_loras=1, max_lora_rank=16)
    assert first == last
    assert (first + last,) == whole


def test_a_plan_with_adapters_holds_them_beside_the_weights():
    without = planned({})
    with_them = planned({"enable_lora": True, "max_loras": 8, "max_lora_rank": 64})
    grown = with_them.memory.weights_bytes.expected - without.memory.weights_bytes.expected
    shapes = embedded_model("Qwen/Qwen3-8B").architecture
    assert (grown,) == adapters(shapes, Layout(), max_loras=8, max_lora_rank=64)


@pytest.mark.parametrize(
    "asked",
    [
        {"max_lora_rank": 24},
        {"max_loras": 0},
        {"max_loras": 4, "max_cpu_loras": 2},
        {"enable_tower_connector_lora": True},
    ],
)
def test_adapters_that_vllm_or_the_planner_refuses(asked):
    with pytest.raises(RequestError):
        planned({"enable_lora": True} | asked)


def test_adapters_of_an_unmeasured_class_are_refused_by_name():
    """One short line: the class, the way on first, and few of the classes that are planned."""
    said = "Qwen3NextForCausalLM are not planned: leave --set enable_lora out, or .* and [0-9]+ more$"
    with pytest.raises(UnsupportedArchitectureError, match=said) as refused:
        planned({"enable_lora": True}, "Qwen/Qwen3-Next-80B-A3B-Instruct", gpus=8)
    assert len(str(refused.value)) < 240


def planned(overrides, model="Qwen/Qwen3-8B", gpus=1, **more):
    request = Request(model=model, gpu="H100", gpus=gpus, source="embedded", overrides=overrides, **more)
    return plan_for(request, embedded_model(model))


SPREAD = {"enable_lora": True, "tensor_parallel_size": 2, "enable_expert_parallel": True}


def test_an_old_release_keeps_experts_together_beside_adapters():
    """VLLM 0.20.2 lora/layers/fused_moe.py:34 asserts so; 0.23.0 spreads adapters with the experts."""
    with pytest.raises(RequestError, match=r"0\.20\.2 has no LoRA adapters with expert parallelism"):
        planned(SPREAD, "Qwen/Qwen3-30B-A3B", gpus=2, vllm="0.20.2")
    assert planned(SPREAD, "Qwen/Qwen3-30B-A3B", gpus=2, vllm="0.23.0").feasibility.fits
    together = SPREAD | {"enable_expert_parallel": False}
    assert planned(together, "Qwen/Qwen3-30B-A3B", gpus=2, vllm="0.20.2").feasibility.fits


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"data_parallel_size": 2}, "share \\(2 and 2\\), which split the tokens"),
        ({"all2all_backend": "deepep_low_latency"}, "take all2all_backend allgather_reducescatter, not deepep"),
    ],
)
def test_spread_experts_beside_adapters_gather_every_token(more, why):
    """Two assertions of 0.23.0 to 0.33.0 lora/layers/fused_moe.py (FusedMoEWithLoRA._ep_check)."""
    with pytest.raises(RequestError, match=why):
        planned(SPREAD | more, "Qwen/Qwen3-30B-A3B", gpus=4, vllm="0.33.0")


def test_experts_on_one_rank_are_not_spread():
    """One GPU has nobody to share experts with, whatever is asked (fused_moe/config.py: use_ep)."""
    alone = {"enable_lora": True, "enable_expert_parallel": True}
    assert planned(alone, "Qwen/Qwen3-30B-A3B", vllm="0.20.2").feasibility.fits


@pytest.mark.parametrize(("release", "starts"), [("0.20.2", False), ("0.23.0", False), ("0.26.0", True)])
@pytest.mark.parametrize("name", ["GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"])
def test_a_class_that_cannot_list_its_experts_takes_no_adapters(name, release, starts):
    """VLLM 0.23.0 lora/utils.py:387: 'get_expert_mapping' must be implemented; 0.26.0 asks the layers themselves."""
    shapes = embedded_model("Qwen/Qwen3-30B-A3B")
    facts = shapes.model_copy(update={"architecture": shapes.architecture.model_copy(update={"architecture": name})})
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm=release, overrides={"enable_lora": True})
    if starts:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match=rf"{release} ends with --enable-lora beside {name}"):
        plan_for(request, facts)
