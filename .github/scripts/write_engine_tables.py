"""Write `generator/catalogue/engines/*.toml` from the dumps of the releases' own parsers.

    python .github/scripts/write_engine_tables.py DUMPS_FOLDER

The folder holds one `dump_engine.py` output a release. The newest release is written in full, every other
one as its differences from the next newer one: a fact stands in one place, and a file reads as a change log.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.catalogue.engine_dump import EngineDump, flags_of

if TYPE_CHECKING:
    from generator.models.engine import Flag

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


def main(folder: str) -> None:
    """Read every dump of `folder` and rewrite the tables."""
    paths = sorted(Path(folder).glob("*.json"), key=lambda path: tuple(map(int, path.stem.split("."))))
    dumps = [EngineDump.model_validate_json(path.read_bytes()) for path in paths]
    write(dumps[-1], None)
    for older, newer in pairwise(dumps):
        write(older, newer)


def write(dump: EngineDump, base: EngineDump | None) -> None:
    """One release's file."""
    rows, base_rows = _rows(dump), _rows(base) if base else {}
    own = {name: row for name, row in rows.items() if base_rows.get(name) != row}
    removed = sorted(base_rows.keys() - rows.keys())
    relation = f": its differences from {base.version}" if base else ", in full"
    lines = [HEADER.format(version=dump.version, relation=relation), f'version = "{dump.version}"']
    lines += [f'base = "{base.version}"'] if base else []
    lines += [f"source = {_toml(_source(dump))}"]
    for column in ("kv_cache_dtypes", "quantization_methods"):
        if base is None or getattr(base, column) != getattr(dump, column):
            lines.append(f"{column} = {_toml(list(getattr(dump, column)))}")
    lines += [f"removed = {_toml(removed)}"] if removed else []
    lines += ["", "[flags]", *(f"{name} = {_toml(row)}" for name, row in own.items())]
    (TABLES / f"{dump.version}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rows(dump: EngineDump) -> dict[str, dict[str, Any]]:
    return {flag.name: _row(flag) for flag in flags_of(dump)}


def _row(flag: Flag) -> dict[str, Any]:
    row = flag.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    if flag.name in CHECKED_LATER:
        row.pop("choices", None)
    missing = [choice for choice in CUDA_CHOICES.get(flag.name, ()) if choice not in flag.choices]
    if missing:
        row["choices"] = [*flag.choices, *missing]
    return row


def _source(dump: EngineDump) -> str:
    return f"vLLM {dump.version}: its own parser, run on {dump.platform} by .github/scripts/dump_engine.py"


def _toml(value: Any) -> str:
    """A scalar, an array or an inline table; JSON's spelling of the first two is TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
