"""fit: one model against GPUs and counts."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import embedded_model
from generator.models.capability import TURING
from generator.models.request import Request
from generator.planning.fit import cheapest, fit
from generator.workflow import fit_for, plan_for

COUNTS = ((1, 1), (2, 1), (4, 1), (8, 1), (8, 2))


@pytest.fixture(scope="module")
def rows():
    case = case_of("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB")
    gpus = [find_gpu(name) for name in ("T4-16GB", "L4-24GB", "H100-SXM-80GB", "H200-SXM-141GB")]
    return {(row.gpu, row.gpus, row.nodes): row for row in fit(case, gpus, COUNTS)}


def test_there_is_a_row_for_each_gpu_and_count(rows):
    assert len(rows) == 4 * len(COUNTS)


def test_more_gpus_never_hold_less(rows):
    order = ("fits", "tight", "does_not_fit")
    for gpu in ("L4-24GB", "H100-SXM-80GB", "H200-SXM-141GB"):
        verdicts = [order.index(rows[gpu, *count].verdict) for count in COUNTS[:4]]
        assert verdicts == sorted(verdicts, reverse=True)


def test_a_row_that_does_not_fit_says_how_short(rows):
    """70.6 billion bf16 parameters are 131 GiB, an H100 has 79."""
    row = rows["H100-SXM-80GB", 1, 1]
    assert (row.verdict, row.max_model_len) == ("does_not_fit", 0)
    assert 52 < row.shortfall_bytes / 2**30 < 62
    assert rows["H100-SXM-80GB", 2, 1].shortfall_bytes == 0


def test_all_gpus_of_a_row_are_used_as_far_as_heads_divide(rows):
    row = rows["H100-SXM-80GB", 8, 1]
    assert (row.layout.tensor_parallel_size, row.layout.pipeline_parallel_size) == (8, 1)
    assert row.max_model_len == 131_072


def test_a_refusal_is_vllms_own():
    case = case_of("openai/gpt-oss-20b", "H100-SXM-80GB")
    (row,) = fit(case, [find_gpu("T4-16GB")], [(1, 1)])
    assert row.verdict is None
    assert "minimum capability" in row.refusal


def test_every_gpu_of_the_table_is_tried():
    facts = embedded_model("Qwen/Qwen3-0.6B")
    found = fit_for(Request(model=facts.id, gpu="any", source="embedded"), facts)
    assert {row.gpu for row in found} == {gpu.name for gpu in all_gpus()}
    alone = {row.gpu: row for row in found if row.gpus == 1}
    old = {gpu.name for gpu in all_gpus() if gpu.capability < TURING}
    assert {name for name, row in alone.items() if row.verdict != "fits"} == old
    assert all("not built for" in alone[name].refusal for name in old)


def offers(model="Qwen/Qwen3-32B", **stated):
    facts = embedded_model(model)
    return fit_for(Request(model=facts.id, gpu="any", source="embedded", **stated), facts, with_speed=True)


def test_what_is_cheapest_meets_every_target_and_has_a_price():
    found = cheapest(offers(tpot_ms=40.0, ttft_ms=1000.0), by_hour=True)
    assert found
    for row in found:
        assert row.tpot_ms <= 40
        assert row.ttft_ms <= 1000
        assert row.verdict == "fits"
        assert row.concurrency >= 16
        assert "read on" in row.price_source
    hours = [row.cost_per_hour for row in found]
    assert hours == sorted(hours)


def test_a_row_is_doubtful_where_the_plan_of_it_is():
    """A first token of 500 ms: some offers miss it at the worse end of their range, others do not even there."""
    found = cheapest(offers(ttft_ms=500.0, concurrency=32), by_hour=True)
    assert {row.doubtful for row in found} == {True, False}
    for doubtful in (True, False):
        row = next(
            one for one in found if one.doubtful is doubtful and not one.flags and one.replicas == one.nodes == 1
        )
        request = Request(model="Qwen/Qwen3-32B", gpu=row.gpu, gpus=row.gpus, ttft_ms=500.0, concurrency=32)
        sure = plan_for(request.model_copy(update={"source": "embedded"}), embedded_model(request.model)).feasibility
        assert ("doubtful" in (sure.meets.answer, sure.carries.answer)) is doubtful


def test_without_a_target_the_cheapest_tokens_come_first():
    costs = [row.cost_per_million_output_tokens for row in cheapest(offers())]
    assert costs == sorted(costs)


def test_a_rate_is_carried_by_replicas_that_are_paid_for():
    """The rate that is asked for is at most what the replicas' estimate gives."""
    found = cheapest(offers(requests_per_s=20.0), by_hour=True)
    assert any(row.replicas > 1 for row in found)
    for row in found:
        assert row.replicas * row.output_tokens_per_s / 256 >= 20


def test_an_offer_of_eight_gpus_is_paid_for_whole():
    """prices.toml has the 40 GB A100 only as machines of eight: Lambda's at 1.99 a GPU."""
    row = next(row for row in offers("Qwen/Qwen3-8B") if (row.gpu, row.gpus, row.nodes) == ("A100-SXM-40GB", 1, 1))
    assert row.cost_per_hour == pytest.approx(8 * 1.99)
    assert "sold by 8" in row.price_source


def test_a_model_that_outgrows_every_gpu_has_no_offer_there():
    rows = {(row.gpu, row.gpus, row.nodes): row for row in offers("deepseek-ai/DeepSeek-V3")}
    assert rows["L40S-48GB" if ("L40S-48GB", 1, 1) in rows else "RTX-4090-24GB", 8, 1].verdict == "does_not_fit"


def test_fewer_bytes_of_the_same_weights_are_priced_and_named():
    """A 70B for 200 users: FP8 halves the price of the cheapest GPUs, and the row says what a plan of it takes."""
    stated = {"concurrency": 200, "prompt_tokens": 3500, "gen_tokens": 500, "ttft_ms": 400.0}
    found = cheapest(offers("meta-llama/Llama-3.1-70B-Instruct", **stated), by_hour=True)
    own = next(row for row in found if not row.flags)
    assert found[0].flags == ("--model", "RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8-dynamic")
    assert found[0].model == found[0].flags[1]
    assert found[0].cost_per_hour <= own.cost_per_hour / 2
    assert own.model == "meta-llama/Llama-3.1-70B-Instruct"


def test_a_model_without_a_quantized_checkpoint_is_priced_quantized_at_load():
    """Of a dense model that is in no row of the siblings; on a GPU that multiplies in FP8 alone."""
    found = cheapest(offers("Qwen/Qwen3-0.6B"))
    quantized = {row.gpu for row in found if row.flags == ("--quantization", "fp8")}
    assert "H100-SXM-80GB" in quantized
    assert "A100-SXM-80GB" not in quantized


def test_copies_are_as_many_as_it_takes_and_no_more():
    """One copy fewer does not carry the requests, or misses the first token."""
    stated = {"concurrency": 200, "prompt_tokens": 3500, "gen_tokens": 500, "ttft_ms": 400.0}
    facts = embedded_model("meta-llama/Llama-3.1-70B-Instruct")
    row = next(row for row in offers(facts.id, **stated) if (row.gpu, row.gpus, row.flags) == ("B200-180GB", 4, ()))
    for number, meets in ((row.replicas, True), (row.replicas - 1, False)):
        share = stated | {"concurrency": -(-200 // number)}
        request = Request(model=facts.id, gpu="B200-180GB", gpus=4, source="embedded", **share)
        assert (plan_for(request, facts).estimate.ttft_ms.mean <= 400) == meets
