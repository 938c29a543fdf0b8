"""A word that is none of an argument's choices: what it means comes first, and no line is a list."""

from __future__ import annotations

import pytest

from generator.catalogue.engines import engine
from generator.errors import RequestError
from generator.models.choices import nearest_choices, none_of

ENGINE = engine()
CLOSED = [(flag.name, ENGINE.choices(flag.name)) for flag in ENGINE.flags if ENGINE.choices(flag.name)]
LONGEST = 200
"""Letters of a refusal; a terminal of 80 columns shows them in three lines."""


@pytest.mark.parametrize(("name", "choices"), CLOSED, ids=lambda one: one if isinstance(one, str) else "")
def test_no_refusal_of_a_word_is_a_list_that_nobody_reads(name, choices):
    assert len(CLOSED) > 20
    with pytest.raises(RequestError) as refusal:
        ENGINE.check(name, 977 if ENGINE.by_name[name].type == "int" else "no-such-word")
    assert len(str(refusal.value)) <= LONGEST
    assert set(map(str, choices)) >= set(nearest_choices(str(choices[0]), list(map(str, choices))))


@pytest.mark.parametrize(
    ("typed", "choices", "first"),
    [
        ("fp16", ("auto", "float16", "bfloat16"), "float16"),
        ("BF16", ("auto", "float16", "bfloat16"), "bfloat16"),
        ("int8", ("fp8", "experts_int8", "int8_per_token_head"), "experts_int8"),
        ("fp8_block", ("fp8", "fp8_per_block", "mxfp8"), "fp8_per_block"),
    ],
)
def test_what_a_word_means_is_named_first(typed, choices, first):
    assert nearest_choices(typed, choices)[0] == first


def test_few_choices_are_all_named_and_many_are_left_to_explain():
    assert none_of("--a", ("x", "y"), "z") == "--a takes one of x, y, not 'z'"
    many = [f"word{number}" for number in range(20)]
    assert none_of("--a", many, "z", lists="a") == (
        "--a takes no 'z'; none of its words is near; `vllm-wizard explain a` lists all 20"
    )
