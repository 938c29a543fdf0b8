"""One value of a YAML text in the place of another: no line beside it moves."""

from __future__ import annotations

import pytest

from generator.rendering.yaml_text import NotMergeableError, entries, replace

TEXT = "# mine\na: 1\nb:\n  - x\n  - y\nc: 3\n"


def replaced(text, theirs, path):
    return replace(text, entries(text)[path], theirs, entries(theirs)[path])


@pytest.mark.parametrize("theirs", ["b:\n  - z\n", "b:\n  - z\n  - x\n  - y\n", "other: 1\nb:\n  - z\nlast: 2\n"])
def test_a_block_takes_the_lines_of_the_old_one_and_no_more(theirs):
    items = theirs.partition("b:\n")[2].partition("last")[0]
    assert replaced(TEXT, theirs, ("b",)) == f"# mine\na: 1\nb:\n{items}c: 3\n"


def test_a_list_in_one_line_leaves_what_stands_behind_it():
    assert replaced("b: [1, 2]  # why\nc: 3\n", "b: [3]\n", ("b",)) == "b: [3]  # why\nc: 3\n"


def test_a_list_in_one_line_is_not_put_in_the_place_of_a_block():
    with pytest.raises(NotMergeableError):
        replaced(TEXT, "b: [z]\n", ("b",))


def test_a_block_with_a_comment_inside_is_for_a_person():
    with pytest.raises(NotMergeableError):
        replaced("b:\n  - x  # why\n  - y\n", "b:\n  - z\n", ("b",))
