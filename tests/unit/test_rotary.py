"""Rotary tables; expected MiB are `buffer_bytes` of kv_truth.json, vLLM 0.32's own buffers of one rank."""

import pytest

from generator.sources.architectures.rotary import is_multi_axis, rotary_bytes
from generator.sources.architectures.table import FAMILIES
from generator.units import MIB

LLAMA = {"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "rope_theta": 500000.0}
GEMMA3 = {"model_type": "gemma3_text", "head_dim": 128, "max_position_embeddings": 131072, "rope_theta": 1e6}
GEMMA4 = {
    "model_type": "gemma4_text",
    "head_dim": 256,
    "global_head_dim": 512,
    "max_position_embeddings": 262144,
    "rope_parameters": {
        "full_attention": {"partial_rotary_factor": 0.25, "rope_type": "proportional", "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    },
}
DEEPSEEK_V4 = {
    "model_type": "deepseek_v4",
    "head_dim": 512,
    "qk_rope_head_dim": 64,
    "max_position_embeddings": 1048576,
    "rope_theta": 10000,
    "compress_rope_theta": 160000,
}
QWEN35 = {"head_dim": 256, "max_position_embeddings": 262144, "rope_parameters": {"partial_rotary_factor": 0.25}}


@pytest.mark.parametrize(
    ("config", "mebibytes"),
    [
        (LLAMA | {"max_position_embeddings": 131072}, 32),  # Meta-Llama-3.1-8B
        (LLAMA | {"max_position_embeddings": 10485760, "head_dim": 128}, 2560),  # Llama-4-Scout
        (GEMMA3 | {"rope_scaling": {"rope_type": "linear", "factor": 8.0}, "rope_local_base_freq": 1e4}, 288),
        (GEMMA4, 384),  # gemma-4-26B-A4B
        (DEEPSEEK_V4, 512),  # DeepSeek-V4-Flash
        ({"text_config": QWEN35}, 32),  # Qwen3.5-27B, less 0.6 MiB of its tower
        ({"model_type": "nemotron_h", "rope_theta": 1e4, "head_dim": 128, "max_position_embeddings": 262144}, 0),
        ({"model_type": "gpt2", "n_positions": 1024}, 0),
    ],
)
def test_tables_are_as_large_as_vllms(config, mebibytes):
    family = FAMILIES.get(config.get("model_type", ""))
    assert rotary_bytes(config, family.ways.rotary if family else "stated") == mebibytes * MIB


def test_several_axes_are_stated_or_known_of_the_class():
    assert is_multi_axis({"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}})
    assert FAMILIES["qwen3_vl_text"].ways.multi_axis
    assert not is_multi_axis(LLAMA)
