"""check(): what a deployment is pinned to, what is newer, and what drifted; nothing in its tree is touched."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from generator.catalogue.engines import all_versions
from generator.errors import RequestError
from generator.models.value import Value
from generator.operations import scratch
from generator.operations.look import Severity
from generator.operations.looks import CHECKS, DECIDES
from generator.operations.state import State
from generator.rendering import store
from generator.rendering.answers import is_deployment, read
from generator.rendering.git import isolated


class Finding(Value):
    """One thing that somebody should look at."""

    check: str
    severity: Severity
    message: str


def findings(state: State) -> tuple[Finding, ...]:
    """Everything found in one deployment; a conflict in the answers hides what follows from it."""
    return tuple(
        Finding(check=look.name, severity=severity, message=look.message.replace("{}", detail))
        for severity, look in CHECKS
        if look in DECIDES or not state.unmerged
        for detail in look.find(state)
    )


class CheckReport(Value):
    """One deployment: its pins beside the newest, and what was found."""

    path: Path
    source: str
    template: str
    template_newest: str | None
    vllm: str
    vllm_newest: str
    model: str
    revision: str | None
    revision_newest: str | None
    """None where the Hub was not asked, or did not answer."""
    planner: str
    files_compared: bool
    """Whether managed files were compared with what the template renders."""
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """True where no finding is an error or a warning."""
        return all(one.severity == "note" for one in self.findings)


def check(
    root: Path,
    *,
    offline: bool = False,
    quick: bool = False,
    packaged: Path = store.PACKAGED,
    today: date | None = None,
) -> CheckReport:
    """The state of the deployment at `root`.

    Managed files are compared with the pinned template's rendering, which takes time once for a set of answers: a
    second for a team's own template. `quick` compares only where the rendering is already known. `today` is the day
    that a price's age is counted to.

    Raises:
        RequestError: `root` is no deployment.
        RenderError: the answers are unreadable, or Copier or git refused.
    """
    place = root.expanduser().absolute()
    with isolated():
        state = State(
            place=place,
            answers=read(place),
            offline=offline,
            render=not quick,
            packaged=packaged,
            today=today or datetime.now(UTC).date(),
        )
        if state.in_git:
            scratch.clear(place)
        found = findings(state)
        facts: dict[str, Any] = state.answers.values.get("model_facts") or {}
        return CheckReport(
            path=place,
            source=state.answers.source,
            template=state.answers.template,
            template_newest=store.newest_of(state.tags),
            vllm=str(state.answers.values.get("vllm")),
            vllm_newest=all_versions()[-1],
            model=str(state.answers.values.get("model")),
            revision=facts.get("revision"),
            revision_newest=state.newest_revision,
            planner=state.plan.planner,
            files_compared=not state.unmerged and state.edited is not None,
            findings=found,
        )


def deployments(root: Path) -> tuple[Path, ...]:
    """Every deployment at or below `root`, by path; git's own and hidden directories are not entered.

    Raises:
        RequestError: there is none, or a directory cannot be read.
    """
    try:
        found = tuple(sorted(_deployments(root.expanduser().absolute())))
    except OSError as error:
        raise RequestError(f"{error.filename} cannot be read: {error.strerror}") from error
    if not found:
        raise RequestError(f"{root} holds no deployment: name a repository that `vllm-wizard generate` made")
    return found


def _deployments(folder: Path) -> Iterator[Path]:
    if is_deployment(folder):
        yield folder
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _deployments(entry)
