"""Replica: one engine replica as it starts; what memory, cache, rules and speed read, each value resolved once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from generator.models.architecture import Architecture
from generator.models.hardware import GPU, Cluster
from generator.models.model_class import ModelClass
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.models.release import Release
from generator.models.speed import WeightKernel
from generator.models.value import Made
from generator.planning.kv_cache.layout import CacheLayout, cache_of
from generator.planning.kv_cache.selection import context
from generator.planning.kv_cache.settings import CacheSettings, model_dtype
from generator.planning.speed.kernels import kernels
from generator.planning.weights.rank import DTYPES

if TYPE_CHECKING:
    from generator.planning.kv_cache.context import Context

_Others = ParamSpec("_Others")
_Found = TypeVar("_Found")


class Replica(Made):
    """What is served, how it is laid out, on which GPUs, and the engine's values."""

    architecture: Architecture
    layout: Layout
    cluster: Cluster
    settings: CacheSettings
    model_class: ModelClass = ModelClass()
    """VLLM's class of the model, as the release has it."""
    asked_context: int | None = None
    """Context that the user asks for; None or -1 leaves it to vLLM."""
    quantization: str | None = None
    """vLLM's name of the weights' quantization."""
    quantization_minimum_capability: int | None = None
    """Oldest compute capability that vLLM starts that quantization on."""
    quantization_dtypes: tuple[str, ...] = ()
    """Dtypes of the model that it computes in; empty without a quantization."""
    stored: Quantization | None = None
    """How the weights lie on the GPU; None for unquantized."""
    quantizes_online: bool = False
    """True where vLLM quantizes an unquantized checkpoint while it loads it."""
    drafts: int = 0
    """Multi-token-prediction layers that are loaded beside the model."""
    modelopt_algorithm: str | None = None
    """ModelOpt's algorithm where the checkpoint names no quant_method of its own."""
    chunked_prefill: bool = True
    encoders_whole: bool = False
    """True where `mm_encoder_tp_mode` is `data` and the model's class takes it."""

    def with_settings(self, **settings: Any) -> Replica:
        """The replica with other values of the engine."""
        return self.changed(settings=self.settings.changed(**settings))

    @cached_property
    def kept(self) -> dict[tuple[object, ...], object]:
        """What functions that are asked `once_a_replica` said of it, by function and further arguments."""
        return {}

    @property
    def gpu(self) -> GPU:
        """The GPU of every rank."""
        return self.cluster.gpu

    @property
    def release(self) -> Release:
        """The vLLM release."""
        return self.settings.release

    @property
    def max_model_len(self) -> int:
        """Tokens of the longest request that vLLM's buffers are made for."""
        return self.settings.max_model_len or self.architecture.max_position_embeddings

    @cached_property
    def dtype_bytes(self) -> int:
        """Bytes of one number in the model's computing dtype."""
        return DTYPES[model_dtype(self.architecture, self.settings)].bytes_for(1)

    @cached_property
    def expert_kernel(self) -> WeightKernel:
        """The kernel that routed experts run in, which decides what buffers they hold."""
        return kernels(self.architecture, self.stored)[1]

    @cached_property
    def context(self) -> Context:
        """What the engine's values resolve to for the cache.

        Raises:
            RequestError: no attention backend takes it.
        """
        return context(self.architecture, self.layout, self.settings)

    @cached_property
    def cache(self) -> CacheLayout:
        """The cache of every pipeline stage.

        Raises:
            RequestError: vLLM would refuse the cache dtype, the block size or the division of heads.
        """
        return cache_of(self.context)


def once_a_replica(
    function: Callable[Concatenate[Replica, _Others], _Found],
) -> Callable[Concatenate[Replica, _Others], _Found]:
    """The function, asked once with the same further arguments: shares of a GPU are tried on one replica."""

    @wraps(function)
    def asked(replica: Replica, /, *others: _Others.args, **named: _Others.kwargs) -> _Found:
        key = (function, others, tuple(named.items()))
        if key not in replica.kept:
            replica.kept[key] = function(replica, *others, **named)
        return cast("_Found", replica.kept[key])

    return asked
