"""Facts that a file gives to the model that is asked for: a dump of vLLM's own (`preflight.py --facts FILE`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from generator.models.checkpoint import ModelFacts

_GIVEN: ContextVar[ModelFacts | None] = ContextVar("given", default=None)


@contextmanager
def given(file: Path | None) -> Iterator[None]:
    """While this lasts, the facts of `file` are those of every model that is asked for; of none where it is None.

    Raises:
        SourceError: the file cannot be read, or is no dump.
        UnsupportedArchitectureError: a layer is of a kind that no room of the planner knows.
    """
    token = _GIVEN.set(None if file is None else _read(file))
    try:
        yield
    finally:
        _GIVEN.reset(token)


def given_facts(model: str) -> ModelFacts | None:
    """The facts that a file gives to `model`; None where no file is given."""
    facts = _GIVEN.get()
    return None if facts is None else facts.model_copy(update={"id": model})


def _read(file: Path) -> ModelFacts:
    from generator.sources.dumped import dumped_facts  # noqa: PLC0415 - start-up time

    return dumped_facts(file)
