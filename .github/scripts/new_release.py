"""Take a new release of vLLM in: every table that its own code decides, and the list of what a person must answer.

    python .github/scripts/new_release.py 0.34.0 TREES [--dump 0.34.0.json] [--answered]

TREES keeps the Python of each release's wheel as tree-X.Y.Z; what is missing is downloaded. The dump is what
`dump_engine.py` printed where the release is installed; without one, the judge's environment is asked. That
environment (.ci/install-oracle, VLLM_WIZARD_ORACLE) also has the Transformers whose model types are read.

Run it again as often as you like; with --answered once nothing on the list is open: the head of behaviours.toml says
so, and the tests ask for it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from generator.catalogue.engines import known_versions
from generator.models.release import release_key

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / ".github" / "scripts"
BEHAVIOURS = ROOT / "generator" / "catalogue" / "behaviours.toml"
WRITERS = ("write_parsers.py", "write_config_keys.py", "write_classes.py", "write_backends.py", "backend_answers.py")
"""Scripts that write a table from the trees of all releases."""
_METADATA = "Metadata-Version: 2.1\nName: vllm\nVersion: {}+cpu\n"
"""vLLM takes the CPU for its device where its own version says so."""
_HELD = re.compile(r"^(# Held against the trees of .* to )\S+(; do not edit)", re.MULTILINE)


def run(script: str, *words: str | Path) -> None:
    """Run one of the scripts in a process of its own, which reads the tables anew."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, SCRIPTS / script, *words], cwd=ROOT, env=env, check=True)  # noqa: S603


def unpacked(version: str, trees: Path) -> Path:
    """The Python of a release's wheel, downloaded where it is missing."""
    tree = trees / f"tree-{version}"
    if not tree.is_dir():
        with tempfile.TemporaryDirectory() as place:
            words = ["download", "-q", "--no-deps", "--only-binary", ":all:", "-d", place, f"vllm=={version}"]
            subprocess.run([sys.executable, "-m", "pip", *words], check=True)  # noqa: S603
            run("unpack_python.py", next(Path(place).glob("vllm-*.whl")), tree)
    return tree


def dumped(version: str, tree: Path, place: Path) -> Path:
    """What the release's own parser says, asked in the judge's environment."""
    home = os.environ.get("VLLM_WIZARD_ORACLE")
    if not home:
        raise SystemExit("no --dump FILE, and VLLM_WIZARD_ORACLE names no environment: see .ci/install-oracle")
    said = place / f"vllm-{version}+cpu.dist-info" / "METADATA"
    said.parent.mkdir()
    said.write_text(_METADATA.format(version), encoding="utf-8")
    paths = {"PYTHONPATH": f"{place}:{tree}:{home}/extra"}
    env = os.environ | paths | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "HOME": f"{home}/home"}
    file = place / f"{version}.json"
    with file.open("wb") as output:
        asked: list[str | Path] = [f"{home}/venv/bin/python", SCRIPTS / "dump_engine.py"]
        subprocess.run(asked, env=env, stdout=output, check=True)  # noqa: S603
    return file


def transformers() -> Path:
    """The package of the judge's environment, which names model types beside vLLM's own."""
    home = os.environ.get("VLLM_WIZARD_ORACLE", "")
    found = sorted(Path(home).glob("venv/lib/python3*/site-packages/transformers"))
    if not home or not found:
        raise SystemExit("VLLM_WIZARD_ORACLE names no environment with Transformers: see .ci/install-oracle")
    return found[0]


def written(version: str, trees: Path, dump: Path | None) -> str:
    """Write the tables; the release before."""
    found = {one: unpacked(one, trees) for one in sorted({*known_versions(), version}, key=release_key)}
    with tempfile.TemporaryDirectory() as place:
        run("write_engine_tables.py", dump or dumped(version, found[version], Path(place)))
    for script in WRITERS:
        run(script, *found.values())
    run("write_config_types.py", transformers(), *found.values())
    run("write_config_fields.py", transformers())
    return [*found][[*found].index(version) - 1]


def main() -> None:
    """Write the tables, print the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("trees", type=Path)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--answered", action="store_true")
    given = parser.parse_args()
    before = written(given.version, given.trees.resolve(), given.dump and given.dump.resolve())
    run("release_questions.py", before, given.version, given.trees.resolve())
    if given.answered:
        held = _HELD.sub(rf"\g<1>{given.version}\g<2>", BEHAVIOURS.read_text(encoding="utf-8"))
        BEHAVIOURS.write_text(held, encoding="utf-8")


if __name__ == "__main__":
    main()
