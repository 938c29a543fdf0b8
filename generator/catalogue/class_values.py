"""Values of config.json that vLLM's classes do not take: `class_values.toml`."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows


class ValueRow(Row):
    """One row of `class_values.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    field: str = Field(min_length=1)
    takes: Annotated[Words, Field(min_length=1)]
    classes: Annotated[Words, Field(min_length=1)]
    source: Source

    def refuses(self, config: Mapping[str, Any]) -> bool:
        """Whether the field has a value that the classes do not take, in whatever case it is written."""
        value = config.get(self.field)
        return value is not None and _word(value) not in self.takes


def _word(value: object) -> str:
    return str(value).lower()


@cache
def _by_class() -> Mapping[str, tuple[ValueRow, ...]]:
    found: dict[str, list[ValueRow]] = defaultdict(list)
    for row in packaged_rows("class_values.toml", "value", ValueRow):
        for name in row.classes:
            found[name].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def refused_value(name: str, config: Mapping[str, Any]) -> ValueRow | None:
    """The first field of a text config whose value vLLM's class `name` does not take, None where it takes all."""
    return next((row for row in _by_class().get(name, ()) if row.refuses(config)), None)
