"""PlanRecord and the strings that people read."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.cli.verdict import headline
from generator.models.request import Request
from generator.presenting.memory import memory_rows, memory_runs
from generator.presenting.record import display, summary
from generator.presenting.text import count_text, gib_text, plural, short_tokens_text, times_text, tokens_text
from generator.presenting.verdict import headline_of
from generator.recording import record
from generator.workflow import prove


def proven(model="Qwen/Qwen3-8B", gpu="H100-SXM-80GB", gpus=1, **stated):
    return prove(Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated), embedded_model(model))


def planned(**stated):
    return proven(**stated).plan


def test_what_is_recorded_is_what_templates_print():
    proof = proven(gpus=2)
    made, found = proof.plan, record(proof, {"model": "Qwen/Qwen3-8B"})
    assert found.engine == made.engine
    assert ("vllm", "serve", "Qwen/Qwen3-8B", *found.args) == made.command
    assert "model" not in found.serve
    assert found.display.verdict.startswith("Fits, even at the high end")
    assert found.display.gpus == "2 x H100-SXM-80GB"
    assert found.display.context == "40,960 tokens"
    assert "tokens/s" in found.display.speed
    assert "requests of full context" in found.display.concurrency


def test_the_recorded_verdict_has_the_words_of_the_screen():
    """A page that said "fits, even at the high end" of a start in doubt was another answer than the terminal's."""
    doubted = planned(model="Qwen/Qwen3-8B", gpu="L4-24GB", gpus=2)
    assert display(doubted).verdict.startswith(
        "Fits, with a start in doubt; risk of running out of memory: MEDIUM. It "
    )
    agent = planned(model="Qwen/Qwen3-8B", gpu="L4-24GB", workload="agent")
    assert display(agent).verdict.startswith("Starts, does not carry the workload; ")
    for plan in (doubted, agent):
        assert headline_of(plan).word.upper() in headline(plan)
        assert display(plan).verdict.endswith(").")


def test_what_does_not_fit_is_recorded_without_a_cache():
    found = record(proven("Qwen/Qwen3-32B", "L4-24GB"), {})
    assert (found.display.concurrency, found.display.context, found.display.speed) == ("none", "none", "")
    assert found.display.verdict.startswith("Does not fit on these GPUs; risk of running out of memory: HIGH")


@pytest.mark.parametrize(
    ("stated", "part"),
    [
        ({"gpus": 2, "overrides": {"tensor_parallel_size": 2}}, "2 GPUs (H100-SXM-80GB): TP 2,"),
        ({"gpus": 2, "overrides": {"pipeline_parallel_size": 2}}, "TP 1 x PP 2,"),
        ({"gpus": 2, "overrides": {"data_parallel_size": 2}}, "TP 1 x DP 2,"),
        ({"gpus": 2, "model": "Qwen/Qwen3-30B-A3B",
          "overrides": {"tensor_parallel_size": 2, "enable_expert_parallel": True}}, "TP 2 x EP,"),
        ({}, "on 1 GPU (H100-SXM-80GB): TP 1, context 40960,"),
    ],
)  # fmt: skip
def test_the_summary_names_the_layout(stated, part):
    assert part in summary(planned(**stated))


def test_nodes_are_named():
    found = record(proven("deepseek-ai/DeepSeek-V3", gpus=8, nodes=2), {})
    assert found.display.gpus == "2 nodes of 8 x H100-SXM-80GB"


def test_the_memory_of_a_rank_as_rows_and_as_a_bar():
    memory = planned().memory
    rows = dict(memory_rows(memory))
    assert next(iter(rows)) == "Weights"
    assert rows["Weights"].startswith("15.3 GiB")
    assert rows["GPU"].startswith("79.")
    runs = memory_runs(memory, 0, 72)
    assert sum(count for _, count in runs) == 72
    assert next(sign for sign, count in runs if count) == "W"
    assert dict(runs)["k"] > 0
    short = memory_runs(memory, memory.requested_bytes.expected, 72)
    assert short[-1] == ("!", 36)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (gib_text(15 * 2**30), "15.0 GiB"),
        (gib_text(3 * 2**29), "1.50 GiB"),
        (gib_text(2**20), "1 MiB"),
        (gib_text(-(2**31)), "-2.00 GiB"),
        (gib_text(2000 * 2**30), "2,000.0 GiB"),
        (tokens_text(40960), "40,960"),
        (count_text(8_190_735_360), "8.2B"),
        (count_text(596_049_920), "596.0M"),
        (count_text(1_026_000_000_000), "1.0T"),
        (count_text(12), "12"),
        (times_text(12.345), "12.35x"),
        (plural(1, "GPU"), "1 GPU"),
        (plural(2, "GPU"), "2 GPUs"),
        (short_tokens_text(40960), "40k"),
        (short_tokens_text(1_048_576), "1.0M"),
        (short_tokens_text(512), "512"),
    ],
)
def test_figures_as_short_strings(text, wanted):
    assert text == wanted
