"""What a person sees of plans and systems."""

from __future__ import annotations

import re
from datetime import date

import pytest

from generator.catalogue.models import embedded_model
from generator.cli import console, report
from generator.models.request import Request
from generator.presenting.verdict import shortfall_line
from generator.sources.nvml import DetectedGPU, DetectedSystem
from generator.workflow import plan_for


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "600")
    console.stdout.cache_clear()
    console.stderr.cache_clear()
    yield
    console.stdout.cache_clear()
    console.stderr.cache_clear()


def planned(model="Qwen/Qwen3-8B", gpu="H100-SXM-80GB", gpus=1, **stated):
    return plan_for(Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated), embedded_model(model))


def test_a_plan_that_fits_ends_with_its_command(capsys):
    made = planned(overrides={"speculative_config": None, "served_model_name": "my model"})
    report.show_plan(made, explain=False)
    out = capsys.readouterr().out
    assert "Qwen/Qwen3-8B (8.2B parameters, embedded facts) on 1 GPU H100-SXM-80GB" in out
    assert "FITS even at the high end of every estimate; OOM risk LOW" in out
    assert "vllm serve Qwen/Qwen3-8B \\\n" in out
    assert "--served-model-name 'my model'" in out
    assert "Why" not in out


def test_reasons_and_alternatives_are_shown_when_asked_for(capsys):
    made = planned(gpus=4)
    report.show_plan(made, explain=True)
    out = capsys.readouterr().out
    assert "Why" in out
    for decision in made.decisions:
        assert decision.field in out
    for other in made.alternatives:
        assert f"{other.kind}: {other.gain} with {' '.join(other.flags)}" in out
        assert f"not chosen: {other.lost}" in out


def test_an_old_price_says_so():
    today = date(2026, 12, 24)
    assert report.price_note("2026-11-09", today) == ""
    assert report.price_note("", today) == ""
    assert "read 95 days ago, on 2026-09-20" in report.price_note("2026-09-20", today)


def test_replicas_state_their_rule_and_an_autoscalers_bounds(capsys):
    made = planned(requests_per_s=20.0)
    scaling = made.scaling
    assert scaling.minimum <= scaling.replicas < scaling.maximum
    assert scaling.replicas * scaling.head_room * scaling.replica_requests_per_s >= 20 * 0.999
    report.show_plan(made, explain=False)
    out = capsys.readouterr().out
    assert f"{scaling.replicas} for 20 requests/s" in out
    assert f"autoscale {scaling.minimum} to {scaling.maximum}" in out


def test_stages_name_their_worst_rank(capsys):
    report.show_plan(planned("deepseek-ai/DeepSeek-V3", gpus=8, nodes=2), explain=False)
    out = capsys.readouterr().out
    assert "Memory of one GPU (stage " in out
    assert "Each of 2 nodes starts it with --nnodes 2 --node-rank N" in " ".join(out.split())


@pytest.mark.parametrize(("concurrency", "words"), [(1, "1 request of"), (4000, "4,000 requests of")])
def test_a_number_of_requests_reads_well(capsys, concurrency, words):
    report.show_plan(planned(concurrency=concurrency), explain=True)
    out = " ".join(capsys.readouterr().out.split())
    assert f"Workload {words}" in out
    assert not re.search(r"(?<![\d,.])1 requests", out)


def test_a_plan_that_does_not_fit_ends_with_repairs(capsys):
    made = planned("Qwen/Qwen3-32B", "L4-24GB")
    report.show_plan(made, explain=False)
    out = capsys.readouterr().out
    assert "DOES NOT FIT on these GPUs\n" in out
    assert "no room for one" in out
    assert out.count("  1. ") == 1
    assert "vllm serve" not in out
    assert shortfall_line(made).endswith(f"try {' '.join(made.repairs[0].flags)}, which costs accuracy")
    hopeless = made.model_copy(update={"repairs": ()})
    assert shortfall_line(hopeless).endswith("short on each")


def test_a_system_is_a_table(capsys):
    gpus = (
        DetectedGPU(index=0, name="NVIDIA L4", uuid="GPU-0", capability=89, memory_total_bytes=24 * 2**30,
                    memory_used_bytes=2**30, processes=1),
        DetectedGPU(index=1, name="NVIDIA GB10", uuid="GPU-1", capability=121, memory_total_bytes=None,
                    memory_used_bytes=None, processes=None),
    )  # fmt: skip
    report.show_system(DetectedSystem(driver_version="580.95", cuda_version="13.0", gpus=gpus))
    out = capsys.readouterr().out
    assert "driver 580.95, CUDA 13.0" in out
    assert "24.0 GiB" in out
    assert "shared with the CPU" in out
    assert "12.1" in out
