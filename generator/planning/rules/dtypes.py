"""Rules about dtypes: of the weights' quantization, of the model's arithmetic, of the cache.

Each returns only where it holds: else it raises RequestError.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.capability import ADA, AMPERE, TURING
from generator.models.quantization_method import HALVES
from generator.planning.kinds.of import attentions_of, is_hybrid
from generator.planning.kv_cache.layers import drafted_layers
from generator.planning.kv_cache.selection import serve
from generator.planning.kv_cache.settings import model_dtype
from generator.planning.memory.overhead import model_runner

if TYPE_CHECKING:
    from generator.planning.kv_cache.selection import Served
    from generator.planning.replica import Replica

_READ_BY_FLASH_ATTENTION = frozenset({"fp8", "fp8_e4m3"})
_TRITON = frozenset({"TRITON_ATTN", "TRITON_MLA"})


def quantization_runs(start: Replica) -> None:
    """The GPU is new enough for the weights' quantization (config/vllm.py:893)."""
    least, have = start.quantization_minimum_capability, start.settings.capability
    if least is not None and have < least:
        raise RequestError(
            f"quantization {start.quantization} is not supported on {start.gpu.name}: minimum capability {least}, "
            f"its own {have}; choose a newer GPU or an unquantized checkpoint"
        )


def quantization_takes_dtype(start: Replica) -> None:
    """The weights' quantization computes in the model's dtype (config/vllm.py:901)."""
    own, taken = model_dtype(start.architecture, start.settings), start.quantization_dtypes
    if taken and own not in taken:
        able = [name for name in taken if _computes(start, name)]
        words = f"set --dtype {able[-1]} or leave it out" if able else f"choose another checkpoint for {start.gpu.name}"
        raise RequestError(f"quantization {start.quantization} does not compute in {own}; {words}")


def _computes(start: Replica, dtype: str) -> bool:
    """Whether the GPU computes in a dtype, and the model may."""
    return {"bfloat16": start.settings.capability >= AMPERE, "float16": start.settings.float16}.get(dtype, True)


def dtype_runs(start: Replica) -> None:
    """The GPU computes in the dtype asked for (platforms/cuda.py:640, config/model.py:2395)."""
    asked = start.settings.dtype
    if asked == "bfloat16" and start.settings.capability < AMPERE:
        able = "half" if _computes(start, "float16") else "float32"
        raise RequestError(
            f"bfloat16 needs compute capability 8.0, {start.gpu.name} has less; set --dtype {able} or leave it out"
        )
    own = model_dtype(start.architecture, start.settings.changed(dtype="auto", capability=TURING))
    if asked in {"half", "float16"} and own == "float32":
        able = "bfloat16 or float32" if _computes(start, "bfloat16") else "float32"
        raise RequestError(f"{start.architecture.model_type} is numerically unstable in float16; set --dtype {able}")


def cache_dtype_runs(start: Replica) -> None:
    """Every layer has a backend that takes the cache dtype on this GPU (platforms/cuda.py:get_attn_backend_cls).

    Triton's FP8 caches need SM89 (v1/attention/backends/triton_attn.py:487). A checkpoint that may bring scales of its
    cache takes no E5M2, which has none (0.19.1 to 0.33.0 attention/attention.py: _init_kv_cache_quant).
    """
    brings_scales = start.settings.checkpoint_kv_cache_dtype or (
        start.quantization == "fp8" and not start.quantizes_online
    )
    if brings_scales and start.settings.kv_cache_dtype == "fp8_e5m2":
        able = "fp8" if _reads_fp8(start) else _own_cache_dtype(start)
        raise RequestError(f"fp8_e5m2 kv-cache is not supported with fp8 checkpoints; set --kv-cache-dtype {able}")
    own = (one for kind in start.architecture.layer_kinds for one in serve(kind.mixer, start.context))
    for one in chain(own, drafted_layers(start.context)):
        _cache_is_read(start, one)
        fp8 = one.query.kv_cache_dtype.startswith("fp8")
        if fp8 and one.backend.name in _TRITON and start.settings.capability < ADA:
            raise RequestError(
                f"an FP8 KV cache is not supported by the Triton attention backend on {start.gpu.name}: it "
                f"requires compute capability 8.9; set --kv-cache-dtype {_own_cache_dtype(start)}"
            )


