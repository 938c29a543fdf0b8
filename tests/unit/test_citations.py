"""What our sources cite of vLLM's code, held against the code of a newer release (.github/scripts/citations.py)."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CITATIONS = runpy.run_path(str(ROOT / ".github" / "scripts" / "citations.py"))
BEFORE = """
LIMIT = 8
def same():
    return 1
class Config:
    def changes(self):
        return 2  # a comment
    def goes(self):
        return 3
"""
AFTER = """
# other lines, other comments
LIMIT = 9


def same():
    return 1
class Config:
    def changes(self):
        return 4
"""


@pytest.fixture
def trees(tmp_path):
    """Two releases with one file."""
    for release, text in (("0.8.0", BEFORE), ("0.9.0", AFTER)):
        file = tmp_path / release / "vllm" / "v1" / "config.py"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return {release: tmp_path / release for release in ("0.8.0", "0.9.0")}


def changed(text, trees):
    cited = CITATIONS["citations"](text, "ours.py")
    return [(one.place, one.how, one.ours) for one in CITATIONS["changed"](cited, trees, "0.8.0", "0.9.0")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vLLM 0.8 v1/config.py: LIMIT", [("v1/config.py: LIMIT", "changed")]),
        ("vLLM 0.8.0 v1/config.py:3", []),
        ("vLLM 0.8 config.py:7 says so", [("v1/config.py: Config.changes", "changed")]),
        ("vLLM 0.9.0 v1/config.py:10", [("v1/config.py: Config.changes", "changed")]),
        ("(v1/config.py: Config.goes)", [("v1/config.py: Config.goes", "gone")]),
        ("vLLM 0.8 v1/config.py: goes", [("v1/config.py: Config.goes", "gone")]),
        ("vLLM 0.8 v1/config.py, the whole of it, and v1/other.py:3", []),
    ],
)
def test_a_definition_that_changed_is_named_with_who_cites_it(text, found, trees):
    """By the line in the release that the text names, or by its name; comments and places of lines are no change."""
    assert changed(text, trees) == [(place, how, ("ours.py",)) for place, how in found]


def test_the_planner_cites_what_can_be_found():
    """Hundreds of places: docstrings and the sources of tables alike."""
    cited = list(CITATIONS["cited_in"](ROOT))
    assert len([one for one in cited if one.line or one.name]) > 300
    assert {"planning/memory/budget.py", "catalogue/behaviours.toml"} <= {one.ours for one in cited}
