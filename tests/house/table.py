"""`python -m house.table` (from tests/): carry every addition out and write CONTRIBUTING's table."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from house.additions import ADDITIONS
from house.carried_out import HEAD, row

PAGE = Path(__file__).parents[2] / ".github" / "CONTRIBUTING.md"
_TABLE = re.compile(rf"{re.escape(HEAD)}\n(?:\|.*\n)*")


def main() -> None:
    """Write the table."""
    rows = []
    for addition in ADDITIONS:
        with TemporaryDirectory(prefix="vllm-wizard-") as place:
            rows.append(row(addition, Path(place)))
    text = PAGE.read_text(encoding="utf-8")
    table = "\n".join([HEAD, *rows])
    PAGE.write_text(_TABLE.sub(lambda _: f"{table}\n", text), encoding="utf-8")


if __name__ == "__main__":
    main()
