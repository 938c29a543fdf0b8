"""What a deployment's repository holds, read once and only as far as somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - a dataclass reads it
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from generator import recording
from generator.errors import GeneratorError, RenderError, RequestError, SourceError
from generator.models.plan import PlanRecord, digest_of
from generator.rendering import pristine, store
from generator.rendering.answers import ANSWERS_FILE, Answers
from generator.rendering.git import git
from generator.sources.plain_yaml import LOADER

if TYPE_CHECKING:
    from generator.workflow import Proof

_MARKERS = "^(<<<<<<< |>>>>>>> )"


@dataclass(frozen=True)
class State:
    """One deployment as it lies in its working tree."""

    place: Path
    answers: Answers
    offline: bool
    render: bool
    packaged: Path = field(default=store.PACKAGED)
    today: date = field(kw_only=True)

    @cached_property
    def plan(self) -> PlanRecord:
        """The recorded plan."""
        return self.answers.plan

    @cached_property
    def plan_inputs(self) -> dict[str, Any]:
        """What a plan of these answers would record as its inputs."""
        return recording.plan_inputs(self.answers.values)

    @cached_property
    def other_inputs(self) -> tuple[str, ...]:
        """Names of answers that differ from those that the recorded plan was made for."""
        recorded, now = self.plan.inputs, self.plan_inputs
        return tuple(sorted(name for name in recorded.keys() | now.keys() if recorded.get(name) != now.get(name)))

    @cached_property
    def fresh(self) -> PlanRecord | GeneratorError:
        """The plan that this package makes of the same answers and facts, or why it makes none."""
        if isinstance(self._proof, GeneratorError):
            return self._proof
        return recording.record(self._proof, self.plan.inputs)

    @property
    def falls_short(self) -> tuple[str, ...]:
        """What the plan of these answers does not do, though it starts: the workload, a target."""
        return () if isinstance(self._proof, GeneratorError) else self._proof.plan.feasibility.falls_short

    @cached_property
    def _proof(self) -> Proof | GeneratorError:
        try:
            facts = recording.facts_of(self.answers.values.get(recording.FACTS) or {})
            proof = recording.prove(recording.request_of(self.answers.values), facts, compared=False)
            recording.refuse_unfit(proof.plan)
        except GeneratorError as error:
            return error
        return proof

    @cached_property
    def in_git(self) -> bool:
        """True where the deployment lies in a git repository with a commit."""
        try:
            git("rev-parse", "--verify", "--quiet", "HEAD", at=self.place)
        except RenderError:
            return False
        return True

    @cached_property
    def unmerged(self) -> bool:
        """True where two branches' answers met and nobody has chosen yet."""
        return self.in_git and bool(git("ls-files", "--unmerged", "--", ANSWERS_FILE, at=self.place))

    @cached_property
    def merged(self) -> bool:
        """True where the last commit, or the one under way, has two parents."""
        if not self.in_git:
            return False
        heads = git("rev-parse", "--quiet", "--verify", "MERGE_HEAD", at=self.place, accept=(0, 1, 128))
        return bool(heads or git("rev-parse", "--quiet", "--verify", "HEAD^2", at=self.place, accept=(0, 1, 128)))

    @cached_property
    def marked(self) -> tuple[str, ...]:
        """Files with conflict markers, and patches that an update could not apply."""
        if not self.in_git:
            return ()
        words = ("grep", "--untracked", "-lIzE", "-e", _MARKERS, "--", ".")
        found = git(*words, at=self.place, accept=(0, 1)).split("\0")[:-1]
        listed = ("ls-files", "--others", "-z", "--", "*.rej")
        return tuple(sorted({*found, *git(*listed, at=self.place).split("\0")[:-1]}))

    @cached_property
    def tags(self) -> dict[str, str]:
        """Commit of every template version that this machine can reach; of a remote only when online."""
        if self.answers.source != store.STORE:
            return {} if self.offline else store.held(self.answers.source)
        return store.known(self.packaged)

    @cached_property
    def moved(self) -> str:
        """Another commit than the recorded one that the pinned version names today; empty where it is the same."""
        now, recorded = self.tags.get(self.answers.template), self.answers.commit
        return now if now and recorded and now != recorded else ""

    @cached_property
    def newest_revision(self) -> str | None:
        """Newest commit of the model on the Hub; None where nobody asks, or the Hub does not answer."""
        facts = self.answers.values.get("model_facts") or {}
        wanted = self.answers.values.get("revision") or ""
        if self.offline or facts.get("source") != "hub" or wanted == facts.get("revision"):
            return None
        from generator.sources.hub_client import connect  # noqa: PLC0415 - start-up time

        try:
            return connect(str(facts.get("id")), wanted or None).published().commit
        except SourceError:
            return None

    @cached_property
    def edited(self) -> tuple[str, ...] | None:
        """Managed files whose content is not the template's; None where nothing was compared."""
        files = self.rendered
        if files is None:
            return None
        present = {name: self.place / name for name in files if (self.place / name).is_file()}
        return tuple(name for name, path in present.items() if pristine.digest(path.read_bytes()) != files[name])

    @cached_property
    def deleted(self) -> tuple[str, ...]:
        """Managed files that are not there."""
        return tuple(name for name in self.rendered or () if not (self.place / name).exists())

    @cached_property
    def unrendered(self) -> str:
        """Why the pinned template does not render these answers again; empty where it does, or nobody tried."""
        return str(self._rendered) if isinstance(self._rendered, GeneratorError) else ""

    @cached_property
    def sound(self) -> bool:
        """True where the recorded plan is the answers' own, as it was recorded."""
        return not self.other_inputs and self.plan.digest == digest_of(self.answers.values["plan"])

    @property
    def rendered(self) -> dict[str, str] | None:
        """Digests of the managed files as the template renders them; None where nothing is compared."""
        return None if isinstance(self._rendered, GeneratorError) else self._rendered

    @cached_property
    def _rendered(self) -> dict[str, str] | GeneratorError | None:
        if not self.sound or self.moved or (self.tags and self.answers.template not in self.tags):
            return None
        try:
            return pristine.managed(self.answers, self.tags, render=self.render, packaged=self.packaged)
        except GeneratorError as error:
            return error

    def mapping(self, name: str) -> dict[str, Any] | None:
        """A YAML file of the deployment as a mapping; None where it is absent or none.

        Raises:
            RequestError: the file is not YAML.
        """
        try:
            content = yaml.load((self.place / name).read_bytes(), Loader=LOADER)  # noqa: S506 - both loaders are safe
        except OSError:
            return None
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
            raise RequestError(f"{name} line {line} is not valid YAML: correct it") from error
        return content if isinstance(content, dict) else None
