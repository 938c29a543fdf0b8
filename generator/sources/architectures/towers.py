"""Parts that towers share: transformer blocks and single tensors, split as vLLM's `mm-encoder-tp-mode` weights does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.matrix import Matrix, Shard

if TYPE_CHECKING:
    from generator.models.architecture import Tower
    from generator.sources.architectures.fields import Config


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


def headed(tower: Tower, part: Config) -> Tower:
    """The tower with the heads that its ranks share, where its attention is split whatever they are."""
    first = tower.block[0] if tower.block else None
    if first is None or tower.num_heads or first.shard != "column" or first.undivided:
        return tower
    names = ("num_heads", "num_attention_heads", "encoder_attention_heads")
    heads = next((part[name] for name in names if isinstance(part.get(name), int)), 0)
    return tower.model_copy(update={"num_heads": heads})
