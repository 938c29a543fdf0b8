"""Each known end of a start that a change may mend: what is proposed is planned, fits, and starts by vLLM's answer."""

import pytest

from generator.operations.mending import changed, stands
from tests.oracle import records
from tests.oracle.mended import KINDS, failed, mends
from tests.oracle.replay import refusal

ANSWERS = records.load()


@pytest.mark.parametrize("kind", KINDS)
def test_a_known_end_is_answered_by_changes_that_plan_and_fit(kind):
    start = failed(kind)
    assert start.proposals, kind
    for one in start.proposals:
        assert one.flags
        assert stands(start.request, one, start.facts)
        assert changed(start.request, one) != start.request


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_proposed_starts_by_vllms_own_answer(kind):
    """Recorded by `python -m tests.oracle --mended`, which asks again what a change of the planner made new."""
    for one in mends(kind):
        assert one.key in ANSWERS, f"{one.repair.title}: nobody asked vLLM about it"
        why = refusal(ANSWERS[one.key], one.question(records.FILE), low=one.plan.feasibility.verdict == "fits")
        assert not why, one.repair.title


def test_others_memory_is_left_to_them():
    """22.03 GiB of which 17.05 are free."""
    assert failed("taken_memory").proposals[0].flags == ("--reserve-gb", "5")
