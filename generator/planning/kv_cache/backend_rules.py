"""What single attention backends refuse, and the blocks that their kernels take.

The rules are vLLM 0.33's, with what older releases had otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from generator.models.backend import Backend
from generator.models.capability import BLACKWELL, HOPPER

if TYPE_CHECKING:
    from generator.planning.kv_cache.attention_query import AttentionQuery

_FA4_LATENT_HEADS = frozenset({8, 16, 32, 64, 128})
_FA4_PAGE, _FA4_FP8_PAGE = 128, 64
_FLEX_BLOCK = 16
_FA4_HEAD, _FA_HEAD, _FA4_MAX_HEAD = 256, 256, 512


def flash_attn_version(query: AttentionQuery, *, head_size: int | None = None) -> int:
    """FlashAttention's version for heads of `head_size` (v1/attention/backends/fa_utils.py:74)."""
    size = query.head_size if head_size is None else head_size
    if query.family == HOPPER:
        return 4 if size > _FA_HEAD else 3
    if query.family != BLACKWELL:
        return 2
    if size == _FA4_HEAD:
        blocked = query.block_size is not None and query.block_size % _FA4_PAGE
        plain = not (query.sink or query.softcap or query.quantized or query.mm_prefix or query.dcp or blocked)
        return 4 if plain or query.has("heads_of_256_of_images_on_flash_attention_4") else 2
    return 4 if size <= _FA4_PAGE else 2


def _flash_attn(query: AttentionQuery) -> str | None:
    if query.head_size % 8 or query.head_size > (_FA4_MAX_HEAD if query.has("flash_attention_4") else _FA_HEAD):
        return "head_size not supported"
    if query.sink and query.family not in {HOPPER, BLACKWELL}:
        return "attention sinks not supported"
    if query.quantized and not _flash_attn_takes_fp8(query):
        return "FP8 KV cache requires FA3 on SM90, FA4 with head_size=512 on SM90, or FA4 on SM100"
    if query.mm_prefix and query.quantized and query.has("flash_attention_refuses_fp8_image_prefixes"):
        return "SM90 FP8 KV with image prefixes requires Triton"
    if query.mm_prefix and flash_attn_version(query) != 4:  # noqa: PLR2004 - FlashAttention 4
        return "image prefixes need FlashAttention 4"
    return None


def _flash_attn_takes_fp8(query: AttentionQuery) -> bool:
    version = flash_attn_version(query)
    if not query.has("flash_attention_reads_fp8"):
        return False
    if query.family == HOPPER:
        largest = query.head_size == _FA4_MAX_HEAD and query.has("flash_attention_4_reads_fp8_heads_of_512")
        return version == 3 or largest  # noqa: PLR2004 - FlashAttention 3
    return version == 4  # noqa: PLR2004 - FlashAttention 4


def _triton_flash_attn(query: AttentionQuery) -> str | None:
    if query.has("triton_flash_attention_needs_4") and flash_attn_version(query) != 4:  # noqa: PLR2004
        return "its causal route needs FlashAttention 4"
    return _flash_attn(query.changed(mm_prefix=False))


def _flashinfer(query: AttentionQuery) -> str | None:
    if query.sink and not query.has("flashinfer_takes_sinks"):
        return "attention sinks not supported"
    if query.kv_cache_dtype == "nvfp4_4over6" and query.family != BLACKWELL:
        return "kv_cache_dtype not supported"
    if query.kv_cache_dtype == "nvfp4" and query.family != BLACKWELL:
        return _widened_nvfp4(query)
    return None


def _widened_nvfp4(query: AttentionQuery) -> str | None:
    """Why FlashInfer does not take an NVFP4 cache on a GPU without FP4 tensor cores."""
    if not query.has("flashinfer_widens_nvfp4"):
        return "kv_cache_dtype not supported"
    if not query.has("flashinfer_widens_some_nvfp4"):
        return None
    if query.head_size == 64:  # noqa: PLR2004 - flashinfer.py:559
        return "NVFP4 cache with head_size 64"
    if query.dcp:
        return "NVFP4 cache under decode context parallelism"
    return "NVFP4 cache with attention sinks" if query.sink else None


def _flex(query: AttentionQuery) -> str | None:
    """Blocks of its masks are multiples of 16; the class says so from 0.21 on (flex_attention.py)."""
    return "block_size not supported" if query.block_size is not None and query.block_size % _FLEX_BLOCK else None


def _triton(query: AttentionQuery) -> str | None:
    return "head_size not supported" if query.head_size < 32 else None  # noqa: PLR2004 - triton_attn.py:356


def _flashinfer_mla(query: AttentionQuery) -> str | None:
    return None if query.qk_nope_head_dim in {64, 128, 192} else "qk_nope_head_dim not in [64, 128, 192]"


