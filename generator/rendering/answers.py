"""`.copier-answers.yml`: the one truth of a deployment, read back."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from generator.errors import RenderError, RequestError
from generator.models.plan import PlanRecord
from generator.models.request import CI, NEEDS, Artefact, Request
from generator.models.shared_host import Place
from generator.models.value import Value, problem
from generator.sources import plain_yaml

ANSWERS_FILE = ".copier-answers.yml"
INPUTS = (*Request.model_fields, "service", "artefacts", "ci", "host", "trace")
"""Answers that are the user's; the rest is computed from them."""
_RESTORE = (
    f"restore it with `git checkout HEAD -- {ANSWERS_FILE}`, or from a commit that `git log -- {ANSWERS_FILE}` lists"
)
_MAPPINGS = ("model_facts", "plan", "overrides", "measured")
_COMPUTED = ("model_facts", "plan")
"""Answers that no other template has."""
SERVICE = re.compile("[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
"""A Kubernetes name with room for the suffixes of what belongs to it; copier.yml's validator has the same."""
DIGEST = re.compile("([0-9a-f]{64})?")
"""The SHA-256 of recorded requests; empty where none were read."""


class Answers(Value):
    """What a deployment's repository records."""

    source: str
    """Where its template comes from (`_src_path`)."""
    template: str
    """The template's version (`_commit`)."""
    commit: str | None = None
    """The commit that the version named when the answers were written (`_template_commit`); None before 1.3.0."""
    values: dict[str, Any]

    @property
    def inputs(self) -> dict[str, Any]:
        """The user's own answers, in the order of the questions."""
        return {name: self.values[name] for name in INPUTS if name in self.values}

    @property
    def place(self) -> Place:
        """Its place on a host that it shares.

        Raises:
            RenderError: the answer `host` is none.
        """
        try:
            return Place.model_validate(self.values.get("host") or {})
        except ValidationError as error:
            where, said = problem(error)
            raise RenderError(f"{ANSWERS_FILE}: host is no place on a host ({where}: {said}): take it back") from error

    @property
    def plan(self) -> PlanRecord:
        """The recorded plan.

        Raises:
            RenderError: it is missing, or a newer version of this package wrote it.
        """
        try:
            return PlanRecord.model_validate(self.values.get("plan"))
        except ValidationError as error:
            where, _ = problem(error)
            raise RenderError(
                f"{ANSWERS_FILE}: this vllm-wizard cannot read the recorded plan ({where}): install the"
                " version that wrote it, or a newer one"
            ) from error


def checked_naming(stated: Mapping[str, Any]) -> dict[str, Any]:
    """`service`, `artefacts`, `ci`, `host` and `trace` of `stated`; artefacts in the order of the question's choices.

    Raises:
        RequestError: the service is no name, an artefact or a CI is unknown, or the others are not what they are to be.
    """
    service, artefacts, ci = (stated.get(name) for name in ("service", "artefacts", "ci"))
    found: dict[str, Any] = _beside(stated)
    if service is not None:
        if not SERVICE.fullmatch(str(service)):
            raise RequestError(
                f"service {service!r}: write at most 52 lower-case letters, digits and dashes, a letter first"
            )
        if service == "vllm":
            raise RequestError("service 'vllm': Kubernetes would set VLLM_PORT, which vLLM reads: choose another")
        found["service"] = str(service)
    if artefacts is not None:
        _refuse_unknown("artefact", artefacts, get_args(Artefact))
        found["artefacts"] = [name for name in get_args(Artefact) if name in artefacts]
        for name in found["artefacts"]:
            if name in NEEDS and NEEDS[name] not in artefacts:
                raise RequestError(f"{name} starts what {NEEDS[name]} renders: ask for both")
    if ci is not None:
        _refuse_unknown("ci", [ci], get_args(CI))
        found["ci"] = ci
    return found


def _beside(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The place on a shared host, and the digest of recorded requests, where `stated` has them."""
    found: dict[str, Any] = {}
    if stated.get("host") is not None:
        try:
            found["host"] = Place.model_validate(stated["host"]).answer
        except ValidationError as error:
            raise RequestError(f"host: {': '.join(problem(error))}") from error
    if stated.get("trace") is not None:
        if not DIGEST.fullmatch(str(stated["trace"])):
            raise RequestError("trace: write the 64 hexadecimal digits of the file's SHA-256, or nothing")
        found["trace"] = str(stated["trace"])
    return found


def _refuse_unknown(what: str, named: Iterable[str], known: tuple[str, ...]) -> None:
    unknown = [name for name in named if name not in known]
    if unknown:
        raise RequestError(f"{what} {unknown[0]!r} is none of {', '.join(known)}")


def read(root: Path, *, updated: bool = True) -> Answers:
    """The answers recorded in `root`; where no update is to start, `updated` is false, a working tree's serve too.

    Raises:
        RequestError: `root` holds no deployment.
        RenderError: the file is broken, or names no released template.
    """
    path = root / ANSWERS_FILE
    _refuse_others(root)
    try:
        content = plain_yaml.load(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RequestError(
            f"{root} has no {ANSWERS_FILE}: name a repository that `vllm-wizard generate` made"
        ) from error
    except (OSError, plain_yaml.NotPlainError) as error:
        why = getattr(error, "strerror", None) or error
        raise RenderError(f"{path} cannot be read ({why}): {_RESTORE}") from error
    if not isinstance(content, dict) or "_src_path" not in content:
        raise RenderError(f"{path} names no template: {_RESTORE}")
    if updated and not content.get("_commit"):
        raise RenderError(
            f"{root} was rendered from a working tree, where no update can start: generate it from a release"
        )
    if not content.keys() & set(_COMPUTED):
        raise RequestError(
            f"{path} is of another template, {content['_src_path']}: name the directory of a deployment, or"
            " `vllm-wizard generate` one into a directory of its own"
        )
    wrong = [name for name in _MAPPINGS if not isinstance(content.get(name) or {}, dict)]
    if wrong:
        raise RenderError(f"{path}: {wrong[0]} is no mapping: {_RESTORE}")
    return of(content)


def of(content: Mapping[str, Any]) -> Answers:
    """The answers that the mapping of an answers file makes."""
    return Answers(
        source=str(content["_src_path"]),
        template=str(content.get("_commit") or ""),
        commit=None if content.get("_template_commit") is None else str(content["_template_commit"]),
        values={str(name): value for name, value in content.items() if not str(name).startswith("_")},
    )


def is_deployment(root: Path) -> bool:
    """True where `root` holds a deployment's answers; those of another template, and hidden others, are none."""
    path = root / ANSWERS_FILE
    return bool(_others(root)) or (path.is_file() and (_is_ours(path) or b"_src_path:" not in path.read_bytes()))


def _refuse_others(root: Path) -> None:
    """Return only where the answers of no second deployment lie beside `ANSWERS_FILE`, which every command reads."""
    others = _others(root)
    if not others:
        return
    path, name = root / ANSWERS_FILE, others[0].name
    if not path.exists():
        raise RequestError(f"{root} keeps its answers in {name}: `git mv {name} {ANSWERS_FILE}`, commit, and try again")
    if not _is_ours(path):
        raise RequestError(
            f"{root} has the answers of a deployment in {name}, beside another template's: generate the deployment into"
            " a directory of its own, like deployments/NAME"
        )
    raise RequestError(
        f"{root} has two deployments, {ANSWERS_FILE} and {name}, and both render serve.yaml there: remove one, and"
        " generate it into a directory of its own, like deployments/NAME"
    )


def _others(root: Path) -> list[Path]:
    """Files of a deployment's answers under another name; Copier's `--answers-file` makes them."""
    found = sorted(root.glob(".copier-answers*.y*ml"))
    return [path for path in found if path.name != ANSWERS_FILE and path.is_file() and _is_ours(path)]


def _is_ours(path: Path) -> bool:
    text = path.read_bytes()
    return all(f"\n{name}:".encode() in text for name in _COMPUTED)
