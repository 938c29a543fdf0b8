"""Alternatives: what else could be had, each different in kind, what it gains and why it was not chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from generator.models.parallelism import Layout
from generator.models.plan import Alternative, RunnerUp
from generator.planning.choosing.choice import (
    best,
    carries,
    gpus_that_count,
    key,
    merits,
    objective,
    room,
    surely_missed_by,
)
from generator.planning.choosing.growth import grown, requests_weighed, weighs_growth
from generator.planning.choosing.others import WORTH, others
from generator.planning.choosing.servers import servers
from generator.planning.choosing.variants import DIVIDED
from generator.planning.choosing.words import KINDS, gap_words, layout_words, objective_words, rate
from generator.planning.speed.estimates import meets_targets, missed_by, speed
from generator.presenting.text import duration_text, plural

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored
    from generator.planning.choosing.servers import Servers
    from generator.planning.choosing.words import Advantage

_MOST = 5
_ROUTER = "each server holds all weights, and is started, warmed and watched by itself"


class Gain(NamedTuple):
    """An alternative, and how many times better its figure is."""

    times: float
    alternative: Alternative


class Beside(NamedTuple):
    """One of several servers that are chosen over the engines that are weighed, and why an engine lost."""

    case: Case
    lost: Callable[[Scored], str]


def alternatives(case: Case, options: Sequence[Scored], chosen: Scored) -> tuple[Alternative, ...]:
    """At most five deployments that beat the chosen one in something, those that gain most first.

    Layouts come from the Pareto front: none of them is worse in nothing and better in something than another. There is
    none without a known speed.
    """
    if chosen.estimate is None:
        return ()
    gains = [*_servers(case, options, chosen), *layout_gains(case, options, chosen)]
    kinds = {one.alternative.kind for one in gains}
    gains += [
        Gain(one.times, made(one.kind, one.option, _flags(one.flags, one.option, options), (one.gain, one.costs)))
        for one in others(case, chosen)
        if one.kind not in kinds
    ]
    return greatest(gains)


def greatest(gains: Sequence[Gain]) -> tuple[Alternative, ...]:
    """Those that gain most, the greatest first."""
    return tuple(one.alternative for one in sorted(gains, key=lambda one: -one.times)[:_MOST])


def runner_up(case: Case, options: Sequence[Scored], chosen: Scored) -> RunnerUp | None:
    """The best other way to use the same GPUs, with why it is second; None where there is none, or no known speed."""
    if chosen.estimate is None or chosen.candidate.doubt:
        return None
    own = _sizes(chosen.candidate.layout)
    rest = [
        one
        for one in options
        if _sizes(one.candidate.layout) != own
        and one.candidate.layout.ranks >= chosen.candidate.layout.ranks
        and one.candidate.verdict == "fits"
        and one.estimate
    ]
    if not rest:
        return None
    second = best(case, rest)
    assert second.estimate is not None  # noqa: S101 - those without were left out
    return RunnerUp(
        layout=second.candidate.layout,
        flags=layout_flags(second.candidate.layout, options),
        estimate=second.estimate,
        why_not=_lost(case, second, chosen),
    )


def _sizes(layout: Layout) -> tuple[int, int, int, int]:
    return (
        layout.tensor_parallel_size,
        layout.pipeline_parallel_size,
        layout.data_parallel_size,
        layout.decode_context_parallel_size,
    )


def layout_gains(case: Case, options: Sequence[Scored], chosen: Scored, beside: Beside | None = None) -> Iterator[Gain]:
    """For each way to be better the best layout; one that is best in several is named once, by what it gains most.

    `beside` is given where `chosen` is one of several servers and `options` are engines over the GPUs of all.
    """
    whose = beside.case if beside else case
    own_room = carries(case, chosen)
    able = [one for one in front(case, options) if one is not chosen and one.candidate.verdict == "fits"]
    found: dict[int, list[tuple[float, str, str]]] = {}
    timed = [one for one in able if one.estimate and carries(case, one) >= own_room]
    for kind in KINDS:
        first = _first(case, timed, kind)
        own = kind.figure(whose, chosen)
        if first is not None and kind.figure(case, first) < own * (1 - WORTH):
            gain = f"{kind.words(case, first)} against {kind.words(whose, chosen)}"
            found.setdefault(timed.index(first), []).append((own / kind.figure(case, first), kind.name, gain))
    for index, gains in found.items():
        option, (times, name, _) = timed[index], max(gains)
        told = "; ".join(gain for _, _, gain in sorted(gains, reverse=True))
        flags = layout_flags(option.candidate.layout, options)
        lost = beside.lost(option) if beside else _lost(case, option, chosen)
        yield Gain(times, made(name, option, flags, (told, lost)))


def _first(case: Case, options: Sequence[Scored], kind: Advantage) -> Scored | None:
    return min(options, key=lambda option: (kind.figure(case, option), key(case, option)), default=None)


def _servers(case: Case, options: Sequence[Scored], chosen: Scored) -> Iterator[Gain]:
    """Independent servers: the best way to cut the node, and the smallest servers, where they serve more."""
    found = servers(case, options)
    if not found:
        return
    own = speed(case, chosen.candidate, in_flight=found[0].in_flight)
    smallest = max(found, key=lambda one: one.number)
    for kind, one in {"independent servers": found[0], "smallest servers": smallest}.items():
        most = rate(one.option.estimate)
        if most > rate(own) * (1 + WORTH) and (kind == "independent servers" or one is not found[0]):
            yield Gain(most / max(rate(own), 1.0), _served(one, options, (kind, rate(own))))


def _served(one: Servers, options: Sequence[Scored], told: tuple[str, float]) -> Alternative:
    layout = one.option.candidate.layout
    kind, own = told
    gain = (
        f"{layout_words(layout, one.number)}: {rate(one.option.estimate):,.0f} tokens/s against {own:,.0f}, at "
        f"{plural(one.in_flight, 'request')} over all"
    )
    flags = ("--servers", str(one.number), "--concurrency", str(one.in_flight), *layout_flags(layout, options))
    return made(kind, one.option, flags, (gain, _ROUTER)).model_copy(update={"servers": one.number})


def front(case: Case, options: Sequence[Scored]) -> tuple[Scored, ...]:
    """The options that no other one dominates: as sure, carrying as much, as good in all merits, better in one."""
    weighed = [(one, _weight(case, one)) for one in options]
    return tuple(one for one, own in weighed if not any(_dominates(other, own) for _, other in weighed))


def _weight(case: Case, option: Scored) -> tuple[float, ...]:
    candidate = option.candidate
    return (candidate.doubt, not carries(case, option), objective(case, option), *merits(option))


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))


def _flags(own: tuple[str, ...], option: Scored, options: Sequence[Scored]) -> tuple[str, ...]:
    return (*own, *(layout_flags(option.candidate.layout, options) if len(options) > 1 else ()))


def made(kind: str, option: Scored, flags: tuple[str, ...], told: tuple[str, str]) -> Alternative:
    """An alternative of this kind; `told` is what it gains, and why it was not chosen."""
    found = option.estimate
    return Alternative(
        kind=kind,
        layout=option.candidate.layout,
        flags=flags,
        tpot_ms=found.tpot_ms.mean if found else None,
        output_tokens_per_s=found.output_tokens_per_s.mean if found else None,
        gain=told[0],
        lost=told[1],
    )


def layout_flags(layout: Layout, options: Sequence[Scored]) -> tuple[str, ...]:
    """The options that have the planner take this layout and no other of `options`."""
    flags = ["--tp", str(layout.tensor_parallel_size), "--pp", str(layout.pipeline_parallel_size)]
    flags += ["--dp", str(layout.data_parallel_size)]
    if any(one.candidate.layout.enable_expert_parallel for one in options):
        flags += ["--set", f"enable_expert_parallel={str(layout.enable_expert_parallel).lower()}"]
    if any(one.candidate.layout.decode_context_parallel_size > 1 for one in options):
        flags += ["--set", f"{DIVIDED}={layout.decode_context_parallel_size}"]
    return tuple(flags)


def _lost(case: Case, option: Scored, chosen: Scored) -> str:
    """What decided against an option: the first thing that options are compared by and that it is worse in."""
    candidate, own = option.candidate, chosen.candidate
    if carries(case, option) < carries(case, chosen):
        sure = " at the low end" * candidate.carries_load
        return f"room for {room(case, candidate):,} of {case.load.concurrency:,} requests{sure}"
    if meets_targets(case, option.estimate) < meets_targets(case, chosen.estimate):
        return f"misses the target: {_missed(case, option)}"
    if missed_by(case, option.estimate) > missed_by(case, chosen.estimate):
        return f"misses the target by more: {_missed(case, option)}"
    if surely_missed_by(case, option) > surely_missed_by(case, chosen):
        return f"misses the target where stages are as slow as in published runs: {_missed(case, option)}"
    needed, had = gpus_that_count(case, option), gpus_that_count(case, chosen)
    if needed > had:
        return f"takes {plural(needed, 'GPU')} where {had} meet the targets"
    if objective(case, option) > objective(case, chosen):
        return f"{objective_words(case, option)} against {objective_words(case, chosen)}"
    if weighs_growth(case, chosen) and grown(case, (option, chosen), option) is chosen:
        return (
            f"at {plural(requests_weighed(case), 'request')} no faster than the estimates tell apart, on groups of "
            f"{plural(candidate.layout.tensor_parallel_size, 'GPU')} that exchange every layer"
        )
    return f"takes {plural(candidate.layout.ranks, 'GPU')} against {own.layout.ranks}, and is no faster"


def _missed(case: Case, option: Scored) -> str:
    found, targets = option.estimate, case.request.targets
    if found is not None and targets.ttft_ms is not None and found.ttft_ms.mean > targets.ttft_ms:
        return f"first token after {duration_text(found.ttft_ms.mean)}"
    return gap_words(case, option)
