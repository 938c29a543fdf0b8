"""CacheLayout: the cache of one layout, and every figure that vLLM derives from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from math import inf, lcm
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.parallelism import Layout
from generator.models.value import Made
from generator.planning.kinds.of import attentions_of
from generator.planning.kv_cache.grouping import group_layers
from generator.planning.kv_cache.layers import cache_layers
from generator.planning.kv_cache.selection import context
from generator.planning.kv_cache.settings import max_in_flight_tokens
from generator.planning.kv_cache.specs import KVCacheSpec, Reservation
from generator.units import round_up

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Context
    from generator.planning.kv_cache.grouping import CacheLayer, LayerGroup
    from generator.planning.kv_cache.settings import CacheSettings

    Available = int | Sequence[int]


class TableGroup(Made):
    """Layers that share one block table, over all stages."""

    layers: int
    page_size_bytes: int
    """Bytes of one block in one layer; of all layers together where their pages differ."""
    spec: KVCacheSpec
    """The cache of one layer of the group; all of them hold the same blocks of a request."""

    @property
    def kind(self) -> str:
        """VLLM's name of the spec: FullAttentionSpec, MambaSpec, ..."""
        return type(self.spec).__name__

    @property
    def block_size_tokens(self) -> int:
        """Tokens of one block."""
        return self.spec.block_size


