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


def test_what_does_not_stand_alone_is_proposed_with_what_its_own_plan_needs():
    """Without the 5 GiB that others hold an L4 has no room for 8 billion parameters as they are."""
    flags = [one.flags for one in failed("taken_memory/one small GPU").proposals]
    assert ("--reserve-gb", "5", "--quantization", "fp8") in flags
    assert all(one[:2] == ("--reserve-gb", "5") and len(one) > 2 for one in flags)
