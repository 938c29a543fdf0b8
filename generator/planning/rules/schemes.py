"""What vLLM refuses of compressed-tensors and AutoRound: groups that the release has no scheme for, and mixtures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.quantization import Quantization
from generator.models.scheme import Scheme, SchemePart
from generator.planning.weights.expansion import WeightModule, modules
from generator.planning.weights.formats import parted_scheme, schemes_by_layer

if TYPE_CHECKING:
    from generator.planning.case import Case


def check_schemes(case: Case) -> None:
    """Return only where the release has a scheme for every group of layers of the checkpoint on these GPUs.

    vLLM 0.33 compressed_tensors.py: _get_scheme_from_parts, compressed_tensors_moe.py: get_moe_method, inc/schemes.

    Raises:
        RequestError: it has none for one; names the layers and how they are quantized.
    """
    own, known = case.quantization, case.tables.schemes
    if own is None or case.gpu.capability.is_rocm:
        return
    if own.method == "modelopt_mixed":
        _check_merged(case, own)
    if not known:
        return
    if own.cache is not None and not _runs(case, "cache", Scheme(weights=own.cache)):
        raise RequestError(
            f"vLLM {case.release} does not read a KV cache of {own.cache.words}, which the checkpoint's "
            "kv_cache_scheme asks for: choose a checkpoint of FP8 scales by tensor or head, or without any"
        )
    _check_groups(case, own)
    _check_merged(case, own)
    if name := _parted_experts(case, own):
        raise RequestError(
            f"vLLM {case.release} runs the projections of an expert in one scheme, and {name} has several: choose a "
            "checkpoint whose experts are quantized alike"
        )


def _check_merged(case: Case, own: Quantization) -> None:
    if name := parted_scheme(modules(case.architecture), own):
        raise RequestError(
            f"vLLM {case.release} merges the projections of {name}, which are quantized in several ways: choose a "
            "checkpoint whose merged projections are quantized alike"
        )


def _check_groups(case: Case, own: Quantization) -> None:
    lacking = {
        (part, scheme)
        for scheme in own.schemes
        for part in _PARTS
        if scheme is not None and not _runs(case, part, scheme)
    }
    if not lacking:
        return
    for module, _, scheme in _schemes(case, own):
        if scheme is not None and (_part(module), scheme) in lacking:
            raise RequestError(
                f"vLLM {case.release} has no scheme of {_of(own)} for {module.name.replace('{L}.', '')} on "
                f"{case.gpu.name}: {scheme.words}; {_elsewhere(case, _part(module), scheme)}"
            )


def _of(own: Quantization) -> str:
    return "AutoRound" if own.method == "inc" else "compressed-tensors"


_PARTS: tuple[SchemePart, ...] = ("linear", "experts")


def _part(module: WeightModule) -> SchemePart:
    return "experts" if module.matrix.experts else "linear"


def _runs(case: Case, part: SchemePart, scheme: Scheme) -> bool:
    return any(one.runs(part, scheme, case.gpu.capability) for one in case.tables.schemes)


def _elsewhere(case: Case, part: SchemePart, scheme: Scheme) -> str:
    """What else would do: the GPUs of a scheme that takes the group, or another checkpoint."""
    words = [one.capabilities for one in case.tables.schemes if one.takes(part, scheme)]
    on = f"use a GPU of compute capability {' or '.join(words)}, or " if words else ""
    return f"{on}choose another checkpoint of the model"


def _schemes(case: Case, own: Quantization) -> Iterator[tuple[WeightModule, int, Scheme | None]]:
    """Each matrix of each layer with its scheme; None where it is left alone."""
    for module in modules(case.architecture):
        if module.matrix.linear:
            for layer, scheme in schemes_by_layer(module, own):
                yield module, layer, scheme


def _parted_experts(case: Case, own: Quantization) -> str:
    """The first block of experts whose projections are quantized in several ways; empty for none."""
    held: dict[tuple[str, int], Scheme | None] = {}
    for module, layer, scheme in _schemes(case, own):
        if module.matrix.experts:
            block = module.name.rpartition(".")[0]
            if held.setdefault((block, layer), scheme) != scheme:
                return block.replace("{L}", str(layer))
    return ""
