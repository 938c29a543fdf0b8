"""What measurements of the own machine change in a plan: exactly, carried over, or not at all."""

import pytest

from generator import workflow
from generator.errors import RequestError
from generator.models.measured import MOST_TERMS, Measurement, kept, layout_key
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.recording import request_of
from generator.units import GIB

GPU, RELEASE = "L4-24GB", "0.32.0"


def asked(**fields):
    return Request(**{"model": "Qwen/Qwen3-8B", "gpu": "L4", "vllm": RELEASE, "source": "embedded"} | fields)


def planned(request):
    return workflow.plan_for(request, workflow.facts_for(request, offline=True))


PLAIN = planned(asked())


def entry(**fields):
    given = {
        "day": "2026-11-30", "kind": "boot", "gpu": GPU, "release": RELEASE, "layout": "tp1", "model": "Qwen/Qwen3-8B",
        "planner": PLAIN.planner,
    }  # fmt: skip
    return Measurement.model_validate(given | fields)


def held(*entries):
    return {one.key: one for one in entries}


def boot(term, beyond_gib, **fields):
    """A start whose term took so much more than planned."""
    item = {"non_torch": "non_torch_bytes", "weights": "weights_bytes", "overhead": "non_torch_bytes"}[term]
    value = float(getattr(PLAIN.memory, item).expected)
    return entry(measured={term: value + beyond_gib * GIB}, planned={term: value}, **fields)


def left(plan):
    return plan.memory.kv_cache_available_bytes.expected


def test_memory_outside_pytorch_carries_over_to_the_plan_and_narrows_it():
    plan = planned(asked(measured=held(boot("non_torch", 0.5))))
    assert plan.memory.non_torch_bytes.expected - PLAIN.memory.non_torch_bytes.expected == GIB // 2
    assert left(PLAIN) - left(plan) == GIB // 2
    width = [
        one.memory.kv_cache_available_bytes.high - one.memory.kv_cache_available_bytes.low for one in (plan, PLAIN)
    ]
    assert width[0] < width[1]
    total = plan.memory
    items = (total.weights_bytes, total.non_torch_bytes, total.activation_peak_bytes, total.cuda_graph_bytes)
    assert sum(one.expected for one in items) + left(plan) == total.requested_bytes.expected


def test_it_is_said_in_the_reasons_and_in_what_the_budget_rests_on():
    plan = planned(asked(measured=held(boot("non_torch", 0.5))))
    reasons = {one.field: one.reason for one in plan.decisions}
    assert "a start of this model showed on 2026-11-30" in reasons["gpu_memory_utilization"]
    assert "2026-11-30" in plan.memory.calibration


def test_another_models_start_teaches_memory_outside_pytorch_and_not_weights():
    other = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    taught = planned(asked(measured=held(boot("non_torch", 0.5, **other))))
    assert left(PLAIN) - left(taught) == GIB // 2
    assert (
        planned(asked(measured=held(boot("weights", 0.5, **other)))).memory.weights_bytes == PLAIN.memory.weights_bytes
    )


@pytest.mark.parametrize(
    "elsewhere", [{"gpu": "L40S-48GB"}, {"release": "0.33.0"}, {"layout": "tp2"}, {"planner": "1.0.0"}]
)
def test_another_gpu_release_layout_or_planner_changes_nothing(elsewhere):
    plan = planned(asked(measured=held(boot("non_torch", 0.5, **elsewhere))))
    assert plan.memory == PLAIN.memory
    assert plan.decisions == PLAIN.decisions


def bench(ratio=1.25, **fields):
    speed = PLAIN.estimate
    figures = {"tpot_ms": speed.tpot_ms.mean, "ttft_ms": speed.ttft_ms.mean}
    measured = {"tpot_ms": ratio * figures["tpot_ms"], "ttft_ms": figures["ttft_ms"]}
    return entry(kind="bench", measured=measured, planned=figures, **fields)


def test_a_benchmark_scales_the_estimate_and_narrows_it():
    plan = planned(asked(measured=held(bench())))
    assert plan.estimate.tpot_ms.mean == pytest.approx(1.25 * PLAIN.estimate.tpot_ms.mean)
    assert plan.estimate.ttft_ms.mean == pytest.approx(PLAIN.estimate.ttft_ms.mean)
    assert plan.estimate.output_tokens_per_s.mean < PLAIN.estimate.output_tokens_per_s.mean
    factor = [one.estimate.tpot_ms.high / one.estimate.tpot_ms.mean for one in (plan, PLAIN)]
    assert factor[0] <= 1.2 < factor[1]
    assert "benchmarked here on 2026-11-30" in plan.estimate.calibration
    assert "benchmarked here" in next(one.reason for one in plan.decisions if one.field == "tensor_parallel_size")


@pytest.mark.parametrize("fields", [{"model": "other/model"}, {"planner": "1.0.0"}])
def test_a_benchmark_of_something_else_changes_nothing(fields):
    assert planned(asked(measured=held(bench(**fields)))).estimate == PLAIN.estimate


def test_an_answer_that_is_no_measurement_is_refused_in_one_line():
    with pytest.raises(RequestError, match="measured"):
        request_of({"model": "m", "measured": {"x": {"day": "yesterday"}}})


def test_the_oldest_go_beyond_forty_figures():
    entries = held(*(entry(day=f"2026-10-{day:02d}", layout=f"tp{day}", measured={f"t{n}": 1.0 for n in range(4)})
                     for day in range(1, 11)))  # fmt: skip
    assert sum(len(one.measured) for one in entries.values()) == MOST_TERMS
    found = kept(entries, entry(day="2026-09-01", layout="tp99", measured={"t": 1.0}))
    assert "L4-24GB 0.32.0 tp99 boot" in found
    assert "L4-24GB 0.32.0 tp1 boot" not in found
    assert len(found) == 10
    assert (
        layout_key(Layout(tensor_parallel_size=4, pipeline_parallel_size=2, enable_expert_parallel=True))
        == "tp4 pp2 ep"
    )
