"""One request, its facts and its plan, with the cheapest GPUs or a proposed change put in where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.cli import console
from generator.cli.knowing import facts_of, with_detected_gpus
from generator.cli.options import request_from
from generator.errors import InfeasiblePlanError, RequestError
from generator.presenting.text import plural
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts
    from generator.models.fit import FitRow
    from generator.models.hardware import GPU
    from generator.models.request import Request
    from generator.workflow import Proof

CHEAPEST_HELP = "Take the cheapest GPUs that carry the workload and meet the targets."
FACTS_HELP = "What vLLM built of the model: the file that `scripts/preflight.py --facts` wrote."
APPLY_HELP = "Plan with the N-th change that the plan proposes."
_OF_FACTS = ("model", "revision", "source")


@contextmanager
def facts_from(file: Path | None) -> Iterator[None]:
    """While this lasts, the model's facts are those of `file`, where one is named."""
    if file is None:
        yield
        return
    from generator.sources.given import given  # noqa: PLC0415 - start-up time

    with given(file):
        yield


def _as_asked(request: Request) -> Request:
    return request


def proposal(
    answers: dict[str, Any],
    *,
    cheapest: bool,
    apply: int,
    offline: bool,
    settled: Callable[[Request], Request] = _as_asked,
) -> Proof:
    """The plan of these answers; `settled` is the request as it is to be planned and recorded.

    Raises:
        RequestError: there is no change of that number, or vLLM would refuse what is asked for.
        InfeasiblePlanError: no GPU with a price does.
    """
    from generator.planning.choosing.repairs import with_repair  # noqa: PLC0415 - start-up time
    from generator.workflow import prove  # noqa: PLC0415

    request = settled(request_from({"gpu": "any", **answers} if cheapest else with_detected_gpus(answers)))
    facts = facts_of(request, offline=offline)
    if cheapest:
        request = _on_cheapest(request, facts, answers)
    proof = prove(request, facts)
    if not apply:
        return proof
    changed = settled(with_repair(request, proof.plan.repairs, apply))
    repair = proof.plan.repairs[apply - 1]
    console.note(f"applied: {repair.title} ({' '.join(repair.flags)})")
    if any(getattr(changed, name) != getattr(request, name) for name in _OF_FACTS):
        facts = facts_of(changed, offline=offline)
    return prove(changed, facts)


def proposed(answers: dict[str, Any], number: int, *, offline: bool) -> dict[str, Any]:
    """Fields of the request that the N-th change proposed for these answers sets.

    Raises:
        RequestError: there is no such change.
    """
    from generator.planning.choosing.repairs import with_repair  # noqa: PLC0415 - start-up time

    found = proposal(answers, cheapest=False, apply=0, offline=offline)
    with_repair(found.request, found.plan.repairs, number)
    repair = found.plan.repairs[number - 1]
    console.note(f"applied: {repair.title} ({' '.join(repair.flags)})")
    return repair.changes


def priced_rows(
    request: Request, facts: ModelFacts, stated: dict[str, Any], *, others: bool = False
) -> tuple[FitRow, ...]:
    """What carries the workload and meets the targets, the cheapest first, of the GPUs and counts that are stated.

    `others` adds those without a known price, behind.
    """
    from generator.planning.fit import cheapest, unpriced  # noqa: PLC0415 - start-up time
    from generator.workflow import fit_for  # noqa: PLC0415

    asked = request.model_copy(update={"gpu": "any"})
    gpus, nodes = stated.get("gpus"), stated.get("nodes")
    rows = fit_for(asked, facts, gpus=gpus, nodes=nodes, kinds=stated_gpus(stated), with_speed=True)
    targets = request.targets
    levels = (targets.ttft_ms, targets.tpot_ms, targets.requests_per_s)
    by_hour = any(one is not None for one in levels)
    return (*cheapest(rows, by_hour=by_hour), *(unpriced(rows) if others else ()))


