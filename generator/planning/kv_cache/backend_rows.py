"""Attention backends of vLLM: what each accepts, one row a backend (vLLM 0.32 v1/attention/backends/*.py)."""

from __future__ import annotations

from generator.models.value import Value

_PLAIN = ("auto", "float16", "bfloat16")
_FP8 = (*_PLAIN, "fp8", "fp8_e4m3")
_TURBOQUANT = ("turboquant_k8v4", "turboquant_4bit_nc", "turboquant_k3v4_nc", "turboquant_3bit_nc")
_HALF = ("float16", "bfloat16")
_SM80 = 80
HOPPER, BLACKWELL, THOR, CONSUMER = 9, 10, 11, 12
"""Major compute capabilities: SM9x, SM10x, SM11x, SM12x."""


class Backend(Value):
    """One attention backend; empty sets mean no limit."""

    name: str
    kv_cache_dtypes: frozenset[str] = frozenset()
    dtypes: frozenset[str] = frozenset(_HALF)
    majors: frozenset[int] = frozenset()
    min_capability: int = 0
    max_capability: int = 10**9
    head_sizes: frozenset[int] = frozenset()
    block_multiple: int | None = None
    """Blocks are any multiple of it."""
    block_sizes: tuple[int, ...] = ()
    """Blocks that kernels take as they are; larger ones are split into the largest."""
    mla: bool = False
    sparse: bool = False
    sink: bool = False
    mm_prefix: bool = False
    dcp: bool = True

    def supports_block(self, block_size: int) -> bool:
        """Whether the kernels can walk blocks of `block_size` tokens (v1/attention/backend.py:113)."""
        sizes = self.block_sizes or ((self.block_multiple,) if self.block_multiple else (1,))
        return any(block_size % size == 0 for size in sizes)

    @property
    def smallest_block(self) -> int:
        """Smallest block of its kernels."""
        return min(self.block_sizes, default=self.block_multiple or 1)


def _backend(name: str, kv: tuple[str, ...], **more: object) -> Backend:
    return Backend.model_validate({"name": name, "kv_cache_dtypes": frozenset(kv), **more})


FLASH_ATTN = _backend("FLASH_ATTN", _FP8, min_capability=_SM80, block_multiple=16, sink=True, mm_prefix=True)
FLASHINFER = _backend(
    "FLASHINFER", (*_FP8, "fp8_e5m2", "nvfp4", "nvfp4_4over6"), min_capability=_SM80, max_capability=121,
    head_sizes=frozenset({64, 128, 256, 512}), block_sizes=(16, 32, 64), sink=True,
)  # fmt: skip
TRITON_ATTN = _backend(
    "TRITON_ATTN",
    (*_FP8, "fp8_e5m2", "int4_per_token_head", "int8_per_token_head", "fp8_per_token_head"),
    dtypes=frozenset({*_HALF, "float32"}), block_multiple=16, sink=True, mm_prefix=True, dcp=False,
)  # fmt: skip
FLEX_ATTENTION = _backend(
    "FLEX_ATTENTION",
    _PLAIN,
    dtypes=frozenset({*_HALF, "float32"}),
    block_multiple=16,
    mm_prefix=True,
    dcp=False,
)
TURBOQUANT = _backend("TURBOQUANT", _TURBOQUANT, block_sizes=(16, 32, 64, 128), dcp=False)
TRITON_FLASH_ATTN = _backend(
    "TRITON_FLASH_ATTN", _FP8, majors=frozenset({HOPPER}), head_sizes=frozenset({256, 512}), block_multiple=16,
    sink=True, mm_prefix=True, dcp=False,
)  # fmt: skip
TRITON_FLASHINFER = _backend(
    "TRITON_FLASHINFER", (*_FP8, "fp8_e5m2"), majors=frozenset({BLACKWELL}), head_sizes=frozenset({256, 512}),
    block_sizes=(64,), sink=True, mm_prefix=True, dcp=False,
)  # fmt: skip

_MLA = {"mla": True}
_SPARSE = {"mla": True, "sparse": True}
FLASH_ATTN_MLA = _backend("FLASH_ATTN_MLA", _PLAIN, majors=frozenset({HOPPER}), block_multiple=16, **_MLA)
FLASHMLA = _backend("FLASHMLA", _FP8, majors=frozenset({HOPPER}), block_sizes=(64,), **_MLA)
FLASHINFER_MLA = _backend("FLASHINFER_MLA", _FP8, majors=frozenset({BLACKWELL}), block_sizes=(32, 64), **_MLA)
CUTLASS_MLA = _backend("CUTLASS_MLA", _FP8, majors=frozenset({BLACKWELL}), block_sizes=(128,), **_MLA)
TRITON_MLA = _backend("TRITON_MLA", _FP8, block_multiple=16, **_MLA)
FLASH_ATTN_MLA_SPARSE = _backend(
    "FLASH_ATTN_MLA_SPARSE", _PLAIN, majors=frozenset({HOPPER}), block_multiple=64, dcp=False, **_SPARSE
)
FLASHMLA_SPARSE = _backend(
    "FLASHMLA_SPARSE", ("auto", "bfloat16", "fp8_ds_mla", "fp8", "nvfp4_ds_mla"), dtypes=frozenset({"bfloat16"}),
    majors=frozenset({HOPPER, BLACKWELL}), head_sizes=frozenset({512, 576}), block_multiple=64, **_SPARSE,
)  # fmt: skip
FLASHINFER_MLA_SPARSE = _backend(
    "FLASHINFER_MLA_SPARSE", _FP8, majors=frozenset({BLACKWELL}), head_sizes=frozenset({512, 576}),
    block_multiple=32, **_SPARSE,
)  # fmt: skip
FLASHINFER_MLA_SPARSE_SM90 = _backend(
    "FLASHINFER_MLA_SPARSE_SM90", ("auto", "bfloat16", "fp8", "fp8_e4m3"), dtypes=frozenset({"bfloat16"}),
    majors=frozenset({HOPPER}), head_sizes=frozenset({512, 576}), block_multiple=64, **_SPARSE,
)  # fmt: skip
FLASHINFER_MLA_SPARSE_SM120 = _backend(
    "FLASHINFER_MLA_SPARSE_SM120", ("auto", "fp8", "fp8_e4m3", "fp8_ds_mla"), dtypes=frozenset({"bfloat16"}),
    majors=frozenset({CONSUMER}), head_sizes=frozenset({512, 576}), block_multiple=64, **_SPARSE,
)  # fmt: skip
