"""Block sizes: the tokens of a block that every backend of a model takes, raised to hold a state in hybrids.

vLLM 0.32 platforms/interface.py:700-1100.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import lcm
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.backend import Backend
from generator.planning.kinds.of import attentions_of, is_hybrid, states_of
from generator.planning.kinds.softmax import rank_kv_heads
from generator.planning.kv_cache import packing
from generator.planning.kv_cache.backends import DEFAULT_BLOCK_SIZE
from generator.planning.kv_cache.context import Blocks
from generator.planning.kv_cache.specs import DTYPE_BYTES, FullAttentionSpec
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Context
    from generator.planning.kv_cache.selection import Served

_MLA_HYBRID_BLOCK = 128
"""Blocks of MLA beside states are multiples of it (platforms/interface.py:1075)."""


def block_sizes(ctx: Context, served: Sequence[Served]) -> Blocks:
    """The block size that vLLM settles on, and the padding that follows from it."""
    backends = model_backends(ctx, served)
    if not backends:
        return Blocks(ctx.settings.block_size or DEFAULT_BLOCK_SIZE)
    block = ctx.settings.block_size or preferred(backends)
    page = None
    if is_hybrid(ctx.architecture):
        block, page = _hybrid(ctx, backends, block)
    if ctx.skipped:
        block = _mixed_dtypes(ctx, backends[0], block, page or 0)
    return Blocks(block, page)


def model_backends(ctx: Context, served: Sequence[Served]) -> tuple[Backend, ...]:
    """Distinct backends of the layers that keep tokens, in layer order, by the whole model's heads."""
    size = model_heads(ctx)[1]
    found: dict[str, Backend] = {}
    for one in served:
        whole = one.query.changed(head_size=size, block_size=None)
        for backend in one.attention.block_backends(one.backend, whole):
            found.setdefault(backend.name, backend)
    return tuple(found.values())


def model_heads(ctx: Context) -> tuple[int, int]:
    """KV heads of one rank and the head size, as vLLM states them for the whole model.

    Layers of several shapes count with their largest (vLLM 0.32 config/model_arch.py: from_layers).
    """
    found = [one for attention in attentions_of(ctx.architecture) for one in attention.cached()]
    latent = next((one.head_size for one in found if one.latent), None)
    if latent is not None:
        return 1, latent
    heads = [rank_kv_heads(one.kv_heads, ctx.tp) for one in found if one.kv_heads is not None]
    sizes = [one.head_size for one in found if one.kv_heads is not None or not heads]
    return max(heads, default=1), max(sizes, default=0)


def preferred(backends: Sequence[Backend]) -> int:
    """Smallest block size that every backend takes; 16 where they all do.

    Raises:
        RequestError: they share none.
    """
    if all(backend.supports_block(DEFAULT_BLOCK_SIZE) for backend in backends):
        return DEFAULT_BLOCK_SIZE
    if len(backends) == 1:
        return backends[0].smallest_block
    sizes = [backend.block_sizes or (backend.block_multiple or 1,) for backend in backends]
    for size in sorted({lcm(*chosen) for chosen in product(*sizes)}):
        if all(backend.supports_block(size) for backend in backends):
            return size
    names = ", ".join(backend.name for backend in backends)
    raise RequestError(f"attention backends {names} share no block size; leave --block-size to vLLM")


def _hybrid(ctx: Context, backends: Sequence[Backend], block: int) -> tuple[int, int | None]:
    """The block whose page holds a state, and the padding of the state's page to it.

    The block grows in whole kernel blocks (platforms/interface.py:939); the attention page is the model's.
    """
    states = tuple(states_of(ctx.architecture))
    state = max(one.kept(ctx).size_bytes for one in states)
    token = _token_bytes(ctx, backends[0])
    step = max(backends[0].smallest_block, block)
    if any(attention.latent for attention in attentions_of(ctx.architecture)):
        step = max(step, _MLA_HYBRID_BLOCK)
    if ctx.aligned:
        step = lcm(step, *(one.checkpoint_alignment(ctx) for one in states))
    needed = step * ceil_div(state, step * token)
    block = max(block, round_up(needed, lcm(*(backend.smallest_block for backend in backends))))
    page = block * token
    return block, page if page != state else None


def _token_bytes(ctx: Context, backend: Backend) -> int:
    """Bytes of one token in one attention layer, by the heads that vLLM states for the whole model."""
    heads, size = model_heads(ctx)
    dtype = packing.storage_dtype(ctx.kv_cache_dtype, ctx.dtype)
    if any(attention.latent for attention in attentions_of(ctx.architecture)):
        return size * DTYPE_BYTES[dtype]
    quant = packing.quant_mode(ctx.kv_cache_dtype)
    owner = ctx.settings.release.by_name["TURBOQUANT"] if quant.startswith("turboquant_") else backend
    plain = FullAttentionSpec(
        block_size=1, num_kv_heads=heads, head_size=size, head_size_v=size, dtype=dtype, quant=quant
    )
    return packing.packed(plain, owner, ctx.settings.capability).page_size_bytes


def _mixed_dtypes(ctx: Context, backend: Backend, block: int, state_page: int) -> int:
    """The block whose quantized page covers an unquantized layer's smallest one (interface.py:800)."""
    heads, size = model_heads(ctx)
    dtype = packing.storage_dtype(ctx.kv_cache_dtype, ctx.dtype)
    own = FullAttentionSpec(block_size=1, num_kv_heads=heads, head_size=size, head_size_v=size, dtype=ctx.dtype)
    quantized = own.changed(dtype=dtype, quant=packing.quant_mode(ctx.kv_cache_dtype))
    token = packing.packed(quantized, backend, ctx.settings.capability).page_size_bytes
    plain = own.page_size_bytes
    if plain == token:
        return block
    step = max(backend.smallest_block, block)
    needed = max(plain * backend.smallest_block, state_page)
    return max(block, step * ceil_div(needed, step * token))
