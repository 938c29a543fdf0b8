"""As given: what a plan is made from, and what its values alone say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from generator.errors import UnknownFactError
from generator.models.checkpoint import ModelFacts
from generator.models.choices import nearest_choices
from generator.models.hardware import GPU, Cluster
from generator.models.quantization import Quantization
from generator.models.quantization_method import QuantizationMethod
from generator.models.release import Release
from generator.models.request import Request
from generator.models.speculation import Speculation
from generator.models.value import Made
from generator.planning.graph_mode import graph_mode
from generator.planning.kv_cache.backends import asked_backend
from generator.planning.kv_cache.connectors import manager_is_off
from generator.planning.weights.online import online_quantization

if TYPE_CHECKING:
    from generator.planning.tables import Tables


class AsGiven(Made):
    """A request, the model's facts, GPUs, tables and the engine's values, each as it was given."""

    request: Request
    facts: ModelFacts
    cluster: Cluster  # of one server
    tables: Tables
    fixed: dict[str, Any]
    """The user's engine values, checked; those that are left to vLLM are not in it."""
    left_to_vllm: frozenset[str]
    """Arguments that the user wants vLLM to decide."""

    def chooses(self, field: str) -> bool:
        """Whether the planner chooses this value: the user neither sets it nor leaves it to vLLM."""
        return field not in self.fixed and field not in self.left_to_vllm

    def mapping(self, field: str) -> Mapping[str, Any]:
        """The keys that the user gives in an argument that is a mapping; empty where there are none."""
        given = self.fixed.get(field)
        return given if isinstance(given, dict) else {}

    @property
    def language_model_only(self) -> bool:
        """Whether the encoders beside the decoder are left out."""
        return bool(self.fixed.get("language_model_only"))

    @property
    def eager(self) -> bool:
        """Whether the user turns CUDA graphs off: --enforce-eager, `cudagraph_mode` NONE, or optimization level 0."""
        return graph_mode(self.fixed, pools=False) == "none"

    @property
    def quantization(self) -> Quantization | None:
        """The checkpoint's own quantization."""
        return self.facts.checkpoint.quantization

    @property
    def on_gpu(self) -> Quantization | None:
        """How the weights lie on the GPU: as the checkpoint stores them, or as vLLM quantizes them while loading."""
        asked = self.fixed.get("quantization")
        return online_quantization(asked) if asked and self.quantization is None else self.quantization

    @property
    def method_name(self) -> str | None:
        """VLLM's name of the weights' quantization: the checkpoint's own, else the one asked for at load time."""
        return self.quantization.method if self.quantization else self.fixed.get("quantization")

    @property
    def method(self) -> QuantizationMethod | None:
        """What the weights' quantization asks of a GPU; None where they are not quantized.

        Raises:
            UnknownFactError: the tables lack the method.
        """
        name = self.method_name
        found = self.tables.method(name)
        if found is None and name is not None:
            known = ", ".join(nearest_choices(name, [row.name for row in self.tables.methods]))
            raise UnknownFactError(f"unknown quantization {name!r}{f'; nearest: {known}' if known else ''}")
        return found

    @property
    def vllm(self) -> Release:
        """The vLLM release, and how it behaves."""
        return self.tables.engine.release

    @property
    def release(self) -> str:
        """The vLLM release by its number."""
        return self.tables.engine.version

    @property
    def gpu(self) -> GPU:
        """The GPU of every rank."""
        return self.cluster.gpu

    @property
    def asked_context(self) -> int | None:
        """The context that the user asks for; None, also for `auto`, where the planner decides."""
        asked = self.fixed.get("max_model_len")
        return asked if asked is not None and asked > 0 else None

    @cached_property
    def speculation(self) -> Speculation:
        """How tokens are drafted, as the user asks for it; empty where nothing is asked for."""
        return Speculation.model_validate(self.mapping("speculative_config"))

    @cached_property
    def manager_is_off(self) -> bool | None:
        """Whether vLLM switches the hybrid KV cache manager off; None where nothing is stated that decides it."""
        return manager_is_off(self.fixed, self.tables.engine)

    @cached_property
    def attention_backend(self) -> str | None:
        """The attention backend that the user names; None where vLLM chooses."""
        return asked_backend(self.fixed, self.vllm)
