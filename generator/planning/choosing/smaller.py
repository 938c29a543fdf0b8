"""Fewer bytes of the same weights: quantized checkpoints, and FP8 at load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from generator.models.checkpoint import ModelFacts
from generator.planning.arithmetic import Arithmetic, arithmetic
from generator.planning.choosing.change import ACCURACY, Change, unset, without
from generator.planning.choosing.variants import with_values

if TYPE_CHECKING:
    from generator.planning.case import Case

_OF_CHECKPOINT = ("quantization", "revision", "code_revision")
"""Engine values that belong to one checkpoint, not to its siblings."""
_BYTE = 8
"""Bits of a weight that is one byte."""


class Sibling(NamedTuple):
    """A smaller checkpoint of the same weights, and how the GPU computes with it."""

    facts: ModelFacts
    case: Case
    flags: tuple[str, ...]
    method: str
    verdict: str


def smaller_weights(case: Case) -> Iterator[Change]:
    """Fewer bytes of the same weights, which costs accuracy: quantized checkpoints, and FP8 at load where none is."""
    named = tuple(siblings(case))
    yield from named
    if not any(change.case.quantization and change.case.quantization.bits == _BYTE for change in named):
        yield from online_quantization(case)


def online_quantization(case: Case) -> Iterator[Change]:
    """Weights quantized while loading, where the GPU multiplies in that format."""
    method = case.tables.method("fp8")
    if case.quantization is not None or "quantization" in case.fixed or method is None:
        return
    if method.is_online_in(case.release) and arithmetic(method, case.gpu, case.release).verdict == "native":
        changed = with_values(case, {"quantization": "fp8"})
        title = f"FP8 weights, quantized at load, {ACCURACY}"
        yield Change("quantization", title, ("--quantization", "fp8"), changed)


def siblings(case: Case) -> Iterator[Change]:
    """The quantized checkpoints of the same weights that this GPU runs."""
    for sibling in sibling_cases(case):
        how = f"{sibling.verdict} on {case.gpu.name}, {ACCURACY}"
        title = f"the quantized checkpoint {sibling.facts.id}{_pinned(sibling.facts)}, {how}"
        yield Change("sibling", title, sibling.flags, sibling.case)


def _pinned(facts: ModelFacts) -> str:
    """The commit that is planned; where the tables know none, the Hub's newest is pinned once it is asked."""
    return f" @ {facts.revision[:12]}" if facts.revision else " (the Hub's newest commit, pinned when it is read)"


def sibling_cases(case: Case) -> Iterator[Sibling]:
    """Smaller checkpoints of the same weights that this GPU runs, natively ones first."""
    options = [(facts, found) for facts in case.tables.siblings if (found := _runs(case, facts))]
    for facts, found in sorted(options, key=lambda option: option[1].verdict != "native"):
        bound = [name for name in _OF_CHECKPOINT if name in case.fixed]
        plain = without(case, *bound)
        request = plain.request.model_copy(update={"model": facts.id, "revision": facts.revision or ""})
        changed = plain.changed(request=request, facts=facts.model_copy(update={"draft": case.facts.draft}))
        stored = facts.checkpoint.quantization
        yield Sibling(
            facts, changed, ("--model", facts.id, *unset(*bound)), stored.method if stored else "", found.verdict
        )


def _runs(case: Case, facts: ModelFacts) -> Arithmetic | None:
    """How the GPU computes with a checkpoint; None where it cannot."""
    stored = facts.checkpoint.quantization
    method = case.tables.method(stored.method) if stored else None
    found = arithmetic(method, case.gpu, case.release, stored) if method else None
    return found if found and found.verdict != "unsupported" else None
