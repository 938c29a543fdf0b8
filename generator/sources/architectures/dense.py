"""Families of dense decoders: what each vLLM class fixes beside the fields of config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from generator.models.feed_forward import Dense
from generator.models.matrix import Matrix
from generator.sources.architectures.attention import mixers
from generator.sources.architectures.blocks import dense, layer_count
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import first, integer
from generator.units import round_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Config = Mapping[str, Any]


class DenseTraits(NamedTuple):
    """One family's ways."""

    norms: int = 2
    norm_bias: bool = False
    gated: bool = True
    bias: bool | str = False
    """Whether projections have biases: fixed, or the field that says so."""
    tied: bool = False
    lm_head_bias: bool = False
    whole: bool = False
    """Whether every rank holds the whole feed-forward blocks."""
    positions: bool = False
    """Whether positions are a learned table."""
    embedding_norms: int = 0


_LLAMA = DenseTraits(bias="mlp_bias")
_PLAIN = DenseTraits()
_GEMMA = DenseTraits(tied=True)
_GEMMA_SANDWICH = DenseTraits(norms=4, tied=True)
_GPT = DenseTraits(norm_bias=True, gated=False, bias=True)

TRAITS: dict[str, DenseTraits] = {
    **dict.fromkeys(("llama", "granite", "smollm3", "seed_oss", "hunyuan_v1_dense", "apertus_text"), _LLAMA),
    **dict.fromkeys(
        ("mistral", "ministral", "ministral3", "mistral3_text", "pixtral_text", "qwen2", "qwen3", "qwen2_vl",
         "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text", "qwen3_vl_text", "phi3", "phi4mm", "glm",
         "internlm2", "exaone", "exaone4", "baichuan", "minicpm", "orion", "solar", "aquila", "yi", "olmo2",
         "olmo3", "internlm3", "mimo", "glm4v_text"),
        _PLAIN,
    ),
    "gemma": _GEMMA, "gemma2": _GEMMA_SANDWICH, "gemma3_text": _GEMMA_SANDWICH,
    "glm4": DenseTraits(norms=4), "ernie4_5": DenseTraits(tied=True),
    "cohere": DenseTraits(norms=1, tied=True), "cohere2": DenseTraits(norms=1, tied=True),
    "chatglm": DenseTraits(bias="add_bias_linear"),
    "jais2": _GPT, "nanochat": DenseTraits(norms=0, gated=False), "vaultgemma": _GEMMA, "cwm": _PLAIN,
    "plamo3": DenseTraits(norms=4), "muse_glimmer_text": DenseTraits(norms=4),
    "granite_swa": _LLAMA._replace(tied=True),
    "olmo": DenseTraits(norms=0), "arcee": DenseTraits(gated=False, bias="mlp_bias"),
    "apertus": DenseTraits(gated=False, bias="mlp_bias"),
    "nemotron": DenseTraits(norm_bias=True, gated=False, bias="mlp_bias"),
    "stablelm": DenseTraits(norm_bias=True),
    "starcoder2": DenseTraits(norm_bias=True, gated=False, bias="use_bias", tied=True),
    "phi": DenseTraits(norms=1, norm_bias=True, gated=False, bias=True, lm_head_bias=True),
    "gpt_neox": _GPT, "gptj": DenseTraits(norms=1, norm_bias=True, gated=False, bias=True, lm_head_bias=True),
    "gpt2": _GPT._replace(tied=True, positions=True),
    "gpt_bigcode": _GPT._replace(tied=True, positions=True, whole=True),
    "opt": _GPT._replace(tied=True, positions=True), "bloom": _GPT._replace(tied=True, embedding_norms=1),
    "falcon": DenseTraits(norm_bias=True, gated=False, bias="bias", tied=True),
}  # fmt: skip
"""What each vLLM class of dense decoders fixes (vLLM 0.32 model_executor/models)."""


def dense_decoder(text: Config) -> Decoder:
    """Layers of a dense decoder; a `model_type` without traits reads as one of Llama's kind."""
    traits = TRAITS.get(str(text.get("model_type", "")), _LLAMA)
    bias = bool(text.get(traits.bias)) if isinstance(traits.bias, str) else traits.bias
    block = dense(text, gated=traits.gated, bias=bias).model_copy(update={"whole": traits.whole})
    layers = stack(mixers(text), (block,) * layer_count(text), norms=_norms(text, traits))
    return Decoder(
        layers=layers, tied=traits.tied, norm_bias=traits.norm_bias, lm_head_bias=traits.lm_head_bias,
        extra=_extra(text, traits),
    )  # fmt: skip


def _norms(text: Config, traits: DenseTraits) -> int:
    """Norms of a layer; Falcon's blocks side by side may share one, HyperCLOVA X may add two (falcon.py:267)."""
    if text.get("model_type") == "falcon" and text.get("parallel_attn", True):
        both = text.get("new_decoder_architecture") and text.get("num_ln_in_parallel_attn") != 1
        return traits.norms if both else 1
    return traits.norms + (2 if text.get("use_post_norm") else 0)


def _extra(text: Config, traits: DenseTraits) -> tuple[Matrix, ...]:
    hidden = integer(text, "hidden_size", "n_embd", "d_model")
    norm = Matrix(name="embed_norm", rows=hidden, bias=True, part="other", linear=False)
    if not traits.positions:
        return (norm,) * traits.embedding_norms
    length = integer(text, "max_position_embeddings", "n_positions", default=0)
    return (Matrix(name="positions", rows=length, columns=hidden, part="embed", linear=False),)


def nemotron_nas_decoder(text: Config) -> Decoder:
    """Nemotron-NAS: each block names its own width or none (model_executor/models/nemotron_nas.py)."""
    hidden = int(text["hidden_size"])
    blocks = tuple(_nas_block(block["ffn"], hidden) for block in text["block_configs"])
    layers = tuple(
        layer.model_copy(update={"norms": (layer.mixer is not None) + (layer.feed_forward is not None)})
        for layer in stack(mixers(text), blocks)
    )
    return Decoder(layers=layers)


def _nas_block(block: Config, hidden_size: int) -> Dense | None:
    if block.get("no_op") or block.get("replace_with_linear"):
        return None
    named = first(block, "intermediate_size")
    if named:
        return Dense(intermediate_size=int(named))
    inner = int(2 * float(block["ffn_mult"]) * hidden_size / 3)
    return Dense(intermediate_size=round_up(inner, 256))


DENSE: dict[str, Callable[[Config], Decoder]] = {
    **dict.fromkeys(TRAITS, dense_decoder),
    "nemotron-nas": nemotron_nas_decoder,
}
"""Readers by `model_type` of the text config."""
