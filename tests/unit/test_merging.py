"""Merges that need no hands: by value in YAML, word by word elsewhere; what both sides changed stays open."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.operations.settle import Told, merged_text
from generator.rendering.line_merge import earlier_lines, merged_lines
from generator.rendering.value_merge import merged_values

BASE = """\
# Arguments.

# GPUs.
tensor-parallel-size: 2

# Sequences.
max-num-seqs: 32
dtype: "auto"
resources:
  limits:
    gpu: 1
  args:
    - a
    - b
logging: &log
  driver: json-file
again: *log
"""


@pytest.mark.parametrize(
    ("ours", "theirs", "result"),
    [
        (("seqs: 32", "seqs: 32  # our reason"), ("seqs: 32", "seqs: 48"), "max-num-seqs: 48  # our reason\n"),
        (
            ('dtype: "auto"\n', 'dtype: "auto"\nseed: 1\n'),
            ('dtype: "auto"', 'dtype: "half"'),
            'dtype: "half"\nseed: 1\n',
        ),
        (("seqs: 32", "seqs: 24"), ('dtype: "auto"', 'dtype: "half"'), 'max-num-seqs: 24\ndtype: "half"\n'),
        (("seqs: 32", "seqs: 48"), ("seqs: 32", "seqs: 48"), "max-num-seqs: 48\n"),
        (
            ("    gpu: 1", "    gpu: 1  # ours"),
            ("    gpu: 1", "    gpu: 1\n    cpu: 2"),
            "    gpu: 1  # ours\n    cpu: 2\n",
        ),
        (("    - a\n", "    - a # ours\n"), ("    - a\n", "    - c\n"), "    - c # ours\n    - b\n"),
        (("    - a\n", "    - z\n    - a\n"), ('"auto"', '"half"'), "    - z\n    - a\n    - b\n"),
        (("# GPUs.\n", "# GPUs, ours.\n"), ("# GPUs.\ntensor-parallel-size: 2\n\n", ""), "# GPUs, ours.\n"),
    ],
)
def test_a_value_that_one_side_changed_is_no_conflict(ours, theirs, result):
    merged = merged_values(BASE, BASE.replace(*ours), BASE.replace(*theirs))
    assert merged is not None
    assert not merged.open
    assert result in merged.ours


@pytest.mark.parametrize(
    ("ours", "theirs", "open_"),
    [
        (("seqs: 32", "seqs: 24"), ("seqs: 32", "seqs: 48"), "max-num-seqs"),
        (("# Sequences.\nmax-num-seqs: 32\n", ""), ("seqs: 32", "seqs: 48"), "max-num-seqs"),
        (("    - a\n", "    - z\n    - a\n"), ("    - b\n", "    - c\n"), "resources.args"),
        (('dtype: "auto"\n', 'dtype: "auto"\nx: 1\n'), ('dtype: "auto"\n', 'dtype: "auto"\nx: 2\n'), "x"),
    ],
)
def test_a_value_that_both_sides_changed_stays_open(ours, theirs, open_):
    merged = merged_values(BASE, BASE.replace(*ours), BASE.replace(*theirs))
    assert merged is not None
    assert merged.open == (open_,)
    value = yaml.safe_load(BASE.replace(*ours))
    assert yaml.safe_load(merged.ours) == value


@pytest.mark.parametrize(
    ("ours", "named", "result"),
    [
        ("max-num-seqs: 24  # ours", {"max_num_seqs": 48}, "max-num-seqs: 48  # ours\n"),
        ("max-num-seqs: 24", {"max_num_seqs": 64}, None),
        ("max-num-seqs: 24", {"num_seqs": 48}, None),
        ("seed: 1", {"max_num_seqs": 48}, None),
    ],
)
def test_a_value_that_the_command_names_is_the_commands(ours, named, result):
    """Only where the new plan has that very value, and both sides have the key; what gave way is returned."""
    theirs = BASE.replace("seqs: 32", "seqs: 48")
    done = merged_text("serve.yaml", BASE, BASE.replace("max-num-seqs: 32", ours), theirs, told=Told(named))
    assert done.whole is (result is not None)
    assert [(one.key, one.ours, one.theirs) for one in done.decided] == [("max-num-seqs", 24, 48)] * done.whole
    assert result is None or result in done.text


@pytest.mark.parametrize("text", ["- 1\n", "a: [\n", "a: 2020-01-01\n", "a: 1\na: 2\n", "a:\t1\n", "{{ x }}: 1\n"])
def test_what_is_no_plain_mapping_is_left_to_lines(text):
    assert merged_values(BASE, text, BASE) is None


KEYS = st.sampled_from("abcdef")
SIDE = st.dictionaries(KEYS, st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=2), min_size=1)


@given(SIDE, SIDE, SIDE)
def test_a_merge_says_what_the_sides_say(base, ours, theirs):
    """Key by key the three-way rule, whatever the texts look like; checked against the values alone."""
    texts = [yaml.safe_dump(side, default_flow_style=False, sort_keys=False) for side in (base, ours, theirs)]
    merged = merged_values(*texts)
    if merged is None:
        return
    result = yaml.safe_load(merged.ours) or {}
    for key in {*base, *ours, *theirs}:
        was, mine, new, now = (side.get(key, "absent") for side in (base, ours, theirs, result))
        assert now == (mine if new == was or key in {one.split(".")[0] for one in merged.open} else new)
        if mine not in (was, new) and new != was and not isinstance(mine, list):
            assert key in merged.open


def conflict(ours, base, theirs):
    return f"x\n<<<<<<< a\n{ours}||||||| b\n{base}=======\n{theirs}>>>>>>> c\ny\n"


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "result"),
    [
        ("run 8B # ours\n", "run 8B\n", "run 14B\n", "run 14B # ours\n"),
        ("sudo run 8B\n", "run 8B\n", "run 14B\n", "sudo run 14B\n"),
        ("# ours\nrun 8B\n", "run 8B\n", "run 14B\n", "# ours\nrun 14B\n"),
        ("run 8B\nours\n", "run 8B\n", "run 14B\n", "run 14B\nours\n"),
        ("run 9B\n", "run 8B\n", "run 14B\n", None),
        ("run 9B\n", "run 8B\n", "run 8B # theirs\n", "run 9B # theirs\n"),
        ("run 8B # ours\n", "run 8B\n", "run 8B # theirs\n", "run 8B # theirs # ours\n"),
        ("run 8B --more\n", "run 8B\n", "run 14B \\\n", None),
        ("", "run 8B\n", "run 14B\n", None),
        ("run 8B # ours\n", "run 8B\n", "", None),
        ("run 8B\n # ours\nfor 1\n", "run 8B\n\nfor 1\n", "run 8B\n\nfor 2\n", "run 8B\n # ours\nfor 2\n"),
        ("a 1\nb 2\n", "a 1\nb 1\n", "a 2\nb 1\n", "a 2\nb 2\n"),
        ("b 1\nc 1\nours\n", "a 1\nb 1\nc 1\n", "a 1\nb 1\nc 2\n", None),
        ("a 1\nc 1\n", "a 1\nb 1\nc 1\n", "a 1\nb 1\nc 2\n", None),
        ("run 8B\nours\n", "", "run 8B\n", "run 8B\nours\n"),
        ("ours\n", "", "ours\nmore\n", "ours\nmore\n"),
        ("# ours\n", "", "# theirs\n", "# ours\n# theirs\n"),
        ("ours\n", "", "theirs\n", None),
    ],
)
def test_words_at_the_end_of_a_line_go_with_it(ours, base, theirs, result):
    merged = merged_lines(conflict(ours, base, theirs))
    assert merged == (None if result is None else f"x\n{result}y\n")


def test_headings_of_both_sides_are_no_comments():
    assert merged_lines(conflict("# Ours\n", "", "# Theirs\n"), prose=True) is None


PLAN = "Model {} on {} GPUs: context {}, {} sequences\n"
BEFORE, AFTER, STALE = (PLAN.format(*words) for words in ((8, 2, 40960, 256), (14, 2, 32768, 48), (8, 1, 40960, 16)))


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "result"),
    [
        (STALE, BEFORE, AFTER, AFTER),
        (AFTER, BEFORE, STALE, AFTER),
        (f"ours\n{STALE}", BEFORE, AFTER, f"ours\n{AFTER}"),
        (STALE + "ours\n", BEFORE, AFTER, AFTER + "ours\n"),
        (STALE.replace("16", "17"), BEFORE, AFTER, None),
        (STALE.replace("\n", " ours\n"), BEFORE, AFTER, None),
        ("\n", BEFORE, AFTER, None),
        ("", BEFORE, AFTER, None),
    ],
)
def test_what_was_rendered_earlier_is_nobodys_words(ours, base, theirs, result):
    """A sentence that was left when somebody took their side of a conflict; one with a word of theirs stays."""
    earlier = earlier_lines(f"x\n{base}y\n", [f"x\n{STALE}y\n", "x\n\ny\n"])
    merged = merged_lines(conflict(ours, base, theirs), prose=True, earlier=earlier)
    assert merged == (None if result is None else f"x\n{result}y\n")
    assert merged_lines(conflict(ours, base, theirs), prose=True) is None


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "result"),
    [
        ("a 1\nc 1\n", "a 1\nb 1\nc 1\n", "a 1\nb 1\nc 2\n", "a 1\nc 2\n"),
        ("a 1\nours\nb 1\nc 1\n", "a 1\nb 1\nc 1\n", "a 2\n", "a 2\nours\n"),
        ("a 1\nb 2\nc 1\n", "a 1\nb 1\nc 1\n", "a 2\n", None),
        ("a 1\nb 1 ours\n", "a 1\nb 1\n", "a 1\n", None),
    ],
)
def test_a_line_of_prose_that_one_side_took_out_goes(ours, base, theirs, result):
    merged = merged_lines(conflict(ours, base, theirs), prose=True)
    assert merged == (None if result is None else f"x\n{result}y\n")


LINES = st.lists(st.sampled_from(["a", "b", "c", "a mine", "b mine", "mine", "other", "a2", ""]), max_size=5)


@given(LINES, LINES, LINES, st.booleans())
def test_a_merge_of_lines_holds_what_each_side_added_and_nothing_else(base, ours, theirs, prose):
    """Of each side: words that the base lacks are there, as often; nothing is there that no side has."""
    texts = ["".join(f"{line}\n" for line in side) for side in (ours, base, theirs)]
    merged = merged_lines(conflict(*texts), prose=prose)
    if merged is None:
        return
    base_words, *sides = (Counter(" ".join(lines).split()) for lines in (base, ours, theirs))
    found = Counter(merged.split()) - Counter("xy")
    for side in sides:
        assert not (side - base_words) - found
    assert not found - (sides[0] | sides[1] | (sides[0] - base_words) + (sides[1] - base_words) + base_words)


def test_the_plans_reasons_come_with_its_values():
    """A comment of ours beside one that the plan words anew keeps neither the old reason nor the old value."""
    ours = BASE.replace("# Arguments.\n", "# Kept by us.\n# Arguments.\n").replace("seqs: 32", "seqs: 32  # ours")
    theirs = BASE.replace("# Arguments.\n", "# Arguments of 14B.\n").replace("seqs: 32", "seqs: 48")
    text, whole, _ = merged_text("serve.yaml", BASE, ours, theirs)
    assert whole
    assert text == theirs.replace("# Arg", "# Kept by us.\n# Arg").replace("seqs: 48", "seqs: 48  # ours")


@pytest.mark.parametrize("words_of_both", [False, True])
def test_a_comment_of_another_person_is_never_dropped(words_of_both):
    """Of a plan's rendering a comment that meets ours may go; of a colleague's branch it is a conflict."""
    base, ours, theirs = "# one\na: 1\n", "# ours\na: 2\n", "# theirs\na: 1\n"
    text, whole, _ = merged_text("x.yaml", base, ours, theirs, words_of_both=words_of_both)
    assert whole is not words_of_both
    assert ("# theirs\n" in text) is words_of_both
    assert "# ours\na: 2\n" in text


def test_comments_of_two_people_at_the_end_are_both_kept():
    base = "a: 1\nb: 1\n"
    text, whole, _ = merged_text("x.yaml", base, "a: 1\nb: 2\n", base + "# theirs\n", words_of_both=True)
    assert (text, whole) == ("a: 1\nb: 2\n# theirs\n", True)
