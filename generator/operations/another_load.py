"""What a deployment's own server, as it was started, is planned to do under another load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator import recording
from generator.planning.started import as_started

if TYPE_CHECKING:
    from generator.models.request import Request
    from generator.rendering.answers import Answers


def under_load(answers: Answers, **load: int) -> Request:
    """The deployment's request for another `load`, with the recorded plan's engine values as the user's own.

    Raises:
        RequestError: the recorded answers cannot be read.
    """
    return as_started(recording.request_of(answers.values), answers.plan.engine, **load)
