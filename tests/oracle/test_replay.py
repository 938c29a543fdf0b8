"""Plans of today against what vLLM's own start-up code said of them: recorded answers, no vLLM needed."""

import os
from collections import Counter

import pytest

from generator.errors import GeneratorError
from generator.models.request import Request
from generator.workflow import facts_for, plan_for
from tests.oracle import records
from tests.oracle.draws import directory_of
from tests.oracle.questions import key_of, question_of
from tests.oracle.replay import UNANSWERED, refusal

ANSWERS = records.load()
ALL = {key: one for key, one in ANSWERS.items() if "request" in one}
"""Answers to deployments of embedded models, which can be planned again."""
AGAIN = ALL if os.environ.get("VLLM_WIZARD_FULL") else {key: ALL[key] for key in ALL if key[0] in "048c"}
"""A quarter of them, by their keys; `.ci/full` plans all."""


@pytest.mark.slow
def test_what_is_planned_starts_by_vllms_own_answer():
    """Each recorded deployment is planned again; where its answer still speaks of it, vLLM starts it at the low end."""
    refused, outcome = [], Counter()
    for key, answer in AGAIN.items():
        request = Request.model_validate(answer["request"])
        model = directory_of(request.model)
        try:
            made = plan_for(request, facts_for(request, offline=True))
        except GeneratorError:
            outcome["not planned"] += 1
            continue
        if made.feasibility.verdict == "does_not_fit":
            outcome["does not fit"] += 1
            continue
        question = question_of(made, records.FILE, request.vllm)
        answer_now = ANSWERS.get(key_of(question, model))
        if answer_now is None:
            outcome["planned otherwise"] += 1
            continue
        why = refusal(answer_now, question, low=made.feasibility.verdict == "fits")
        outcome["not answerable" if why.startswith(UNANSWERED) else "refused" if why else "starts"] += 1
        if why and not why.startswith(UNANSWERED):
            refused.append((key, answer["request"], why))
    assert not refused, refused[:3]
    assert outcome["starts"] >= len(AGAIN) // 2, outcome


def test_recorded_answers_are_small_and_name_no_place_of_a_machine():
    text = records.FILE.read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    assert "/work/" not in text
    assert "/home/" not in text
    assert all(one["key"] == key for key, one in ANSWERS.items())
