"""Beside servers that nobody asked for: the engine that they were chosen over, and what else could be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from typing import TYPE_CHECKING

from generator.models.estimate import Estimate
from generator.models.plan import Alternative, RunnerUp
from generator.planning.choosing.alternatives import Beside, Gain, greatest, layout_flags, layout_gains, made
from generator.planning.choosing.others import others
from generator.planning.choosing.servers import Servers, one_engine
from generator.planning.speed.evidence import EXPERTS
from generator.presenting.text import duration_text, plural

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored


def engine_second(whole: Case, options: Sequence[Scored], engine: Scored, several: Servers) -> RunnerUp | None:
    """One engine over the GPUs of all servers, with why it is second; None without an estimate."""
    if engine.estimate is None:
        return None
    layout = engine.candidate.layout
    return RunnerUp(
        layout=layout,
        flags=("--servers", "1", *layout_flags(layout, options)),
        estimate=engine.estimate,
        why_not=_lost(whole, engine, several),
    )


def beside_servers(
    whole: Case, options: Sequence[Scored], chosen: tuple[Case, Scored], several: Servers
) -> tuple[Alternative, ...]:
    """What engines over the GPUs of all gain, and what each server would with something that no plan takes by itself.

    `whole` and `options` are of all GPUs, `chosen` is the case of one server and its option.
    """
    case, option = chosen
    beside = Beside(case, lambda other: _lost(whole, other, several))
    gains = list(layout_gains(whole, options, option, beside))
    kinds = {one.alternative.kind for one in gains}
    return greatest([*gains, *(one for one in _of_each(case, option) if one.alternative.kind not in kinds)])


def _of_each(case: Case, option: Scored) -> Iterator[Gain]:
    for one in others(case, option):
        flags = ("--servers", str(case.servers), *one.flags)
        alternative = made(one.kind, one.option, flags, (one.gain, one.costs))
        yield Gain(one.times, alternative.model_copy(update={"servers": case.servers}))


def _lost(whole: Case, option: Scored, several: Servers) -> str:
    """What an engine gives at the requests that servers are weighed at, beside what they do."""
    mine, other = several.option.estimate, one_engine(whole, option)
    surely, better = bool(whole.request.concurrency), _times_better(whole, other, mine)
    doubted = better > (1.0 if surely else exp(EXPERTS))
    own = _figure(whole, mine, sure=surely or doubted)
    told = f"{own} from {several.number} servers against {_figure(whole, other, sure=doubted)}"
    if doubted:
        told += ", each at the worse end of its range"
    elif better > 1 and not surely:
        told += ", which estimates of two layouts of experts do not tell apart"
    return f"at {plural(several.in_flight, 'request')} over all {'surely ' * (surely and not doubted)}{told}"


def _times_better(case: Case, engine: Estimate | None, servers: Estimate | None) -> float:
    """How many times better an engine's mean is than the servers' figure that they were chosen by."""
    if engine is None or servers is None:
        return 0.0
    if case.request.batching_mode == "latency":
        return servers.e2e_ms.high / engine.e2e_ms.mean
    own = servers.output_tokens_per_s
    return engine.output_tokens_per_s.mean / (own.low if case.request.concurrency else own.mean)


def _figure(case: Case, found: Estimate | None, *, sure: bool = False) -> str:
    if found is None:
        return "nothing"
    if case.request.batching_mode == "latency":
        return f"{duration_text(found.e2e_ms.high if sure else found.e2e_ms.mean)} a request"
    rate = found.output_tokens_per_s
    return f"{rate.low if sure else rate.mean:,.0f} tokens/s"
