"""What starts and benchmarks of a deployment's own machine came to, beside what was planned for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from generator.models.value import Value

if TYPE_CHECKING:
    from generator.models.parallelism import Layout

Kind = Literal["boot", "bench"]
MOST_TERMS = 40
"""Figures that a deployment keeps, over all its measurements."""
_Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Measurement(Value):
    """One start, or one benchmark, of one GPU class, release and layout: figures in bytes, ms or tokens/s."""

    day: _Day
    kind: Kind
    """boot: read of a boot log; bench: of a benchmark's result."""
    gpu: str
    release: str
    layout: str
    """As `layout_key` writes it."""
    model: str
    planner: str
    """Version of this package that planned the figures beside."""
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Engine values, or the load, that the figures depend on."""
    measured: dict[str, float] = Field(default_factory=dict)
    """Figures by term."""
    planned: dict[str, float] = Field(default_factory=dict)
    """What was planned for the same, without any measurement."""

    @property
    def key(self) -> str:
        """What it is kept by: one measurement of a GPU class, a release, a layout and a kind."""
        return measurement_key(self.gpu, self.release, self.layout, self.kind)


def measurement_key(gpu: str, release: str, layout: str, kind: Kind) -> str:
    """The key of a measurement."""
    return f"{gpu} {release} {layout} {kind}"


def layout_key(layout: Layout) -> str:
    """The layout in short: `tp2`, `tp4 pp2`, `tp8 ep`."""
    sizes = (
        ("tp", layout.tensor_parallel_size, True),
        ("pp", layout.pipeline_parallel_size, False),
        ("dp", layout.data_parallel_size, False),
        ("dcp", layout.decode_context_parallel_size, False),
    )
    words = [f"{name}{size}" for name, size, always in sizes if always or size > 1]
    return " ".join([*words, *(["ep"] if layout.enable_expert_parallel else [])])


def kept(held: Mapping[str, Measurement], new: Measurement) -> dict[str, Measurement]:
    """The measurements with a new one: in place of the one of its key, the oldest dropped beyond `MOST_TERMS`."""
    joined = {key: one for key, one in held.items() if key != new.key} | {new.key: new}
    by_age = sorted(
        joined.values(), key=lambda one: (one.key != new.key, [-ord(letter) for letter in one.day], one.key)
    )
    total, found = 0, []
    for one in by_age:
        total += len(one.measured)
        if total <= MOST_TERMS:
            found.append(one)
    return {one.key: one for one in sorted(found, key=lambda one: one.key)}


Outcome = Literal["met", "missed", "as estimated", "better than estimated", "worse than estimated", "no estimate"]


class BenchRun(Value):
    """One concurrency as `vllm bench serve` measured it; latencies are means in ms."""

    concurrency: int
    completed: int
    failed: int = 0
    duration_s: float
    ttft_ms: float
    tpot_ms: float
    output_tokens_per_s: float
    requests_per_s: float


class Comparison(Value):
    """One measured figure beside its estimate and its target; a target decides where there is one."""

    figure: str
    unit: str
    measured: float
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    target: float | None = None
    outcome: Outcome

    @property
    def fails(self) -> bool:
        """Whether it is worse than promised."""
        return self.outcome in {"missed", "worse than estimated"}


class RunCompared(Value):
    """Every figure of one run beside the plan's."""

    run: BenchRun
    figures: tuple[Comparison, ...]
