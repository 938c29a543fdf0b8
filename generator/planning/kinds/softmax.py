"""Softmax attention with key and value heads: full, within a window or a chunk, both ways, or to an encoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generator.models.attention import (
    ChunkedLocal,
    CrossAttention,
    EncoderOnly,
    FullAttention,
    SlidingWindow,
)
from generator.models.backend import Backend
from generator.models.matrix import Matrix
from generator.models.speed import KVRead
from generator.planning.kinds.kind import Attention, unknown_kind
from generator.planning.kinds.projections import Softmax, projections
from generator.planning.kv_cache import packing
from generator.planning.kv_cache.attention_query import AttentionQuery
from generator.planning.kv_cache.backend_rules import narrowed
from generator.planning.kv_cache.specs import (
    AttentionSpec,
    ChunkedLocalAttentionSpec,
    CrossAttentionSpec,
    FullAttentionSpec,
    MLAAttentionSpec,
    SlidingWindowSpec,
)

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Blocks, Context
    from generator.planning.kv_cache.specs import KVCacheSpec

BLOCK_SPARSE = (
    Backend(name="MINIMAX_M3_SPARSE_INDEXER", block_sizes=(128,), sparse=True),
    Backend(name="MINIMAX_M3_SPARSE", block_sizes=(128,), sparse=True),
)
"""Backends of MiniMax-M3's sparse layers and their indexers, in vLLM's order (vLLM 0.32 models/minimax_m3/common)."""


class Heads(Attention):
    """What all softmax attention has in common."""

    _slides = False
    """True where backends are asked for a sliding window."""
    _alone = False
    """True where vLLM runs it as sequences of their own, without sinks and image prefixes."""

    def __init__(self, mixer: Softmax) -> None:
        kv_heads = mixer.num_key_value_heads
        super().__init__(name=mixer.kind, heads=mixer.num_attention_heads, kv_heads=kv_heads, head_size=mixer.head_dim)
        self.mixer = mixer
        self.shares_kv_cache = mixer.shares_kv_cache
        self.runs_again = mixer.runs_again

    def cached(self) -> Iterator[Attention]:
        """Itself and the windows of its later runs; none where it reads an earlier layer's cache."""
        if not self.shares_kv_cache:
            yield self
            yield from _later_runs(self.mixer)

    def query(self, ctx: Context, *, skipped: bool = False) -> AttentionQuery:
        """What it asks of a backend."""
        images = ctx.architecture.prefix_lm and not ctx.settings.language_model_only
        return AttentionQuery(
            **self._common(ctx, skipped=skipped), num_kv_heads=self._rank_kv_heads(ctx),
            head_size=self.head_size, sink=self.mixer.sinks and not self._alone,
            sliding_window=self._slides, mm_prefix=images and not self._alone,
            softcap=ctx.architecture.attn_logit_softcapping,
        )  # fmt: skip

    def specs(self, query: AttentionQuery, backend: Backend, ctx: Context, blocks: Blocks) -> list[KVCacheSpec]:
        """Keys and values of its tokens."""
        own = narrowed(backend, query)
        spec = self._spec(
            {
                "block_size": blocks.attention,
                "num_kv_heads": self._rank_kv_heads(ctx),
                "head_size": self.head_size,
                "head_size_v": self.mixer.head_dim_v,
                "dtype": packing.storage_dtype(query.kv_cache_dtype, ctx.dtype),
                "quant": packing.quant_mode(query.kv_cache_dtype),
            },
            own,
            ctx,
        )
        return [*self._picking_keys(ctx, blocks), packing.packed(spec, own, ctx.settings.capability)]

    def _picking_keys(self, ctx: Context, blocks: Blocks) -> tuple[KVCacheSpec, ...]:
        """One key a token in the model's dtype where blocks are picked (models/minimax_m3/common/indexer.py:145)."""
        size = self.mixer.index_head_dim
        keys = MLAAttentionSpec(
            block_size=blocks.attention, num_kv_heads=1, head_size=size, dtype=ctx.dtype, role="indexer"
        )
        return (keys,) if self.mixer.index_heads else ()

    def _spec(self, fields: dict[str, Any], backend: Backend, ctx: Context) -> AttentionSpec:  # noqa: ARG002 - some need them
        """The cache in vLLM's terms."""
        return FullAttentionSpec(**fields)

    def _rank_kv_heads(self, ctx: Context) -> int:
        return rank_kv_heads(self.mixer.num_key_value_heads, ctx.tp)

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Query, key, value and output projections."""
        return projections(self.mixer, hidden_size)

    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """Keys and values of the tokens within reach; both are read again for each pair of a prompt's tokens."""
        width = self.mixer.head_dim + self.mixer.head_dim_v
        kv_heads = max(1, self.mixer.num_key_value_heads / tensor_parallel_size)
        yield KVRead(
            window_tokens=self._reach,
            bytes_per_token=kv_heads * width * kv_bytes,
            flops_per_pair=self._ways * 2 * self.heads / tensor_parallel_size * width,
        )

    @property
    def exchanged_width(self) -> int:
        """Numbers of one head's query and output."""
        return self.mixer.head_dim + self.mixer.head_dim_v

    @property
    def _reach(self) -> int | None:
        """Tokens that one token attends to at most; None for all before it."""
        return None

    @property
    def _ways(self) -> int:
        """2 where tokens also attend to later ones."""
        return 1