class CacheLayout(Made):
    """The cache of one layout, on one rank of each pipeline stage."""

    groups: tuple[TableGroup, ...]
    bytes_per_block: tuple[int, ...]
    """Bytes of one block on a rank of each stage."""
    kv_cache_dtype: str
    block_size_tokens: int
    """vLLM's block size of the model's attention."""
    backends: tuple[str, ...]
    specs: tuple[tuple[int, str, int, int], ...]
    """Layers before grouping: (count, kind, block size, page bytes) of each spec."""
    reservation: Reservation
    num_gpu_blocks_override: int | None = None

    def num_blocks(self, available_bytes: Available) -> int:
        """Blocks of the pool for this much cache memory of one rank: the least of all stages."""
        if self.num_gpu_blocks_override is not None:
            return self.num_gpu_blocks_override
        sizes = self._per_stage(available_bytes)
        blocks = [have // size for have, size in zip(sizes, self.bytes_per_block, strict=True) if size]
        return max(0, min(blocks)) if blocks else 1

    def blocks_per_request(self, length: int) -> int:
        """Blocks that one request of `length` tokens takes from the pool, over all groups."""
        if length not in self._blocks:
            self._blocks[length] = sum(group.spec.max_blocks(length, self.reservation) for group in self.groups)
        return self._blocks[length]

    @cached_property
    def _blocks(self) -> dict[int, int]:
        """Blocks of a request by its length: searches for a length ask for the same ones again."""
        return {}

    def max_concurrency(self, available_bytes: Available, length: int) -> float:
        """Requests of `length` tokens that the pool holds at once, as vLLM logs it."""
        needed = self.blocks_per_request(length)
        return self.num_blocks(available_bytes) / needed if needed else inf

    def capacity_tokens(self, available_bytes: Available, length: int) -> int:
        """Tokens of the pool as vLLM logs them: concurrency times `length`."""
        return int(self.max_concurrency(available_bytes, length) * length)

    def request_bytes(self, length: int) -> tuple[int, ...]:
        """Bytes that one request of `length` tokens needs on a rank of each stage."""
        blocks = self.blocks_per_request(length)
        return tuple(size * blocks for size in self.bytes_per_block)

    def min_bytes_to_start(self, length: int) -> tuple[int, ...]:
        """Cache bytes below which a rank of each stage refuses to start: one request and the null block."""
        blocks = self.blocks_per_request(length) + 1 if self.groups else 0
        return tuple(size * blocks for size in self.bytes_per_block)

    def least_bytes(self, length: int, blocks: int) -> tuple[int, ...]:
        """Cache bytes of every stage that hold what a start needs: a request of `length`, and `blocks` at least."""
        least = self.min_bytes_to_start(length)
        return tuple(max(one, size * blocks) for one, size in zip(least, self.bytes_per_block, strict=True))

    def starts(self, available_bytes: Available, length: int) -> bool:
        """Whether vLLM starts with this context (v1/core/kv_cache_utils.py:2630)."""
        have = self._effective(available_bytes)
        return all(h >= need for h, need in zip(have, self.min_bytes_to_start(length), strict=True))

    def max_model_len(self, available_bytes: Available, limit: int) -> int:
        """Longest context up to `limit` that vLLM fits by itself (`--max-model-len auto`); 0 for none.

        vLLM's own binary search (v1/core/kv_cache_utils.py:2370).
        """
        have = self._effective(available_bytes)
        if not self.groups:
            return limit

        def fits(length: int) -> bool:
            return all(h >= need for h, need in zip(have, self.min_bytes_to_start(length), strict=True))

        return _search(limit, fits)

    def _per_stage(self, available_bytes: Available) -> Sequence[int]:
        if isinstance(available_bytes, int):
            return (available_bytes,) * len(self.bytes_per_block)
        return available_bytes

    def _effective(self, available_bytes: Available) -> Sequence[int]:
        """Memory that the pool really takes: the override's blocks where there is one."""
        if self.num_gpu_blocks_override is not None:
            return tuple(self.num_gpu_blocks_override * size for size in self.bytes_per_block)
        return self._per_stage(available_bytes)


def _search(limit: int, fits: Callable[[int], bool]) -> int:
    if not fits(1):
        return 0
    left, right, best = 1, limit, 1
    while left <= right:
        middle = (left + right) // 2
        if fits(middle):
            best, left = middle, middle + 1
        else:
            right = middle - 1
    return best


def cache_layout(architecture: Architecture, layout: Layout, cache_settings: CacheSettings) -> CacheLayout:
    """The cache of `architecture` under `layout`, as vLLM's allocator lays it out.

    Raises:
        RequestError: vLLM would refuse the cache dtype, the block size or the division of heads.
    """
    return cache_of(context(architecture, layout, cache_settings))


def cache_of(ctx: Context) -> CacheLayout:
    """The cache under engine values that are resolved.

    Raises:
        RequestError: as `cache_layout`.
    """
    found = cache_layers(ctx)
    share_a_layout(ctx.settings, found.backends)
    outermost = block_outermost(ctx)
    groups = group_layers(
        found.layers,
        block_outermost=outermost,
        disable_hybrid=bool(ctx.settings.disable_hybrid_kv_cache_manager),
    )
    stages = ctx.layout.pipeline_parallel_size
    return CacheLayout(
        groups=tuple(_described(group) for group in groups),
        bytes_per_block=tuple(_stage_bytes(groups, stage, outermost=outermost) for stage in range(stages)),
        kv_cache_dtype=ctx.kv_cache_dtype,
        block_size_tokens=found.blocks.attention,
        backends=found.backends,
        specs=tuple(
            (count, type(spec).__name__, spec.block_size, spec.page_size_bytes) for spec, count in _tally(found.layers)
        ),
        reservation=reservation(ctx),
        num_gpu_blocks_override=ctx.settings.num_gpu_blocks_override,
    )


def reservation(ctx: Context) -> Reservation:
    """What a request holds beyond its tokens under these engine values."""
    modules = ctx.architecture.draft_depth if ctx.settings.speculative_method == "mtp" else 0
    lookahead = ctx.settings.num_speculative_tokens - 1 if modules > 1 else 0
    return Reservation(
        max_in_flight_tokens=max_in_flight_tokens(ctx.layout, ctx.settings),
        decode_context_parallel_size=ctx.layout.decode_context_parallel_size,
        mamba_align=ctx.aligned,
        draft_lookahead=max(0, lookahead),
    )


def block_outermost(ctx: Context) -> bool:
    """Whether pages of different sizes lie side by side in a block: only DeepSeek-V4's indexer asks for it.

    vLLM 0.32 v1/attention/backends/mla/indexer.py: DeepseekV4IndexerBackend.supported_kv_cache_layouts.
    """
    return any(attention.block_outermost for attention in attentions_of(ctx.architecture))


def _described(group: LayerGroup) -> TableGroup:
    spec = group.layers[0].spec
    page = (
        sum(spec.page_size_bytes * count for spec, count in _tally(group.layers))
        if group.uniform
        else spec.page_size_bytes
    )
    return TableGroup(layers=len(group.layers), page_size_bytes=page, spec=spec)


def _tally(layers: Sequence[CacheLayer]) -> tuple[tuple[KVCacheSpec, int], ...]:
    """Each spec with the number of its layers, in order of first appearance."""
    known = dict(zip(map(id, layers), layers, strict=True))
    counts: dict[int, int] = {}
    for key, count in Counter(map(id, layers)).items():
        spec = id(known[key].spec)
        counts[spec] = counts.get(spec, 0) + count
    specs = {id(layer.spec): layer.spec for layer in known.values()}
    return tuple((specs[key], count) for key, count in counts.items())


def _stage_bytes(groups: Sequence[LayerGroup], stage: int, *, outermost: bool) -> int:
    """Bytes of one block on a rank of `stage`: its widest group's (v1/core/kv_cache_utils.py:1520)."""
    held = [_tally([layer for layer in group.layers if layer.stage == stage]) for group in groups]
    if not outermost:
        return max((sum(spec.block_stride_bytes * n for spec, n in rows) for rows in held), default=0)
    widest = max((sum(spec.page_size_bytes * n for spec, n in rows) for rows in held), default=0)
    alignments = {spec.alignment_bytes for rows in held for spec, _ in rows}
    return round_up(widest, lcm(*alignments)) if alignments else widest


_TOKENS_OUTERMOST = frozenset({"FLEX_ATTENTION", "TURBOQUANT"})
"""Backends that know no other layout than tokens before heads (vLLM 0.29 to 0.33 v1/attention/backends)."""


def share_a_layout(settings: CacheSettings, backends: Iterable[str]) -> None:
    """Return only where one layout of the cache serves every backend.

    Raises:
        RequestError: some keep heads before tokens and some after (v1/attention/backends/utils.py:
            get_supported_kv_cache_layouts).
    """
    chosen = frozenset(backends)
    apart = sorted(chosen & _TOKENS_OUTERMOST)
    if not apart or "FLASHINFER" not in chosen:
        return
    if settings.release.has("flashinfer_keeps_heads_outermost", capability=settings.capability):
        raise RequestError(
            f"no KV cache layout satisfies every layer: on this GPU FLASHINFER has heads before tokens, {apart[0]} has "
            "tokens first; leave --kv-cache-dtype at auto, or take fp8"
        )
