"""Weights: bytes of the worst rank of each pipeline stage, by part and by number format, and of the whole model."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from generator.models.architecture import Architecture
from generator.models.capability import Capability
from generator.models.dtype import DType
from generator.models.matrix import Part
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.models.value import Made
from generator.planning.weights.expansion import WeightModule, modules
from generator.planning.weights.formats import Stored, stored_formats
from generator.planning.weights.sharding import padded_shape, rank_shape, refined_block, stage_layers, stored_bytes

DTYPES = {
    "bfloat16": DType.BF16,
    "float16": DType.F16,
    "float32": DType.F32,
    "half": DType.F16,
    "float": DType.F32,
}
"""vLLM's names of computing dtypes."""


class StageWeights(Made):
    """Parameters of the worst rank of one pipeline stage, as vLLM creates them, in bytes."""

    by_part: dict[Part, int]
    by_dtype: dict[DType, int]
    reread_bytes: int = 0
    """Bytes that a decode step reads beyond the first time, because layers share them."""

    @property
    def total_bytes(self) -> int:
        """Bytes of all parameters of the rank."""
        return sum(self.by_part.values())

    @property
    def expert_bytes(self) -> int:
        """Bytes of the routed experts, of which a step reads those that its tokens chose."""
        return self.by_part.get("experts", 0)

    @property
    def always_read_bytes(self) -> int:
        """Bytes that every decode step reads: all but routed experts, towers and the embedding's other rows.

        A tied embedding is read as the head; a draft model has steps of its own; what layers share is read by each.
        """
        unread = sum(self.by_part.get(part, 0) for part in ("experts", "vision", "embed", "draft"))
        return self.total_bytes - unread + self.reread_bytes

    def grown(self, part: Part, size: int, dtype: DType | None = None) -> StageWeights:
        """The stage with `size` more bytes of a part, and of a dtype where all of them are of one."""
        by_part = self.by_part | {part: self.by_part.get(part, 0) + size}
        by_dtype = self.by_dtype | ({dtype: self.by_dtype.get(dtype, 0) + size} if dtype else {})
        return self.changed(by_part=by_part, by_dtype=by_dtype)


class RankWeights(Made):
    """Parameters of every pipeline stage's worst rank."""

    stages: tuple[StageWeights, ...]

    @property
    def worst_stage(self) -> int:
        """Index of the stage that holds the most bytes, the first of equals."""
        totals = [stage.total_bytes for stage in self.stages]
        return totals.index(max(totals))

    @property
    def worst(self) -> StageWeights:
        """The stage that holds the most bytes."""
        return self.stages[self.worst_stage]


class StoredModule(NamedTuple):
    """A module and the layers of it that are stored alike."""

    module: WeightModule
    stored: Stored


@lru_cache(maxsize=256)
def rank_weights(
    architecture: Architecture,
    quantization: Quantization | None = None,
    layout: Layout = Layout(),  # noqa: B008 - an immutable default
    *,
    dtype: str | None = None,
    capability: Capability | None = None,
    drafts: int = 0,
    language_model_only: bool = False,
    encoders_whole: bool = False,
    encoders_first: bool = False,
    triton: bool = True,
) -> RankWeights:
    """Parameter bytes of the worst rank of every pipeline stage of `layout`.

    Args:
        architecture: the model's shapes.
        quantization: how the checkpoint stores them; None for unquantized.
        layout: parallel sizes.
        dtype: vLLM's `dtype` once resolved; None for the checkpoint's own.
        capability: the GPU's compute capability, which decides the kernels that pad experts; None to pad none.
        drafts: multi-token-prediction layers to load beside the model.
        language_model_only: whether towers are left out.
        encoders_whole: whether every rank holds the towers whole (`mm_encoder_tp_mode: data`).
        encoders_first: whether the first stage alone holds the towers.
        triton: whether the release comes with Triton's kernels for MXFP4.
    """
    own = DTYPES[dtype or architecture.dtype]
    bounds = stage_layers(architecture.num_hidden_layers, layout.pipeline_parallel_size)
    by_part: list[Counter[Part]] = [Counter() for _ in bounds]
    by_dtype: list[Counter[DType]] = [Counter() for _ in bounds]
    reread = [0] * len(bounds)
    for module, stored in entries(architecture, quantization, drafts):
        matrix = module.matrix
        if language_model_only and matrix.part == "vision":
            continue
        split = Layout() if encoders_whole and matrix.part == "vision" else layout
        shape = padded_shape(matrix, rank_shape(matrix, split), stored.form, capability, triton=triton)
        form = refined_block(shape, stored.form) if stored.form and matrix.experts else stored.form
        sizes = stored_bytes(matrix, shape, form, own)
        total = sum(size for _, size in sizes)
        held = _stages(module, stored, bounds)
        for stage, count in held[:1] if encoders_first and matrix.part == "vision" else held:
            by_part[stage][matrix.part] += total * count
            if module.place != "layer":
                reread[stage] += total * max(len(module.layers) - count, 0)
            for number_format, size in sizes:
                by_dtype[stage][number_format] += size * count
    return RankWeights(
        stages=tuple(
            StageWeights(
                by_part=dict(by_part[i]),
                by_dtype=dict(by_dtype[i]),
                reread_bytes=reread[i],
            )
            for i in range(len(bounds))
        )
    )


@lru_cache(maxsize=64)
def entries(architecture: Architecture, quantization: Quantization | None, drafts: int) -> tuple[StoredModule, ...]:
    """Every module that vLLM builds, `drafts` of the prediction layers included, once for each format of its layers."""
    return tuple(
        StoredModule(module, stored)
        for module in modules(architecture, drafts)
        for stored in stored_formats(module, quantization)
    )


def _stages(module: WeightModule, stored: Stored, bounds: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Stages that hold the module, each with how often."""
    last = len(bounds) - 1
    if module.place == "layer":
        if not last:
            return [(0, len(stored.layers))]
        cuts = [bisect_left(stored.layers, first) for first, _ in (*bounds, (bounds[-1][1], 0))]
        return [(stage, end - first) for stage, (first, end) in enumerate(pairwise(cuts))]
    if module.place == "every":
        return [(i, module.count) for i in range(last + 1)]
    if module.place == "ends":
        return [(stage, module.count) for stage in {0, last}]
    return [(0 if module.place == "first" else last, module.count)]


class ModelTotals(Made):
    """Figures of the unsharded model, draft layers left out."""

    parameters: int
    active_parameters: int
    """Parameters that one token uses: of routed experts the chosen ones only."""
    stored_bytes: int
    """Bytes of every tensor in its stored format, derived from shapes."""


def model_totals(architecture: Architecture, quantization: Quantization | None = None) -> ModelTotals:
    """Parameters and bytes of the model as one rank would hold it all."""
    held = [(one.matrix, len(one.layers) if one.place == "layer" else one.count) for one in modules(architecture)]
    return ModelTotals(
        parameters=sum(matrix.parameters * count for matrix, count in held),
        active_parameters=sum(matrix.active_parameters * count for matrix, count in held),
        stored_bytes=rank_weights(architecture, quantization, Layout()).worst.total_bytes,
    )
