"""A budget's items as they were measured on the machine itself: what applies exactly, and what carries over.

Memory outside PyTorch depends on GPU, driver, release and layout, not on the model: what one start showed beyond the
plan is added for other models too. The profile's peak and the weights are of a model: an offset carries over to its
other batch limits, to other models nothing does. Graphs scale by what a capture took. On one machine other models came
within 0.3 GiB of what one start taught (`python -m tests.accuracy carry-over`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.interval import ByteInterval
from generator.models.measured import Measurement, layout_key, measurement_key
from generator.units import MIB

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.replica import Replica

_REPEATS = 64 * MIB
"""Starts of the same on a discrete card repeat to about 0.03 GiB, and logs round to a hundredth of one."""
_CARRIES = 160 * MIB
"""Nine of ten other models of a machine lay within this of what one start taught of memory outside PyTorch."""
_DIGIT = 8 * MIB
"""Logs round weights to a hundredth of a GiB."""


class Needs(NamedTuple):
    """What a rank's budget takes before the cache: the plan's items."""

    weights: ByteInterval
    fixed: ByteInterval
    """Outside PyTorch, and buffers that stay."""
    activation: ByteInterval
    graphs: ByteInterval
    unmodelled: ByteInterval

    @property
    def overhead(self) -> int:
        """Expected bytes beside the weights."""
        return self.fixed.expected + self.activation.expected + self.graphs.expected


class KnownStart(NamedTuple):
    """A measured start that says something of a replica."""

    entry: Measurement
    exact: bool
    """Whether it was of this very model with these very values."""
    same_model: bool
    narrow: bool
    """Whether ranges shrink: not where the CPU shares the memory, whose page cache moves it by gibibytes."""

    @property
    def cached(self) -> bool:
        """Whether the start took its compiled graph from the cache, so that its profile ran without a compilation."""
        return bool(self.entry.settings.get("compiled_before"))

    @property
    def words(self) -> str:
        """Where the figures come from, for a reason."""
        whose = "this start" if self.exact else "this model" if self.same_model else f"{self.entry.model} on this GPU"
        return f"memory as a start of {whose} showed on {self.entry.day}"

    def offset(self, term: str) -> int:
        """Bytes that a term took beyond what was planned for it."""
        return round(self.entry.measured[term] - self.entry.planned.get(term, self.entry.measured[term]))


def known_boot(case: Case, replica: Replica) -> KnownStart | None:
    """The measured start that a replica's budget rests on; None where none is of its GPU, release and layout.

    What an earlier version of this package planned is no base for an offset: then only the same start again counts.
    """
    key = measurement_key(case.gpu.name, case.release, layout_key(replica.layout), "boot")
    entry = case.request.measured.get(key)
    if entry is None:
        return None
    same = entry.model == case.facts.id
    values = boot_settings(replica)
    exact = same and all(entry.settings.get(name) == value for name, value in values.items())
    if not exact and entry.planner != case.tables.planner:
        return None
    return KnownStart(entry, exact, same, narrow=not case.gpu.unified_memory)


def boot_settings(replica: Replica) -> dict[str, bool | int | float | str]:
    """The engine's values that the items of a budget depend on, beside GPU, release, layout and model."""
    settings = replica.settings
    return {
        "max_num_seqs": settings.max_num_seqs,
        "max_num_batched_tokens": settings.max_num_batched_tokens,
        "enforce_eager": settings.enforce_eager,
        "quantization": replica.quantization or "",
        "speculative_tokens": settings.num_speculative_tokens,
    }


def planned_terms(needs: Needs, otherwise: ByteInterval, *, compiled_before: bool) -> dict[str, float]:
    """What a plan says of each term that a boot log may tell."""
    peak = (otherwise if compiled_before else needs.activation).expected
    return {
        "weights": needs.weights.expected,
        "non_torch": needs.fixed.expected,
        "activation": peak,
        "graphs": needs.graphs.expected,
        "overhead": needs.fixed.expected + peak + needs.graphs.expected,
    }


