"""Cache specs: what one layer keeps on one rank, one frozen class a kind, by vLLM's names.

A page is the bytes that a layer keeps for one block. The classes follow vLLM 0.32 v1/kv_cache_interface.py.
"""

from __future__ import annotations

from math import gcd, prod
from typing import Literal

from generator.models.value import Made
from generator.units import ceil_div, round_up

DTYPE_BYTES = {
    "float32": 4, "bfloat16": 2, "float16": 2, "uint8": 1, "int8": 1, "float8_e4m3fn": 1,
}  # fmt: skip
"""Bytes of one element, by torch's name."""


class Reservation(Made):
    """What a request holds beyond its own tokens, and how its tokens spread over ranks."""

    max_in_flight_tokens: int
    """Tokens scheduled but not settled; layers that free old blocks keep theirs until then."""
    decode_context_parallel_size: int = 1
    mamba_align: bool = False
    """True where states are kept at block boundaries for prefix caching (`mamba_cache_mode` align)."""
    draft_lookahead: int = 0
    """Tokens that a draft of several modules reads again behind a sliding window."""


class KVCacheSpec(Made):
    """One layer's cache on one rank."""

    block_size: int
    kernel_block: int | None = None
    """Largest block that the backend's kernels take; larger blocks are split into whole ones."""
    stride_alignment: int | None = None
    """Bytes that the distance between two blocks is a multiple of."""

    @property
    def page_size_bytes(self) -> int:
        """Bytes of one block in this layer."""
        raise NotImplementedError

    def at_block_size(self, block_size: int) -> KVCacheSpec:
        """The same cache with blocks of `block_size` tokens."""
        return self.changed(block_size=block_size)

    @property
    def block_stride_bytes(self) -> int:
        """Bytes from one block of this layer to its next: the page, padded to the kernels' alignment."""
        return round_up(self.page_size_bytes, self.alignment_bytes)

    @property
    def alignment_bytes(self) -> int:
        """Bytes that the stride between blocks is a multiple of (v1/kv_cache_interface.py:194)."""
        if self.kernel_block is None:
            return self.stride_alignment or 1
        kernel = gcd(self.kernel_block, self.block_size)
        return 1 if kernel == self.block_size else self.at_block_size(kernel).page_size_bytes

    def max_blocks(self, length: int, held: Reservation) -> int:
        """Blocks that one request of `length` tokens holds at most."""
        raise NotImplementedError

    @property
    def uniform_key(self) -> tuple[object, ...]:
        """Layers of equal keys need the same blocks and may share one group whatever their pages."""
        raise NotImplementedError

    @property
    def merge_key(self) -> KVCacheSpec:
        """Layers of equal keys have one cache layout and merge into one group spec."""
        return self


