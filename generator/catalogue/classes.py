"""vLLM's model classes and model types by release: classes, class_notes, model_types and config_types .toml."""

import re
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_row, packaged_rows, row_texts
from generator.models.model_class import AdaptedEnd, ClassTask, ModelClass, ModelClasses, ModelType
from generator.models.release import release_key

_RUN = r"(\d+\.\d+\.\d+)?\.\.(\d+\.\d+\.\d+)?"
Releases = Annotated[str, Field(pattern=rf"^(all|{_RUN}( {_RUN})*|)$")]
"""Releases as words: "all", "0.23.0..", "..0.22.1 0.26.0..", or none."""
_FILE = "classes.toml"
_TASK = re.compile(r"(For[A-Z]\w*|Model|LMHead\w*)$")
_FLAGS = ("stages", "lora", "gives_states", "relays_states", "whole_encoders")


class ClassNote(Row):
    """One row of `class_notes.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    task: ClassTask | None = None
    in_transformers: bool = False
    adapters_counted: bool = False
    adapted_ends: Annotated[tuple[AdaptedEnd, ...], Field(strict=False)] | None = None
    one_pair: Words = ()
    own_modules: bool = False
    no_stages: Releases = ""
    head_apart: bool = False
    pools_tokens: bool = False
    pools_steps: bool = False
    pooling_task: str = ""
    draft_class: str = ""
    source: Source

    def facts(self) -> dict[str, Any]:
        """The columns that say something, by `ModelClass`'s names."""
        said = self.model_dump(exclude={"name", "source", "in_transformers", "no_stages"}, exclude_defaults=True)
        return said | ({"one_pair": frozenset(self.one_pair)} if self.one_pair else {})


class ClassRow(Row):
    """One row of `classes.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    task: ClassTask | None = None
    releases: Releases = ""
    gone_after: str = ""
    has: Words = ()
    stages: Releases = ""
    lora: Releases = ""
    gives_states: Releases = ""
    relays_states: Releases = ""
    whole_encoders: Releases = ""
    adapted_ends: Annotated[tuple[AdaptedEnd, ...], Field(strict=False)] = ()

    def of(self, version: str, note: ClassNote | None) -> ModelClass:
        """The class as release `version` has it, with what a person noted of it."""
        served = not self.releases or holds(self.releases, version)
        elsewhere = note is not None and note.in_transformers
        first, last = _first(self.releases), self.gone_after
        return ModelClass(
            name=self.name,
            served=served,
            first_release=first if first and not elsewhere and _minor(version) < _minor(first) else "",
            last_release=last if last and not elsewhere and release_key(version) > release_key(last) else "",
            **(
                {"task": self.task, "adapted_ends": self.adapted_ends, "stages": not holds(self.releases, version)}
                | (note.facts() if note else {})
            )
            | {flag: True for flag in _FLAGS if served and self._can(flag, version)}
            | ({"stages": False} if note and holds(note.no_stages, version) else {}),
        )

    def _can(self, flag: str, version: str) -> bool:
        return flag in self.has or holds(getattr(self, flag), version)


class ModelTypeRow(Row):
    """One row of `model_types.toml`, whose head says what the columns are."""

    name: str = Field(min_length=1)
    float16: bool = True
    largest_item_tokens: int = 0
    tokenizer_code: bool = False
    source: Source


class ConfigTypeRow(Row):
    """One row of `config_types.toml`, whose head says what the columns are."""

    releases: Releases
    names: Words
    source: Source


@cache
def classes_of(version: str, names: frozenset[str] | None = None) -> ModelClasses:
    """The classes of these names, or all, as release `version` ("0.33.0") has them; one beyond is as the nearest."""
    notes = {note.name: note for note in packaged_rows("class_notes.toml", "class", ClassNote)}
    every = notes.keys() | row_texts(_FILE, "class").keys()
    asked = every if names is None else every & names
    asked = asked | {notes[name].draft_class for name in asked & notes.keys() if notes[name].draft_class}
    rows = {name: packaged_row(_FILE, "class", ClassRow, name) or ClassRow(name=name) for name in asked}
    found = {name: row.of(version, notes.get(name)) for name, row in rows.items()}
    with_adapters = tuple(sorted(name for name in notes if notes[name].adapters_counted))
    strange = frozenset(name for name in (names or frozenset()) - every if _is_strange(name, every))
    return ModelClasses(rows=found, with_adapters=with_adapters, strangers=strange)


def _is_strange(name: str, every: AbstractSet[str]) -> bool:
    """Whether no class of vLLM's, and no `model_type` of Transformers', is called as `name` begins."""
    called = _stem(name)
    types = (one for row in packaged_rows("config_types.toml", "config_type", ConfigTypeRow) for one in row.names)
    return bool(called) and not any(_stem(one) == called for one in chain(every, types))


def _stem(name: str) -> str:
    """A class's or a type's name without its task, its case and its marks: `qwen3moe`."""
    return re.sub(r"[^a-z0-9]", "", _TASK.sub("", name).lower())


def model_type_of(name: str, version: str) -> ModelType:
    """What vLLM release `version` decides by the `model_type` `name`; of defaults where no row has it."""
    rows = packaged_rows("model_types.toml", "model_type", ModelTypeRow)
    found = next((row for row in rows if row.name == name), None)
    return ModelType.of_row(found, name=name, has_config_class=_has_config_class(name, version))


def _has_config_class(name: str, version: str) -> bool:
    rows = packaged_rows("config_types.toml", "config_type", ConfigTypeRow)
    return any(name in row.names and holds(row.releases, version) for row in rows)


def holds(releases: str, version: str) -> bool:
    """Whether the words name release `version`; its patches are as the release of the same two numbers."""
    if releases in {"", "all"}:
        return releases == "all"
    ends = (run.split("..") for run in releases.split())
    own = _minor(version)
    return any((not low or _minor(low) <= own) and (not high or own <= _minor(high)) for low, high in ends)


def _first(releases: str) -> str:
    """The oldest release that the words name; "" where they are open to older ones."""
    return "" if releases == "all" else releases.partition("..")[0]


def _minor(version: str) -> tuple[int, ...]:
    return release_key(version)[:2]
