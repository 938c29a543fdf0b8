"""The one reader of this package's TOML tables: cached, and it refuses a row that is not complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tomli
from pydantic import ConfigDict, Field, ValidationError

from generator.errors import GeneratorError
from generator.models.value import Value

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Source = Annotated[str, Field(min_length=1)]
"""Where a row was read: a URL, a file of a release, or a quoted output. Never empty."""
Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
"""A TOML array of non-empty strings."""


class Row(Value):
    """One row of a table: no unknown column, no value of another type than the column's."""

    model_config = ConfigDict(strict=True)


RowT = TypeVar("RowT", bound=Row)
FactT = TypeVar("FactT")


class Later(Mapping[str, FactT]):
    """A mapping that is read when it is first asked for something: what only a refusal says is seldom asked for."""

    def __init__(self, make: Callable[[], Mapping[str, FactT]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, FactT]:
        return self._make()

    def __getitem__(self, key: str) -> FactT:
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def table(*path: str) -> Traversable:
    """The packaged table at `path` below `generator/catalogue`: `table("engines", "0.33.0.toml")`."""
    return files("generator.catalogue").joinpath(*path)


def read(file: Traversable) -> dict[str, Any]:
    """The parsed content of one TOML file.

    Raises:
        GeneratorError: the file is not TOML; the parser's line and column are named.
    """
    return _parsed(file, file.read_text(encoding="utf-8"))


def _parsed(file: Traversable, text: str) -> dict[str, Any]:
    """What a text of the file holds; `tomli` is compiled, and reads in a third of `tomllib`'s time."""
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise GeneratorError(f"{file.name}: not valid TOML: {error}") from error


def row(file: Traversable, label: str, data: object, row_type: type[RowT]) -> RowT:
    """One row, checked.

    Raises:
        GeneratorError: a column is missing, unknown or of another type; file, row and column are named.
    """
    try:
        return row_type.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        column = ".".join(map(str, first["loc"])) or "row"
        raise GeneratorError(f"{file.name}: {label}: {column}: {first['msg']}") from error


def rows(file: Traversable, key: str, row_type: type[RowT]) -> tuple[RowT, ...]:
    """Every row of the array of tables `key`, in the file's order; the file holds nothing else.

    Raises:
        GeneratorError: another top-level key, no such array, a row that `row` refuses.
    """
    content = read(file)
    listed = content.pop(key, None)
    if content or not isinstance(listed, list):
        raise GeneratorError(f"{file.name}: expected only [[{key}]] tables, found {sorted(content) or 'none'}")
    return tuple(row(file, _label(key, number, data), data, row_type) for number, data in enumerate(listed, 1))


def unique(file: Traversable, spellings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Row name by spelling, spellings compared without case.

    Raises:
        GeneratorError: two rows share a spelling.
    """
    owner: dict[str, str] = {}
    for spelling, name in spellings:
        if owner.setdefault(spelling.casefold(), name) != name:
            other = owner[spelling.casefold()]
            raise GeneratorError(f"{file.name}: {spelling!r} names both {other!r} and {name!r}")
    return owner


@cache
def packaged_rows(name: str, key: str, row_type: type[RowT]) -> tuple[RowT, ...]:
    """Rows of a table of this package, read once a process."""
    return rows(table(name), key, row_type)


@cache
def row_texts(name: str, key: str) -> dict[str, str]:
    """The TOML of each row of a table of this package, by the name that it begins with."""
    texts = table(name).read_text(encoding="utf-8").split(f'[[{key}]]\nname = "')[1:]
    return {text.partition('"')[0]: f'[[{key}]]\nname = "{text}' for text in texts}


@cache
def packaged_row(name: str, key: str, row_type: type[RowT], row_name: str) -> RowT | None:
    """The row of this name of a large table, the only one that is read; None where there is none."""
    text = row_texts(name, key).get(row_name)
    if text is None:
        return None
    file = table(name)
    return row(file, f"{key} {row_name!r}", _parsed(file, text)[key][0], row_type)


def _label(key: str, number: int, data: object) -> str:
    name = data.get("name") if isinstance(data, dict) else None
    return f"{key} {name!r}" if name else f"{key} number {number}"
