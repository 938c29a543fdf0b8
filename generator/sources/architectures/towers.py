"""Parts that towers share: blocks, single tensors and whole encoders, split as vLLM's `mm-encoder-tp-mode` weights."""

from collections.abc import Callable
from typing import NamedTuple

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Tower
from generator.models.matrix import Matrix, Shard
from generator.sources.architectures.fields import Config, integer


def linear(
    name: str, rows: int, columns: int, shard: Shard = "replicated", *, bias: bool = True, heads: int = 0
) -> Matrix:
    """A projection of a tower; with `heads` it stays whole where the ranks do not divide them."""
    return Matrix(name=name, rows=rows, columns=columns, shard=shard, bias=bias, part="vision", undivided=heads)


def plain(name: str, rows: int, columns: int = 1, *, bias: bool = False, copies: int = 1) -> Matrix:
    """A tensor on every rank that no quantization touches: an embedding, a convolution or a norm."""
    return Matrix(name=name, rows=rows, columns=columns, bias=bias, copies=copies, part="vision", linear=False)


def block(
    names: tuple[str, str, tuple[str, ...], str],
    hidden_size: int,
    inner: int,
    *,
    heads: int = 0,
    width: int | None = None,
    bias: bool = True,
    mlp_bias: bool | None = None,
    norm_bias: bool = True,
    norms: int = 2,
) -> tuple[Matrix, ...]:
    """One encoder block; `names` are its joint QKV, output, first and last feed-forward projections."""
    qkv, output, firsts, last = names
    own = width or hidden_size
    mlp = bias if mlp_bias is None else mlp_bias
    return (
        linear(qkv, 3 * own, hidden_size, "column", bias=bias, heads=heads),
        linear(output, hidden_size, own, "row", bias=bias, heads=heads),
        *(linear(first, inner, hidden_size, "column", bias=mlp, heads=heads) for first in firsts),
        linear(last, hidden_size, inner, "row", bias=mlp, heads=heads),
        plain("norms", hidden_size, bias=norm_bias, copies=norms),
    )


def tower_of(name: str, count: int, blocks: tuple[Matrix, ...], *outer: Matrix) -> Tower:
    """A tower of `count` equal blocks, and what stands outside them."""
    return Tower(name=name, count=count, block=blocks, outer=outer)


def headed(tower: Tower, part: Config) -> Tower:
    """The tower with the heads that its ranks share, where its attention is split whatever they are."""
    first = tower.block[0] if tower.block else None
    if first is None or tower.num_heads or first.shard != "column" or first.undivided:
        return tower
    names = ("num_heads", "num_attention_heads", "encoder_attention_heads")
    heads = next((part[name] for name in names if isinstance(part.get(name), int)), 0)
    return tower.model_copy(update={"num_heads": heads})


class Encoder(NamedTuple):
    """Equal blocks and what lies around them."""

    blocks: int
    width: int
    block: tuple[Matrix, ...]
    outer: tuple[Matrix, ...]

    def tower(self, name: str, *projector: Matrix) -> Tower:
        """The encoder with the projector that leads from it to the decoder."""
        return tower_of(name, self.blocks, self.block, *self.outer, *projector)


def patches(vision: Config) -> int:
    """Patches of the image that the table of positions is made for."""
    return (integer(vision, "image_size") // integer(vision, "patch_size")) ** 2


def _plain_blocks(vision: Config) -> tuple[Matrix, ...]:
    name = "encoder.layers.0"
    names = (
        f"{name}.self_attn.qkv_proj", f"{name}.self_attn.out_proj", (f"{name}.mlp.fc1",), f"{name}.mlp.fc2",
    )  # fmt: skip
    return block(names, integer(vision, "hidden_size"), integer(vision, "intermediate_size"))


def clip_encoder(vision: Config, layers: int | None = None, *, post_norm: bool = True) -> Encoder:
    """CLIP: a class token, a norm before the blocks, one behind them where all run (vLLM 0.32 clip.py)."""
    hidden = integer(vision, "hidden_size")
    return Encoder(
        blocks=layers or integer(vision, "num_hidden_layers"),
        width=hidden,
        block=_plain_blocks(vision),
        outer=(
            plain("embeddings.patch_embedding", hidden, 3 * integer(vision, "patch_size") ** 2),
            plain("embeddings.position_embedding", patches(vision) + 2, hidden),
            plain("layernorms", hidden, bias=True, copies=1 + post_norm),
        ),
    )


def siglip_encoder(vision: Config, layers: int | None = None, *, post_norm: bool = True) -> Encoder:
    """SigLIP and the Idefics encoders made after it (vLLM 0.32 siglip.py, idefics2_vision_model.py)."""
    hidden = integer(vision, "hidden_size")
    return Encoder(
        blocks=layers or integer(vision, "num_hidden_layers"),
        width=hidden,
        block=_plain_blocks(vision),
        outer=(
            plain("embeddings.patch_embedding", hidden, 3 * integer(vision, "patch_size") ** 2, bias=True),
            plain("embeddings.position_embedding", patches(vision), hidden),
            *((plain("post_layernorm", hidden, bias=True),) if post_norm else ()),
        ),
    )


def pixtral_encoder(vision: Config, layers: int | None = None, *, post_norm: bool = False) -> Encoder:  # noqa: ARG001
    """Pixtral: RMS norms and gated networks without biases (vLLM 0.32 pixtral.py)."""
    hidden, name = integer(vision, "hidden_size", default=1024), "transformer.layers.0"
    names = (
        f"{name}.attention.qkv_proj", f"{name}.attention.o_proj",
        (f"{name}.feed_forward.gate_proj", f"{name}.feed_forward.up_proj"), f"{name}.feed_forward.down_proj",
    )  # fmt: skip
    inner = integer(vision, "intermediate_size", default=4096)
    return Encoder(
        blocks=layers or integer(vision, "num_hidden_layers", default=24),
        width=hidden,
        block=block(names, hidden, inner, bias=False, norm_bias=False),
        outer=(
            plain("patch_conv", hidden, 3 * integer(vision, "patch_size", default=16) ** 2),
            plain("ln_pre", hidden),
        ),
    )


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "clip_vision_model": clip_encoder, "siglip_vision_model": siglip_encoder, "pixtral": pixtral_encoder,
}  # fmt: skip


def encoder_of(vision: Config, layers: int | None = None, *, post_norm: bool = True) -> Encoder:
    """The encoder that `vision_config` names.

    Raises:
        UnsupportedArchitectureError: vLLM's class takes no such encoder.
    """
    reader = ENCODERS.get(str(vision.get("model_type")))
    if reader is None:
        raise UnsupportedArchitectureError(
            f"vision_config names the encoder {vision.get('model_type')!r}; known are {', '.join(ENCODERS)}"
        )
    return reader(vision, layers, post_norm=post_norm)
