"""Examination: one thing that `doctor` looks at, what it says, and the census entry that it answers."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from generator.models.value import Value
from generator.operations.doctor.needs import NodeNeeds
from generator.sources.machine.facts import Machine, Unseen

State = Literal["ok", "warning", "blocker", "not seen"]


class MachineCase(Value):
    """One plan before one machine."""

    needs: NodeNeeds
    machine: Machine
    serves_here: bool = False
    """True where this very machine is to serve: what cannot be seen of its GPUs is a blocker then."""


class Said(NamedTuple):
    """What an examination says: how bad it is, a sentence, and what mends it in one line."""

    state: State
    message: str
    fix: str = ""


class Examination(NamedTuple):
    """One thing that `doctor` looks at, by the name that its finding bears."""

    name: str
    answers: str
    """Entry of the census of refusals (tests/oracle/census.toml) that it answers; empty where vLLM is not reached."""
    concerns: Callable[[NodeNeeds], bool]
    look: Callable[[MachineCase], Said]


def examines(
    *, concerns: Callable[[NodeNeeds], bool], answers: str = ""
) -> Callable[[Callable[[MachineCase], Said]], Examination]:
    """The examination that a function is; its name is the finding's."""
    return lambda look: Examination(look.__name__.strip("_").replace("_", "-"), answers, concerns, look)


def ok(message: str) -> Said:
    """All is well."""
    return Said("ok", message)


def warning(message: str, fix: str) -> Said:
    """It starts, and somebody should look at it."""
    return Said("warning", message, fix)


def blocker(message: str, fix: str) -> Said:
    """It would not start, or not serve."""
    return Said("blocker", message, fix)


def unseen(said: Unseen | str, fix: str = "") -> Said:
    """Nothing can be said."""
    return Said("not seen", said if isinstance(said, str) else said.why, fix)


def on_nvidia(needs: NodeNeeds) -> bool:
    """A launcher of this host on NVIDIA's GPUs."""
    return needs.here and not needs.rocm


def on_host(needs: NodeNeeds) -> bool:
    """A launcher of this host."""
    return needs.here


def in_containers(needs: NodeNeeds) -> bool:
    """Docker is the launcher."""
    return needs.containers


def in_cluster(needs: NodeNeeds) -> bool:
    """Kubernetes is the launcher."""
    return needs.cluster
