"""Take a known release in as if it were new, on a copy, and hold what comes out against what is committed.

    python .github/scripts/try_release.py 0.33.0 TREES [--dump 0.33.0.json]

The copy first loses the release: its engine table, its part of every table that is read from trees, and the rows of
behaviours, migrations and successors that it brought. `new_release.py` then runs there. Prints each table with whether
it is the committed one again, and for each row that a person wrote for the release whether the list asks for it.
Status 8 where a table differs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from generator.catalogue.engines import known_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("generator", ".github", "tests/fixtures", "tests/oracle/census.toml")
BY_HAND = {"behaviours.toml": "behaviour", "migrations.toml": "migration", "successors.toml": "successor"}
DIFFERENT = 8


def copied(place: Path) -> None:
    """The parts of the project that the scripts read and write."""
    for name in COPIED:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, place / name)


def run(place: Path, code: str, *words: str | Path) -> str:
    """What a line of Python prints in the copy, its scripts at hand."""
    path = f"import sys; sys.path[:0] = ['.', '.github/scripts']; {code}"
    command = [sys.executable, "-c", path, *words]
    return subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603


def taken_out(place: Path, version: str, trees: Path) -> list[tuple[str, str]]:
    """Table and text of each row by hand that is gone; the copy is as it was before the release."""
    before = [trees / f"tree-{one}" for one in known_versions() if one != version]
    run(place, f"import write_engine_tables; write_engine_tables.main([], without='{version}')")
    for writer in ("write_parsers", "write_config_keys", "write_classes", "write_backends"):
        run(place, f"import {writer}, pathlib; {writer}.main([pathlib.Path(one) for one in sys.argv[1:]])", *before)
    lost = []
    for name in BY_HAND:
        table = place / "generator" / "catalogue" / name
        head, *rows = re.split(r"(?=^\[\[)", table.read_text(encoding="utf-8"), flags=re.MULTILINE)
        gone = [row for row in rows if _came_with(row, version, before[-1].name.rpartition("-")[2])]
        lost += [(name, row) for row in gone]
        table.write_text(head + "".join(row for row in rows if row not in gone), encoding="utf-8")
    return lost


def _came_with(row: str, version: str, before: str) -> bool:
    """Whether a row says since when, until when or in which release, and means this one."""
    minor = version.rpartition(".")[0]
    return bool(re.search(rf'^(since|release) = "({minor}|{version})"$|^last = "{before}"$', row, re.MULTILINE))


def asked(row: str, listed: list[str]) -> bool:
    """Whether a line of the list names what the row is about: its argument, or a definition that its source cites."""
    flag = re.search(r'^flag = "(.*)"$', row, re.MULTILINE)
    if flag:
        return any(f" {flag[1]} " in line for line in listed)
    cited = re.findall(r"([\w/]+\.py)(?:: ([A-Za-z_]\w*))?", row)
    return any(file in line and name in line for file, name in cited for line in listed)


def differing(place: Path) -> Iterator[tuple[str, bool]]:
    """Each table that scripts write, and whether it is another one than the committed."""
    catalogue = Path("generator") / "catalogue"
    written = [*sorted((ROOT / catalogue / "engines").glob("*.toml")), ROOT / "tests" / "fixtures" / "backends.json"]
    written += [
        ROOT / catalogue / f"{name}.toml" for name in ("parsers", "config_keys", "classes", "backends", "config_types")
    ]
    for file in written:
        name = file.relative_to(ROOT)
        yield name.as_posix(), not (place / name).is_file() or (place / name).read_bytes() != file.read_bytes()


def main() -> int:
    """0 where every table is the committed one again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("trees", type=Path)
    parser.add_argument("--dump", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place, trees = Path(name), given.trees.resolve()
        copied(place)
        lost = taken_out(place, given.version, trees)
        dump = ["--dump", given.dump.resolve()] if given.dump else []
        code = "import runpy; runpy.run_path('.github/scripts/new_release.py', run_name='__main__')"
        listed = run(place, code, given.version, trees, *dump).splitlines()
        found = dict(differing(place))
    print("\n".join(listed))
    for table, differs in found.items():
        print(f"{'DIFFERS' if differs else 'equal  '} {table}")
    for table, row in lost:
        print(f"{'asked for' if asked(row, listed) else 'NOT ASKED'} {table}: {' '.join(row.split())[:110]}")
    return DIFFERENT if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
