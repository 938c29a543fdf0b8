"""Engine values that decide cache and memory, resolved to what vLLM itself would use."""

from generator.models.architecture import Architecture
from generator.models.capability import AMPERE, Capability
from generator.models.parallelism import Layout
from generator.models.release import Release
from generator.models.value import Made


class CacheSettings(Made):
    """Engine arguments by vLLM's names, with the GPU's capability; None leaves one to vLLM."""

    release: Release
    capability: Capability
    max_num_batched_tokens: int
    max_num_seqs: int
    max_model_len: int | None = None
    """Needed only for states without prefix caching, whose block is the whole context."""
    dtype: str = "auto"
    float16: bool = True
    """False where vLLM refuses to compute the model in float16."""
    kv_cache_dtype: str = "auto"
    checkpoint_kv_cache_dtype: str | None = None
    """Cache dtype that the checkpoint's own quantization asks for."""
    quantization: str | None = None
    block_size: int | None = None
    attention_backend: str | None = None
    """The named one, of `Release.by_name`."""
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
    enforce_eager: bool = False
    """True where no CUDA graphs are captured."""
    samples: bool = True
    """False where the engine serves embeddings and computes no logits (`runner=pooling`)."""
    encoder_tokens: int | None = None
    """Tokens of the largest multimodal input that vLLM profiles the encoder with; None where the model decides."""
    cpu_offload_bytes: int = 0
    """Bytes of weights that each rank keeps in the host's memory."""


def model_dtype(architecture: Architecture, settings: CacheSettings) -> str:
    """The computing dtype that `--dtype` resolves to on this GPU."""
    return resolved_dtype(architecture.dtype, settings.dtype, settings.capability, float16=settings.float16)


def resolved_dtype(own: str, asked: str, capability: Capability, *, float16: bool) -> str:
    """The computing dtype of a checkpoint of dtype `own` (vLLM 0.32 config/model.py:2405).

    `float16` is False for a model that vLLM does not compute in it: without bfloat16 it is float32.
    """
    if asked not in {"auto", ""}:
        return {"half": "float16", "float": "float32"}.get(asked, asked)
    supported = ["bfloat16"] if capability >= AMPERE else []
    supported += ["float16"] if float16 else []
    supported.append("float32")
    stored = supported[0] if own == "float32" else own
    return stored if stored in supported else supported[0]


def drafts_one_at_a_time(method: str | None, release: Release) -> bool:
    """Whether vLLM schedules no step before the last one's drafts are settled.

    Look-ups need that where the second model runner does not make them (0.33 config/vllm.py: use_v2_model_runner).
    """
    return method == "suffix" or (method == "ngram" and not release.has("looks_up_drafts_ahead"))


def max_in_flight_tokens(layout: Layout, settings: CacheSettings) -> int:
    """Tokens scheduled and not yet settled, for which a window keeps its blocks: a batch for each step in progress.

    Asynchronous scheduling has one step more in progress than stages (vLLM 0.32 config/vllm.py:577). Until 0.25 one
    batch counted, whatever was in progress (0.25.1 v1/kv_cache_interface.py:560; 0.26.0 :584 counts them all).
    """
    if not settings.release.has("windows_keep_every_step_in_flight"):
        return settings.max_num_batched_tokens
    stages = layout.pipeline_parallel_size
    overlapped = settings.async_scheduling is not False and not drafts_one_at_a_time(
        settings.speculative_method, settings.release
    )
    return (stages + overlapped) * settings.max_num_batched_tokens
