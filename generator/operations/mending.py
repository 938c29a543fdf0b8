"""Changes that may mend a refused or failed start, each proven by the planner before it is shown."""

import json
from collections.abc import Callable, Iterator, Mapping
from math import ceil, floor
from typing import Any, NamedTuple

from generator import recording
from generator.errors import GeneratorError
from generator.models.boot import Failure
from generator.models.checkpoint import ModelFacts
from generator.models.plan import Plan, Repair
from generator.models.request import Request
from generator.units import GIB

DROPPED = "<dropped>"
"""In a repair's overrides: the user's value is given back."""
_STEP = 8
_LEAN_TOKENS = 2048
_SHARE_UP, _SHARE_DOWN = 0.03, 0.05
_MOST_SHARE = 0.98


class FailedStart(NamedTuple):
    """What failed: its message, the request that it was planned from, and the plan."""

    failure: Failure
    request: Request
    plan: Plan | None

    def value(self, name: str, otherwise: float) -> float:
        """An engine value of the plan."""
        engine = self.plan.engine if self.plan else {}
        return float(engine.get(name) or self.request.overrides.get(name) or otherwise)


def mended(start: FailedStart, facts: ModelFacts) -> tuple[Repair, ...]:
    """The changes of the failure's levers that the planner proves, in their order.

    Where none stands alone, the first that does together with what its own plan proposes.
    """
    proposed = [one for lever in start.failure.levers for one in _by(lever, start)]
    alone = tuple(one for one in proposed if stands(start.request, one, facts))
    together = (tuple(_with_more(start.request, one, facts)) for one in proposed if not alone)
    return alone or next(filter(None, together), ())


def own_value_back(request: Request, name: str) -> Iterator[Repair]:
    """The user's own value given back, where there is one."""
    if name in request.overrides:
        yield Repair(
            title=f"without your own {name}",
            flags=("--unset", name),
            effect="the planner chooses it again",
            changes={"overrides": {name: DROPPED}},
        )


def changed(request: Request, repair: Repair) -> Request:
    """The request with a repair's answers and engine values."""
    own: Mapping[str, Any] = request.overrides | repair.changes.get("overrides", {})
    kept = {name: value for name, value in own.items() if value != DROPPED}
    return request.model_copy(update=repair.changes | {"overrides": kept})


def stands(request: Request, repair: Repair, facts: ModelFacts) -> bool:
    """Whether the changed request is planned, and fits."""
    try:
        recording.refuse_unfit(recording.prove(changed(request, repair), facts, compared=False).plan)
    except GeneratorError:
        return False
    return True


def _with_more(request: Request, repair: Repair, facts: ModelFacts) -> Iterator[Repair]:
    """The repair together with each that the plan which it leads to proposes, where both stand."""
    try:
        further = recording.prove(changed(request, repair), facts).plan.repairs
    except GeneratorError:
        return
    for more in further:
        values = repair.changes.get("overrides", {}) | more.changes.get("overrides", {})
        both = Repair(
            title=f"{repair.title}, and {more.title}",
            flags=(*repair.flags, *more.flags),
            effect=more.effect,
            changes=repair.changes | more.changes | ({"overrides": values} if values else {}),
        )
        if stands(request, both, facts):
            yield both


def _by(lever: str, start: FailedStart) -> Iterator[Repair]:
    name, _, argument = lever.partition(":")
    if argument:
        yield from own_value_back(start.request, argument)
    elif name in _LEVERS:
        yield from _LEVERS[name](start)


def _longest(start: FailedStart) -> Iterator[Repair]:
    longest = start.failure.figures.get("longest")
    if longest:
        yield _engine(
            "max_model_len", int(longest), f"a context of {int(longest):,} tokens", "what vLLM's message allows"
        )


def _states(start: FailedStart) -> Iterator[Repair]:
    states = int(start.failure.figures.get("states", 0))
    if states:
        yield _engine("max_num_seqs", states, f"{states:,} sequences at once", "one for each state that there is")


def _fewer_sequences(start: FailedStart) -> Iterator[Repair]:
    now = int(start.value("max_num_seqs", 256))
    fewer = max(_STEP, now // 2 // _STEP * _STEP)
    if fewer < now:
        yield _engine("max_num_seqs", fewer, f"{fewer:,} sequences at once", "each reserves memory of the sampler")


def _fewer_tokens(start: FailedStart) -> Iterator[Repair]:
    now = int(start.value("max_num_batched_tokens", 8192))
    fewer = max(_LEAN_TOKENS, now // 2)
    if fewer < now:
        yield _engine("max_num_batched_tokens", fewer, f"steps of {fewer:,} tokens", "each token reserves activations")


def _eager(start: FailedStart) -> Iterator[Repair]:
    if not start.value("enforce_eager", 0):
        yield _engine(
            "enforce_eager", value=True, title="no CUDA graphs", effect="their memory is free, decoding slows"
        )


def _more(start: FailedStart) -> Iterator[Repair]:
    share = floor(min(_MOST_SHARE, start.value("gpu_memory_utilization", 0.9) + _SHARE_UP) * 100 + 1e-6) / 100
    if share > start.value("gpu_memory_utilization", 0.9):
        yield _engine("gpu_memory_utilization", share, f"{share:g} of the GPU", "more memory for the cache")


def _less(start: FailedStart) -> Iterator[Repair]:
    figures, now = start.failure.figures, start.value("gpu_memory_utilization", 0.9)
    free, total = figures.get("free_bytes"), figures.get("total_bytes")
    share = floor(free / total * 100) / 100 if free and total else round(now - _SHARE_DOWN, 2)
    if 0 < share < now:
        yield _engine(
            "gpu_memory_utilization", share, f"{share:g} of the GPU", "leaves room for what vLLM does not count"
        )


def _reserve(start: FailedStart) -> Iterator[Repair]:
    figures = start.failure.figures
    if {"free_bytes", "total_bytes"} <= figures.keys():
        taken = ceil((figures["total_bytes"] - figures["free_bytes"]) / GIB * 10) / 10
        yield Repair(
            title=f"leave others the {taken:g} GiB that they hold",
            flags=("--reserve-gb", f"{taken:g}"),
            effect="planned around them",
            changes={"reserve_gb": taken},
        )


def _gpus(start: FailedStart) -> Iterator[Repair]:
    have = int(start.failure.figures.get("gpus", 0))
    if have:
        effect = "as many as the start saw"
        yield Repair(title=f"{have} GPUs", flags=("--gpus", str(have)), effect=effect, changes={"gpus": have})


def _code(start: FailedStart) -> Iterator[Repair]:
    if not start.request.trust_remote_code:
        yield Repair(
            title="run the model's own code",
            flags=("--trust-remote-code",),
            effect="read it first: it runs on the server",
            changes={"trust_remote_code": True},
        )


def _engine(name: str, value: Any, title: str, effect: str) -> Repair:
    flags = ("--set", f"{name}={json.dumps(value)}")
    return Repair(title=title, flags=flags, effect=effect, changes={"overrides": {name: value}})


_LEVERS: dict[str, Callable[[FailedStart], Iterator[Repair]]] = {
    "longest": _longest,
    "states": _states,
    "fewer_sequences": _fewer_sequences,
    "fewer_tokens": _fewer_tokens,
    "eager": _eager,
    "utilization_up": _more,
    "utilization_down": _less,
    "reserve": _reserve,
    "gpus": _gpus,
    "trust_remote_code": _code,
}
"""What each lever of `boot_failures.toml` changes; `own_value:NAME` gives that value back, `measured` is verify's."""
