"""Every command of every page runs, in the page's order, and prints what the page quotes."""

from __future__ import annotations

import pytest
from fixtures.pages import ROOT, missing, run_page, shown

PAGES = sorted(
    path
    for path in (ROOT / "docs").rglob("*.md")
    if path.name != "cli.md" and shown(path.read_text(encoding="utf-8")).blocks
)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT / "docs").as_posix())
def test_a_page_does_what_it_shows(page, tmp_path):
    assert run_page(page.read_text(encoding="utf-8"), tmp_path) == []


def test_a_wrong_figure_a_wrong_order_and_a_wrong_status_are_found(tmp_path):
    page = "```console\necho one\necho two\n```\n\n```text\n{}\n```\n"
    assert run_page(page.format("one\ntwo"), tmp_path) == []
    assert run_page(page.format("two\none"), tmp_path) != []
    assert run_page(page.format("one\n...\n2"), tmp_path) != []
    assert run_page("```console\nfalse\n```\n", tmp_path) != []
    assert run_page("<!-- exits 3 -->\n```console\n(exit 3)\n```\n", tmp_path) == []


def test_lines_left_out_are_said_to_be():
    assert missing(["a", "c"], ["a", "b", "c"]) == ["c"]
    assert missing(["a", "...", "c"], ["a", "b", "c"]) == []
