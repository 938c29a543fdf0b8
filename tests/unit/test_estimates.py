"""Estimates of a candidate: what the plan's JSON holds of them, and why there is none."""

from generator.catalogue.models import embedded_model
from generator.models.plan import Plan
from generator.models.request import Request
from generator.presenting.speed import speed_details
from generator.workflow import plan_for


def planned(**stated: object) -> Plan:
    """Qwen3-8B on one GPU."""
    request = {"model": "Qwen/Qwen3-8B", "gpu": "H100-SXM-80GB", "gpus": 1, "source": "embedded"} | stated
    return plan_for(Request.model_validate(request), embedded_model("Qwen/Qwen3-8B"))


def test_a_gpu_without_bandwidth_says_why_it_has_no_estimate():
    made = planned(gpu="custom", vram_gb=24.0, capability="8.9")
    assert made.estimate is None
    assert made.estimate_missing.startswith("not calibrated for custom-24GiB: no memory bandwidth is known")


def test_a_plan_with_an_estimate_has_nothing_missing():
    made = planned()
    assert made.estimate is not None
    assert made.estimate_missing == ""


def test_every_latency_has_its_mean_and_its_late_requests_in_ranges():
    found = planned().estimate
    for latency in (found.ttft_ms, found.tpot_ms, found.itl_ms, found.e2e_ms):
        assert latency.low < latency.mean < latency.high
        assert latency.p95_low < latency.p95 < latency.p95_high


def test_the_colleague_tells_every_figure():
    names = [name for name, _ in speed_details(planned().estimate)]
    assert {"first token", "between two tokens", "preemption", "bound by"} <= set(names)


def test_more_requests_than_the_cache_holds_may_be_preempted():
    few, many = (
        planned(concurrency=n, prompt_tokens=8000, gen_tokens=8000, overrides={"max_num_seqs": n}).estimate
        for n in (4, 512)
    )
    assert few.preemption_risk == 0
    assert many.preemption_risk > 0.5


def test_prompts_in_the_prefix_cache_answer_sooner():
    cold, warm = (planned(prefix_hit_ratio=share, prompt_tokens=8000).estimate for share in (0.0, 0.9))
    assert warm.ttft_ms.mean < cold.ttft_ms.mean / 2


def test_drafted_tokens_that_are_kept_speed_up_answers_by_less_than_they_add():
    """Three tokens drafted for nothing, each kept half the time: 1 + 1/2 + 1/4 + 1/8 a step (arXiv 2211.17192)."""
    drafts = {"speculative_config": {"method": "ngram", "num_speculative_tokens": 3}}
    unknown, half = (planned(overrides=drafts, acceptance_rate=rate).estimate for rate in (0.0, 0.5))
    assert 1.3 < unknown.tpot_ms.mean / half.tpot_ms.mean < 1.875
    assert "not known" in unknown.calibration
    assert "not in the calibration rows" in half.calibration


def test_a_draft_model_costs_the_time_of_its_weights():
    """Qwen3-8B drafts for Qwen3-32B: a quarter of its bytes a token, so that one token in ten kept is a loss."""
    drafts = {"method": "draft_model", "model": "Qwen/Qwen3-8B", "num_speculative_tokens": 4}
    facts = embedded_model("Qwen/Qwen3-32B").model_copy(update={"draft": embedded_model("Qwen/Qwen3-8B")})
    stated = {"model": "Qwen/Qwen3-32B", "gpu": "H100-SXM-80GB", "gpus": 2, "source": "embedded"}
    request = Request(**stated, overrides={"speculative_config": drafts}, acceptance_rate=0.1)
    plain = plan_for(Request(**stated), embedded_model("Qwen/Qwen3-32B")).estimate
    assert plan_for(request, facts).estimate.tpot_ms.mean > 1.5 * plain.tpot_ms.mean
