"""Multi-head latent attention, dense and over the tokens that an indexer picks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import SparseMLA
from generator.models.dtype import DType
from generator.models.speed import KVRead
from generator.planning.kinds.indexer import indexer_reads
from generator.planning.kinds.kind import Attention
from generator.planning.kinds.tensors import plain, projection, vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.attention import MLA, Indexer
    from generator.models.matrix import Matrix


class Latent(Attention):
    """One latent a token in place of keys and values."""

    def __init__(self, mixer: MLA) -> None:
        self.mixer = mixer

    @property
    def name(self) -> str:
        """The kind's name."""
        return self.mixer.kind

    @property
    def heads(self) -> int:
        """Query heads."""
        return self.mixer.num_attention_heads

    @property
    def kv_heads(self) -> int | None:
        """None: the latent serves them all."""
        return None

    @property
    def latent_width(self) -> int:
        """Numbers of one token's latent, its rotary part included."""
        return self.mixer.kv_lora_rank + self.mixer.qk_rope_head_dim

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Projections down and up again, for each of the layer's attention blocks."""
        held = (*latent_matrices(self.mixer, hidden_size), *self._picking(hidden_size))
        return tuple(matrix.model_copy(update={"copies": self.mixer.per_layer}) for matrix in held)

    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """The latent is whole on every rank; a prompt's pairs cost the expanded heads."""
        mixer, heads = self.mixer, self.heads / tensor_parallel_size
        yield KVRead(
            window_tokens=self._reach,
            bytes_per_token=self.latent_width * kv_bytes,
            flops_per_pair=2 * heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim + mixer.v_head_dim),
        )

    @property
    def exchanged_width(self) -> int:
        """Numbers of one head's query against the latent, and of its output before it is expanded."""
        return 2 * self.mixer.kv_lora_rank + self.mixer.qk_rope_head_dim

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

    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """The picked latents, and every earlier token's key to pick them by."""
        yield from super().reads(tensor_parallel_size, kv_bytes)
        if self.indexer is not None:
            yield indexer_reads(self.indexer, 1)

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
