"""config.json -> Architecture: families, nesting, contexts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.checkpoints import DEEPSEEK_V3

from generator.errors import UnsupportedArchitectureError
from generator.models.capability import HOPPER
from generator.models.feed_forward import Dense, MoE
from generator.models.parallelism import Layout
from generator.planning.weights.rank import rank_weights
from generator.sources.architectures import read_architecture

FAMILIES = json.loads((Path(__file__).parents[1] / "fixtures" / "families.json").read_text(encoding="utf-8"))
"""Transformers' default configs of 52 families, and the bytes of rank 0 of TP 2 that vLLM 0.32's classes hold."""

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def test_equal_layers_share_one_kind():
    architecture = read_architecture(LLAMA)

    assert architecture.layer_pattern == "0*32"
    assert architecture.num_hidden_layers == 32
    assert architecture.architecture == "LlamaForCausalLM"
    assert not architecture.generic


def test_an_unknown_family_of_standard_fields_reads_as_generic():
    architecture = read_architecture({**LLAMA, "model_type": "novel", "architectures": ["NovelForCausalLM"]})

    assert architecture.generic
    assert architecture.layer_kinds[0].feed_forward == Dense(intermediate_size=14336)


def test_an_unknown_mixture_of_standard_fields_reads_as_generic():
    config = {**LLAMA, "model_type": "novel", "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 512}

    architecture = read_architecture(config)

    block = architecture.layer_kinds[0].feed_forward
    assert architecture.generic
    assert isinstance(block, MoE)
    assert (block.num_experts, block.moe_intermediate_size) == (16, 512)


def test_an_unknown_kind_of_attention_is_refused_by_name():
    with pytest.raises(UnsupportedArchitectureError, match="ssm_state_size"):
        read_architecture({**LLAMA, "model_type": "novel", "ssm_state_size": 128})


def test_a_missing_shape_is_refused_with_the_field_that_is_needed():
    config = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}

    with pytest.raises(UnsupportedArchitectureError, match="intermediate_size"):
        read_architecture(config)


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        ({"rope_type": "llama3", "factor": 8.0}, 131072),
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}, 131072),
        ({"type": "linear", "factor": 4.0}, 524288),
        ({"rope_type": "dynamic", "factor": 2.0}, 262144),
        (None, 131072),
    ],
)
def test_only_scalings_that_leave_the_context_unscaled_extend_it(rope, expected):
    """As vLLM 0.32 config/model.py:2583: su, longrope, llama3 and yarn are already in max_position_embeddings."""
    assert read_architecture({**LLAMA, "rope_scaling": rope}).max_position_embeddings == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"torch_dtype": "float16"}, "float16"),
        ({"torch_dtype": "float32"}, "bfloat16"),
        ({"torch_dtype": None, "dtype": "bfloat16"}, "bfloat16"),
    ],
)
def test_dtype_is_what_auto_takes(named, expected):
    assert read_architecture({**LLAMA, **named}).dtype == expected


def test_a_nested_text_config_gives_the_decoder_and_the_tower_is_read_beside_it():
    text = {
        "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 8,
        "num_key_value_heads": 4, "head_dim": 256, "num_hidden_layers": 34, "vocab_size": 262208,
        "sliding_window": 1024, "max_position_embeddings": 131072,
    }  # fmt: skip
    vision = {
        "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
        "patch_size": 14, "image_size": 896,
    }  # fmt: skip
    architecture = read_architecture({"model_type": "gemma3", "text_config": text, "vision_config": vision})

    assert architecture.tie_word_embeddings
    assert [tower.count for tower in architecture.towers] == [27]
    assert len(architecture.layer_kinds) == 2


def test_first_dense_layers_of_a_mixture_are_dense():
    config = {
        **LLAMA, "model_type": "glm4_moe", "n_routed_experts": 16, "num_experts_per_tok": 4,
        "moe_intermediate_size": 512, "n_shared_experts": 1, "first_k_dense_replace": 3,
    }  # fmt: skip
    kinds = [layer.feed_forward.kind for layer in read_architecture(config).layers if layer.feed_forward]

    assert kinds == ["dense"] * 3 + ["moe"] * 29


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_s_weights_are_those_of_vllm_s_class(family):
    architecture = read_architecture(FAMILIES[family]["config"])

    weights = rank_weights(architecture, None, Layout(tensor_parallel_size=2), dtype="bfloat16", capability=HOPPER)

    assert weights.worst.total_bytes == pytest.approx(FAMILIES[family]["bytes"], rel=0.005)


def test_a_kind_of_layer_without_a_reader_is_refused_by_name():
    config = {**LLAMA, "model_type": "brand_new", "is_causal": False}

    with pytest.raises(UnsupportedArchitectureError, match=r"brand_new.*encoder_only"):
        read_architecture(config)


@pytest.mark.parametrize(("tp", "expected"), [(1, 1900308480 - 1050673152), (2, 1000630272 - 525336576)])
def test_an_eagle3_draft_holds_all_but_the_embedding_that_it_borrows(tp, expected):
    """As vLLM 0.32's Eagle3LlamaForCausalLM for Llama 3.1 8B, less its embed_tokens."""
    config = {
        **LLAMA, "architectures": ["LlamaForCausalLMEagle3"], "num_hidden_layers": 1, "draft_vocab_size": 32000,
        "head_dim": 128,
    }  # fmt: skip

    weights = rank_weights(read_architecture(config), None, Layout(tensor_parallel_size=tp))

    assert weights.worst.total_bytes == expected