def _flashinfer_mla_sparse(query: AttentionQuery) -> str | None:
    if query.qk_rope_head_dim == 0:
        fits = (query.qk_nope_head_dim, query.kv_lora_rank) == (256, 512)
        return None if fits else "rope-free MLA requires qk_nope_head_dim=256 and kv_lora_rank=512"
    return None if query.qk_nope_head_dim in {128, 192} else "qk_nope_head_dim not in [128, 192]"


def _flashmla_sparse(query: AttentionQuery) -> str | None:
    if query.rope_free and not query.has("flashmla_sparse_serves_512_wide"):
        if query.qk_rope_head_dim or query.family != HOPPER:
            return "head_size 512 only for rope-free models on SM90"
        if query.quantized and not query.has("flashmla_sparse_packs_512_wide"):
            return "head_size 512 only with a bfloat16 cache"
    if query.kv_cache_dtype == "nvfp4_ds_mla" and query.family != BLACKWELL:
        return "nvfp4_ds_mla only on SM100"
    return None


def _flash_attn_mla_sparse_4(query: AttentionQuery) -> str | None:
    """Rules of vLLM 0.33 mla/flashattn_mla_sparse.py:304, which are beside FlashInfer's."""
    if not query.index_topk or query.index_topk % 128:
        return "requires index_topk in multiples of 128"
    if (query.kv_lora_rank, query.qk_rope_head_dim) != (512, 64):
        return "requires kv_lora_rank=512 and qk_rope_head_dim=64"
    if query.num_heads not in _FA4_LATENT_HEADS:
        return f"requires query heads in {sorted(_FA4_LATENT_HEADS)}"
    return _flashinfer_mla_sparse(query)


def _tokenspeed(query: AttentionQuery) -> str | None:
    """DeepSeek-R1's shapes alone (mla/tokenspeed_mla.py: supports_combination)."""
    own = (query.qk_nope_head_dim, query.qk_rope_head_dim, query.kv_lora_rank) == (128, 64, 512)
    return None if own else "requires qk_nope_head_dim=128, qk_rope_head_dim=64 and kv_lora_rank=512"


def _flashinfer_sm90(query: AttentionQuery) -> str | None:
    if query.kv_lora_rank != 512 or query.qk_rope_head_dim not in {0, 64}:  # noqa: PLR2004
        return "requires kv_lora_rank=512 and qk_rope_head_dim in (0, 64)"
    return None


def _flashinfer_sm120(query: AttentionQuery) -> str | None:
    return None if query.index_topk == 2048 else "requires index_topk=2048"  # noqa: PLR2004


OWN_RULES: dict[str, Callable[[AttentionQuery], str | None]] = {
    "FLASH_ATTN": _flash_attn,
    "TRITON_FLASH_ATTN": _triton_flash_attn,
    "FLASHINFER": _flashinfer,
    "TRITON_FLASHINFER": _flashinfer,
    "FLEX_ATTENTION": _flex,
    "TRITON_ATTN": _triton,
    "ROCM_AITER_UNIFIED_ATTN": _triton,
    "FLASHINFER_MLA": _flashinfer_mla,
    "FLASH_ATTN_MLA_SPARSE_FA4": _flash_attn_mla_sparse_4,
    "TOKENSPEED_MLA": _tokenspeed,
    "FLASHINFER_MLA_SPARSE": _flashinfer_mla_sparse,
    "FLASHMLA_SPARSE": _flashmla_sparse,
    "FLASHINFER_MLA_SPARSE_SM90": _flashinfer_sm90,
    "FLASHINFER_MLA_SPARSE_SM120": _flashinfer_sm120,
}
"""The rule of each backend that has one, by vLLM's name."""


@cache
def narrowed(backend: Backend, query: AttentionQuery) -> Backend:
    """The backend with the block sizes that its kernels take for this model on this GPU."""
    if backend.name in {"FLASH_ATTN", "TRITON_FLASH_ATTN"}:
        size = _flash_attn_block(query)
        return backend.changed(block_multiple=None, block_sizes=(size,)) if size else backend
    long = query.has("flashinfer_walks_long_pages") and query.num_heads > query.num_kv_heads
    if backend.name == "FLASHINFER" and long:
        return backend.changed(block_sizes=(16, 32, 64, 128, 256, 512, 1024))
    return backend


def _flash_attn_block(query: AttentionQuery) -> int | None:
    """The one block size of FlashAttention 4's special kernels, by the layer's head size; None elsewhere."""
    fp8_of_512 = query.head_size == _FA4_MAX_HEAD and query.kv_cache_dtype in {"fp8", "fp8_e4m3"}
    if fp8_of_512 and query.has("flash_attention_4_pages_of_64"):
        return _FA4_FP8_PAGE
    own = query.head_size == _FA4_HEAD and flash_attn_version(query) == 4  # noqa: PLR2004 - FlashAttention 4
    return _FA4_PAGE if own and query.has("flash_attention_4_pages_of_128") else None