class AttentionSpec(KVCacheSpec):
    """Keys and values of tokens: heads x states x content."""

    num_kv_heads: int
    head_size: int
    head_size_v: int
    dtype: str
    quant: str = "none"
    """Quantization of the cache: none, fp8, nvfp4, int8_per_token_head, turboquant_k8v4, ..."""
    page_size_padded: int | None = None
    num_head_slots: int | None = None
    state_content_bytes: int | None = None
    """Bytes of one head of one state where they are packed; None for plain keys and values."""
    tokens_per_state: int = 1

    @property
    def content_bytes(self) -> int:
        """Bytes of one head of one state."""
        if self.state_content_bytes is not None:
            return self.state_content_bytes
        return (self.head_size + self.head_size_v) * DTYPE_BYTES[self.dtype]

    @property
    def unpadded_page_bytes(self) -> int:
        """Bytes of one block before padding."""
        heads = self.num_head_slots or self.num_kv_heads
        return heads * (self.block_size // self.tokens_per_state) * self.content_bytes

    @property
    def page_size_bytes(self) -> int:
        """Bytes of one block, padding included."""
        return self.page_size_padded or self.unpadded_page_bytes


class FullAttentionSpec(AttentionSpec):
    """All tokens are kept; a window is recorded where blocks are nevertheless kept for all of them."""

    kind: Literal["FullAttentionSpec"] = "FullAttentionSpec"
    sliding_window: int | None = None
    attention_chunk_size: int | None = None

    def max_blocks(self, length: int, held: Reservation) -> int:
        """Blocks of `length` tokens, spread over decode-context-parallel ranks."""
        return ceil_div(ceil_div(length, held.decode_context_parallel_size), self.block_size)

    @property
    def uniform_key(self) -> tuple[object, ...]:
        """Full attention shares a group with every other full attention of its block size."""
        return ("full", self.block_size)

    @property
    def merge_key(self) -> KVCacheSpec:
        """Windows do not tell full attention layers apart."""
        if self.sliding_window is None and self.attention_chunk_size is None:
            return self
        return self.changed(sliding_window=None, attention_chunk_size=None)


class MLAAttentionSpec(FullAttentionSpec):
    """One latent a token instead of keys and values; also the cache of an indexer."""

    kind: Literal["MLAAttentionSpec"] = "MLAAttentionSpec"  # type: ignore[assignment]
    head_size_v: int = 0
    cache_dtype: str | None = None
    alignment: int | None = None
    """Bytes that a page is padded to a multiple of (DeepSeek-V4)."""
    role: Literal["sparse", "indexer"] = "sparse"
    leads_index_group: bool = False

    @property
    def page_size_bytes(self) -> int:
        """Bytes of one block, padded to `alignment`."""
        return self.page_size_padded or round_up(self.unpadded_page_bytes, self.alignment or 1)


class SlidingWindowSpec(AttentionSpec):
    """Blocks behind the window are freed; a request holds the window and its tokens in flight."""

    kind: Literal["SlidingWindowSpec"] = "SlidingWindowSpec"
    sliding_window: int

    def max_blocks(self, length: int, held: Reservation) -> int:
        """Blocks of window and tokens in flight, and one more as the window starts inside a block."""
        kept = self.sliding_window - 1 + held.draft_lookahead + held.max_in_flight_tokens
        return ceil_div(min(kept, length), self.block_size) + 1

    @property
    def uniform_key(self) -> tuple[object, ...]:
        """Equal windows free the same blocks."""
        return (self.kind, self.block_size, self.sliding_window)


class SlidingWindowMLASpec(SlidingWindowSpec):
    """A sliding window of latents, or of the states of a compressor (DeepSeek-V4)."""

    kind: Literal["SlidingWindowMLASpec"] = "SlidingWindowMLASpec"  # type: ignore[assignment]
    head_size_v: int = 0
    cache_dtype: str | None = None
    alignment: int | None = None

    @property
    def page_size_bytes(self) -> int:
        """Bytes of one block, padded to `alignment`."""
        return self.page_size_padded or round_up(self.unpadded_page_bytes, self.alignment or 1)


class ChunkedLocalAttentionSpec(AttentionSpec):
    """Blocks behind the chunk are freed; a request holds its chunk and its tokens in flight."""

    kind: Literal["ChunkedLocalAttentionSpec"] = "ChunkedLocalAttentionSpec"
    attention_chunk_size: int

    def max_blocks(self, length: int, held: Reservation) -> int:
        """Blocks of chunk and tokens in flight."""
        kept = self.attention_chunk_size + held.max_in_flight_tokens
        return ceil_div(min(kept, length), self.block_size)

    @property
    def uniform_key(self) -> tuple[object, ...]:
        """Equal chunks free the same blocks."""
        return (self.kind, self.block_size, self.attention_chunk_size)


class CrossAttentionSpec(AttentionSpec):
    """The states of an encoder, kept once a request."""

    kind: Literal["CrossAttentionSpec"] = "CrossAttentionSpec"
    encoder_tokens: int
    """Tokens that vLLM reserves for them: a whole step's (config/scheduler.py:303)."""

    def max_blocks(self, length: int, held: Reservation) -> int:  # noqa: ARG002 - the encoder's length counts
        """Blocks of the encoder's states, whatever the decoder's length."""
        return ceil_div(self.encoder_tokens, self.block_size)

    @property
    def uniform_key(self) -> tuple[object, ...]:
        """One encoder feeds them all."""
        return (self.kind, self.block_size)


class MambaSpec(KVCacheSpec):
    """The state of a recurrent layer: its size does not depend on the tokens read."""

    kind: Literal["MambaSpec"] = "MambaSpec"
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    page_size_padded: int | None = None
    num_speculative_blocks: int = 0
    num_prefill_checkpoint_blocks: int = 0

    @property
    def state_bytes(self) -> int:
        """Bytes of the state itself."""
        pairs = zip(self.shapes, self.dtypes, strict=True)
        return sum(prod(shape) * DTYPE_BYTES[dtype] for shape, dtype in pairs)

    @property
    def page_size_bytes(self) -> int:
        """Bytes of one state, padding included."""
        return self.page_size_padded or self.state_bytes

    def max_blocks(self, length: int, held: Reservation) -> int:  # noqa: ARG002 - a state has no length
        """States of one request: the running one, its checkpoints, and one for each speculative token."""
        if held.mamba_align:
            return 2 + self.num_speculative_blocks + self.num_prefill_checkpoint_blocks
        return 1 + self.num_speculative_blocks

    @property
    def uniform_key(self) -> tuple[object, ...]:
        """States of equal pages and speculation."""
        blocks = (self.num_speculative_blocks, self.num_prefill_checkpoint_blocks)
        return (self.kind, self.block_size, self.page_size_bytes, *blocks)
