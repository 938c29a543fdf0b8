"""Multi-head latent attention, dense and over the tokens that an indexer picks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.models.attention import MLA, Indexer, SparseMLA
from generator.models.backend import Backend
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.models.speed import KVRead
from generator.planning.kinds.indexer import (
    INDEXER,
    LATENT_ROW,
    gathered_keys,
    gathered_rows,
    indexer_reads,
    indexer_spec,
)
from generator.planning.kinds.kind import Attention, plain, projection, vector
from generator.planning.kv_cache import packing
from generator.planning.kv_cache.attention_query import AttentionQuery
from generator.planning.kv_cache.backend_rules import narrowed
from generator.planning.kv_cache.backends import attention_backend
from generator.planning.kv_cache.specs import MLAAttentionSpec
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Blocks, Context
    from generator.planning.kv_cache.specs import KVCacheSpec


_KERNEL_HEADS = 64
"""The sparse prefill kernel's least heads (mla/flashmla_sparse.py:763)."""
_LEAST_BLOCK, _MOST_ROWS = 16, 64 * 1024
"""Tokens of the smallest block, and rows of the earlier latents that a prefill expands at once at most."""
_DS_MLA_BACKENDS = frozenset({"FLASHMLA_SPARSE", "FLASHINFER_MLA_SPARSE_SM120"})


class Latent(Attention):
    """One latent a token in place of keys and values."""

    latent = True

    def __init__(self, mixer: MLA) -> None:
        width = mixer.kv_lora_rank + mixer.qk_rope_head_dim
        super().__init__(name=mixer.kind, heads=mixer.num_attention_heads, kv_heads=None, head_size=width)
        self.mixer = mixer

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Projections down and up again, for each of the layer's attention blocks."""
        held = (*latent_matrices(self.mixer, hidden_size), *self._picking(hidden_size))
        return tuple(matrix.model_copy(update={"copies": self.mixer.per_layer}) for matrix in held)

    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """The latent is whole on every rank; a prompt's pairs cost the expanded heads."""
        mixer, heads = self.mixer, self.heads / tensor_parallel_size
        yield KVRead(
            window_tokens=self._reach,
            bytes_per_token=self.head_size * kv_bytes,
            flops_per_pair=2 * heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim + mixer.v_head_dim),
        )

    def query(self, ctx: Context, *, skipped: bool = False) -> AttentionQuery:
        """What it asks of a backend."""
        mixer = self.mixer
        return AttentionQuery(
            **self._common(ctx, skipped=skipped), num_kv_heads=1, mla=True, sparse=self.sparse,
            head_size=self.head_size, qk_nope_head_dim=mixer.qk_nope_head_dim,
            qk_rope_head_dim=mixer.qk_rope_head_dim, kv_lora_rank=mixer.kv_lora_rank,
            v_head_dim=mixer.v_head_dim, index_topk=self.indexer.index_topk if self.indexer else None,
        )  # fmt: skip

    def specs(self, query: AttentionQuery, backend: Backend, ctx: Context, blocks: Blocks) -> list[KVCacheSpec]:
        """The latents of each of the layer's attention blocks."""
        dtype = query.kv_cache_dtype
        spec = MLAAttentionSpec(
            block_size=blocks.attention,
            num_kv_heads=1,
            head_size=self.head_size,
            dtype=packing.storage_dtype(dtype, ctx.dtype),
            quant=packing.quant_mode(dtype),
            cache_dtype=dtype,
            state_content_bytes=packing.DS_MLA_BYTES.get(dtype),
            leads_index_group=self.indexer is not None,
        )
        own: KVCacheSpec = packing.packed(spec, narrowed(backend, query), ctx.settings.capability)
        keys = [indexer_spec(self.indexer, ctx, blocks)] if self.indexer else []
        return [*keys, own] * self.mixer.per_layer

    def pass_elements(self, ctx: Context, longest: int) -> int:
        """Queries and outputs, and earlier latents expanded to the rank's heads: the profile makes them all.

        vLLM 0.33 model_executor/layers/attention/mla_attention.py:939, rows by :2329.
        """
        mixer, heads = self.mixer, ceil_div(self.heads, ctx.tp)
        rows = min(max(8 * longest, 4 * ctx.settings.max_num_seqs * _LEAST_BLOCK), _MOST_ROWS)
        expanded = mixer.qk_nope_head_dim + mixer.v_head_dim
        return heads * (rows + ctx.settings.max_num_batched_tokens) * expanded

    @property
    def exchanged_width(self) -> int:
        """Numbers of one head's query against the latent, and of its output before it is expanded."""
        return 2 * self.mixer.kv_lora_rank + self.mixer.qk_rope_head_dim

    @property
    def prompts_exchange(self) -> bool:
        """False: a prompt's heads are expanded on their own rank, which gathers the latents before it alone.

        vLLM 0.32 model_executor/layers/attention/mla_attention.py, _context_parallel_compute_prefill_context.
        """
        return False

    @property
    def _reach(self) -> int | None:
        """Tokens that one token attends to at most; None for all before it."""
        return None

    def _picking(self, hidden_size: int) -> tuple[Matrix, ...]:  # noqa: ARG002 - dense attention picks nothing
        """Tensors of what picks tokens."""
        return ()


