"""A refusal in vLLM's own words, with its place in vLLM's source."""

from __future__ import annotations

import traceback

_FRAMES = 6
_CHAIN = 4


class RefusedError(Exception):
    """A refusal that another process met: at which level, in which stage, and what vLLM said."""

    def __init__(self, level, stage, error):
        super().__init__(error.get("text", ""))
        self.level, self.stage, self.error = level, stage, error


def described(error):
    """Type, text, place (innermost frame first) and causes of an error."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "/vllm/" in one.filename]
    places = [f"{one.filename.rpartition('/vllm/')[2]}:{one.lineno} {one.name}" for one in frames[-_FRAMES:]]
    return {
        "type": type(error).__name__,
        "text": str(error)[:1500],
        "where": " < ".join(reversed(places)),
        "causes": _causes(error)[1:],
    }


def _causes(error):
    chain = []
    while error is not None and len(chain) < _CHAIN:
        chain.append(f"{type(error).__name__}: {str(error)[:400]}")
        error = error.__cause__ or error.__context__
    return chain