def stated_gpus(stated: dict[str, Any]) -> tuple[GPU, ...]:
    """The GPUs that are asked about, one or several with a comma between; none where all are.

    Raises:
        UnknownFactError: one of them is not in the table.
        RequestError: several are named, and one with a number.
    """
    from generator.catalogue.gpu_words import counted  # noqa: PLC0415 - start-up time
    from generator.catalogue.gpus import find_gpu  # noqa: PLC0415

    named = str(stated.get("gpu", "any"))
    words = [word.strip() for word in named.split(",") if word.strip()] or [named]
    if named in {"any", "auto"}:
        return ()
    for word in words:
        number, kind = counted(word)
        if number and len(words) > 1:
            raise RequestError(f"{word!r}: several kinds are compared at the same numbers: name {kind}, and --gpus N")
    return tuple({gpu.name: gpu for gpu in map(find_gpu, words)}.values())


def offer_text(row: FitRow) -> str:
    """GPUs of a row: `2 x L4-24GB`, `3 replicas of 1 x H100-SXM-80GB`."""
    replicas = f"{plural(row.replicas, 'replica')} of " if row.replicas > 1 else ""
    return f"{replicas}{replica_text(row)}"


def replica_text(row: FitRow) -> str:
    """GPUs of one replica: `2 x L4-24GB`, `2 x 8 x L4-24GB` on two nodes."""
    nodes = f"{row.nodes} x " if row.nodes > 1 else ""
    return f"{nodes}{row.gpus} x {row.gpu}"


def _otherwise(smaller: Sequence[FitRow]) -> str:
    """The cheapest with a quantized form of the weights; empty where there is none."""
    if not smaller:
        return ""
    first = smaller[0]
    return (
        f": {offer_text(first)}, {first.cost_per_hour:.2f} an hour with {' '.join(first.flags)}, which costs accuracy"
    )


def _surely(rows: Sequence[FitRow]) -> str:
    """What does even at the worse ends of its estimates, where the cheapest does at their means alone."""
    sure = next((row for row in rows if not row.doubtful), None)
    return f"{offer_text(sure)}, {sure.cost_per_hour:.2f} an hour" if sure else "none of them"


def _on_cheapest(request: Request, facts: ModelFacts, stated: dict[str, Any]) -> Request:
    if request.vram_gb or request.gpu == "custom":
        raise RequestError("--cheapest compares GPUs of the table: leave --vram-gb and --gpu custom out")
    found = priced_rows(request, facts, stated)
    rows, smaller = [row for row in found if not row.flags], [row for row in found if row.flags]
    if not rows:
        raise InfeasiblePlanError(
            "nothing with a known price carries this workload and meets the targets: relax a target, give --price, or "
            f"see what fits with `vllm-wizard fit`{_otherwise(smaller)}",
            shortfall_bytes=0,
        )
    first, others = rows[0], rows[1:3]
    console.note(f"cheapest of {len(rows)} that do: {offer_text(first)}, {first.cost_per_hour:.2f} an hour")
    console.note(f"  price: {first.price_source}")
    if first.doubtful:
        console.note("  at the means of its estimates; surely:")
        console.note(f"    {_surely(rows)}")
    for row in others:
        console.note(f"  then {offer_text(row)}, {row.cost_per_hour:.2f} an hour")
    if smaller and found[0] is smaller[0]:
        console.note(f"  fewer bytes of the same weights cost less, with {' '.join(smaller[0].flags)}:")
        console.note(f"    {offer_text(smaller[0])}, {smaller[0].cost_per_hour:.2f} an hour")
    share = {}
    if first.replicas > 1 and not request.requests_per_s:
        share = {"concurrency": ceil_div(request.concurrency, first.replicas)}
        console.note(
            f"planned is one of {first.replicas} copies behind a router, {share['concurrency']} requests on each"
        )
    return request.model_copy(update={"gpu": first.gpu, "gpus": first.gpus, "nodes": first.nodes, **share})
