"""One row a family: how vLLM's class for a `model_type` reads attention and layers, and its ways beside them.

A `model_type` without a row is generic: standard fields alone are read. Facts are those of vLLM 0.32
model_executor/models, and of Transformers' config classes where a field is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from generator.models.attention import Mixers
from generator.models.dtype import DType
from generator.sources.architectures import (
    attention,
    bailing,
    encoders,
    ernie_vl,
    gemma,
    hybrid,
    projected,
    state_space,
)
from generator.sources.architectures import (
    attention_delta as delta,
)
from generator.sources.architectures import (
    attention_latent as mla,
)
from generator.sources.architectures import (
    attention_mixed as mixed,
)
from generator.sources.architectures import (
    attention_recurrent as states,
)
from generator.sources.architectures.attention_softmax import Traits, softmax_mixers
from generator.sources.architectures.blocks import MixtureTraits
from generator.sources.architectures.decoder import Family, Ways
from generator.sources.architectures.dense import DenseTraits, dense_decoder, nemotron_nas_decoder
from generator.sources.architectures.moe import deepseek_v4_decoder, llama4_decoder, minimax_m3_decoder, moe_decoder

if TYPE_CHECKING:
    from generator.sources.architectures.decoder import Decoder
    from generator.sources.architectures.fields import Config

EACH_STAGE = Ways(embed_every_stage=True, head_every_stage=True)


def softmax(**traits: Any) -> Callable[[Config], Mixers]:
    """A reader of separate key and value heads with a class's own traits."""
    return partial(softmax_mixers, traits=Traits(**traits))


def dense(**traits: Any) -> Callable[[Config, Mixers], Decoder]:
    """A reader of dense layers with a class's own traits."""
    return partial(dense_decoder, traits=DenseTraits(**traits))


def mixture(*, always: bool = True, **traits: Any) -> Callable[[Config, Mixers], Decoder]:
    """A reader of mixtures of experts with a class's own traits."""
    return partial(moe_decoder, traits=MixtureTraits(always=always, **traits))


