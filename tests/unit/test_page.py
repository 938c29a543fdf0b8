"""A plan as a document: complete, well formed, from nowhere else, and readable without colour."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from generator.catalogue.models import embedded_model
from generator.models.request import Request
from generator.operations.loads import loads_for
from generator.presenting.page import html, markdown
from generator.workflow import plan_for, prove

_VOID = {"meta", "rect", "path", "polyline", "circle"}


class Tags(HTMLParser):
    """Every tag closes what it opened."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        """Open it."""
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close it."""
        assert tag in _VOID or self.open.pop() == tag


@pytest.fixture(params=[("Qwen/Qwen3-8B", 2), ("Qwen/Qwen3-32B", 1)], ids=["fits", "does not fit"])
def plan(request):
    model, gpus = request.param
    return plan_for(Request(model=model, gpu="L4", gpus=gpus, source="embedded"), embedded_model(model))


def test_the_page_is_well_formed_and_takes_nothing_from_elsewhere(plan):
    page = Tags()
    text = html(plan)
    page.feed(text)
    assert page.open == []
    assert not {"script", "link", "img"} & {tag for tag, _ in page.seen}
    assert not re.search(r"(?:src|href)=|url\(|@import", text)
    assert ("html", {"lang": "en"}) in page.seen
    picture = next(attrs for tag, attrs in page.seen if tag == "svg")
    assert picture["role"] == "img"
    assert "Weights" in picture["aria-label"]
    assert all(attrs.get("scope") for tag, attrs in page.seen if tag == "th")


def test_both_say_what_the_plan_says(plan):
    for text in (html(plan), markdown(plan)):
        assert plan.model.id in text
        assert all(one.field in text for one in plan.decisions)
        assert ("Missing" in text) == bool(plan.feasibility.shortfall_bytes)
        assert ("vllm serve" in text) != ("Missing" in text)
        assert all(" ".join(repair.flags) in text for repair in plan.repairs)


def test_what_a_name_holds_is_text(plan):
    bad = plan.model_copy(update={"warnings": ("<script>alert(1)</script> & more",)})
    assert "<script>" not in html(bad)
    assert "&lt;script&gt;" in html(bad)


@pytest.fixture(scope="module")
def proof():
    request = Request(model="Qwen/Qwen3-8B", gpu="L4", gpus=2, source="embedded", concurrency=24, tpot_ms=30)
    return prove(request, embedded_model(request.model))


def test_a_server_is_looked_at_under_more_requests_and_fewer(proof):
    """As it was started, up to its own sequences: more at once are more tokens a second, and slower ones."""
    points = loads_for(proof)
    counts = [point.concurrency for point in points]
    assert counts[:4] == [1, 4, 16, 24]
    assert max(counts) <= proof.plan.engine["max_num_seqs"]
    for figure in (lambda one: one.tpot_ms.mean, lambda one: one.output_tokens_per_s.mean):
        assert [figure(one.estimate) for one in points] == sorted(figure(one.estimate) for one in points)
    planned = points[counts.index(24)].estimate
    assert planned.tpot_ms.mean == pytest.approx(proof.plan.estimate.tpot_ms.mean)


def test_other_loads_are_a_table_and_a_curve_that_says_itself(proof):
    points = loads_for(proof)
    page = Tags()
    page.feed(html(proof.plan, points))
    assert page.open == []
    _, drawn = [attrs for tag, attrs in page.seen if tag == "svg"]
    assert all(f"{point.concurrency} at once: " in drawn["aria-label"] for point in points)
    assert "| at once | first token |" in markdown(proof.plan, points)
    assert "More requests at once" not in markdown(proof.plan)


def test_a_plan_that_does_not_fit_has_no_other_loads():
    request = Request(model="Qwen/Qwen3-32B", gpu="L4", source="embedded")
    assert loads_for(prove(request, embedded_model(request.model))) == ()
