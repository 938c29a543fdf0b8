"""Families of dense decoders: what each vLLM class fixes beside the fields of config.json."""

from typing import NamedTuple

from generator.models.attention import Mixers
from generator.models.feed_forward import Dense
from generator.models.matrix import Matrix
from generator.sources.architectures.blocks import dense, layer_count
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import Config, first, integer
from generator.units import round_up


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
    side_by_side: bool = False
    """Whether attention and network may read one norm side by side."""


LLAMA_BLOCKS = DenseTraits(bias="mlp_bias")
"""Llama's own ways, by which a family that no row knows is read too."""


def dense_decoder(text: Config, found: Mixers, traits: DenseTraits = LLAMA_BLOCKS) -> Decoder:
    """Layers of a dense decoder; without traits one of Llama's kind."""
    bias = bool(text.get(traits.bias)) if isinstance(traits.bias, str) else traits.bias
    block = dense(text, gated=traits.gated, bias=bias).model_copy(update={"whole": traits.whole})
    layers = stack(found, (block,) * layer_count(text), norms=_norms(text, traits))
    return Decoder(
        layers=layers, tied=traits.tied, norm_bias=traits.norm_bias, lm_head_bias=traits.lm_head_bias,
        extra=_extra(text, traits),
    )  # fmt: skip


def _norms(text: Config, traits: DenseTraits) -> int:
    """Norms of a layer; Falcon's blocks side by side may share one, HyperCLOVA X may add two (falcon.py:267)."""
    if traits.side_by_side and text.get("parallel_attn", True):
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


def nemotron_nas_decoder(text: Config, found: Mixers) -> Decoder:
    """Nemotron-NAS: each block names its own width or none (model_executor/models/nemotron_nas.py)."""
    hidden = int(text["hidden_size"])
    blocks = tuple(_nas_block(block["ffn"], hidden) for block in text["block_configs"])
    layers = tuple(
        layer.model_copy(update={"norms": (layer.mixer is not None) + (layer.feed_forward is not None)})
        for layer in stack(found, blocks)
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
