"""The base of every value: frozen, closed to unknown fields, compared by content."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

_SHOWN = 80


class Value(BaseModel):
    """An immutable record; an unknown field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", defer_build=True)


def shortened(value: object) -> str:
    """The value as an error may show it: a line of reasonable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def problem(error: ValidationError) -> tuple[str, str]:
    """The first thing that a value refused: its place, dotted, and what is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])) or "the whole", first["msg"].lower().removeprefix("value error, ")
