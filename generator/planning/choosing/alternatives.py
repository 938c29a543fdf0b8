"""Alternatives: what else could be had, each different in kind, what it gains and why it was not chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
from generator.models.plan import Alternative
from generator.planning.choosing.changes import sibling_cases
from generator.planning.choosing.choice import NO_SPEED, Scored, gpus_that_count, key, merits, objective, scored
from generator.planning.choosing.variants import cache_variants, context_parallel_variants, with_values
from generator.planning.costs import cost, gpus_needed
from generator.planning.evaluation import evaluate
from generator.planning.rules.checks import check_layout
from generator.planning.speed.estimates import meets_targets
from generator.presenting.text import duration_text, gib_text, plural, tokens_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from generator.models.estimate import Estimate
    from generator.models.parallelism import Layout
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_MOST = 5
_WORTH = 0.02
"""Share by which a figure must be better: below it, estimates do not tell two layouts apart."""


class _Other(NamedTuple):
    """An option of another kind: on the chosen layout, with something that a plan does not take by itself."""

    kind: str
    option: Scored
    flags: tuple[str, ...]
    gain: str
    costs: str


def alternatives(case: Case, options: Sequence[Scored], chosen: Scored) -> tuple[Alternative, ...]:
    """At most five deployments that beat the chosen one in something; none without a known speed.

    Layouts come from the Pareto front: none of them is worse in nothing and better in something than another.
    """
    if chosen.estimate is None:
        return ()
    by_layout = _layouts(case, options, chosen)
    kinds = {one.kind for one in by_layout}
    others = (_alternative_of(other, options) for other in _others(case, chosen) if other.kind not in kinds)
    return (*by_layout, *others)[:_MOST]


def _layouts(case: Case, options: Sequence[Scored], chosen: Scored) -> tuple[Alternative, ...]:
    able = [one for one in front(options) if one is not chosen and one.candidate.verdict == "fits" and one.estimate]
    found = []
    for kind, figure, words in _KINDS:
        best_one = min(able, key=lambda option: (figure(case, option), key(case, option)), default=None)
        own = figure(case, chosen)
        if best_one is not None and figure(case, best_one) < own - _WORTH * abs(own):
            able.remove(best_one)
            gain = f"{words(case, best_one)} against {words(case, chosen)}"
            flags = layout_flags(best_one.candidate.layout, options)
            found.append(_made(kind, best_one, flags, gain, _lost(case, best_one, chosen)))
    return tuple(found)


def front(options: Sequence[Scored]) -> tuple[Scored, ...]:
    """The options that no other one dominates: as sure, carrying as much, as good in all merits, better in one."""
    weighed = [(one, _weight(one)) for one in options]
    return tuple(one for one, own in weighed if not any(_dominates(other, own) for _, other in weighed))


def _weight(option: Scored) -> tuple[float, ...]:
    return (option.candidate.doubt, not option.candidate.carries_load, *merits(option), -option.full_tokens_per_s)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))


def _others(case: Case, chosen: Scored) -> Iterator[_Other]:
    """Fuller replicas, divided caches, a smaller cache dtype, a smaller checkpoint: on the chosen layout."""
    if chosen.candidate.verdict == "does_not_fit":
        return
    for find in (_fuller_replicas, _divided_cache, _smaller_cache, _sibling):
        found = find(case, chosen)
        if found is not None:
            yield found


def _fuller_replicas(case: Case, chosen: Scored) -> _Other | None:
    """Fewer replicas for a stated rate, where the requests in flight are the preset's: as many as meet the targets."""
    if case.request.targets.requests_per_s is None or case.request.concurrency:
        return None
    needed, number = gpus_needed(case, chosen.candidate, chosen.estimate), chosen.candidate.concurrency
    while number >= 2 * case.load.concurrency:
        fuller = case.changed(request=case.request.model_copy(update={"concurrency": number}))
        candidate = _evaluated(fuller, chosen.candidate.layout)
        option = scored(fuller, (candidate,))[0] if candidate is not None and candidate.carries_load else None
        if option is not None and meets_targets(fuller, option.estimate) and not option.candidate.doubt:
            fewer = gpus_needed(fuller, option.candidate, option.estimate)
            if fewer < needed:
                gain = f"{plural(fewer, 'GPU')} against {needed} for the rate"
                costs = f"{number} requests in flight on a replica: {_gap_words(case, option)}"
                return _Other("fuller replicas", option, ("--concurrency", str(number)), gain, costs)
        number = number * 3 // 4
    return None


