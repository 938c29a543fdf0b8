"""Widths, vocabularies, experts and stages that vLLM's classes do not part, as vLLM's own code answered."""

from __future__ import annotations

import pytest

from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.parallelism import Layout
from generator.planning.rules.classes import stages_feed_the_first, stages_have_experts
from generator.planning.rules.start import RULES, states_divide
from generator.planning.rules.states import states_are_kept_in_their_dtype, states_are_read_in_parts
from generator.planning.rules.widths import experts_divide_over_the_world, widths_divide
from tests.replicas import replica_of

SIX_HEADS = {"kind": "full", "num_attention_heads": 6, "num_key_value_heads": 6, "head_dim": 64, "head_dim_v": 64}


def llama(width, vocab, name="LlamaForCausalLM", layers=4, **more):
    """A small model of six heads; the figures are those of configs that vLLM 0.33 was asked about."""
    kinds = more.pop("kinds", ({"mixer": SIX_HEADS, "feed_forward": {"kind": "dense", "intermediate_size": width}},))
    return Architecture.model_validate({
        "model_type": "llama", "architecture": name, "hidden_size": 384, "vocab_size": vocab,
        "max_position_embeddings": 4096, "tie_word_embeddings": False, "layer_kinds": kinds,
        "layer_pattern": f"0*{layers}", **more,
    })  # fmt: skip


def laid(architecture, tp=1, pp=1, dp=1, release="0.33.0", **more):
    """The model on so many ranks."""
    layout = Layout(tensor_parallel_size=tp, pipeline_parallel_size=pp, data_parallel_size=dp)
    return replica_of(architecture, layout, release=release, **more)


def test_a_width_divides():
    """VLLM 0.33: AssertionError at layers/linear.py:731, 1,024 channels over 3 ranks."""
    with pytest.raises(RequestError, match=r"1,024 channels of mlp\S+ do not divide over tensor parallel size 3"):
        widths_divide(laid(llama(1024, 32064), tp=3))


def test_a_padded_vocabulary_divides():
    """VLLM 0.33: "32000 is not divisible by 3", and 32,064 starts; 50,257 is padded to 50,304: by 3, not by 5."""
    with pytest.raises(RequestError, match="32,000 rows of the padded vocabulary"):
        widths_divide(laid(llama(1536, 32000), tp=3))
    widths_divide(laid(llama(1536, 32064), tp=3))
    widths_divide(laid(llama(1536, 50257), tp=3))
    with pytest.raises(RequestError, match="50,304 rows"):
        widths_divide(laid(llama(1540, 50257), tp=5))


def test_what_a_rank_holds_whole_needs_not_divide():
    """Experts and heads have rules of their own, and one rank divides nothing."""
    widths_divide(laid(llama(1023, 32003)))


def test_experts_of_gpt_oss_divide_over_all_ranks():
    """gpt_oss.py:389 asserts 2,880 over the whole world: not over 7 stages or replicas, over 8 it does."""
    mixed = ({"mixer": SIX_HEADS, "feed_forward": mixture(2880)},)
    model = llama(0, 201088, "GptOssForCausalLM", layers=24, kinds=mixed)
    for sizes in ({"pp": 7}, {"dp": 7}):
        with pytest.raises(RequestError, match="all 7 ranks"):
            experts_divide_over_the_world(laid(model, **sizes))
    experts_divide_over_the_world(laid(model, pp=8))
    experts_divide_over_the_world(laid(llama(0, 201088, "Qwen3MoeForCausalLM", layers=24, kinds=mixed), pp=7))


def mixture(width):
    """Eight experts."""
    return {"kind": "moe", "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": width}


def test_layers_that_an_encoder_feeds_lie_in_the_first_stage():
    """Qwen3-VL-2B over 16 stages: "start_layer should be greater than or equal to len(deepstack_visual_indexes)"."""
    tower = {"name": "visual", "early_outputs": 3}
    model = llama(1536, 32064, "Qwen3VLForConditionalGeneration", layers=28, towers=(tower,))
    with pytest.raises(RequestError, match=r"first 3 layers .* first of 16 pipeline stages has 1: .*-size 9 or fewer"):
        stages_feed_the_first(laid(model, pp=16, nodes=2))
    stages_feed_the_first(laid(model, pp=8))
    other = llama(1536, 32064, "Qwen3OmniMoeForConditionalGeneration", layers=28, towers=(tower,))
    stages_feed_the_first(laid(other, pp=16, nodes=2))


