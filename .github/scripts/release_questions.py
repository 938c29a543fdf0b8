"""What a person must answer about a new release of vLLM, once its tables are written.

    python .github/scripts/release_questions.py BEFORE RELEASE TREES

TREES holds tree-RELEASE of every release of the tables. Each line names what the release changed and the place of the
answer; a line that is answered by a row goes away when the row is there, one about a citation once it is read.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from census import TABLE as CENSUS
from census import answer_of, refusals
from citations import changed, cited_in

from generator.catalogue.backends import backends_of
from generator.catalogue.classes import classes_of
from generator.catalogue.engines import compare, engine, known_versions
from generator.catalogue.migrations import migrations, successors
from generator.catalogue.overheads import overheads
from generator.catalogue.quantizations import all_quantizations
from generator.models.release import release_key

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_OF_A_VALUE = ("kv_cache_dtypes", "quantization_methods")


def questions(before: str, release: str, trees: Path) -> Iterator[tuple[str, str]]:
    """Place of the answer and what is asked, in the order in which to answer."""
    yield from _arguments(before, release)
    yield from _values(before, release)
    yield from _names(before, release)
    places = {one: trees / f"tree-{one}" for one in known_versions()}
    for one in changed(cited_in(ROOT), places, before, release):
        yield ", ".join(one.ours), f"{one.place} is {one.how}: does what is said of it still hold?"
    table = tomllib.loads(CENSUS.read_text(encoding="utf-8"))
    for refusal in refusals(places[release], table):
        if answer_of(refusal, table["answer"]) is None:
            yield "tests/oracle/census.toml", f"{refusal.file}: {refusal.function} refuses: {refusal.message[:100]}"
    if release_key(overheads().calibrated_until) < release_key(release):
        yield "catalogue/overheads.toml", "no start of this release was measured: plans say so until one is"


def _arguments(before: str, release: str) -> Iterator[tuple[str, str]]:
    """Arguments that are gone without a word about it, those that are new, and defaults that are others."""
    found = compare(engine(before), engine(release))
    moved = {row.flag for row in migrations() if row.release == release and row.value is None}
    for name in found.removed:
        if name not in moved and name not in successors():
            near = [one for one in found.added if {*name.split("_")} & {*one.split("_")}]
            renamed = f"; perhaps it is {', '.join(near)} now" if near else ""
            yield "catalogue/migrations.toml or successors.toml", f"argument {name} is gone{renamed}"
    for name in found.added:
        yield "planning, if a plan depends on it", f"argument {name} is new"
    for one in found.changed:
        if one.before.default != one.after.default:
            what = f"{one.after.name} is {one.after.default!r} by default, was {one.before.default!r}"
            yield "planning, if a plan depends on it", what


def _values(before: str, release: str) -> Iterator[tuple[str, str]]:
    """Values that arguments no longer take without a word about it, and values that are new."""
    old, new = engine(before), engine(release)
    moved = {(row.flag, row.value) for row in migrations() if row.release == release}
    pairs = {one.after.name: (one.before.choices, one.after.choices) for one in compare(old, new).changed}
    pairs |= {column: (getattr(old, column), getattr(new, column)) for column in _OF_A_VALUE}
    for name, (had, has) in pairs.items():
        flag = {"kv_cache_dtypes": "kv_cache_dtype", "quantization_methods": "quantization"}.get(name, name)
        for value in had:
            if has and value not in has and (flag, value) not in moved:
                yield "catalogue/migrations.toml", f"{flag} {value} is gone"
        for value in has:
            if had and value not in had and name in _OF_A_VALUE:
                known = any(value in (row.name, *row.aliases) for row in all_quantizations())
                place = "planning/kv_cache/settings.py" if flag == "kv_cache_dtype" else "catalogue/quantizations.toml"
                yield from [] if known else [(place, f"{flag} {value} is new")]


def _names(before: str, release: str) -> Iterator[tuple[str, str]]:
    """Classes, attention backends and parsers that are new."""
    older, newer = ({name for name, one in classes_of(each).rows.items() if one.served} for each in (before, release))
    for name in sorted(newer - older):
        yield "sources/architectures/table.py", f"class {name} is new: has its model_type a family's row and a reader?"
    had = {one.name for one in backends_of(before)}
    for one in backends_of(release):
        if one.name not in had:
            yield "planning/memory/workspace.py", f"backend {one.name} is new: does it reserve memory?"
    parsers = tomllib.loads((ROOT / "generator/catalogue/parsers.toml").read_text(encoding="utf-8"))["parser"]
    for row in parsers:
        if row.get("since") == release:
            yield "catalogue/serving.toml", f"{row['kind']} parser {row['name']} is new: which models speak so?"


def main(before: str, release: str, trees: str) -> None:
    """Print the list."""
    found = list(questions(before, release, Path(trees)))
    for place, asked in found:
        print(f"- {place}: {asked}")
    print(f"{len(found)} questions about vLLM {release}")


if __name__ == "__main__":
    main(*sys.argv[1:])