def _divided_cache(case: Case, chosen: Scored) -> _Other | None:
    """The fewest ranks that share a cache for the longest context, or else for the highest rate."""
    own, rate = int(chosen.candidate.context.value), _rate(chosen.estimate)
    longer = faster = None
    longest, fastest = own, rate * (1 + _WORTH)
    for variant in context_parallel_variants(case, chosen.candidate.layout):
        divided = with_values(case, variant.values)
        candidate = _evaluated(divided, chosen.candidate.layout.model_copy(update=variant.values))
        if candidate is None or candidate.verdict != "fits":
            continue
        option = scored(divided, (candidate,))[0]
        if not case.asked_context and int(candidate.context.value) > longest:
            longest = int(candidate.context.value)
            gain = f"context {tokens_text(longest)} against {tokens_text(own)}"
            longer = _Other("longer context", option, variant.flags, gain, variant.costs)
        elif _rate(option.estimate) > fastest:
            fastest = _rate(option.estimate)
            gain = f"{fastest:,.0f} tokens/s against {rate:,.0f}"
            faster = _Other("divided caches", option, variant.flags, gain, variant.costs)
    return longer or faster


def _smaller_cache(case: Case, chosen: Scored) -> _Other | None:
    for variant in cache_variants(case):
        candidate = _evaluated(with_values(case, variant.values), chosen.candidate.layout)
        if candidate is not None and candidate.concurrency > chosen.candidate.concurrency:
            option = scored(with_values(case, variant.values), (candidate,))[0]
            gain = f"room for {candidate.concurrency:,} requests against {chosen.candidate.concurrency:,}"
            return _Other(variant.title.removeprefix("an "), option, variant.flags, gain, variant.costs)
    return None


def _sibling(case: Case, chosen: Scored) -> _Other | None:
    for sibling in sibling_cases(case):
        candidate = _evaluated(sibling.case, chosen.candidate.layout)
        if candidate is None or candidate.verdict != "fits":
            continue
        option = scored(sibling.case, (candidate,))[0]
        if _rate(option.estimate) > _rate(chosen.estimate):
            held, own = (gib_text(one.held_bytes) for one in (candidate, chosen.candidate))
            rates = f"{_rate(option.estimate):,.0f} tokens/s against {_rate(chosen.estimate):,.0f}"
            gain = f"{rates}, {held} of weights on a GPU against {own}"
            costs = f"weights in {sibling.method}, {sibling.verdict} on {case.gpu.name}: costs accuracy"
            return _Other("smaller checkpoint", option, sibling.flags, gain, costs)
    return None


def _evaluated(case: Case, layout: Layout) -> Candidate | None:
    """The layout worked out; None where vLLM refuses it."""
    try:
        check_layout(case, layout)
        return evaluate(case, layout)
    except RequestError:
        return None


def _alternative_of(other: _Other, options: Sequence[Scored]) -> Alternative:
    flags = (*other.flags, *(layout_flags(other.option.candidate.layout, options) if len(options) > 1 else ()))
    return _made(other.kind, other.option, flags, other.gain, other.costs)


def _made(kind: str, option: Scored, flags: tuple[str, ...], gain: str, lost: str) -> Alternative:
    found = option.estimate
    return Alternative(
        kind=kind,
        layout=option.candidate.layout,
        flags=flags,
        tpot_ms=found.tpot_ms.mean if found else None,
        output_tokens_per_s=found.output_tokens_per_s.mean if found else None,
        gain=gain,
        lost=lost,
    )


