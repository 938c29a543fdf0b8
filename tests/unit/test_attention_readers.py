"""config.json -> mixers, against the layers that vLLM's own model classes build (tests/fixtures)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from generator.catalogue.behaviours import release_of
from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Architecture
from generator.models.capability import HOPPER
from generator.models.parallelism import Layout
from generator.planning.kv_cache.layers import cache_layers
from generator.planning.kv_cache.selection import context
from generator.planning.kv_cache.settings import CacheSettings
from generator.sources.architectures import read_quantization
from generator.sources.architectures.attention import draft_mixers
from generator.sources.architectures.multimodal import is_prefix_lm
from generator.sources.architectures.reader import mixers
from generator.sources.architectures.table import FAMILIES as ROWS

_FILE = Path(__file__).parents[1] / "fixtures" / "attention_readers.json"
FAMILIES = json.loads(_FILE.read_text(encoding="utf-8"))["families"]
STANDARD = {
    "model_type": "brand_new", "num_hidden_layers": 4, "hidden_size": 1024, "num_attention_heads": 8,
    "num_key_value_heads": 2,
}  # fmt: skip


def built(config):
    """Every layer's cache as [kind, shape ...], with the number of such layers."""
    found = mixers(config)
    kinds = tuple(dict.fromkeys(found))
    architecture = Architecture.model_validate({
        "model_type": config["model_type"], "architecture": "", "hidden_size": 1024, "vocab_size": 1000,
        "max_position_embeddings": 2048, "tie_word_embeddings": False,
        "layer_kinds": [{"mixer": kind} for kind in kinds],
        "layer_pattern": " ".join(str(kinds.index(mixer)) for mixer in found),
    })  # fmt: skip
    settings = CacheSettings(
        release=release_of("0.32.0"),
        capability=HOPPER,
        max_num_batched_tokens=2048,
        max_num_seqs=256,
        max_model_len=2048,
    )
    layers = cache_layers(context(architecture, Layout(), settings)).layers
    return Counter(json.dumps(described(layer.spec)) for layer in layers)


def described(spec):
    """A spec by the figures that the fixture holds."""
    kind = type(spec).__name__
    if kind == "MambaSpec":
        return [kind, spec.shapes]
    window = getattr(spec, "sliding_window", None) or getattr(spec, "attention_chunk_size", None)
    return [kind, spec.num_kv_heads, spec.head_size, spec.head_size_v, window]


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_those_that_vllm_builds(family):
    """As many layers of each kind and shape as vLLM 0.32 builds from the same config."""
    config, vllm = FAMILIES[family]["config"], FAMILIES[family]["vllm"]
    assert built(config) == Counter({json.dumps(spec): count for count, *spec in vllm})


def test_an_unknown_type_with_standard_fields_is_generic():
    """Standard fields are enough for full attention, and the reading is flagged."""
    assert [mixer.kind for mixer in mixers(STANDARD)] == ["full"] * 4
    assert STANDARD["model_type"] not in ROWS
    assert "llama" in ROWS


def test_an_unknown_type_may_name_known_layer_types():
    """`layer_types` and `sliding_window` are standard fields."""
    words = ["sliding_attention", "full_attention"] * 2
    found = mixers({**STANDARD, "layer_types": words, "sliding_window": 512})
    assert [mixer.kind for mixer in found] == ["sliding_window", "full"] * 2
    assert found[0].sliding_window == 512


@pytest.mark.parametrize(
    "marker",
    [
        {"kv_lora_rank": 512}, {"linear_attn_config": {"num_heads": 8}}, {"ssm_state_size": 128},
        {"sparse_attention_config": {"topk": 4}}, {"index_topk": 2048}, {"hybrid_layer_pattern": [0, 1, 0, 1]},
        {"compress_ratios": [4, 4, 4, 4]}, {"attention_other_setting": {"head_dim": 64}},
        {"layer_types": ["retention"] * 4},
    ],
)  # fmt: skip
def test_an_unknown_attention_is_refused_by_name(marker):
    """What standard fields do not describe is never read as full attention; the error names the field or word."""
    (field, value), *_ = marker.items()
    word = value[0] if field == "layer_types" else field
    with pytest.raises(UnsupportedArchitectureError, match=word):
        mixers({**STANDARD, **marker})


