"""One row a family: what is read by standard fields alone has no row, and what has one is read whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.planning.weights.rank import model_totals
from generator.sources.architectures import read_architecture
from generator.sources.architectures.table import FAMILIES

FIXTURES = Path(__file__).parents[1] / "fixtures"
REGISTRY = json.loads((FIXTURES / "registry" / "text_generation.json").read_text(encoding="utf-8"))
STEP_35_FLASH = {
    "architectures": ["Step3p5ForCausalLM"], "model_type": "step3p5", "hidden_size": 4096, "num_hidden_layers": 45,
    "num_attention_heads": 64, "num_attention_groups": 8, "head_dim": 128, "intermediate_size": 11264,
    "moe_intermediate_size": 1280, "share_expert_dim": 1280, "moe_num_experts": 288, "moe_top_k": 8,
    "moe_layers_enum": ",".join(map(str, range(3, 45))), "vocab_size": 128896, "sliding_window": 512,
    "max_position_embeddings": 262144, "use_head_wise_attn_gate": True, "rope_theta": 10000.0,
    "layer_types": [("sliding_attention", "full_attention")[i % 4 == 0] for i in range(45)],
    "attention_other_setting": {
        "attention_type": "sliding_attention", "num_attention_heads": 96, "num_attention_groups": 8, "head_dim": 128,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ["exaone_moe", "hy_v3", "granitemoe_swa"])
def test_a_family_has_both_halves_of_its_reader(name):
    """Their attention and their blocks once stood in two registries, of which each had one half.

    Bytes of these very configs are compared with vLLM's own classes in test_registry.py.
    """
    found = read_architecture(REGISTRY[name]["config"])
    assert not found.generic
    assert found.layer_kinds[0].mixer.qk_norm is (name != "granitemoe_swa")
    assert {kind.feed_forward.name for kind in found.layer_kinds if kind.feed_forward.kind == "moe"} == {
        "block_sparse_moe" if name == "granitemoe_swa" else "mlp"
    }


def test_ernie_vl_is_read_whole():
    """Its bytes are vLLM's own in test_multimodal.py; `generic` said otherwise."""
    config = json.loads((FIXTURES / "multimodal.json").read_text(encoding="utf-8"))["ERNIE-4.5-VL-28B-A3B"]["config"]
    assert not read_architecture(config).generic


def test_step_35_flash_has_as_many_parameters_as_its_card_says():
    """196B in all (huggingface.co/stepfun-ai/Step-3.5-Flash); experts, a shared one, gates and heads of two numbers."""
    found = read_architecture(STEP_35_FLASH)
    assert not found.generic
    assert model_totals(found).parameters == pytest.approx(196e9, rel=0.01)


def test_deepseek_v4_has_one_reader_under_both_names():
    """Converted checkpoints of DeepSeek-V4 say `deepseek_ref`, and vLLM builds the same class of them."""
    assert FAMILIES["deepseek_ref"] == FAMILIES["deepseek_v4"]


def test_a_family_without_a_row_is_generic():
    config = REGISTRY["exaone_moe"]["config"] | {"model_type": "unheard_of", "architectures": ["UnheardOfForCausalLM"]}
    assert read_architecture(config).generic
