"""The verdict in three answers: starts, carries, meets; the worst one is the headline."""

from __future__ import annotations

from generator.catalogue.models import embedded_model
from generator.cli import verdict
from generator.models.request import Request
from generator.presenting.text import duration_text
from generator.workflow import plan_for


def planned(gpu, **stated):
    return plan_for(
        Request(model="Qwen/Qwen3-8B", gpu=gpu, source="embedded", **stated), embedded_model("Qwen/Qwen3-8B")
    )


def test_a_server_that_starts_and_cannot_carry_its_workload_is_not_green():
    """An L4 holds one request of the agent's preset; seven of eight would wait ten minutes."""
    made = planned("L4-24GB", workload="agent")
    assert made.feasibility.fits
    assert made.feasibility.carries.answer == "no"
    assert made.feasibility.worst == "carries"
    assert verdict.headline(made).startswith("[bold red]STARTS, DOES NOT CARRY")
    assert made.feasibility.meets.answer == "doubtful"


def test_a_missed_target_and_one_that_is_met():
    assert planned("H100-SXM-80GB", ttft_ms=1.0).feasibility.meets.answer == "no"
    roomy = planned("H100-SXM-80GB", ttft_ms=60000.0)
    assert [getattr(roomy.feasibility, name).answer for name in ("starts", "carries", "meets")] == ["yes"] * 3
    assert verdict.headline(roomy).startswith("[bold green]FITS")


def test_without_a_target_nothing_is_asked_of_speed():
    assert planned("H100-SXM-80GB").feasibility.meets.answer == "not_asked"


def test_a_context_that_is_cut_says_why_and_what_raises_it():
    line = verdict.context_line(planned("L4-24GB"))
    assert " of the model's 40,960: " in line
    assert "to raise it: --max-model-len" in line
    assert not verdict.context_line(planned("H200-SXM-141GB"))


def test_a_duration_is_in_seconds_from_one_on():
    assert [duration_text(one) for one in (85.32, 640.4, 1500.0, 603_628.0)] == ["85.3 ms", "640 ms", "1.5 s", "604 s"]


def test_a_preset_that_surely_nobody_typed_is_no_doubt():
    """The chat preset's requests fit an L4 as expected; typed, they are a promise that the low end must hold."""
    assert planned("L4-24GB").feasibility.carries.answer == "yes"


def test_what_falls_short_is_named_only_where_it_starts():
    agent = planned("L4-24GB", workload="agent", ttft_ms=1.0)
    assert [one.partition(":")[0] for one in agent.feasibility.falls_short] == [
        "the workload is not carried",
        "a target is missed",
    ]
    assert not planned("H100-SXM-80GB").feasibility.falls_short
