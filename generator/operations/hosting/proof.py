"""host_plan(): the models of a host, each proven within its share, and all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from generator import workflow
from generator.cluster import cluster_for
from generator.errors import RequestError
from generator.models.checkpoint import ModelFacts
from generator.models.interval import ByteInterval
from generator.models.request import Request
from generator.models.shared_host import FIRST_PORT, AskedModel, HostPlan, Member, SharedHost
from generator.operations.generate import settled
from generator.operations.templates import service_of
from generator.planning import sharing
from generator.planning.memory import overhead
from generator.planning.planner import choose, weighed
from generator.rendering.answers import checked_naming

if TYPE_CHECKING:
    from generator.workflow import Proof

    Facts = Callable[[Request], ModelFacts]

TAKEN = frozenset({"gateway", "prometheus", "alertmanager", "grafana", "head", "worker", "v1", "health"})
"""Names in Compose and first parts of paths that are not a model's."""


class Proven(NamedTuple):
    """A host's proof, and each member's own, with which its deployment is rendered."""

    plan: HostPlan
    proofs: tuple[Proof, ...]


def host_plan(host: SharedHost, facts_of: Facts) -> Proven:
    """The proof of a host.

    Raises:
        RequestError: names meet, shares are more than there is, or vLLM would refuse a model.
        SourceError: no source delivers a model.
        UnknownFactError: the GPU or the release is not in the tables.
    """
    asked = _named(host)
    places = sharing.placed(asked)
    cases = {one.name: workflow.case_for(one.request, facts_of(one.request)) for one in asked.members}
    first = cases[asked.members[0].name]
    table = first.tables.overheads
    if first.gpu.capability.is_rocm:
        raise RequestError(
            "several models on one host are rendered for NVIDIA's GPUs: a container of ROCm is given all of a host's, "
            "and nobody has published a start of two engines on one of them; generate a repository for each model"
        )
    total = overhead.device_total(first.gpu, table).low
    open_ = [one.name for one in asked.members if one.share is None]
    needs = {name: sharing.needed_bytes(weighed(cases[name]).chosen.candidate) for name in open_}
    given = sharing.shares(asked, places, needs, total)
    found = [_member(one, cases[one.name].facts, given[one.name], places, asked) for one in asked.members]
    members = tuple(member for member, _ in found)
    return Proven(sharing.together(asked, first.gpu, members, table), tuple(proof for _, proof in found))


def _named(host: SharedHost) -> SharedHost:
    """The host with a name for each model, its GPU's name and its model's as a repository records them."""
    members = []
    for one in host.members:
        request = settled(one.request.model_copy(update={"gpu": host.gpu}))
        if request.servers > 1:
            raise RequestError(f"{request.model}: several models share a host with one server each: leave servers out")
        name = one.name or service_of(request.model, None)
        checked_naming({"service": name})
        if name in TAKEN:
            raise RequestError(f"name {name!r} is one of the gateway's own: give the model another `name`")
        alone = request.model_copy(update={"servers": 1})
        members.append(one.model_copy(update={"name": name, "request": alone}))
    names = [one.name for one in members]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise RequestError(f"two models of the host are called {twice}: give one of them another `name`")
    return host.model_copy(update={"gpu": members[0].request.gpu, "members": tuple(members)})


def _member(
    one: AskedModel, facts: ModelFacts, share: float, places: sharing.Places, host: SharedHost
) -> tuple[Member, Proof]:
    """One model within its share, even at the high end: what its neighbours have, and its own doubt, are reserved."""
    numbers = [other.name for other in host.members].index(one.name)
    gpu = cluster_for(one.request).gpu
    proof, held = _within(one.request, facts, sharing.reserve_gb(share, gpu))
    if share < 1:
        proof, held = _within(one.request, facts, sharing.reserve_gb(share, gpu, held.high - held.expected))
    member = Member(
        name=one.name,
        share=share,
        reserve_gb=proof.request.reserve_gb,
        gpu_ids=tuple(places[one.name]),
        port=FIRST_PORT + numbers,
        path=f"/{one.name}" if numbers else "",
        starts_after=host.members[numbers - 1].name if numbers else "",
        held_bytes=held,
        plan=proof.plan,
    )
    return member, proof


def _within(request: Request, facts: ModelFacts, reserve_gb: float) -> tuple[Proof, ByteInterval]:
    """A model beside neighbours that hold so much of each GPU, and what it holds itself."""
    proof = workflow.prove(request.model_copy(update={"reserve_gb": reserve_gb}), facts)
    option = choose(proof.case, proof.plan.layout).candidate
    return proof, sharing.held_bytes(option, proof.tables.overheads)
