"""Scores of the speed estimates against rows of bench.csv."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

from generator.models.speed import release_range
from generator.planning.speed.rates import rates
from generator.planning.speed.regions import in_region
from generator.planning.speed.roofline import estimate_at, soon_over
from generator.planning.speed.steps import StepModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from generator.models.estimate import Estimate, Latency
    from generator.models.speed import Coefficients
    from generator.planning.speed.rates import Rates
    from tests.accuracy.bench_rows import Case

FIGURES = ("tpot", "ttft", "throughput")
_CROWD = 128
_MS = 1e3


class Score(NamedTuple):
    """One figure of one row."""

    case: Case
    figure: str
    kind: str
    """lasting, finite or decode: how the row was loaded."""
    predicted: float
    measured: float
    low: float
    high: float
    """Ends of the range that the estimate states, over the prediction."""

    @property
    def log_error(self) -> float:
        """Natural logarithm of predicted over measured."""
        return log(self.predicted / self.measured)

    @property
    def error(self) -> float:
        """|predicted / measured - 1|."""
        return abs(self.predicted / self.measured - 1)

    @property
    def inside(self) -> bool:
        """Whether the measurement lies in the stated range."""
        return self.low <= self.measured / self.predicted <= self.high

    @property
    def width(self) -> float:
        """Factor on either side of the prediction, but for what a server's first kernels may take or not."""
        return min(1 / self.low, self.high)

    @property
    def excess(self) -> float:
        """Logarithm of the factor by which the measurement misses all that lies between a warm and a cold start."""
        off = -self.log_error
        return max(log(self.low * self.width) - off, off - log(self.high / self.width), 0.0)

    @property
    def crowded(self) -> bool:
        """Whether at least 128 requests were in flight."""
        return self.case.scenario.concurrency >= _CROWD


def rates_of(case: Case, table: Coefficients) -> Rates:
    """The rates of the row's server."""
    return rates(case.footprint, case.gpu, table, link=case.link, release=release_range(case.release))


def scores(case: Case, table: Coefficients, pace: Rates | None = None) -> Iterator[Score]:
    """Every figure that the row states and the planner estimates; at other rates than the table's where given."""
    pace = pace or rates_of(case, table)
    table = in_region(table, case.footprint, case.gpu, case.scenario)
    if case.decode_only:
        yield from _decode(case, table, pace)
        return
    answer = estimate_at(pace, case.footprint, case.scenario, case.limits, table, calibration="")
    kind = kind_of(case)
    for figure, latency in (("tpot", answer.tpot_ms), ("ttft", answer.ttft_ms)):
        pair = _latency(case, figure, latency)
        if pair:
            yield Score(case, figure, kind, *pair, latency.low / latency.mean, latency.high / latency.mean)
    measured = float(case.row["output_tok_s"] or 0)
    if measured:
        rate = answer.output_tokens_per_s
        ends = rate.low / rate.mean, rate.high / rate.mean
        yield Score(case, "throughput", kind, _throughput(case, answer), measured, *ends)


def kind_of(case: Case) -> str:
    """How the row was loaded: a load that lasts, or a run that ends soon."""
    load = case.scenario
    ends = soon_over(load.num_prompts, load.concurrency)
    return "finite" if ends or load.arrival == "burst" else "lasting"


def _latency(case: Case, figure: str, latency: Latency) -> tuple[float, float] | None:
    """Predicted and measured: means where the row states them and they tell of its load, else medians."""
    if latency.mean <= 0:
        return None
    mean, median = (float(case.row[f"{stat}_{figure}_ms"] or 0) for stat in ("mean", "median"))
    if mean and not (case.ramped and median):
        return latency.mean, mean
    if median:
        return (latency.mean if case.means else latency.median), median
    return None


def _throughput(case: Case, answer: Estimate) -> float:
    """Output tokens/s; llama-benchy's is the decode phase alone."""
    if "output_tok_s is the decode phase only" in case.row["notes"]:
        return case.scenario.concurrency * _MS / answer.tpot_ms.mean
    return answer.output_tokens_per_s.mean


def _decode(case: Case, table: Coefficients, pace: Rates) -> Iterator[Score]:
    """Steady decoding of cached prompts: one step of the stated batch, at a context of half an answer more."""
    model = StepModel(case.footprint, pace)
    batch = min(case.scenario.concurrency, case.limits.cache_sequences or case.scenario.concurrency)
    step = model.step(batch, case.scenario.prompt_tokens + case.scenario.gen_tokens / 2)
    width = exp(table.half_widths.get("tpot.lasting", 0.0))
    yield Score(case, "tpot", "decode", step.total_s * _MS, float(case.row["mean_tpot_ms"]), 1 / width, width)


def quantile(values: Iterable[float], share: float) -> float:
    """The value at `share` of the sorted values, linear between two."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