def test_each_stage_has_experts_where_the_class_looks_for_them():
    """glm4_moe.py:509, "No Glm4MoE layer found in model.layers.": GLM-4.5's first three layers are dense."""
    dense = {"mixer": SIX_HEADS, "feed_forward": {"kind": "dense", "intermediate_size": 1536}}
    kinds = (dense, {"mixer": SIX_HEADS, "feed_forward": mixture(512)})
    model = llama(0, 32064, "Glm4MoeForCausalLM", kinds=kinds, layer_pattern="0*3 1*89")
    with pytest.raises(RequestError, match="stage 1 of 32 has no routed experts"):
        stages_have_experts(laid(model, pp=32, nodes=4))
    stages_have_experts(laid(model, pp=16, nodes=2))
    stages_have_experts(laid(model.model_copy(update={"architecture": "DeepseekV3ForCausalLM"}), pp=32, nodes=4))


STATES = {
    "kind": "mamba2", "num_heads": 8, "head_dim": 64, "state_size": 128, "conv_kernel": 4, "n_groups": 1,
}  # fmt: skip


def test_prefixes_of_states_need_chunked_prefill():
    """Of 0.33: "Chunked prefill is required for Mamba prefix caching."; without prefix caching it starts."""
    mixers = ({"mixer": STATES}, {"mixer": SIX_HEADS})
    model = llama(0, 32064, "NemotronHForCausalLM", kinds=mixers, layer_pattern="0 1 0 1")
    with pytest.raises(RequestError, match="chunked prefill is required"):
        states_are_read_in_parts(laid(model, chunked_prefill=False))
    states_are_read_in_parts(laid(model, chunked_prefill=False, enable_prefix_caching=False))
    states_are_read_in_parts(laid(model, chunked_prefill=False, release="0.26.0"))
    states_are_read_in_parts(laid(model))


def test_groups_of_states_divide_unless_there_is_one():
    """mamba_mixer2.py:315 asserts it: Nemotron-H's 8 groups over 16 ranks end the start, one group is repeated."""
    wide = STATES | {"num_heads": 256, "head_dim": 64}
    for groups, tp in ((8, 16), (2, 4)):
        model = llama(0, 32064, "NemotronHForCausalLM", kinds=({"mixer": wide | {"n_groups": groups}},))
        with pytest.raises(RequestError, match=rf"{groups} groups of heads .* size \({tp}\)"):
            states_divide(laid(model, tp=tp, nodes=2))
        states_divide(laid(model, tp=groups, nodes=2))
    states_divide(laid(llama(0, 32064, "NemotronHForCausalLM", kinds=({"mixer": wide},)), tp=16, nodes=2))


def test_states_of_kimi_are_kept_wide():
    """mamba_utils.py: "KDA recurrent state supports only auto, float32, and bfloat16; got float16"."""
    kimi = {"kind": "kimi_delta_attention", "num_heads": 32, "head_dim": 128, "conv_kernel": 4}
    model = llama(0, 32064, "KimiLinearForCausalLM", kinds=({"mixer": kimi}, {"mixer": SIX_HEADS}), layer_pattern="0 1")
    with pytest.raises(RequestError, match="float16 is not for this model's states"):
        states_are_kept_in_their_dtype(laid(model, mamba_ssm_cache_dtype="float16"))
    states_are_kept_in_their_dtype(laid(model, mamba_ssm_cache_dtype="bfloat16"))
    states_are_kept_in_their_dtype(laid(model, mamba_ssm_cache_dtype="float16", release="0.29.0"))
    mamba = llama(0, 32064, "NemotronHForCausalLM", kinds=({"mixer": STATES},))
    states_are_kept_in_their_dtype(laid(mamba, mamba_ssm_cache_dtype="float16"))


def test_every_start_is_held_to_them():
    """A rule that nobody asks refuses nothing."""
    asked = {
        widths_divide, experts_divide_over_the_world, stages_feed_the_first, stages_have_experts,
        states_are_read_in_parts,
        states_are_kept_in_their_dtype,
    }  # fmt: skip
    assert asked <= set(RULES)
