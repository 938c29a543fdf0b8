"""Forty answers of the census, carried out: what our rule refuses, vLLM refuses for the same reason."""

import pytest

from generator.errors import GeneratorError
from generator.workflow import facts_for, plan_for
from tests.oracle.carried import COUNT, ROWS, drawn, name_of, request_of, told

TOLD = told()
REFUSED = [row for row in ROWS if "ours" in row]


def test_every_answer_that_the_seed_draws_is_carried_out():
    assert [row["rule"] for row in ROWS] == drawn()
    assert len(ROWS) == COUNT


def test_vllm_was_asked_about_each_that_it_can_be_asked_about():
    assert set(TOLD) == {name_of(row) for row in ROWS if "unasked" not in row}


@pytest.mark.parametrize("row", REFUSED, ids=name_of)
def test_the_planner_refuses_it(row, tmp_path):
    asked = request_of(row, tmp_path)
    if row["ours"] == "does not fit":
        assert plan_for(asked, facts_for(asked, offline=True)).feasibility.verdict == "does_not_fit"
        return
    with pytest.raises(GeneratorError) as refused:
        plan_for(asked, facts_for(asked, offline=True))
    assert row["ours"] in str(refused.value)


@pytest.mark.parametrize("name", TOLD)
def test_vllm_refuses_it_for_the_same_reason(name):
    """Recorded by `python -m tests.oracle --census`."""
    row = next(row for row in ROWS if name_of(row) == name)
    assert TOLD[name]["verdict"] == "refused"
    assert row["theirs"] in TOLD[name]["text"]
