"""What vLLM refuses of compressed-tensors, AutoRound and Quark: groups without a scheme of the release, mixtures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
from generator.models.architecture import Architecture
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
    if own is None or case.gpu.capability.is_rocm or not (known or own.method == "modelopt_mixed"):
        return
    if own.cache is not None and not _runs(case, "cache", Scheme(weights=own.cache)):
        raise RequestError(
            f"vLLM {case.release} does not read a KV cache of {own.cache.words}, which the checkpoint's "
            "kv_cache_scheme asks for: choose a checkpoint of FP8 scales by tensor or head, or without any"
        )
    stored = _stored(case.architecture, own)
    for (part, scheme), name in stored.groups.items():
        if not _runs(case, part, scheme):
            raise RequestError(
                f"vLLM {case.release} has no scheme of {_of(own)} for {name} on {case.gpu.name}: {scheme.words}; "
                f"{_elsewhere(case, part, scheme)}"
            )
    if stored.merged:
        raise RequestError(
            f"vLLM {case.release} merges the projections of {stored.merged}, which are quantized in several ways: "
            "choose a checkpoint whose merged projections are quantized alike"
        )
    if stored.experts:
        raise RequestError(
            f"vLLM {case.release} runs the projections of an expert in one scheme, and {stored.experts} has several: "
            "choose a checkpoint whose experts are quantized alike"
        )


class _Stored(NamedTuple):
    """How a checkpoint stores the layers of a model, whatever the release."""

    groups: Mapping[tuple[SchemePart, Scheme], str]
    """The first matrix of each kind of layer and scheme."""
    merged: str
    """The first merged layer, and the first block of experts, of several schemes; empty for none."""
    experts: str


@lru_cache(maxsize=64)
def _stored(architecture: Architecture, own: Quantization) -> _Stored:
    groups: dict[tuple[SchemePart, Scheme], str] = {}
    blocks: dict[str, Scheme | None] = {}
    parted = ""
    for module, layer, scheme in _schemes(architecture, own) if own.schemes else ():
        if scheme is not None:
            part: SchemePart = "experts" if module.matrix.experts else "linear"
            groups.setdefault((part, scheme), module.name.replace("{L}.", ""))
        if module.matrix.experts:
            block = module.name.rpartition(".")[0].replace("{L}", str(layer))
            if blocks.setdefault(block, scheme) != scheme:
                parted = parted or block
    return _Stored(groups, parted_scheme(modules(architecture), own), parted)


def _schemes(architecture: Architecture, own: Quantization) -> Iterator[tuple[WeightModule, int, Scheme | None]]:
    """Each matrix of each layer with its scheme; None where it is left alone."""
    for module in modules(architecture):
        if module.matrix.linear:
            for layer, scheme in schemes_by_layer(module, own):
                yield module, layer, scheme


def _of(own: Quantization) -> str:
    return {"inc": "AutoRound", "quark": "Quark"}.get(own.method, "compressed-tensors")


def _runs(case: Case, part: SchemePart, scheme: Scheme) -> bool:
    return any(one.runs(part, scheme, case.gpu.capability) for one in case.tables.schemes)


def _elsewhere(case: Case, part: SchemePart, scheme: Scheme) -> str:
    """What else would do: the GPUs of a scheme that takes the group, or another checkpoint."""
    words = [one.capabilities for one in case.tables.schemes if one.takes(part, scheme)]
    on = f"use a GPU of compute capability {' or '.join(words)}, or " if words else ""
    return f"{on}choose another checkpoint of the model"
