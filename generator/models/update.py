"""What an update did to a deployment, for reports; nothing here is read from a file system."""

from typing import Any

from generator.models.migration import Mention, MigrationNote
from generator.models.plan import PlanRecord
from generator.models.value import Value


class AnswerChange(Value):
    """One name whose value an update changed; None where there was or is none."""

    name: str
    before: Any
    after: Any


class DecidedValue(AnswerChange):
    """A value that was edited by hand and that the command itself names: it is the command's now."""

    file: str


class Changes(Value):
    """Files of one deployment that differ from the last commit, relative to the deployment's directory."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    """Files with unresolved conflicts, and patches that could not be applied (`*.rej`)."""

    @property
    def any(self) -> bool:
        """True where anything differs."""
        return bool(self.added or self.changed or self.deleted or self.conflicts)


class UpdateSummary(Value):
    """Everything that an update changed and that its reviewer should know."""

    template_before: str
    template_after: str
    answers: tuple[AnswerChange, ...]
    engine: tuple[AnswerChange, ...]
    """Engine arguments that changed."""
    plan_before: PlanRecord
    plan_after: PlanRecord
    files: Changes
    migrated: tuple[MigrationNote, ...] = ()
    """What another vLLM release made of the user's engine arguments."""
    mentions: tuple[Mention, ...] = ()
    """Lines of the user's own files that name an argument of `migrated`."""
    patch: str = ""
    """A patch of those files, to apply by hand."""
    kept: tuple[str, ...] | None = None
    """Managed files whose edits by hand survived; None where nobody compared."""
    left: tuple[str, ...] = ()
    """Managed files that the update left alone, because git ignores them or they are binary."""
    absent: tuple[str, ...] = ()
    """Managed files that were renamed or deleted by hand, so that no update touches them."""
    decided: tuple[DecidedValue, ...] = ()
    """Values edited by hand that gave way to what the command names."""
    meanwhile: tuple[str, ...] = ()
    """Files that somebody saved while the update ran: they are as they were saved, and conflicts now."""
    dry_run: bool = False
    """True where all of it happened in a copy, and the deployment is as it was."""
