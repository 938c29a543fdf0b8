"""How a backend packs a cache: dtypes, scales beside the data, and how far apart blocks lie."""

from generator.models.backend import Backend
from generator.models.capability import BLACKWELL, Capability
from generator.planning.kv_cache.specs import DTYPE_BYTES, AttentionSpec
from generator.units import ceil_div, round_up

DS_MLA_BYTES = {"fp8_ds_mla": 656, "nvfp4_ds_mla": 352}
"""Bytes of a token in DeepSeek's packed latent formats (vLLM 0.32 mla_attention.py:1365)."""

_TURBOQUANT_BITS = {"k8v4": (8, 4), "4bit_nc": (4, 4), "k3v4_nc": (3, 4), "3bit_nc": (3, 3)}
"""Bits of a key and of a value by preset (quantization/turboquant/config.py)."""

_ROWS = {
    "FLASH_ATTN_MLA_SPARSE": 1, "FLASHINFER_MLA_SPARSE_SM90": 1, "FLASHMLA_SPARSE": 1,
    "FLASHINFER_MLA_SPARSE": 32, "FLASH_ATTN_MLA_SPARSE_FA4": 32, "FLASHINFER_MLA_SPARSE_SM120": 64,
}  # fmt: skip
"""Rows of the pages that sparse kernels read a cache in (backends/mla/sparse_utils.py:44)."""


def storage_dtype(kv_cache_dtype: str, model_dtype: str) -> str:
    """Torch's dtype of the stored elements (vLLM 0.32 utils/torch_utils.py:33)."""
    if kv_cache_dtype == "auto":
        return model_dtype
    if kv_cache_dtype in {"float16", "bfloat16", "float32"}:
        return kv_cache_dtype
    return "int8" if kv_cache_dtype == "int8_per_token_head" else "uint8"


def quant_mode(kv_cache_dtype: str) -> str:
    """The cache's quantization as kernels tell it apart (vLLM 0.32 v1/kv_cache_interface.py:90)."""
    if kv_cache_dtype in {"auto", "float16", "bfloat16", "float32"}:
        return "none"
    if kv_cache_dtype.endswith("_per_token_head") or kv_cache_dtype.startswith(("turboquant_", "nvfp4")):
        return kv_cache_dtype
    return "fp8"


def packed(spec: AttentionSpec, backend: Backend, capability: Capability) -> AttentionSpec:
    """The spec as the backend's kernels want it (each backend's `customize_spec`, v1/worker/utils.py:476)."""
    content = _content(spec, backend)
    if content is not None:
        spec = spec.changed(**content)
    rows = _ROWS.get(backend.name)
    if rows is not None:
        paged = backend.name == "FLASHMLA_SPARSE" and spec.quant != "none" and capability.family != BLACKWELL
        update = {"kernel_block": 64} if paged else {"stride_alignment": rows * spec.content_bytes}
        return spec.changed(**update)
    if backend.block_sizes:
        return spec.changed(kernel_block=max(backend.block_sizes))
    return spec


def _content(spec: AttentionSpec, backend: Backend) -> dict[str, int] | None:
    if spec.quant.startswith("nvfp4") and backend.name == "FLASHINFER":
        size = spec.head_size // 2 + spec.head_size // 16
        return {"num_head_slots": 2 * spec.num_kv_heads, "state_content_bytes": size}
    if spec.quant.endswith("_per_token_head"):
        halves = 2 if spec.quant == "int4_per_token_head" else 1
        data = (spec.head_size // halves + spec.head_size_v // halves) * DTYPE_BYTES[spec.dtype]
        return {"state_content_bytes": data + 2 * DTYPE_BYTES["float32"]}
    if spec.quant.startswith("turboquant_") and backend.name == "TURBOQUANT":
        return {"state_content_bytes": turboquant_bytes(spec.quant, spec.head_size)}
    return None


def turboquant_bytes(kv_cache_dtype: str, head_size: int) -> int:
    """Bytes of one head of one token: packed key and value, their scales, rounded up to an even number."""
    key_bits, value_bits = _TURBOQUANT_BITS[kv_cache_dtype.removeprefix("turboquant_")]
    key = head_size if key_bits == 8 else ceil_div(head_size * key_bits, 8) + 2  # noqa: PLR2004 - FP8 keys
    return round_up(key + ceil_div(head_size * value_bits, 8) + 4, 2)
