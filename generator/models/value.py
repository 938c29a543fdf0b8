"""The bases of every value: frozen, closed to unknown fields, compared by content."""

from collections.abc import Mapping
from inspect import get_annotations
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

from pydantic import BaseModel, ConfigDict, ValidationError

NONE: Mapping[Any, Any] = MappingProxyType({})
"""The default of a field that is a mapping."""
_SHOWN = 80


class Value(BaseModel):
    """An immutable record; an unknown field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", defer_build=True)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Made:
    """An immutable record that the program makes of checked values, and that nobody else writes or reads.

    The type checker alone checks its fields: a plan makes thousands, and a start builds the classes of all.
    """

    fields: ClassVar[dict[str, None]] = {}
    """Names of all fields, in order."""
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own = get_annotations(cls)
        cls.fields = cls.fields | dict.fromkeys(own)
        cls._defaults = cls._defaults | {name: cls.__dict__[name] for name in own if name in cls.__dict__}

    def __init__(self, **given: Any) -> None:
        held = self._defaults | given
        if held.keys() != self.fields.keys():
            raise TypeError(f"{type(self).__name__}: missing or unknown: {sorted(held.keys() ^ self.fields.keys())}")
        self.__dict__.update(held)

    @classmethod
    def of_row(cls, row: object, **others: Any) -> Self:
        """The record of a table's row: the columns of its fields' names, and what else is given."""
        return cls(**{name: getattr(row, name) for name in cls.fields if hasattr(row, name)} | others)

    def changed(self, **fields: Any) -> Self:
        """The record with other fields; nothing that was worked out of the old ones is kept."""
        return type(self)(**self.given() | fields)

    def keeping(self, **fields: Any) -> Self:
        """The record with other fields, on which nothing rests that was worked out of the old one: that is kept."""
        made = self.changed(**fields)
        made.__dict__.update({name: held for name, held in self.__dict__.items() if name not in self.fields})
        return made

    def given(self) -> dict[str, Any]:
        """Every field by its name."""
        return {name: self.__dict__[name] for name in self.fields}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} is frozen")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Made) and self._content() == other._content())

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        held = self.__dict__
        return (type(self), *[held[name] for name in self.fields])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={held!r}' for name, held in self.given().items())})"


def shortened(value: object) -> str:
    """The value as an error may show it: a line of reasonable length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def problem(error: ValidationError) -> tuple[str, str]:
    """The first thing that a value refused: its place, dotted, and what is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])) or "the whole", first["msg"].lower().removeprefix("value error, ")
