"""The page of common questions: each command's answer names what the page says."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from generator.cli.app import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "answers.md"
ROWS = re.findall(
    r"^\| ([^|]+\?) \| `vllm-wizard ([^`]+)` \| `([^`]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.mark.parametrize(("question", "command", "named"), ROWS, ids=[row[0] for row in ROWS])
def test_an_answer_names_what_the_page_says(question, command, named, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", *shlex.split(command)])
    status = run()
    out = capsys.readouterr()
    assert status in {0, 5}, question
    assert named in out.out + out.err
