"""DeepSeek-V4's attention: a window of latents, and with a ratio compressed ones that an indexer may pick from.

Sizes and alignments are vLLM 0.32 models/deepseek_v4/{attention,compressor}.py and mla/sparse_swa.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.attention import CompressedMLA, Indexer
from generator.models.backend import Backend
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.models.speed import KVRead
from generator.planning.kinds.indexer import gathered_keys, indexer_key_bytes, indexer_reads
from generator.planning.kinds.kind import Attention, plain, projection, vector
from generator.planning.kv_cache.attention_query import AttentionQuery
from generator.planning.kv_cache.specs import MLAAttentionSpec, SlidingWindowMLASpec
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Blocks, Context
    from generator.planning.kv_cache.specs import KVCacheSpec

COMPRESSED = (
    Backend(name="DEEPSEEK_SPARSE_SWA", block_multiple=32, mla=True, sparse=True),
    Backend(name="FLASHMLA_SPARSE_DSV4", block_sizes=(256,), mla=True, sparse=True),
    Backend(name="DEEPSEEK_V4_INDEXER", block_sizes=(256,), mla=True, sparse=True),
)
"""Backends of its caches (vLLM 0.32 models/deepseek_v4, v1/attention/backends/mla)."""
_DTYPE = "fp8_ds_mla"
_TOKEN_BYTES = 584
"""A latent in FP8 with its RoPE part in bfloat16 and its scales."""
_PAGE_ALIGNMENT = 576
_WINDOW_BLOCK = 64
_KERNEL_HEADS = (64, 128)
_CHUNKS = 4
"""Requests of one prefill chunk (0.32 models/deepseek_v4/attention.py:155)."""
_COMPRESSOR_BLOCKS = {4: 4, 128: 8}
"""Tokens of a block of a compressor's states by its ratio, so that their pages match the latents'."""
_OVERLAPPED_RATIO = 4
"""The ratio whose windows overlap by one: its compressor keeps twice the tokens and the channels."""


class Compressed(Attention):
    """Attention over a window of latents and over compressed ones."""

    windowed = True
    sparse = True

    def __init__(self, mixer: CompressedMLA) -> None:
        super().__init__(name=mixer.kind, heads=mixer.num_attention_heads, kv_heads=None, head_size=mixer.head_dim)
        self.mixer = mixer
        self.indexer = mixer.indexer
        self.block_outermost = mixer.indexer is not None

    def resolved_dtype(self, asked: str) -> str:  # noqa: ARG002 - whatever is asked for
        """Its caches have one format."""
        return _DTYPE

    def query(self, ctx: Context, *, skipped: bool = False) -> AttentionQuery:
        """What it asks of a backend."""
        common = self._common(ctx, skipped=skipped)
        return AttentionQuery(**common, num_kv_heads=1, head_size=self.head_size)

    def backend(self, query: AttentionQuery) -> Backend:
        """That of its compressed latents, which the class names itself: no order of backends is asked.

        Raises:
            RequestError: its kernels are for other GPUs.
        """
        if not query.capability.is_rocm and not query.has("reads_compressed_latents"):
            raise RequestError(
                f"vLLM {query.release} has no kernels of DeepSeek-V4's attention for compute capability "
                f"{query.capability.words}: serve it on Hopper or a datacenter GPU of Blackwell, or another model here"
            )
        return COMPRESSED[1]

    def block_backends(self, backend: Backend, whole: AttentionQuery) -> tuple[Backend, ...]:  # noqa: ARG002
        """Those of its window, its latents and its indexer."""
        return COMPRESSED

    def specs(self, query: AttentionQuery, backend: Backend, ctx: Context, blocks: Blocks) -> list[KVCacheSpec]:  # noqa: ARG002
        """Caches of one layer in vLLM's order: indexer and its compressor, window, latents, compressor."""
        mixer, ratio = self.mixer, self.mixer.compress_ratio
        window = SlidingWindowMLASpec(
            block_size=_WINDOW_BLOCK, num_kv_heads=1, head_size=mixer.head_dim, dtype="uint8", quant="fp8",
            state_content_bytes=_TOKEN_BYTES, sliding_window=mixer.sliding_window, cache_dtype=_DTYPE,
            alignment=_PAGE_ALIGNMENT,
        )  # fmt: skip
        if ratio <= 1:
            return [window]
        latents = MLAAttentionSpec(
            block_size=blocks.attention, num_kv_heads=1, head_size=mixer.head_dim, dtype="uint8", quant="fp8",
            state_content_bytes=_TOKEN_BYTES, tokens_per_state=ratio, cache_dtype=_DTYPE,
            alignment=_PAGE_ALIGNMENT, kernel_block=blocks.attention,
        )  # fmt: skip
        return [*self._indexer_specs(blocks), window, latents, _compressor_spec(ratio, mixer.head_dim)]

    def workspace(self, ctx: Context, backends: tuple[str, ...], longest: int) -> int:  # noqa: ARG002 - it has its own
        """The indexer's gathered keys, or latents of four requests and which ones each token reads.

        The latter as vLLM 0.32 deepseek_v4/nvidia/flashmla.py:108 has it.
        """
        mixer, ratio, tokens = self.mixer, self.mixer.compress_ratio, ctx.settings.max_num_batched_tokens
        rows = (ceil_div(longest, ratio) if ratio > 1 else 0) + mixer.sliding_window + tokens
        picked = self.indexer.index_topk if self.indexer else 0
        read = round_up(picked + mixer.sliding_window, 128)
        kernel = _CHUNKS * rows * mixer.head_dim * 2 + tokens * (read + 1) * 4
        return max(kernel, gathered_keys(self.indexer, ratio, ctx, longest) if self.indexer else 0)

    def pass_elements(self, ctx: Context, longest: int) -> int:  # noqa: ARG002 - it expands no latents
        """Outputs and queries, both padded to the kernel's heads, the queries before that, and the projections.

        The profile runs no kernel and pads in a copy (0.23.0 and 0.33.0 models/deepseek_v4/attention.py:
        _alloc_attn_out, _fused_qnorm_rope_kv_insert; nvidia/flashmla.py: get_padded_num_q_heads).
        """
        mixer, heads = self.mixer, ceil_div(self.heads, ctx.tp)
        padded = next((number for number in _KERNEL_HEADS if heads <= number), heads)
        unpadded = heads if heads < padded else 0
        columns = (2 * padded + unpadded) * mixer.head_dim + mixer.q_lora_rank + mixer.head_dim
        return ctx.settings.max_num_batched_tokens * columns

    def _indexer_specs(self, blocks: Blocks) -> list[KVCacheSpec]:
        indexer, ratio = self.mixer.indexer, self.mixer.compress_ratio
        if indexer is None:
            return []
        keys = MLAAttentionSpec(
            block_size=blocks.attention, num_kv_heads=1, head_size=indexer_key_bytes(indexer), dtype="uint8",
            tokens_per_state=ratio, alignment=_PAGE_ALIGNMENT, kernel_block=blocks.attention, role="indexer",
        )  # fmt: skip
        return [keys, _compressor_spec(ratio, indexer.index_head_dim)]

    def matrices(self, hidden_size: int) -> tuple[Matrix, ...]:
        """Low-rank queries and outputs, one key-value latent, compressors where a ratio asks for them."""
        mixer, heads, size = self.mixer, self.heads, self.mixer.head_dim
        return (
            projection("wq_a", mixer.q_lora_rank, hidden_size),
            projection("wq_b", heads * size, mixer.q_lora_rank, "column", heads),
            projection("wkv", size, hidden_size),
            projection("wo_a", mixer.o_groups * mixer.o_lora_rank, heads * size // mixer.o_groups, "column"),
            projection("wo_b", hidden_size, mixer.o_groups * mixer.o_lora_rank, "row"),
            vector("q_norm", mixer.q_lora_rank),
            vector("kv_norm", size),
            vector("attn_sink", heads, dtype=DType.F32),
            *_compressor("compressor", size, mixer.compress_ratio, hidden_size),
            *_indexer(mixer.indexer, mixer, hidden_size),
        )

    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """The window's latents, the compressed ones, and the keys that these are picked by; whole on every rank."""
        mixer, ratio, indexer = self.mixer, self.mixer.compress_ratio, self.mixer.indexer
        pairs = 4 * self.heads / tensor_parallel_size * mixer.head_dim
        width = mixer.head_dim * kv_bytes
        yield KVRead(window_tokens=mixer.sliding_window, bytes_per_token=width, flops_per_pair=pairs)
        if ratio:
            window = indexer.index_topk * ratio if indexer else None
            yield KVRead(window_tokens=window, bytes_per_token=width / ratio, flops_per_pair=pairs / ratio)
            if indexer is not None:
                yield indexer_reads(indexer, ratio)

    @property
    def exchanged_width(self) -> int:
        """0: its window lets no ranks share it."""
        return 0


def _compressor_spec(ratio: int, head_dim: int) -> SlidingWindowMLASpec:
    """Keys and scores of the tokens that a compressor has not yet folded, in float32."""
    if ratio not in _COMPRESSOR_BLOCKS:
        raise UnsupportedArchitectureError(f"compression ratio {ratio} is not one of vLLM's (4, 128)")
    overlap = 2 if ratio == _OVERLAPPED_RATIO else 1
    return SlidingWindowMLASpec(
        block_size=_COMPRESSOR_BLOCKS[ratio], num_kv_heads=1, head_size=2 * overlap * head_dim, dtype="float32",
        sliding_window=overlap * ratio, alignment=_PAGE_ALIGNMENT,
    )  # fmt: skip


def _compressor(name: str, size: int, ratio: int, hidden_size: int) -> tuple[Matrix, ...]:
    """Projections that pool `ratio` tokens into one latent; a ratio of 4 overlaps two windows."""
    if not ratio:
        return ()
    width = size * (2 if ratio == _OVERLAPPED_RATIO else 1)
    return (
        plain(f"{name}.wkv", width, hidden_size),
        plain(f"{name}.wgate", width, hidden_size),
        vector(f"{name}.ape", ratio * width, dtype=DType.F32),
        vector(f"{name}.norm", size),
    )


def _indexer(indexer: Indexer | None, mixer: CompressedMLA, hidden_size: int) -> tuple[Matrix, ...]:
    if indexer is None:
        return ()
    size, heads = indexer.index_head_dim, indexer.index_n_heads
    return (
        projection("indexer.wq_b", heads * size, mixer.q_lora_rank),
        plain("indexer.weights_proj", heads, hidden_size),
        *_compressor("indexer.compressor", size, mixer.compress_ratio, hidden_size),
    )