WINDOWED = {**STANDARD, "use_sliding_window": True, "sliding_window": 512}


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3", "mimo", "qwen2_vl", "qwen2_5_vl_text"])
@pytest.mark.parametrize(
    "stated", [{"max_window_layers": 2}, {"layer_types": ["sliding_attention", "full_attention"] * 2}]
)
def test_a_qwen2_model_with_windows_in_some_layers_is_refused(model_type, stated):
    """Every class that is vLLM's Qwen2Model asserts one kind of layer (models/qwen2.py:351)."""
    with pytest.raises(UnsupportedArchitectureError, match=f"Qwen2Model.*{model_type}.*choose another checkpoint"):
        mixers({**WINDOWED, "model_type": model_type, **stated})


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ({"max_window_layers": 0}, "sliding_window"),
        ({"max_window_layers": 4}, "full"),
        ({}, "full"),
        ({"use_sliding_window": False, "max_window_layers": 2}, "full"),
        ({"max_window_layers": 4, "layer_types": ["sliding_attention", "full_attention"] * 2}, "full"),
    ],
)
def test_a_qwen2_model_with_layers_of_one_kind_is_read(stated, kind):
    """Windows everywhere, nowhere, or in words that its assertion lets pass and its layers do not read."""
    assert {mixer.kind for mixer in mixers({**WINDOWED, "model_type": "qwen3", **stated})} == {kind}


def test_a_mixture_may_have_windows_in_some_layers():
    """The Qwen3MoeModel of vLLM is no Qwen2Model."""
    found = mixers({**WINDOWED, "model_type": "qwen3_moe", "max_window_layers": 2})
    assert [mixer.kind for mixer in found] == ["full"] * 2 + ["sliding_window"] * 2


def test_a_config_without_heads_is_refused():
    """Nothing is guessed where the number of heads is absent."""
    with pytest.raises(UnsupportedArchitectureError, match="num_attention_heads"):
        mixers({"model_type": "brand_new", "num_hidden_layers": 4, "hidden_size": 1024})


def test_shared_layers_keep_no_cache():
    """Gemma 3n: the last 15 of 35 layers read earlier ones' caches (vLLM 0.32 model_executor/models/gemma3n.py)."""
    shared = [mixer.shares_kv_cache for mixer in mixers({"model_type": "gemma3n_text", "hidden_size": 2048})]
    assert shared == [False] * 20 + [True] * 15


def test_sparse_layers_share_the_tokens_that_a_leader_picked():
    """GLM-5.2 (frequency 4, offset 3): its own `indexer_types` says full for 0, 1, 2, 6, 10 and so on."""
    config = {
        "model_type": "glm_moe_dsa", "num_hidden_layers": 12, "num_attention_heads": 64, "q_lora_rank": 2048,
        "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256, "index_topk": 2048,
        "index_n_heads": 32, "index_head_dim": 128, "index_topk_freq": 4, "index_skip_topk_offset": 3,
        "num_nextn_predict_layers": 1,
    }  # fmt: skip
    leaders = [i for i, mixer in enumerate(mixers(config)) if mixer.indexer is not None]
    assert leaders == [0, 1, 2, 6, 10]
    assert draft_mixers(config, mixers(config))[0].indexer is not None


def test_images_are_a_prefix_in_multimodal_gemma_alone():
    """The same text config below a multimodal model attends to images both ways, by itself it does not."""
    text = {"model_type": "gemma3_text"}
    assert is_prefix_lm({"model_type": "gemma3", "text_config": text}, text)
    assert not is_prefix_lm(text, text)
    gemma4 = {"model_type": "gemma4_text", "use_bidirectional_attention": "vision"}
    assert is_prefix_lm({"model_type": "gemma4", "text_config": gemma4}, gemma4)
    assert not is_prefix_lm(gemma4, gemma4)


def test_modelopt_algorithm_counts_without_a_quant_method():
    """ModelOpt's own file names the algorithm only where no quant_method is named."""
    own = {
        "producer": {"name": "modelopt"},
        "quantization": {"quant_algo": "MIXED_PRECISION", "quantized_layers": {"a": {"quant_algo": "FP8"}}},
    }
    assert read_quantization({}, own).modelopt_algorithm == "MIXED_PRECISION"
    named = {"quantization_config": {**own["quantization"], "quant_method": "modelopt_mixed"}}
    assert read_quantization(named, own).modelopt_algorithm is None