def layout_flags(layout: Layout, options: Sequence[Scored]) -> tuple[str, ...]:
    """The options that have the planner take this layout and no other of `options`."""
    flags = ["--tp", str(layout.tensor_parallel_size), "--pp", str(layout.pipeline_parallel_size)]
    flags += ["--dp", str(layout.data_parallel_size)]
    if any(one.candidate.layout.enable_expert_parallel for one in options):
        flags += ["--set", f"enable_expert_parallel={str(layout.enable_expert_parallel).lower()}"]
    return tuple(flags)


def _lost(case: Case, option: Scored, chosen: Scored) -> str:
    """What decided against an option: the first thing that options are compared by and that it is worse in."""
    candidate, own = option.candidate, chosen.candidate
    if candidate.carries_load < own.carries_load:
        return f"room for {candidate.concurrency:,} of {case.request.load.concurrency:,} requests"
    if meets_targets(case, option.estimate) < meets_targets(case, chosen.estimate):
        return f"misses the target: {_missed(case, option)}"
    needed, had = gpus_that_count(case, option), gpus_that_count(case, chosen)
    if needed > had:
        return f"takes {plural(needed, 'GPU')} where {had} meet the targets"
    if objective(case, option) > objective(case, chosen):
        return f"{_objective_words(case, option)} against {_objective_words(case, chosen)}"
    return f"takes {plural(candidate.layout.ranks, 'GPU')} against {own.layout.ranks}, and is no faster"


def _missed(case: Case, option: Scored) -> str:
    found, targets = option.estimate, case.request.targets
    if found is not None and targets.ttft_ms is not None and found.ttft_ms.mean > targets.ttft_ms:
        return f"first token after {duration_text(found.ttft_ms.mean)}"
    return _gap_words(case, option)


def _objective_words(case: Case, option: Scored) -> str:
    if case.request.batching_mode == "throughput":
        return f"{option.full_tokens_per_s:,.0f} tokens/s at a full batch"
    words = _gap_words if case.request.batching_mode == "latency" else _rate_words
    return words(case, option)


def _rate(found: Estimate | None) -> float:
    return found.output_tokens_per_s.mean if found else 0.0


def _ranks(_: Case, option: Scored) -> float:
    return float(option.candidate.layout.ranks)


def _ranks_words(_: Case, option: Scored) -> str:
    return plural(option.candidate.layout.ranks, "GPU")


def _gap(_: Case, option: Scored) -> float:
    return option.estimate.tpot_ms.mean if option.estimate else NO_SPEED


def _gap_words(case: Case, option: Scored) -> str:
    return f"{_gap(case, option):,.1f} ms a token"


def _slowness(_: Case, option: Scored) -> float:
    return -_rate(option.estimate)


def _rate_words(_: Case, option: Scored) -> str:
    return f"{_rate(option.estimate):,.0f} tokens/s"


def _price(case: Case, option: Scored) -> float:
    found = cost(case, option.candidate, option.estimate)
    return found.cost_per_million_output_tokens if found else NO_SPEED


def _price_words(case: Case, option: Scored) -> str:
    return f"{_price(case, option):,.2f} per million tokens"


def _shortness(_: Case, option: Scored) -> float:
    return -float(option.candidate.context.value)


def _length_words(_: Case, option: Scored) -> str:
    return f"context {tokens_text(int(option.candidate.context.value))}"


_KINDS: tuple[tuple[str, Callable[[Case, Scored], float], Callable[[Case, Scored], str]], ...] = (
    ("fewer GPUs", _ranks, _ranks_words),
    ("shorter gaps between tokens", _gap, _gap_words),
    ("more tokens per second", _slowness, _rate_words),
    ("cheaper", _price, _price_words),
    ("longer context", _shortness, _length_words),
)
