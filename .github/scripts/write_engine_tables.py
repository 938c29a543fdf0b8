"""Write `generator/catalogue/engines/*.toml` from dumps of the releases' own parsers.

    python .github/scripts/write_engine_tables.py DUMP [DUMP ...]

A dump is what `dump_engine.py` printed of one release; a release without one stays as its table says. The newest
release is written in full, every other one as its differences from the next newer one: a fact stands in one place,
and a file reads as a change log.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.catalogue.engine_dump import EngineDump, flags_of
from generator.catalogue.engines import engine, known_versions
from generator.models.engine import Flag
from generator.models.release import release_key

if TYPE_CHECKING:
    from collections.abc import Sequence


TABLES = Path(__file__).parents[2] / "generator" / "catalogue" / "engines"
CUDA_CHOICES = {"mm_processor_device": ("cuda",)}
"""Choices that a parser offers only on a CUDA platform, by flag (0.32 and 0.33, both platforms compared)."""
CHECKED_LATER = frozenset({"kv_cache_dtype"})
"""Flags whose values the table lists once, beside the flags."""
HEADER = """\
# The arguments of `vllm serve`, release {version}{relation}.
#
# A row of [flags] is one argument by its name with underscores: type (bool, int, float, str, json, list),
# choices and default where they are plain, and what else its parser takes: human_readable (32k, 32K), auto
# (-1), switch (a boolean that cannot be turned off), items (of a list), text (a word instead of an object).
# kv_cache_dtypes and quantization_methods are the values that the engine itself accepts after parsing.
# Do not edit: run .github/scripts/dump_engine.py where the release is installed, then write_engine_tables.py.
"""


class Engine(NamedTuple):
    """Everything that the table of a release says, in full."""

    version: str
    source: str
    kv_cache_dtypes: list[str]
    quantization_methods: list[str]
    rows: dict[str, dict[str, Any]]


def main(dumps: Sequence[Path], without: str = "") -> None:
    """Rewrite the tables with what the dumps say of their releases, as if there were no release `without`."""
    found = {version: of_table(version) for version in known_versions() if version != without}
    found |= {one.version: one for one in map(of_dump, dumps)}
    listed = sorted(found.values(), key=lambda one: release_key(one.version))
    write(listed[-1], None)
    for older, newer in pairwise(listed):
        write(older, newer)
    if without:
        (TABLES / f"{without}.toml").unlink()


def of_table(version: str) -> Engine:
    """A release as the tables have it."""
    known = engine(version)
    rows = {flag.name: _row(flag) for flag in known.flags}
    return Engine(version, known.source, list(known.kv_cache_dtypes), list(known.quantization_methods), rows)


def of_dump(file: Path) -> Engine:
    """A release as its own parser has it."""
    dump = EngineDump.model_validate_json(file.read_bytes())
    source = f"vLLM {dump.version}: its own parser, run on {dump.platform} by .github/scripts/dump_engine.py"
    rows = {flag.name: _row(flag) for flag in flags_of(dump)}
    return Engine(dump.version, source, list(dump.kv_cache_dtypes), list(dump.quantization_methods), rows)


def write(one: Engine, base: Engine | None) -> None:
    """One release's file."""
    base_rows = base.rows if base else {}
    own = {name: row for name, row in one.rows.items() if base_rows.get(name) != row}
    removed = sorted(base_rows.keys() - one.rows.keys())
    relation = f": its differences from {base.version}" if base else ", in full"
    lines = [HEADER.format(version=one.version, relation=relation), f'version = "{one.version}"']
    lines += [f'base = "{base.version}"'] if base else []
    lines += [f"source = {_toml(one.source)}"]
    for column in ("kv_cache_dtypes", "quantization_methods"):
        if base is None or getattr(base, column) != getattr(one, column):
            lines.append(f"{column} = {_toml(getattr(one, column))}")
    lines += [f"removed = {_toml(removed)}"] if removed else []
    lines += ["", "[flags]", *(f"{name} = {_toml(row)}" for name, row in sorted(own.items()))]
    (TABLES / f"{one.version}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(flag: Flag) -> dict[str, Any]:
    unsaid = Flag(name=flag.name, type="unknown", negation=flag.negation).given()
    row = {"type": flag.type} | {name: held for name, held in flag.given().items() if held != unsaid[name]}
    if flag.name in CHECKED_LATER:
        row.pop("choices", None)
    missing = [choice for choice in CUDA_CHOICES.get(flag.name, ()) if choice not in flag.choices]
    if missing:
        row["choices"] = (*flag.choices, *missing)
    return row


def _toml(value: Any) -> str:
    """A scalar, an array or an inline table; JSON's spelling of the first two is TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
