"""Up to five different answers to one request: the plan itself, what mends or betters it, and cheaper GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.cli import console
from generator.cli.options import changes_of
from generator.cli.proposal import priced_rows
from generator.errors import GeneratorError, RequestError

if TYPE_CHECKING:
    from generator.cli.knowing import Known
    from generator.models.request import Request
    from generator.workflow import Proof

    Settled = Callable[[Request], Request]

MOST = 5


class Offer(NamedTuple):
    """One answer, and in what it differs from the first."""

    title: str
    proof: Proof


def offers(proof: Proof, known: Known, settled: Settled) -> tuple[Offer, ...]:
    """The plan itself first, then what differs from it in what a person sees: at most five."""
    found: dict[tuple[Any, ...], Offer] = {_face(proof): Offer("as asked", proof)}
    for title, changes in islice(_changes(proof), 2 * MOST):
        if len(found) == MOST:
            break
        try:
            other = proven(settled(proof.request.model_copy(update=changes)), known)
        except GeneratorError:
            continue  # what vLLM refuses, or what the Hub does not give now, is no offer
        if other.plan.feasibility.verdict != "does_not_fit":
            found.setdefault(_face(other), Offer(title, other))
    return tuple(found.values())


def proven(request: Request, known: Known) -> Proof:
    """The plan of a request with all that it was made from.

    Raises:
        GeneratorError: no source delivers the model, or vLLM would refuse what is asked for.
    """
    from generator.workflow import prove  # noqa: PLC0415 - start-up time

    return prove(request, known.of(request))


def _changes(proof: Proof) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each other answer is called, and the fields of the request that make it."""
    for repair in proof.plan.repairs:
        yield repair.title, repair.changes
    for other in proof.plan.alternatives:
        changes = changes_of(other.flags)
        if "overrides" in changes:
            changes["overrides"] = proof.request.overrides | changes["overrides"]
        yield f"{other.kind}: {other.gain}", changes
    if not proof.plan.repairs and not proof.request.vram_gb:
        yield from _cheaper(proof)


def _cheaper(proof: Proof) -> Iterator[tuple[str, dict[str, Any]]]:
    """The cheapest GPUs with a known price that carry the workload, one a product."""
    try:
        with console.waiting("comparing GPUs"):
            rows = priced_rows(proof.request.model_copy(update={"overrides": {}}), proof.facts, {})
    except RequestError:
        return  # a server without output tokens has no price for them
    first: dict[str, dict[str, Any]] = {}
    for row in (row for row in rows if not row.flags):
        first.setdefault(row.gpu, {"gpu": row.gpu, "gpus": row.gpus, "nodes": row.nodes, "overrides": {}})
    for name, changes in first.items():
        if name != proof.plan.cluster.gpu.name:
            yield f"a cheaper GPU: {name}", changes


def _face(proof: Proof) -> tuple[Any, ...]:
    plan = proof.plan
    cluster = (plan.cluster.gpu.name, plan.cluster.gpus_per_node, plan.cluster.nodes)
    return plan.model.id, cluster, plan.layout, plan.engine.get("quantization"), plan.engine.get("kv_cache_dtype")
