"""generate(): render a new deployment repository and commit it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generator import recording, workflow
from generator.errors import RequestError, SourceError
from generator.models.checkpoint import ModelFacts
from generator.models.plan import Plan
from generator.models.request import ONE_NODE, Artefact, Request
from generator.models.shared_host import Place
from generator.models.value import Value
from generator.operations.anchoring import anchored
from generator.rendering import copier_driver, driving, repository, store
from generator.rendering.answers import ANSWERS_FILE, checked_naming
from generator.rendering.git import isolated
from generator.rendering.questions import questions
from generator.rendering.template import opened
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from generator.workflow import Proof

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Generated(Value):
    """A new deployment repository."""

    path: Path
    commit: str | None
    """Id of its first commit; None where none was asked for, or another repository holds it."""
    within: Path | None
    """The git repository that it lies in, which is to track it; None where it is its own, or none was asked for."""
    template: str
    """Version of the template, or `worktree`."""
    files: tuple[str, ...]
    """Every file, relative to `path`."""
    plan: Plan


def generate(
    request: Request,
    destination: Path,
    *,
    artefacts: Sequence[str] | None = None,
    service: str | None = None,
    ci: str | None = None,
    host: Place | None = None,
    trace: str | None = None,
    template: str | None = None,
    offline: bool = False,
    commit: bool | None = None,
    facts: ModelFacts | None = None,
    proof: Proof | None = None,
    progress: Callable[[int, int], None] | None = None,
    packaged: Path = store.PACKAGED,
    checkout: Path = store.CHECKOUT,
) -> Generated:
    """Plan `request` and render it into a new or empty `destination`; a failure leaves nothing behind.

    `template` is a released version or `worktree`; None is the newest that this package ships. With `commit`
    the files become a git repository with one commit; None does so only where no repository is around them already,
    which would keep nothing of an inner one but its commit's id. `trace` is the digest of the requests that the
    workload was taken from. `facts`, or a `proof` of the `settled` request, are used where the caller has them already.

    Raises:
        RequestError: the destination is taken, or the request contradicts itself.
        InfeasiblePlanError: the model does not fit.
        SourceError: the destination cannot be written.
        RenderError: Copier or git refused.
    """
    place = vacant(destination)
    newer = _asked_since({"host": host and host.answer, "trace": trace}, template, packaged, checkout)
    naming = checked_naming({"service": service, "artefacts": artefacts, "ci": ci, **newer})
    wanted = _servable(settled(request), template, packaged, checkout)
    _refuse_unrenderable(naming.get("artefacts", ()), wanted)
    if proof is None or not proof.is_of(wanted):
        known = facts or workflow.facts_for(wanted, offline=offline, progress=progress)
        proof = workflow.prove(wanted, known)
    wanted = proof.request
    recording.refuse_unfit(proof.plan)
    answers = wanted.model_dump(mode="json") | {recording.FACTS: recording.facts_answer(wanted, proof.facts)} | naming
    with isolated(), workspace(), recording.proven(proof), _scratch(place) as scratch:
        made = scratch / "made" / place.name
        used = _render(made, answers, template, packaged, checkout)
        files = tuple(sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()))
        title = f"Deploy {wanted.model} on {wanted.gpus * wanted.nodes} x {wanted.gpu}"
        within = repository.enclosing(place) if commit is None else None
        own = commit or (commit is None and within is None)
        first = repository.create(made, f"{title}\n\nRendered by vllm-wizard, template {used}.") if own else None
        _move(made, place)
    return Generated(path=place, commit=first, within=within, template=used, files=files, plan=proof.plan)


def settled(request: Request) -> Request:
    """The request as a repository records it: it means the same on every machine and from every directory."""
    stated = anchored({name: getattr(request, name) for name in ("model", "source", "overrides")})
    return workflow.concrete(request.model_copy(update=stated))


def _servable(request: Request, template: str | None, packaged: Path, checkout: Path) -> Request:
    """The request, of one server where an older template is named, which asks for none and starts one."""
    if template is None or request.servers:
        return request
    known = {one.name for one in questions(template, packaged=packaged, checkout=checkout)}
    return request if "servers" in known else request.model_copy(update={"servers": 1})


def _asked_since(stated: dict[str, object], template: str | None, packaged: Path, checkout: Path) -> dict[str, object]:
    """Those of `stated` that are stated, and that the template asks for; an older one records no digest of a trace.

    Raises:
        RequestError: it knows no host that deployments share.
    """
    given = {name: value for name, value in stated.items() if value}
    known = {one.name for one in questions(template, packaged=packaged, checkout=checkout)} if given else set()
    if "host" in given and "host" not in known:
        raise RequestError(f"template {template} serves one model a host: leave --template out, or name a newer one")
    return {name: value for name, value in given.items() if name in known}


def _refuse_unrenderable(artefacts: Iterable[Artefact], request: Request) -> None:
    """Return only where everything that is asked for can be rendered for these nodes and for a model of this place.

    Raises:
        RequestError: an artefact cannot; names the one that can.
    """
    alone = sorted(ONE_NODE & set(artefacts))
    if not alone:
        return
    if request.nodes > 1:
        raise RequestError(
            f"{alone[0]} is rendered for one node: --emit kubernetes serves from {request.nodes}, as a LeaderWorkerSet"
        )
    if request.model.startswith("/"):
        raise RequestError(
            f"{alone[0]} is rendered for models of the Hub, and {request.model} is a directory of this host: "
            "--emit kubernetes serves it, from the node or from a claim"
        )


def vacant(destination: Path) -> Path:
    """The absolute destination, which does not exist or is an empty directory.

    Raises:
        RequestError: something is there, or above it.
    """
    place = destination.expanduser().absolute()
    if os.name == "posix" and _OF_WINDOWS.match(str(destination)):
        raise RequestError(f"{destination} is a path of Windows, and one odd name here: in WSL it lies below /mnt/c")
    try:
        taken = place.exists() and (not place.is_dir() or any(place.iterdir()))
    except OSError as error:
        raise RequestError(f"{destination} cannot be read: {error.strerror}") from error
    if taken:
        raise RequestError(_taken(destination, place))
    above = next(folder for folder in place.parents if folder.exists())
    if not above.is_dir():
        raise RequestError(f"{destination} lies beneath {above}, which is a file: name another directory")
    return place


def _taken(destination: Path, place: Path) -> str:
    """Why nothing can be generated there, and what to do with what is there."""
    if not place.is_dir():
        return f"{destination} is a file: name a new directory"
    if (place / ANSWERS_FILE).exists():
        return f"{destination} is a deployment: name a new directory, or change this one with `vllm-wizard update`"
    return f"{destination} exists and is not empty: name a new directory, like {destination / 'deployment'}"


def _scratch(place: Path) -> AbstractContextManager[Path]:
    """A directory in the nearest existing one of the destination: a move from there stays on one file system."""
    return workspace(next(folder for folder in (place, *place.parents) if folder.is_dir()))


def _render(made: Path, answers: dict[str, object], template: str | None, packaged: Path, checkout: Path) -> str:
    """Render the template into `made`; its version."""
    if template == store.WORKTREE:
        source = store.copy_worktree(checkout, made.parents[1])
        copier_driver.copy(source, made, answers, ref=None)
        return template
    ref = template or store.newest(str(packaged))
    with opened(store.STORE, packaged) as history:
        history.refuse_untrusted(frozenset({ref}))
        driving.copy(history, made, answers, ref=ref)
    return ref


def _move(made: Path, place: Path) -> None:
    """Put the finished tree into its place; what was made of it is taken back if that fails."""
    try:
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            made.rename(place)
            return
        for entry in sorted(made.iterdir()):
            entry.rename(place / entry.name)
    except OSError as error:
        raise SourceError(f"{place} cannot be written: {error.strerror}; name another directory") from error
