"""What each argument of `vllm serve` does, and how it came to be as it is: `arguments.toml` and the release tables."""

from functools import cache
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from generator.catalogue.engines import compare, engine, known_versions
from generator.catalogue.loader import Row, Source, packaged_rows
from generator.catalogue.migrations import migrations
from generator.models.explained import OtherDefault
from generator.models.migration import MigrationRow
from generator.models.release import release_key

Sentence = Annotated[str, Field(pattern=r"^[A-Z].*\.$", max_length=220)]


class ArgumentGroup(Row):
    """Arguments that one part of vLLM declares."""

    source: Source
    does: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Sentence]


@cache
def sentences() -> dict[str, str]:
    """What each argument does, by its name with underscores."""
    return {
        name: text
        for group in packaged_rows("arguments.toml", "group", ArgumentGroup)
        for name, text in group.does.items()
    }


def since(name: str) -> str:
    """The oldest release of the tables that has the argument; empty where only an imported release has it."""
    return next((version for version in known_versions() if name in engine(version).by_name), "")


def other_defaults(name: str, version: str) -> tuple[OtherDefault, ...]:
    """The releases of the tables, up to `version`, that gave the argument another default, oldest first."""
    known = [one for one in known_versions() if release_key(one) <= release_key(version)]
    steps = ((after, compare(engine(before), engine(after)).changed) for before, after in pairwise(known))
    return tuple(
        OtherDefault(release=after, before=one.before.default, after=one.after.default)
        for after, changed in steps
        for one in changed
        if one.after.name == name and one.before.default != one.after.default
    )


def moved(name: str, version: str) -> MigrationRow | None:
    """What became of an argument that a release up to `version` removed; None where no row says it."""
    rows = (row for row in migrations() if row.flag == name and row.value is None)
    return next((row for row in rows if release_key(row.release) <= release_key(version)), None)