class SparseLatent(Latent):
    """Latent attention over picked tokens; without an indexer over those that an earlier layer picked."""

    sparse = True

    def __init__(self, mixer: SparseMLA) -> None:
        super().__init__(mixer)
        self.indexer = mixer.indexer

    def resolved_dtype(self, asked: str) -> str:
        """Its bfloat16 is called `auto`."""
        return "auto" if asked == "bfloat16" else asked

    def stored_dtype(self, ctx: Context) -> str:
        """Some backends keep quantized latents in DeepSeek's packed format."""
        asked = ctx.kv_cache_dtype
        if not asked.startswith(("fp8", "nvfp4")) or asked == "nvfp4_ds_mla":
            return asked
        return "fp8_ds_mla" if attention_backend(self.query(ctx)).name in _DS_MLA_BACKENDS else asked

    def block_backends(self, backend: Backend, whole: AttentionQuery) -> tuple[Backend, ...]:
        """The indexer's, where it has one, and its own."""
        own = super().block_backends(backend, whole)
        return (INDEXER, *own) if self.indexer else own

    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """The picked latents, and every earlier token's key to pick them by."""
        yield from super().reads(tensor_parallel_size, kv_bytes)
        if self.indexer is not None:
            yield indexer_reads(self.indexer, 1)

    def workspace(self, ctx: Context, backends: tuple[str, ...], longest: int) -> int:
        """The indexer's gathered keys, or what the attention kernel reserves."""
        keys = gathered_keys(self.indexer, 1, ctx, longest) if self.indexer else 0
        return max(keys, self._kernel(ctx, longest) if "FLASHMLA_SPARSE" in backends else 0)

    def _kernel(self, ctx: Context, longest: int) -> int:
        """Padded queries and outputs of the prefill, and gathered latents where the cache is in 8 bits."""
        heads, tokens, rank = ceil_div(self.heads, ctx.tp), ctx.settings.max_num_batched_tokens, self.mixer.kv_lora_rank
        padded = round_up(heads, _KERNEL_HEADS)
        if ctx.kv_cache_dtype not in packing.DS_MLA_BYTES:
            return tokens * padded * LATENT_ROW * 2
        columns = heads * LATENT_ROW
        if ctx.settings.release.has("reserves_padded_sparse_prefill"):
            columns += padded * (LATENT_ROW + rank) + heads * rank
        return (tokens * columns + gathered_rows(ctx, longest) * LATENT_ROW) * 2

    @property
    def _reach(self) -> int | None:
        return self.indexer.index_topk if self.indexer else None

    def _picking(self, hidden_size: int) -> tuple[Matrix, ...]:
        return _indexer(self.indexer, self.mixer, hidden_size) if self.indexer else ()


def latent_kind(mixer: MLA) -> Latent:
    """The kind of latent attention."""
    return SparseLatent(mixer) if isinstance(mixer, SparseMLA) else Latent(mixer)


def latent_matrices(mixer: MLA, hidden_size: int) -> tuple[Matrix, ...]:
    """Latent attention: the projections down are on every rank, those up are split by head (vLLM layers/mla.py)."""
    heads = mixer.num_attention_heads
    queries = heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim)
    down = mixer.kv_lora_rank + mixer.qk_rope_head_dim
    up = heads * (mixer.qk_nope_head_dim + mixer.v_head_dim)
    values = heads * mixer.v_head_dim
    return (
        *_queries(mixer.q_lora_rank, queries, hidden_size, heads),
        projection("kv_a_proj_with_mqa", down, hidden_size),
        vector("kv_a_layernorm", mixer.kv_lora_rank),
        projection("kv_b_proj", up, mixer.kv_lora_rank, "column", heads),
        projection("o_proj", hidden_size, values, "row", heads),
        *((projection("g_proj", values, hidden_size, "column", heads),) if mixer.output_gate else ()),
    )


def _queries(rank: int | None, queries: int, hidden_size: int, heads: int) -> tuple[Matrix, ...]:
    if rank is None:
        return (projection("q_proj", queries, hidden_size, "column", heads),)
    return (
        projection("q_a_proj", rank, hidden_size),
        vector("q_a_layernorm", rank),
        projection("q_b_proj", queries, rank, "column", heads),
    )


def _indexer(indexer: Indexer, mixer: MLA, hidden_size: int) -> tuple[Matrix, ...]:
    size, heads = indexer.index_head_dim, indexer.index_n_heads
    return (
        projection("indexer.wq_b", heads * size, mixer.q_lora_rank or hidden_size),
        plain("indexer.wk", size, hidden_size),
        plain("indexer.weights_proj", heads, hidden_size),
        vector("indexer.k_norm", 2 * size, dtype=DType.F32),
    )
