"""Each thing that may be added is carried out on a copy: CONTRIBUTING's table says what it took."""

from __future__ import annotations

from pathlib import Path

import pytest
from house.additions import ADDITIONS
from house.carried_out import HEAD, row

PAGE = Path(__file__).parents[2] / ".github" / "CONTRIBUTING.md"


@pytest.mark.slow
@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda one: one.what.replace(" ", "-"))
def test_an_addition_takes_what_the_table_says_and_no_slip_is_silent(addition, tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    assert HEAD in text
    assert row(addition, tmp_path) in text, "run `python -m house.table` in tests/"
