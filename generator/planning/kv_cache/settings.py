"""Engine values that decide the cache, resolved to what vLLM itself would use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.architecture import Architecture
from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CompressedMLA,
    CrossAttention,
    EncoderOnly,
    FullAttention,
    GatedDeltaNet,
    KimiDeltaAttention,
    LinearAttention,
    Mamba1,
    Mamba2,
    Mixer,
    Parallel,
    SelfAndCross,
    ShortConv,
    SlidingWindow,
    SparseMLA,
)
from generator.models.release import release_key
from generator.models.value import Value
from generator.planning.kinds.unknown import unknown_kind

if TYPE_CHECKING:
    from generator.models.parallelism import Layout

_SM80, _SM100_MAJOR = 80, 10
_EVERY_STEP_COUNTS = (0, 26)
_NO_FLOAT16 = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4"})
"""Model types that vLLM refuses in float16 (vLLM 0.32 config/model.py:2380)."""

_FP8_CACHE_ON_SM100 = frozenset({"GlmMoeDsaForCausalLM"})
"""Classes that turn an `auto` cache into FP8 on SM10x (vLLM 0.32 model_executor/models/config.py:43)."""


ONE_AT_A_TIME = frozenset({"ngram", "suffix"})
"""Ways to draft that vLLM does not schedule asynchronously (vLLM 0.32 config/vllm.py:1598)."""


class CacheSettings(Value):
    """Engine arguments by vLLM's names, with the GPU's capability; None leaves one to vLLM."""

    release: str
    capability: int
    """CUDA compute capability as major * 10 + minor."""
    max_num_batched_tokens: int
    max_num_seqs: int
    max_model_len: int | None = None
    """Needed only for states without prefix caching, whose block is the whole context."""
    dtype: str = "auto"
    kv_cache_dtype: str = "auto"
    checkpoint_kv_cache_dtype: str | None = None
    """Cache dtype that the checkpoint's own quantization asks for."""
    quantization: str | None = None
    block_size: int | None = None
    enable_prefix_caching: bool | None = None
    mamba_cache_mode: str | None = None
    mamba_cache_dtype: str = "auto"
    mamba_ssm_cache_dtype: str = "auto"
    async_scheduling: bool | None = None
    speculative_method: str | None = None
    num_speculative_tokens: int = 0
    draft: Architecture | None = None
    """The draft model that keeps a cache beside the target's, as vLLM builds it."""
    draft_kv_cache_dtype: str | None = None
    disable_hybrid_kv_cache_manager: bool | None = None
    num_gpu_blocks_override: int | None = None
    language_model_only: bool = False


def mixers_of(architecture: Architecture) -> tuple[Mixer, ...]:
    """The distinct mixers of the decoder layers."""
    return tuple(kind.mixer for kind in architecture.layer_kinds if kind.mixer is not None)


def keeps_state(mixer: Mixer) -> bool:
    """Whether a layer of this kind keeps a state, alone or beside a cache of tokens."""
    match mixer:
        case Mamba1() | Mamba2() | GatedDeltaNet() | KimiDeltaAttention() | LinearAttention() | ShortConv():
            return True
        case Parallel():
            return True
        case FullAttention() | SlidingWindow() | ChunkedLocal() | EncoderOnly() | CrossAttention():
            return False
        case MLA() | CompressedMLA() | SelfAndCross():
            return False
        case _:
            raise unknown_kind(mixer, "whether it keeps a state")


def is_hybrid(architecture: Architecture) -> bool:
    """Whether attention layers and layers with a state are mixed (vLLM 0.32 config/model.py:2023)."""
    mixers = mixers_of(architecture)
    states = [keeps_state(mixer) for mixer in mixers]
    return any(states) and (not all(states) or any(isinstance(mixer, Parallel) for mixer in mixers))


def model_dtype(architecture: Architecture, settings: CacheSettings) -> str:
    """The computing dtype that `--dtype` resolves to on this GPU (vLLM 0.32 config/model.py:2405)."""
    if settings.dtype not in {"auto", ""}:
        return {"half": "float16", "float": "float32"}.get(settings.dtype, settings.dtype)
    supported = ["bfloat16"] if settings.capability >= _SM80 else []
    supported += [] if architecture.model_type in _NO_FLOAT16 else ["float16"]
    supported.append("float32")
    own = supported[0] if architecture.dtype == "float32" else architecture.dtype
    return own if own in supported else supported[0]


def cache_dtype(architecture: Architecture, settings: CacheSettings) -> str:
    """The cache dtype that `--kv-cache-dtype` resolves to, before a backend renames it.

    `auto` takes the checkpoint's own scheme (vLLM 0.32 utils/torch_utils.py: resolve_kv_cache_dtype_string).
    """
    asked = settings.kv_cache_dtype
    mixers = mixers_of(architecture)
    if any(isinstance(mixer, CompressedMLA) for mixer in mixers):
        return "fp8_ds_mla"
    if asked == "auto":
        asked = _checkpoint_dtype(settings, mixers)
    if asked == "bfloat16" and any(isinstance(mixer, SparseMLA) for mixer in mixers):
        return "auto"
    on_sm100 = settings.capability // 10 == _SM100_MAJOR
    if asked == "auto" and on_sm100 and architecture.architecture in _FP8_CACHE_ON_SM100:
        return "fp8_e4m3"
    return asked


def _checkpoint_dtype(settings: CacheSettings, mixers: tuple[Mixer, ...]) -> str:
    """What the checkpoint asks for; compressed-tensors' `fp8` reaches only layers with key and value heads.

    vLLM 0.32 model_executor/layers/attention/attention.py:287; MLA layers do not look at the scheme.
    """
    asked = settings.checkpoint_kv_cache_dtype or "auto"
    latent = all((isinstance(mixer, MLA) or keeps_state(mixer)) and not isinstance(mixer, Parallel) for mixer in mixers)
    return "auto" if asked == "fp8" and latent else asked


def prefix_caching(architecture: Architecture, settings: CacheSettings) -> bool:
    """Whether prefix caching is on, by default for all with attention (vLLM 0.32 config/model.py:2221)."""
    if settings.enable_prefix_caching is not None:
        return settings.enable_prefix_caching
    states = [keeps_state(mixer) for mixer in mixers_of(architecture)]
    return not all(states) or is_hybrid(architecture)


def mamba_cache_mode(architecture: Architecture, settings: CacheSettings) -> str:
    """`align` where states are kept at block boundaries for prefix caching, else `none`.

    vLLM 0.32 model_executor/models/config.py: MambaModelConfig.
    """
    if not any(keeps_state(mixer) for mixer in mixers_of(architecture)):
        return "none"
    if not prefix_caching(architecture, settings):
        return "none"
    return settings.mamba_cache_mode if settings.mamba_cache_mode not in {None, "none"} else "align"


def max_in_flight_tokens(layout: Layout, settings: CacheSettings) -> int:
    """Tokens scheduled and not yet settled, for which a window keeps its blocks: a batch for each step in progress.

    Asynchronous scheduling has one step more in progress than stages (vLLM 0.32 config/vllm.py:577). Until 0.25 one
    batch counted, whatever was in progress (0.25.1 v1/kv_cache_interface.py:560; 0.26.0 :584 counts them all).
    """
    if release_key(settings.release) < _EVERY_STEP_COUNTS:
        return settings.max_num_batched_tokens
    stages = layout.pipeline_parallel_size
    overlapped = settings.async_scheduling is not False and settings.speculative_method not in ONE_AT_A_TIME
    return (stages + overlapped) * settings.max_num_batched_tokens
