"""DeepSeek-V4's attention: a window of latents, and with a ratio compressed ones that an indexer may pick from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.dtype import DType
from generator.models.speed import KVRead
from generator.planning.kinds.indexer import indexer_reads
from generator.planning.kinds.kind import Attention
from generator.planning.kinds.tensors import plain, projection, vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.models.attention import CompressedMLA, Indexer
    from generator.models.matrix import Matrix

_OVERLAPPED_RATIO = 4
"""The ratio whose windows overlap by one: its compressor keeps twice the tokens and the channels."""


class Compressed(Attention):
    """Attention over a window of latents and over compressed ones."""

    windowed = True
    sparse = True

    def __init__(self, mixer: CompressedMLA) -> None:
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
