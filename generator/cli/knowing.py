"""Models and GPUs that a command asks for: facts once, with a word to whoever waits; else this machine's GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.cli import console

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts
    from generator.models.request import Request


def facts_of(request: Request, *, offline: bool, told: bool = False) -> ModelFacts:
    """The requested model's facts; a terminal is told of the wait, and everybody once where the Hub did not answer.

    Raises:
        SourceError: no source delivers the model.
        UnsupportedArchitectureError: its config.json is of a class that no reader knows.
    """
    from generator.workflow import facts_for  # noqa: PLC0415 - start-up time

    asks = not offline and request.source in {"auto", "hub"}
    with console.waiting(f"asking the Hub for {request.model}" if asks else ""):
        found = facts_for(request, offline=offline, progress=console.progress())
    if asks and found.source == "embedded" and not told:
        console.note(f"The Hub did not answer: {found.id} is planned from embedded facts, and no revision is pinned.")
    return found


class Known:
    """Facts of the models that one conversation speaks of, each asked for once."""

    def __init__(self, *, offline: bool) -> None:
        self.offline = offline
        self._told = False
        """Whether it was said that the Hub does not answer."""
        self._found: dict[tuple[object, ...], ModelFacts] = {}

    def of(self, request: Request) -> ModelFacts:
        """The requested model's facts.

        Raises:
            SourceError: no source delivers the model.
            UnsupportedArchitectureError: its config.json is of a class that no reader knows.
        """
        draft = request.overrides.get("speculative_config")
        key = (request.model, request.revision, request.source, str(draft))
        if key not in self._found:
            self._found[key] = facts_of(request, offline=self.offline, told=self._told)
            self._told = self._told or self._found[key].source == "embedded"
        return self._found[key]


def with_detected_gpus(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers with this machine's GPUs where a model is named and no GPU is.

    Raises:
        HardwareDetectionError: this machine has none that can be planned for.
    """
    if not answers.get("model") or answers.get("gpu", "auto") != "auto":
        return answers
    from generator.cluster import detected_hardware  # noqa: PLC0415 - start-up time

    return detected_hardware() | {name: value for name, value in answers.items() if name != "gpu"}
