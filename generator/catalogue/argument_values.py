"""Values that vLLM's arguments take beyond their type: numbers, keys of mappings by release, and which are paths."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.mapping import MappingKeys
from generator.models.number_range import NumberRange
from generator.models.release import is_between, release_key


class RangeRow(Row):
    """One row of `ranges.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    least: float | int | None = None
    above: float | int | None = None
    most: float | int | None = None
    below: float | int | None = None
    whole: bool = False
    source: Source


@cache
def ranges() -> dict[str, NumberRange]:
    """The numbers that an argument takes, or a key of one, by its name (`limit_mm_per_prompt.*`)."""
    found = packaged_rows("ranges.toml", "range", RangeRow)
    return {row.name: NumberRange.of_row(row) for row in found}


_OLDEST, _NEWEST = "0.0.0", "9999.0.0"


class ConfigKeysRow(Row):
    """One row of `config_keys.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    source: Source
    keys: Words
    since: dict[str, str] = Field(default_factory=dict)
    until: dict[str, str] = Field(default_factory=dict)
    choices: dict[str, Annotated[tuple[str | int, ...], Field(strict=False)]] = Field(default_factory=dict)
    any_case: Words = ()

    def of(self, version: str) -> MappingKeys:
        """The keys that release `version` takes."""
        held = tuple(key for key in self.keys if self._is_in(key, version))
        return MappingKeys(
            name=self.name,
            keys=held,
            choices={key: self._words(key, version) for key in self.choices if key in held},
            any_case=self.any_case,
            elsewhere={key: self._when(key, version) for key in self.keys if key not in held},
        )

    def _words(self, key: str, version: str) -> tuple[str | int, ...]:
        return tuple(word for word in self.choices[key] if self._is_in(f"{key}.{word}", version))

    def _is_in(self, key: str, version: str) -> bool:
        since, until = self.since.get(key, _OLDEST), self.until.get(key, _NEWEST)
        return release_key(since) <= release_key(version) <= release_key(until)

    def _when(self, key: str, version: str) -> str:
        newer = release_key(version) < release_key(self.since.get(key, _OLDEST))
        return f"{self.since[key]} and newer" if newer else f"{self.until[key]} and older"


def mappings_of(version: str) -> dict[str, MappingKeys]:
    """Keys of each argument that is a mapping of a closed vocabulary in release `version` ("0.33.0"), by its name."""
    return {row.name: row.of(version) for row in packaged_rows("config_keys.toml", "argument", ConfigKeysRow)}


PathKind = Literal["file", "loose", "written", "none"]


class PathRow(Row):
    """One argument and how its value is read as a path."""

    name: str = Field(min_length=1)
    kind: PathKind
    source: Source


def path_kinds() -> dict[str, PathKind]:
    """How each argument of `paths.toml` names a path; any other does where it begins with a slash."""
    return {row.name: row.kind for row in packaged_rows("paths.toml", "argument", PathRow)}


class RegisteredRow(Row):
    """One row of `registered.toml`, whose head says what the columns are."""

    argument: str = Field(min_length=1)
    name: str = Field(min_length=1)
    since: str | None = None
    until: str | None = None
    source: Source


def registered(version: str, argument: str) -> tuple[str, ...]:
    """Values of `argument` that release `version` ("0.33.0") looks up; none of an argument that is not looked up so."""
    rows = packaged_rows("registered.toml", "registered", RegisteredRow)
    return tuple(row.name for row in rows if row.argument == argument and is_between(version, row.since, row.until))
