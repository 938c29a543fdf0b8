"""Write `generator/catalogue/expert_kernels.toml` from what vLLM answered (`ask_expert_kernels.py`).

python .github/scripts/write_expert_kernels.py
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]
ANSWERS = HERE / "tests" / "fixtures" / "expert_kernels.json"
TARGET = HERE / "generator" / "catalogue" / "expert_kernels.toml"
WORDS = {"7.5": "7.x", "8.0": "8.0-8.8", "8.9": "8.9", "9.0": "9.x", "10.0": "10.x 11.x", "12.0": "12.x"}
"""Capabilities that a card stands for: kernels are built by generation."""
HEAD = """\
# Kernels of experts of vLLM: which `moe_backend` takes experts that are stored in one way, on which GPUs.
#
# name          how experts are stored: vLLM's name of the quantization and the format, "online" where they are
#               quantized while loading, or "unquantized"
# since, until  first and last release of which the row holds, the newest without an end. Asked were
#               {releases}; a release between two of them has the rows of both
# runs          capabilities in words by the value of moe_backend
# chosen        the same for what vLLM takes by itself, and chosen_whole where a rank holds whole experts
# source        how it was asked
#
# Written by .github/scripts/write_expert_kernels.py from tests/fixtures/expert_kernels.json; do not edit.
"""
COLUMNS = ("runs", "chosen", "chosen_whole")
SOURCE = "the release's own choice (model_executor/layers/fused_moe/oracle), asked by ask_expert_kernels.py"


def main() -> None:
    """Write the table."""
    answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
    releases = sorted(answers, key=_key)
    lines = [HEAD.format(releases=", ".join(releases))]
    for way in answers[releases[-1]]:
        told = [(release, _columns(answers[release].get(way, {}))) for release in releases]
        for columns, held in groupby(told, key=lambda one: one[1]):
            lines += _row(way, columns, [release for release, _ in held], releases)
    TARGET.write_text("\n".join(lines), encoding="utf-8")


def _columns(by_capability: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Capabilities in words by the name of a kernel: where it runs, and where it is taken unasked."""
    said = {capability: {**told, "chosen": [told["chosen"]], "chosen_whole": [told["chosen_whole"]]}
            for capability, told in by_capability.items()}  # fmt: skip
    return {column: _words({capability: told[column] for capability, told in said.items()}) for column in COLUMNS}


def _words(by_capability: dict[str, list[str]]) -> dict[str, str]:
    names = sorted({name for names in by_capability.values() for name in names if name} - {"auto"})
    able = {name: [words for capability, words in WORDS.items() if name in by_capability[capability]] for name in names}
    return {name: " ".join(words) if len(words) < len(WORDS) else "7.0+" for name, words in able.items()}


def _row(way: str, columns: dict[str, dict[str, str]], held: list[str], releases: list[str]) -> list[str]:
    if not columns["runs"]:
        return []
    first, after = releases.index(held[0]), releases.index(held[-1]) + 1
    since = _moved(releases[first - 1], 1) if first else _moved(held[0], 0)
    until = [f'until = "{_moved(releases[after], -1)}"'] if after < len(releases) else []
    said = [f"{column} = {{ {_inline(words)} }}" for column, words in columns.items()]
    return ["[[stored]]", f'name = "{way}"', f'since = "{since}"', *until, *said, f'source = "{SOURCE}"', ""]


def _inline(words: dict[str, str]) -> str:
    return ", ".join(f'{name} = "{text}"' for name, text in words.items())


def _moved(release: str, minors: int) -> str:
    """The minor release so many after this one."""
    major, minor, _ = _key(release)
    return f"{major}.{minor + minors}"


def _key(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


if __name__ == "__main__":
    main()