def _reads_fp8(start: Replica) -> bool:
    try:
        cache_dtype_runs(start.with_settings(kv_cache_dtype="fp8"))
    except RequestError:
        return False
    return True


def _cache_is_read(start: Replica, one: Served) -> None:
    """The backend reads what its class says that it takes: releases until 0.24 say more than their kernels do.

    FlashAttention's FP8 is E4M3 (0.20.2 flash_attn.py:171), FlashInfer's NVFP4 is TRT-LLM's (0.23.0 flashinfer.py:623).
    """
    asked, name, other = one.query.kv_cache_dtype, one.backend.name, ""
    if name == "FLASH_ATTN" and one.query.quantized and asked not in _READ_BY_FLASH_ATTENTION:
        named = "FLASHINFER" if asked == "fp8_e5m2" else "TRITON_ATTN"
        other = "" if one.query.non_causal else f"--attention-backend {named}, or "
    elif not (name == "FLASHINFER" and asked == "nvfp4" and one.query.has("flashinfer_lists_nvfp4_alone")):
        return
    raise RequestError(
        f"vLLM {start.release} takes {name} for a KV cache of {asked}, which it does not read on {start.gpu.name}: set "
        f"{other}--kv-cache-dtype {_own_cache_dtype(start)}"
    )


def packed_cache_is_kept(start: Replica) -> None:
    """The release packs a TurboQuant cache for such a model (behaviours.toml: turboquant_leaves_out_hybrids, ...)."""
    asked, release, architecture = start.settings.kv_cache_dtype, start.release, start.architecture
    if not asked.startswith("turboquant_"):
        return
    if is_hybrid(architecture) and release.has("turboquant_leaves_out_hybrids"):
        raise RequestError(
            f"vLLM {release} supports no TurboQuant cache for hybrid models, whose other layers keep states: pin a "
            f"newer release, or set --kv-cache-dtype {_own_cache_dtype(start)}"
        )
    packed, name = len(start.context.skipped) < architecture.num_hidden_layers, "runner_v1_forgets_turboquant"
    if packed and model_runner(architecture, release) == "v1" and release.has(name):
        raise RequestError(
            f"vLLM {release} ends on an unknown TurboQuant cache dtype 'auto' in Model Runner V1, which serves this "
            f"model: pin one after vLLM {release.until[name]}, or set --kv-cache-dtype {_own_cache_dtype(start)}"
        )


def rotated_heads_are_a_power_of_two(start: Replica) -> None:
    """A cache of 4 bits is rotated by a Hadamard matrix (0.33 v1/attention/ops/int4_per_token_head.py:1086)."""
    if start.settings.kv_cache_dtype != "int4_per_token_head":
        return
    for attention in attentions_of(start.architecture):
        if attention.head_size & (attention.head_size - 1):
            raise RequestError(
                f"a KV cache of int4_per_token_head takes heads of a power of two, not of {attention.head_size}: set "
                f"--kv-cache-dtype {_own_cache_dtype(start)}"
            )


def cache_dtype_is_the_models(start: Replica) -> None:
    """A cache of 16 bits that is asked for has the model's own dtype (0.33 config/vllm.py:1492)."""
    asked, own = start.settings.kv_cache_dtype, model_dtype(start.architecture, start.settings)
    if asked in HALVES and asked != own and start.release.has("cache_of_16_bits_is_the_models"):
        raise RequestError(
            f"a KV cache of {asked} is refused where the model computes in {own}; set --kv-cache-dtype auto"
        )


def _own_cache_dtype(start: Replica) -> str:
    """The cache dtype of no quantization: `auto`, unless that is the checkpoint's own FP8."""
    stated = start.settings.checkpoint_kv_cache_dtype or "auto"
    return "auto" if stated == "auto" else model_dtype(start.architecture, start.settings)
