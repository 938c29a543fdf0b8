"""Keys of vLLM's arguments that are mappings, by release."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.models.mapping import MappingKeys
from generator.models.release import release_key

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