def logged_terms(
    *,
    requested: int | None,
    weights: int | None,
    available: int | None,
    non_torch: int | None,
    activation: int | None,
    graphs: int | None,
) -> dict[str, float]:
    """Terms by what a log tells, in bytes: all beside the weights is what the cache did not get of the request."""
    told = {"weights": weights, "non_torch": non_torch, "activation": activation, "graphs": graphs}
    terms = {name: float(value) for name, value in told.items() if value is not None}
    if None not in (requested, weights, available) and not {"non_torch", "activation"} <= terms.keys():
        terms["overhead"] = float((requested or 0) - (weights or 0) - (available or 0))
    return terms


def as_measured(known: KnownStart, needs: Needs, otherwise: ByteInterval) -> tuple[Needs, ByteInterval]:
    """The items and the other way's peak with what was measured in their place, or added to them."""
    peak, other = _peaks(known, needs.activation, otherwise)
    graphs = _graphs(known, needs.graphs)
    taken = needs._replace(weights=_weights(known, needs.weights), activation=peak, graphs=graphs)
    taken = taken._replace(fixed=_fixed(known, taken, other))
    if not known.narrow:
        return taken, other
    width = _REPEATS if known.exact else _CARRIES
    taken = taken._replace(unmodelled=_within(taken.unmodelled, taken.unmodelled.expected, width))
    if known.exact and "overhead" in known.entry.measured:
        taken = taken._replace(graphs=ByteInterval.exact(taken.graphs.expected))
    return taken, other


def _weights(known: KnownStart, planned: ByteInterval) -> ByteInterval:
    if not known.same_model or "weights" not in known.entry.measured:
        return planned
    value = known.entry.measured["weights"] if known.exact else planned.expected + known.offset("weights")
    return _shifted(known, planned, round(value), _DIGIT)


def _peaks(known: KnownStart, peak: ByteInterval, otherwise: ByteInterval) -> tuple[ByteInterval, ByteInterval]:
    """Both ways of the profile: the one that was measured as it was, the other moved by as much."""
    measured = known.entry.measured.get("activation")
    if measured is None or not known.same_model:
        return peak, otherwise
    base = (otherwise if known.cached else peak).expected
    offset = round(measured) - base if known.exact else known.offset("activation")
    width = _REPEATS if known.exact else _CARRIES
    moved = (_shifted(known, one, one.expected + offset, width) for one in (peak, otherwise))
    first, second = moved
    return first, second


def _graphs(known: KnownStart, planned: ByteInterval) -> ByteInterval:
    """The estimate by what a capture took: by ratio, for other numbers of captures and layers."""
    measured, before = known.entry.measured.get("graphs"), known.entry.planned.get("graphs")
    if measured is None or not before or not planned.expected:
        return planned
    value = measured if known.exact else planned.expected * measured / before
    return _shifted(known, planned, round(value), _REPEATS if known.exact else _CARRIES)


def _fixed(known: KnownStart, needs: Needs, otherwise: ByteInterval) -> ByteInterval:
    """Memory outside PyTorch: as measured, or the rest of all that was measured beside the weights."""
    measured, width = known.entry.measured, _REPEATS if known.exact else _CARRIES
    if "non_torch" in measured:
        value = measured["non_torch"] if known.exact else needs.fixed.expected + known.offset("non_torch")
        return _shifted(known, needs.fixed, round(value), width)
    if "overhead" not in measured:
        return needs.fixed
    peak = (otherwise if known.cached else needs.activation).expected
    rest = measured["overhead"] - peak - needs.graphs.expected
    value = rest if known.exact else needs.fixed.expected + known.offset("overhead")
    return _shifted(known, needs.fixed, round(value), width)


def _shifted(known: KnownStart, planned: ByteInterval, value: int, width: int) -> ByteInterval:
    """The item at another value, its range no wider than it was, and than `width` where ranges shrink."""
    value = max(0, value)
    low, high = planned.expected - planned.low, planned.high - planned.expected
    if known.narrow:
        low, high = min(low, width), min(high, width)
    return ByteInterval(expected=value, low=max(0, value - low), high=value + high)


def _within(item: ByteInterval, value: int, width: int) -> ByteInterval:
    low, high = min(item.expected - item.low, width), min(item.high - item.expected, width)
    return ByteInterval(expected=value, low=value - low, high=value + high)
