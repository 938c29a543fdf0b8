"""Checkpoint: how a model's tensors are stored, and where they come from."""

from __future__ import annotations

from typing import Literal

from generator.models.architecture import Architecture
from generator.models.dtype import DType
from generator.models.quantization import Quantization
from generator.models.value import Value

FactsSource = Literal["hub", "local", "embedded"]


class TensorGroup(Value):
    """Tensors of one module class and dtype over a range of layers, from safetensors headers."""

    module: str
    """Module class: the tensor's name without its layer number and expert number."""
    dtype: DType
    layers: str = ""
    """Layer numbers as `0-2,5`; empty outside the decoder layers."""
    elements: int
    """Elements of all the group's tensors together."""
    tensors: int = 1


class Checkpoint(Value):
    """Storage facts of one revision."""

    quantization: Quantization | None = None
    """The declared scheme; None where there is none, or one whose method nothing names."""
    nameless: bool = False
    """True where a scheme is declared without its method: vLLM loads 16-bit weights and takes no `quantization`."""
    total_bytes: int | None = None
    """Bytes of all tensors from safetensors headers; None where only config.json is known."""
    tensors: tuple[TensorGroup, ...] = ()


class SentenceFacts(Value):
    """What a repository's sentence-transformers files say, as vLLM reads them."""

    pools: bool = False
    """True where `modules.json` names a pooling module: vLLM then runs the model for pooling, whatever its class."""
    pooling_type: str = ""
    """vLLM's name of that module's pooling over a sequence: CLS, MEAN, LAST; empty where the class decides."""
    max_seq_length: int | None = None
    """Context of `sentence_*_config.json`, which goes before config.json's."""
    tokenizer_max_length: int | None = None
    """The tokenizer's `model_max_length`, which caps a pooling model of absolute positions."""
    projector_elements: int = 0
    """Elements of the Dense modules behind the pooling."""


class ModelFacts(Value):
    """All that the planner is told about a model."""

    id: str
    revision: str | None
    """40-hex commit of the Hub; None for a local directory or an embedded model without one."""
    source: FactsSource
    architecture: Architecture
    checkpoint: Checkpoint
    license: str | None = None
    gated: bool | None = None
    custom_code: bool = False
    """True where config.json's `auto_map` asks for code from the repository."""
    tokenizer_code: bool | None = None
    """Whether the tokenizer or processor is code from the repository; None where their configs were not read."""
    sentence: SentenceFacts | None = None
    """None where the repository has no sentence-transformers file."""
    built_by: str | None = None
    """The vLLM release whose own build of the model these facts are; None where a reader of ours made them."""
    draft: ModelFacts | None = None
    """Facts of the model that drafts for this one in speculative decoding; None where none is asked for."""