class Full(Heads):
    """Attention to all earlier tokens."""

    def backend(self, query: AttentionQuery) -> Backend:
        """Layers that pick blocks of keys have a backend of their own."""
        return BLOCK_SPARSE[1] if self.mixer.index_heads else super().backend(query)

    def block_backends(self, backend: Backend, whole: AttentionQuery) -> tuple[Backend, ...]:
        """Those of the layer and of what picks its blocks."""
        return BLOCK_SPARSE if self.mixer.index_heads else super().block_backends(backend, whole)


class Sliding(Heads):
    """Attention within a window."""

    windowed = True
    _slides = True

    def __init__(self, mixer: SlidingWindow) -> None:
        super().__init__(mixer)
        self._window = mixer.sliding_window

    @property
    def _reach(self) -> int | None:
        return self._window

    def _spec(self, fields: dict[str, Any], backend: Backend, ctx: Context) -> AttentionSpec:  # noqa: ARG002
        """Blocks of the kernels' own size, which may be smaller than the model's."""
        block = _window_block(backend.block_sizes, backend.block_multiple, fields["block_size"])
        return SlidingWindowSpec(**fields | {"block_size": block}, sliding_window=self._window)


class Chunked(Heads):
    """Attention within a chunk."""

    windowed = True
    _alone = True

    def __init__(self, mixer: ChunkedLocal) -> None:
        super().__init__(mixer)
        self._chunk = mixer.attention_chunk_size

    @property
    def _reach(self) -> int | None:
        return self._chunk

    def _spec(self, fields: dict[str, Any], backend: Backend, ctx: Context) -> AttentionSpec:  # noqa: ARG002
        return ChunkedLocalAttentionSpec(**fields, attention_chunk_size=self._chunk)


class BothWays(Heads):
    """Attention of an encoder: to all tokens, earlier and later."""

    def cached(self) -> Iterator[Attention]:
        """None: nothing is generated from its keys."""
        return iter(())

    @property
    def _ways(self) -> int:
        return 2


class Cross(Heads):
    """Attention to an encoder's states."""

    def __init__(self, mixer: CrossAttention) -> None:
        super().__init__(mixer)
        self._encoder_tokens = mixer.encoder_tokens

    @property
    def _reach(self) -> int | None:
        return self._encoder_tokens

    def _spec(self, fields: dict[str, Any], backend: Backend, ctx: Context) -> AttentionSpec:  # noqa: ARG002
        return CrossAttentionSpec(**fields, encoder_tokens=ctx.settings.max_num_batched_tokens)


def rank_kv_heads(total: int, tp: int) -> int:
    """KV heads of one rank: split while they last, then replicated (vLLM 0.32 config/model.py:1650)."""
    return max(1, total // tp)


def _later_runs(mixer: Softmax) -> Iterator[Sliding]:
    """The windows that later runs of a layer keep beside its own cache (vLLM 0.32 iquest_loopcoder.py:120)."""
    fields = mixer.model_dump(
        exclude={"kind", "sliding_window", "loop_windows", "attention_chunk_size", "encoder_tokens"}
    )
    for window in mixer.loop_windows:
        yield Sliding(SlidingWindow(**fields, sliding_window=window))


def _window_block(exact: tuple[int, ...], multiple: int | None, block: int) -> int:
    """The largest block of the backend's kernels within the model's block (attention.py:101)."""
    candidates = exact or ((max(multiple, block // multiple * multiple),) if multiple else ())
    if not candidates:
        return block
    return max((size for size in candidates if size <= block), default=min(candidates))


def softmax_kind(mixer: Softmax) -> Heads:
    """The kind of softmax attention with key and value heads.

    Raises:
        UnsupportedArchitectureError: no room knows it.
    """
    match mixer:
        case FullAttention():
            return Full(mixer)
        case SlidingWindow():
            return Sliding(mixer)
        case ChunkedLocal():
            return Chunked(mixer)
        case EncoderOnly():
            return BothWays(mixer)
        case CrossAttention():
            return Cross(mixer)
        case _:
            raise unknown_kind(mixer, "what to plan")
