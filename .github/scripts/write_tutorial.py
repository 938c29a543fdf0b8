"""Bring the outputs that a hand-written page quotes up to what its commands print.

python .github/scripts/write_tutorial.py [docs/tutorial/first-deployment.md ...]

Commands run in their order in a new home; each quoted line becomes the printed line that is most like it, in order.
A quotation of which nothing is printed any more is a person's, and so is the prose: nothing is written then. Read the
difference, and the sentences around it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from difflib import SequenceMatcher
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/tutorial/first-deployment.md",)
_FENCE = re.compile(r"```(console|text)\n(.*?)```", re.DOTALL)
_LEFT_OUT = "..."
_ALIKE = 0.65
"""Share of a quoted line that a printed one has to have in common; a line without one is gone."""


def environment(home: Path) -> dict[str, str]:
    """A shell's variables: an empty home, `vllm-wizard` of this checkout, a git identity."""
    program = home / "bin" / "vllm-wizard"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m generator "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    identity = {f"GIT_{role}_{what}": "a@b.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    own = {"HOME": str(home), "PATH": f"{program.parent}:{os.environ['PATH']}", "COLUMNS": "200"}
    return os.environ | identity | own | {"PYTHONPATH": str(ROOT), "GIT_CONFIG_NOSYSTEM": "1"}


def printed(commands: list[str], home: Path) -> list[str]:
    """What each block of commands prints, one shell after another in the directory where the last one stopped."""
    outputs, variables, folder = [], environment(home), home
    for block in commands:
        script = f"{block}\npwd >{shlex.quote(str(home / 'pwd'))}\n"
        done = subprocess.run(  # noqa: S603
            ["bash", "-c", script],  # noqa: S607
            cwd=folder, env=variables, capture_output=True, check=False, text=True,
        )  # fmt: skip
        folder = Path((home / "pwd").read_text(encoding="utf-8").strip())
        outputs.append(done.stdout + done.stderr)
    return outputs


def refreshed(shown: str, output: str) -> str:
    """The quoted lines, each replaced by the most similar printed line behind the last one."""
    lines, start, found = output.splitlines(), 0, []
    for line in shown.splitlines():
        if line == _LEFT_OUT or line in lines[start:]:
            start = start if line == _LEFT_OUT else start + lines[start:].index(line) + 1
            found.append(line)
            continue
        likeness = [SequenceMatcher(None, line, other).ratio() for other in lines[start:]]
        best = max(range(len(likeness)), key=likeness.__getitem__, default=0)
        if not likeness or likeness[best] < _ALIKE:
            continue
        found.append(lines[start + best])
        start += best + 1
    if not set(found) - {_LEFT_OUT, ""}:
        sys.exit(f"nothing is printed of this quotation:\n{shown}\nbut:\n{output[:2000]}")
    return "\n".join(found) + "\n"


def rewritten(page: str, home: Path) -> str:
    """The page with today's outputs; what it installs is in a block of another kind, and not run."""
    fences = list(_FENCE.finditer(page))
    commands = [fence for fence in fences if fence[1] == "console"]
    outputs = dict(zip((fence.start() for fence in commands), printed([f[2] for f in commands], home), strict=True))
    parts, end, last = [], 0, ""
    for fence in fences:
        last = outputs.get(fence.start(), last)
        text = refreshed(fence[2], last) if fence[1] == "text" else fence[2]
        parts += [page[end : fence.start()], f"```{fence[1]}\n{text}```"]
        end = fence.end()
    return "".join([*parts, page[end:]])


def main() -> None:
    """Rewrite each page."""
    for name in sys.argv[1:] or PAGES:
        page = ROOT / name
        with tempfile.TemporaryDirectory() as home:
            page.write_text(rewritten(page.read_text(encoding="utf-8"), Path(home)), encoding="utf-8")


if __name__ == "__main__":
    main()
