"""findings(): what `check` has to say of one deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.value import Value
from generator.operations.look import Severity
from generator.operations.looks import CHECKS, DECIDES

if TYPE_CHECKING:
    from generator.operations.state import State


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
