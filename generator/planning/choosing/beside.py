"""Beside servers that nobody asked for: the engine that they were chosen over, and what else could be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from generator.models.plan import Alternative, RunnerUp
from generator.planning.choosing.alternatives import Beside, Gain, greatest, layout_flags, layout_gains, made
from generator.planning.choosing.others import others
from generator.planning.choosing.servers import Servers, one_engine
from generator.presenting.text import duration_text, plural

if TYPE_CHECKING:
    from generator.models.estimate import Estimate
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
    surely, doubted = bool(whole.request.concurrency), other is not None and _is_better(whole, other, mine)
    own = _figure(whole, mine, sure=surely or doubted)
    told = f"{own} from {several.number} servers against {_figure(whole, other, sure=doubted)}"
    ends = ", each at the worse end of its range" * doubted
    return f"at {plural(several.in_flight, 'request')} over all {'surely ' * (surely and not doubted)}{told}{ends}"


def _is_better(case: Case, engine: Estimate, servers: Estimate | None) -> bool:
    """Whether an engine's mean is better, which then is in more doubt, or its servers would not be chosen."""
    surely = bool(case.request.concurrency)
    if servers is None or case.request.batching_mode == "latency":
        return servers is not None and engine.e2e_ms.mean < servers.e2e_ms.high
    own = servers.output_tokens_per_s
    return engine.output_tokens_per_s.mean > (own.low if surely else own.mean)


def _figure(case: Case, found: Estimate | None, *, sure: bool = False) -> str:
    if found is None:
        return "nothing"
    if case.request.batching_mode == "latency":
        return f"{duration_text(found.e2e_ms.high if sure else found.e2e_ms.mean)} a request"
    rate = found.output_tokens_per_s
    return f"{rate.low if sure else rate.mean:,.0f} tokens/s"