def test_a_field_that_the_family_needs_is_named():
    with pytest.raises(UnsupportedArchitectureError, match="n_mamba_heads"):
        read_architecture({**LLAMA, "model_type": "zamba2", "mamba_d_state": 64})


NEMOTRON_H = {
    "architectures": ["NemotronHForCausalLM"], "model_type": "nemotron_h", "hidden_size": 8192, "vocab_size": 131072,
    "max_position_embeddings": 262144, "num_attention_heads": 64, "num_key_value_heads": 2, "head_dim": 128,
    "mamba_num_heads": 256, "mamba_head_dim": 64, "n_groups": 8, "ssm_state_size": 128, "conv_kernel": 4,
    "n_routed_experts": 512, "num_experts_per_tok": 22, "moe_intermediate_size": 5120, "moe_latent_size": 2048,
    "n_shared_experts": 1, "moe_shared_expert_intermediate_size": 10240, "intermediate_size": 5120,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16", "num_nextn_predict_layers": 1,
}  # fmt: skip


def test_nemotron_h_drafts_are_read_in_each_of_transformers_spellings():
    """With MTP vLLM 0.32 builds one attention layer more of Nemotron-3-Ultra, whose config.json lists words."""
    letters = {**NEMOTRON_H, "hybrid_override_pattern": "ME*E", "mtp_hybrid_override_pattern": "*E"}
    words = {**NEMOTRON_H, "layers_block_type": ["mamba", "moe", "attention", "moe"]}
    newer = {**NEMOTRON_H, "layer_types": ["linear_attention", "moe", "full_attention", "moe"]}

    spelt = read_architecture(letters)

    assert [layer.mixer is not None for layer in spelt.drafts] == [True, False]
    assert read_architecture({**words, "mtp_layers_block_type": ["attention", "moe"]}) == spelt
    assert read_architecture({**newer, "mtp_layers_block_type": ["full_attention", "moe"]}) == spelt
    assert read_architecture(newer) == spelt


def test_lists_of_other_lengths_than_the_layers_are_named():
    """A list of layer words that is longer or shorter than num_hidden_layers."""
    config = {
        "architectures": ["FooForCausalLM"], "model_type": "foo", "hidden_size": 128, "num_attention_heads": 4,
        "vocab_size": 100, "intermediate_size": 256, "num_hidden_layers": 2, "layer_types": ["full_attention"],
    }  # fmt: skip
    with pytest.raises(UnsupportedArchitectureError, match="1 layers have attention or a state, 2 a feed-forward"):
        read_architecture(config)


def test_an_unknown_class_without_heads_is_named():
    with pytest.raises(UnsupportedArchitectureError, match=r"FooForCausalLM \(model_type 'foo'\) names no attention"):
        read_architecture({"architectures": ["FooForCausalLM"], "model_type": "foo"})


def test_qwen2_slides_in_all_layers_or_none():
    """An assertion of vLLM's class: not some layers of all (0.32 model_executor/models/qwen2.py:351).

    Transformers' Qwen2Config has max_window_layers at 28 where config.json leaves it out.
    """
    qwen = LLAMA | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "sliding_window": 4096}
    for fields in ({"use_sliding_window": True, "max_window_layers": 28}, {"use_sliding_window": True}):
        with pytest.raises(UnsupportedArchitectureError, match="some layers but not all"):
            read_architecture(qwen | fields)
    count = qwen["num_hidden_layers"]
    for fields in ({"use_sliding_window": False}, {"use_sliding_window": True, "max_window_layers": count}):
        assert len(read_architecture(qwen | fields).layer_kinds) == 1


def test_a_config_class_of_the_repositorys_own_is_read_by_the_class_that_vllm_builds():
    """VLLM builds what `architectures` says, whatever the `model_type` of a repository's own config class."""
    known = read_architecture(DEEPSEEK_V3)
    own = read_architecture(DEEPSEEK_V3 | {"model_type": "acme"})
    assert (own.layer_kinds, own.model_type) == (known.layer_kinds, "acme")
    wrapped = {"model_type": "acme_vl", "architectures": ["AcmeForConditionalGeneration"]}
    inside = {key: value for key, value in DEEPSEEK_V3.items() if key != "model_type"}
    assert read_architecture(wrapped | {"text_config": inside}).layer_kinds == known.layer_kinds
    inside |= {"model_type": "acme", "architectures": ["AcmeForCausalLM"]}
    with pytest.raises(UnsupportedArchitectureError, match="model_type 'acme' is unknown"):
        read_architecture(wrapped | {"text_config": inside})
    with pytest.raises(UnsupportedArchitectureError, match=r"acme_vl.vision_config"):
        read_architecture(wrapped | {"text_config": DEEPSEEK_V3, "vision_config": {"depth": 3}})
