"""host_repository(): the models of a host as one repository, with one gateway in front of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generator import recording
from generator.errors import InfeasiblePlanError
from generator.models.shared_host import Member, Neighbour, Place
from generator.models.value import Value
from generator.operations.generate import Generated, generate, vacant
from generator.operations.hosting import BESIDE
from generator.planning.sharing import overfull
from generator.rendering import repository
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.operations.hosting.proof import Proven
    from generator.workflow import Proof

_RENDERED = ("command", "profile", "compose")


class Hosted(Value):
    """A new repository of a host."""

    first: Generated
    beside: tuple[Generated, ...]


def host_repository(
    proven: Proven, destination: Path, *, ci: str | None = None, template: str | None = None, commit: bool | None = None
) -> Hosted:
    """The first model's deployment at `destination`, the others' in `deployments/NAME` there, as one commit.

    Raises:
        InfeasiblePlanError: a model does not fit its share, or a GPU lacks what its models hold together.
        RequestError: the destination is taken.
        RenderError: Copier or git refused.
    """
    refuse_unfit(proven)
    place = vacant(destination)
    lead, *others = zip(proven.plan.members, proven.proofs, strict=True)
    neighbours = tuple(_neighbour(member, proof) for member, proof in others)
    with workspace() as scratch:
        made = [_generated(one, scratch / one[0].name, "none", template, ()) for one in others]
        first = _generated(lead, place, ci, template, neighbours)
        for one in made:
            (place / BESIDE).mkdir(exist_ok=True)
            repository.moved(one.path, place / BESIDE / one.path.name)
    own = commit or (commit is None and repository.enclosing(place) is None)
    title = f"Deploy {len(made) + 1} models on {proven.plan.gpu}"
    done = repository.create(place, f"{title}\n\nRendered by vllm-wizard, template {first.template}.") if own else None
    moved = tuple(one.model_copy(update={"path": place / BESIDE / one.path.name}) for one in made)
    return Hosted(first=first.model_copy(update={"commit": done}), beside=moved)


def refuse_unfit(proven: Proven) -> None:
    """Return only where every model fits its share, and every GPU its models.

    Raises:
        InfeasiblePlanError: one does not; names it.
    """
    for member, proof in zip(proven.plan.members, proven.proofs, strict=True):
        try:
            recording.refuse_unfit(proof.plan)
        except InfeasiblePlanError as error:
            raise InfeasiblePlanError(
                f"{member.name} has {member.share:g} of each of its GPUs: {error}; or give it a larger `share`",
                shortfall_bytes=error.shortfall_bytes,
            ) from error
    for filled in proven.plan.gpus:
        if said := overfull(filled):
            raise InfeasiblePlanError(f"{said}: lower a utilization that you set, or a share")


def _generated(
    one: tuple[Member, Proof], place: Path, ci: str | None, template: str | None, beside: tuple[Neighbour, ...]
) -> Generated:
    member, proof = one
    host = Place(gpu_ids=tuple(map(str, member.gpu_ids)), port=member.port, beside=beside)
    return generate(
        proof.request, place, artefacts=_RENDERED, service=member.name, ci=ci, host=host, template=template,
        commit=False, proof=proof,
    )  # fmt: skip


def _neighbour(member: Member, proof: Proof) -> Neighbour:
    """What the first deployment's gateway and Compose file need to know of another."""
    api = recording.pooling_of(proof)
    return Neighbour(
        name=member.name,
        gpu_ids=tuple(map(str, member.gpu_ids)),
        port=member.port,
        paths=api.paths if api else (),
        keyless=api.keyless if api else (),
    )