FAMILIES: dict[str, Family] = {
    "afmoe": Family(
        softmax(qkv_bias=False, qk_norm=True, output_gate=True),
        mixture(correction_bias=True, router_dtype=DType.F32, norms=4), Ways(own_head=True)),
    "apertus": Family(softmax(output_bias="attention_bias", qk_norm=True), dense(gated=False, bias="mlp_bias")),
    "aquila": Family(softmax(qkv_bias=False), dense()),
    "arcee": Family(softmax(output_bias="attention_bias"), dense(gated=False, bias="mlp_bias")),
    "axk1": Family(mla.latent_mixers, mixture(shared_whole=True), Ways(own_head=True)),
    "baichuan": Family(softmax(qkv_bias=False), dense()),
    "bailing_hybrid": Family(states.bailing_hybrid_mixers, bailing.bailing_hybrid_decoder, Ways(own_head=True)),
    "bailing_hybrid_v3": Family(delta.bailing_v3_mixers, bailing.bailing_v3_decoder),
    "bailing_moe": Family(
        softmax(qkv_bias="use_qkv_bias", output_bias="use_bias", qk_norm="use_qk_norm"), mixture(shared_whole=True)),
    "bailing_moe_v2": Family(
        softmax(qkv_bias="use_qkv_bias", output_bias="use_bias", qk_norm="use_qk_norm"), mixture(shared_whole=True)),
    "bamba": Family(states.bamba_mixers, state_space.dense_hybrid_decoder, Ways(rotary="never")),
    "bert": Family(attention.encoder_mixers, encoders.bert_decoder),
    "bloom": Family(
        softmax(qkv_bias=True, output_bias=True, alibi=True),
        dense(norm_bias=True, gated=False, bias=True, tied=True, embedding_norms=1), Ways(head_every_stage=True)),
    "chatglm": Family(
        softmax(qkv_bias="add_qkv_bias", output_bias="add_bias_linear"), dense(bias="add_bias_linear")),
    "cohere": Family(softmax(qk_norm="use_qk_norm"), dense(norms=1, tied=True), Ways(embed_every_stage=True)),
    "cohere2": Family(
        softmax(qk_norm="use_qk_norm", pattern=4, window_extra=1, default_window=4096, defaults={"head_dim": 128}),
        dense(norms=1, tied=True), Ways(embed_every_stage=True)),
    "cohere2_moe": Family(
        softmax(pattern=4, window_extra=1, default_window=4096, defaults={"head_dim": 128}),
        mixture(norms=1, tied=True)),
    "cwm": Family(softmax(output_bias="attention_bias", pattern=-4, default_window=8192), dense()),
    "dbrx": Family(mixed.dbrx_mixers, projected.dbrx_decoder, Ways(head_every_stage=True)),
    "deepseek": Family(softmax(), mixture(shared_whole=True, normalised=False), Ways(own_head=True)),
    "deepseek_ref": Family(mla.compressed_mixers, deepseek_v4_decoder),
    "deepseek_v2": Family(mla.latent_mixers, mixture(shared_whole=True, normalised=False), Ways(own_head=True)),
    "deepseek_v3": Family(mla.latent_mixers, mixture(shared_whole=True), Ways(own_head=True)),
    "deepseek_v32": Family(mla.latent_mixers, mixture(shared_whole=True)),
    "deepseek_v4": Family(mla.compressed_mixers, deepseek_v4_decoder),
    "dots1": Family(softmax(qk_norm=True), mixture(correction_bias=True)),
    "ernie4_5": Family(softmax(qkv_bias=False, defaults={"head_dim": 128}), dense(tied=True)),
    "ernie4_5_moe": Family(
        softmax(qkv_bias="use_bias", output_bias="use_bias"),
        mixture(correction_bias=True, router_dtype=DType.F32, tied=True)),
    "ernie4_5_moe_vl_text": Family(softmax(qkv_bias="use_bias", output_bias="use_bias"), ernie_vl.ernie_vl_decoder),
    "exaone": Family(softmax(qkv_bias=False), dense()),
    "exaone4": Family(softmax(qkv_bias=False, qk_norm=True, default_window=4096), dense()),
    "exaone_moe": Family(
        softmax(output_bias="attention_bias", qk_norm=True, default_window=4096), mixture(correction_bias=True)),
    "falcon": Family(
        softmax(qkv_bias="bias", output_bias="bias"),
        dense(norm_bias=True, gated=False, bias="bias", tied=True, side_by_side=True), Ways(head_every_stage=True)),
    "falcon_h1": Family(states.falcon_h1_mixers, state_space.dense_hybrid_decoder),
    "falcon_mamba": Family(states.mamba1_mixers, state_space.mamba_decoder),
    "gemma": Family(
        softmax(qkv_bias=False, defaults={"head_dim": 256}), dense(tied=True), Ways(embed_every_stage=True)),
    "gemma2": Family(
        softmax(output_bias="attention_bias", pattern=2, default_window=4096, defaults={"head_dim": 256}),
        dense(norms=4, tied=True), Ways(embed_every_stage=True, softcapped=True)),
    "gemma3_text": Family(
        softmax(output_bias="attention_bias", qk_norm=True, pattern=6, default_window=4096,
                defaults={"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256}),
        dense(norms=4, tied=True), Ways(embed_every_stage=True)),
    "gemma3n_text": Family(mixed.gemma3n_mixers, gemma.gemma3n_decoder, Ways(embed_every_stage=True)),
    "gemma4": Family(mixed.gemma4_mixers, gemma.layered_gemma4_decoder, Ways(embed_every_stage=True)),
    "gemma4_text": Family(mixed.gemma4_mixers, gemma.layered_gemma4_decoder, Ways(embed_every_stage=True)),
    "glm": Family(softmax(), dense()),
    "glm4": Family(softmax(), dense(norms=4)),
    "glm4_moe": Family(
        softmax(qk_norm="use_qk_norm"), mixture(correction_bias=True, router_dtype=DType.F32), Ways(own_head=True)),
    "glm4_moe_lite": Family(
        mla.latent_mixers, mixture(correction_bias=True, router_dtype=DType.F32, shared_whole=True),
        Ways(own_head=True)),
    "glm4v_moe_text": Family(softmax(qk_norm="use_qk_norm"), mixture(correction_bias=True, router_dtype=DType.F32)),
    "glm4v_text": Family(softmax(), dense()),
    "glm_moe_dsa": Family(mla.latent_mixers, mixture(correction_bias=True, shared_whole=True)),
    "gpt2": Family(
        softmax(qkv_bias=True, output_bias=True),
        dense(norm_bias=True, gated=False, bias=True, tied=True, positions=True), EACH_STAGE),
    "gpt_bigcode": Family(
        softmax(qkv_bias=True, output_bias=True, defaults={"multi_query": 1}),
        dense(norm_bias=True, gated=False, bias=True, tied=True, whole=True, positions=True), Ways(rotary="mask")),
    "gpt_neox": Family(softmax(qkv_bias=True, output_bias=True), dense(norm_bias=True, gated=False, bias=True)),
    "gpt_oss": Family(
        softmax(qkv_bias=True, output_bias=True, sinks=True, pattern=2, default_window=128,
                defaults={"num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64}),
        mixture(router_name="router", bias=True, router_bias=True, activation="swigluoai"),
        Ways(head_every_stage=True, own_head=True)),
    "gptj": Family(
        softmax(qkv_bias=False), dense(norms=1, norm_bias=True, gated=False, bias=True, lm_head_bias=True),
        Ways(head_every_stage=True)),
    "granite": Family(softmax(output_bias="attention_bias"), dense(bias="mlp_bias")),
    "granite_swa": Family(
        softmax(output_bias="attention_bias", pattern=-4, default_window=128), dense(bias="mlp_bias", tied=True)),
    "granitemoe": Family(
        softmax(output_bias="attention_bias"), mixture(name="block_sparse_moe", router_name="router.layer"),
        EACH_STAGE),
    "granitemoe_swa": Family(
        softmax(output_bias="attention_bias", pattern=-4, default_window=128),
        mixture(name="block_sparse_moe", router_name="router.layer"), EACH_STAGE),
    "granitemoehybrid": Family(states.granite_hybrid_mixers, state_space.granite_hybrid_decoder, EACH_STAGE),
    "granitemoeshared": Family(
        softmax(output_bias="attention_bias"), mixture(name="block_sparse_moe", router_name="router.layer"),
        EACH_STAGE),
    "hunyuan_v1_dense": Family(
        softmax(output_bias="attention_bias", qk_norm="use_qk_norm"), dense(bias="mlp_bias")),
    "hunyuan_v1_moe": Family(
        softmax(output_bias="attention_bias", qk_norm="use_qk_norm"),
        mixture(shared_name="shared_mlp", shared_count=1)),
    "hy_v3": Family(softmax(qk_norm="qk_norm"), mixture(correction_bias=True, router_dtype=DType.F32), EACH_STAGE),
    "internlm2": Family(softmax(qkv_bias="bias", output_bias="bias"), dense()),
    "internlm3": Family(softmax(qkv_bias="qkv_bias"), dense()),
    "iquestloopcoder": Family(mixed.iquest_loop_mixers, projected.iquest_loop_decoder),
    "jais2": Family(softmax(qkv_bias=True, output_bias=True), dense(norm_bias=True, gated=False, bias=True)),
    "jamba": Family(states.jamba_mixers, state_space.jamba_decoder, EACH_STAGE._replace(own_head=True, rotary="never")),
    "kimi_k2": Family(mla.latent_mixers, mixture(shared_whole=True), Ways(own_head=True)),
    "kimi_linear": Family(delta.kimi_linear_mixers, hybrid.kimi_linear_decoder, Ways(rotary="never")),
    "laguna": Family(mixed.laguna_mixers, projected.laguna_decoder),
    "lfm2": Family(states.lfm2_mixers, state_space.lfm2_decoder, Ways(embed_every_stage=True)),
    "lfm2_moe": Family(states.lfm2_mixers, state_space.lfm2_decoder, Ways(embed_every_stage=True)),
    "llama": Family(mixed.llama_mixers, dense(bias="mlp_bias")),
    "llama4": Family(mixed.llama4_mixers, llama4_decoder),
    "llama4_text": Family(mixed.llama4_mixers, llama4_decoder),
    "longcat_flash": Family(mla.longcat_mixers, state_space.longcat_decoder, Ways(own_head=True, rotary="always")),
    "mamba": Family(states.mamba1_mixers, state_space.mamba_decoder, Ways(head_every_stage=True)),
    "mamba2": Family(states.mamba2_mixers, partial(state_space.mamba_decoder, tied=False), Ways(head_every_stage=True)),
    "mimo": Family(softmax(qkv_bias=True, named_head_dim=False, alike_from=28), dense()),
    "mimo_v2": Family(mixed.mimo_v2_mixers, mixture(correction_bias=True, router_dtype=DType.F32)),
    "mimo_v2_flash": Family(mixed.mimo_v2_mixers, mixture(correction_bias=True, router_dtype=DType.F32)),
    "minicpm": Family(softmax(output_bias="attention_bias"), mixture(always=False), EACH_STAGE),
    "minicpm3": Family(mixed.minicpm3_mixers, projected.minicpm3_decoder, EACH_STAGE._replace(rotary="always")),
    "minimax": Family(states.minimax_text_mixers, state_space.minimax_text_decoder),
    "minimax_m2": Family(
        softmax(qkv_bias=False, qk_norm=True, defaults={"head_dim": 128}),
        mixture(name="block_sparse_moe", correction_bias=True, router_dtype=DType.F32), Ways(own_head=True)),
    "minimax_m3": Family(mixed.minimax_m3_mixers, minimax_m3_decoder),
    "minimax_m3_vl_text": Family(mixed.minimax_m3_mixers, minimax_m3_decoder),
    "minimax_text_01": Family(states.minimax_text_mixers, state_space.minimax_text_decoder),
    "ministral": Family(softmax(default_window=4096), dense()),
    "ministral3": Family(softmax(output_bias="attention_bias"), dense()),
    "mistral": Family(softmax(output_bias="attention_bias", default_window=4096), dense()),
    "mistral3_text": Family(softmax(output_bias="attention_bias"), dense()),
    "mixtral": Family(softmax(qkv_bias=False), mixture(name="block_sparse_moe"), EACH_STAGE),
    "modernbert": Family(attention.encoder_mixers, encoders.modernbert_decoder),
    "muse_glimmer_text": Family(softmax(qk_norm=True, output_gate=True), dense(norms=4)),
    "nanochat": Family(softmax(qkv_bias=False), dense(norms=0, gated=False)),
    "nemotron": Family(softmax(output_bias="attention_bias"), dense(norm_bias=True, gated=False, bias="mlp_bias")),
    "nemotron-nas": Family(mixed.nemotron_nas_mixers, nemotron_nas_decoder),
    "nemotron_h": Family(
        states.nemotron_h_mixers, hybrid.nemotron_h_decoder, EACH_STAGE._replace(own_head=True, rotary="never")),
    "olmo": Family(softmax(output_bias="attention_bias"), dense(norms=0)),
    "olmo2": Family(softmax(qk_norm=True), dense()),
    "olmo3": Family(softmax(qk_norm=True, pattern=4, default_window=4096), dense()),
    "olmo_hybrid": Family(
        delta.olmo_hybrid_mixers, hybrid.olmo_hybrid_decoder, EACH_STAGE._replace(rotary="unless_null")),
    "olmoe": Family(softmax(qk_norm=True), mixture(normalised=False), EACH_STAGE._replace(own_head=True)),
    "opt": Family(
        softmax(qkv_bias=True, output_bias=True),
        dense(norm_bias=True, gated=False, bias=True, tied=True, positions=True), EACH_STAGE),
    "orion": Family(softmax(qkv_bias=False), dense(), EACH_STAGE),
    "pangu_ultra_moe": Family(mla.latent_mixers, mixture(shared_whole=True, norms=4)),
    "param2moe": Family(
        softmax(qkv_bias="use_qkv_bias", output_bias="use_bias", qk_norm="use_qk_norm"),
        mixture(router_dtype=DType.F32)),
    "phi": Family(
        softmax(qkv_bias=True, output_bias=True),
        dense(norms=1, norm_bias=True, gated=False, bias=True, lm_head_bias=True)),
    "phi3": Family(softmax(qkv_bias=False), dense()),
    "phi4mm": Family(softmax(qkv_bias=False), dense(), Ways(head_every_stage=True)),
    "phimoe": Family(
        softmax(output_bias="attention_bias"), mixture(name="block_sparse_moe", plain_routing=True, norm_bias=True),
        EACH_STAGE),
    "pixtral_text": Family(softmax(output_bias="attention_bias"), dense()),
    "plamo3": Family(softmax(qkv_bias=False, qk_norm=True), dense(norms=4)),
    "qwen2": Family(softmax(qkv_bias=True, named_head_dim=False, alike_from=28), dense()),
    "qwen2_5_vl": Family(
        softmax(qkv_bias=True, named_head_dim=False, alike_from=80), dense(), Ways(multi_axis=True)),
    "qwen2_5_vl_text": Family(
        softmax(qkv_bias=True, named_head_dim=False, alike_from=80), dense(), Ways(multi_axis=True)),
    "qwen2_moe": Family(
        softmax(qkv_bias=True, named_head_dim=False),
        mixture(shared_name="shared_expert", shared_gate=True, shared_whole=True, normalised=False), EACH_STAGE),
    "qwen2_vl": Family(
        softmax(qkv_bias=True, named_head_dim=False, alike_from=80), dense(), Ways(multi_axis=True)),
    "qwen2_vl_text": Family(
        softmax(qkv_bias=True, named_head_dim=False, alike_from=80), dense(), Ways(multi_axis=True)),
    "qwen3": Family(softmax(qk_norm=True, alike_from=28), dense()),
    "qwen3_5": Family(delta.gated_delta_mixers, hybrid.gated_delta_decoder, Ways(embed_every_stage=True)),
    "qwen3_5_moe": Family(delta.gated_delta_mixers, hybrid.gated_delta_decoder, Ways(embed_every_stage=True)),
    "qwen3_5_moe_text": Family(delta.gated_delta_mixers, hybrid.gated_delta_decoder, Ways(embed_every_stage=True)),
    "qwen3_5_text": Family(delta.gated_delta_mixers, hybrid.gated_delta_decoder, Ways(embed_every_stage=True)),
    "qwen3_moe": Family(softmax(qk_norm=True), mixture(router_quantized=True, normalised=False), EACH_STAGE),
    "qwen3_next": Family(
        delta.gated_delta_mixers, partial(hybrid.gated_delta_decoder, unnamed_drafts=1),
        EACH_STAGE._replace(own_head=True)),
    "qwen3_omni_moe_text": Family(softmax(qk_norm=True), mixture(router_quantized=True), EACH_STAGE),
    "qwen3_vl_moe_text": Family(
        softmax(qk_norm=True), mixture(router_quantized=True), EACH_STAGE._replace(multi_axis=True)),
    "qwen3_vl_text": Family(softmax(qk_norm=True), dense(), Ways(multi_axis=True)),
    "roberta": Family(attention.encoder_mixers, encoders.bert_decoder),
    "sarvam_mla": Family(mla.latent_mixers, mixture(router_dtype=DType.BF16, shared_whole=True)),
    "sarvam_moe": Family(
        softmax(qkv_bias="use_qkv_bias", output_bias="use_bias", qk_norm="use_qk_norm"), mixture(shared_whole=True)),
    "seed_oss": Family(
        softmax(output_bias="attention_out_bias", defaults={"head_dim": 128}), dense(bias="mlp_bias")),
    "smollm3": Family(softmax(output_bias="attention_bias"), dense(bias="mlp_bias")),
    "solar": Family(softmax(output_bias="attention_bias"), dense()),
    "stablelm": Family(softmax(qkv_bias="use_qkv_bias"), dense(norm_bias=True), EACH_STAGE),
    "starcoder2": Family(
        softmax(qkv_bias="use_bias", output_bias="use_bias"),
        dense(norm_bias=True, gated=False, bias="use_bias", tied=True)),
    "step3_text": Family(mixed.step3_mixers, projected.step3_decoder, Ways(own_head=True, rotary="always")),
    "step3p5": Family(mixed.step3p5_mixers, projected.step3p5_decoder),
    "vaultgemma": Family(
        softmax(output_bias="attention_bias", pattern=2, default_window=4096, defaults={"head_dim": 256}),
        dense(tied=True)),
    "whisper": Family(mixed.whisper_mixers, encoders.whisper_decoder),
    "xlm-roberta": Family(attention.encoder_mixers, encoders.bert_decoder),
    "yi": Family(softmax(output_bias="attention_bias"), dense()),
    "zamba2": Family(states.zamba2_mixers, hybrid.zamba2_decoder, EACH_STAGE._replace(rotary="asked")),
}  # fmt: skip
"""By `model_type` of the text config."""
