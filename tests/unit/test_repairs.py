"""Repairs: each is proven, none is refused by vLLM, and the least intrusive comes first."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.planning.choosing.repairs import with_repair
from generator.workflow import plan_for


def planned(model, gpu, gpus=1, **stated):
    return plan_for(Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated), embedded_model(model))


def flags(made):
    return [" ".join(one.flags) for one in made.repairs]


def test_a_plan_that_fits_has_no_repairs():
    assert planned("Qwen/Qwen3-8B", "H100-SXM-80GB").repairs == ()


def test_a_context_that_is_too_long_is_shortened_first():
    made = planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": 40960})
    assert made.feasibility.verdict == "does_not_fit"
    first = made.repairs[0]
    assert first.flags[0] == "--max-model-len"
    length = int(first.flags[1])
    assert first.effect.startswith((f"fits: context {length:,}", f"tight: context {length:,}"))
    assert planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": length}).feasibility.fits


def test_the_cache_may_be_stored_smaller_where_the_gpu_can():
    made = planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": 40960})
    assert "--kv-cache-dtype fp8" in flags(made)
    old = planned("Qwen/Qwen3-8B", "A10-24GB", overrides={"max_model_len": 40960})
    assert "--kv-cache-dtype fp8" not in flags(old)


def test_drafted_tokens_are_given_up_for_their_memory():
    """Qwen3-14B and Qwen3-8B together hold 42.8 GiB of weights (their model cards' bytes), an L40S 44.4 GiB."""
    drafts = {"method": "draft_model", "model": "Qwen/Qwen3-8B", "num_speculative_tokens": 4}
    request = Request(model="Qwen/Qwen3-14B", gpu="L40S", source="embedded", overrides={"speculative_config": drafts})
    facts = embedded_model("Qwen/Qwen3-14B").model_copy(update={"draft": embedded_model("Qwen/Qwen3-8B")})
    made = plan_for(request, facts)
    assert made.feasibility.verdict == "does_not_fit"
    dropped = next(one for one in made.repairs if one.flags == ("--unset", "speculative_config"))
    assert dropped.effect.startswith("fits")


def test_a_utilization_of_the_users_that_is_too_low_is_given_back():
    made = planned("Qwen/Qwen3-8B", "H100-SXM-80GB", overrides={"gpu_memory_utilization": 0.15})
    assert "--unset gpu_memory_utilization" in flags(made)


def test_a_layout_of_the_users_that_is_too_small_is_given_back():
    sizes = {"tensor_parallel_size": 1, "pipeline_parallel_size": 1}
    made = planned("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 4, overrides=sizes)
    assert "--unset tensor_parallel_size --unset pipeline_parallel_size" in flags(made)


@pytest.mark.parametrize(
    ("model", "gpu", "wanted"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", "--gpus 2"),
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", "--quantization fp8"),
        ("Qwen/Qwen3-32B", "L4-24GB", "--gpus 4"),
    ],
)
def test_fewer_bytes_or_more_gpus_are_offered(model, gpu, wanted):
    made = planned(model, gpu)
    assert wanted in flags(made)
    assert len(made.repairs) <= 7


def test_another_gpu_has_the_least_memory_that_does():
    """70.6 billion bf16 parameters are 131 GiB: the GPUs of 141 GB are the first to hold them."""
    made = planned("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB")
    other = next(one for one in made.repairs if one.flags[0] == "--gpu")
    assert "141GB" in other.flags[1] or "144GB" in other.flags[1]


def again(stated, repair):
    """The plan of a request with a repair's changes in it."""
    changed = Request(source="embedded", **stated).model_copy(update=repair.changes)
    return plan_for(changed, embedded_model(changed.model))


@pytest.mark.parametrize(
    "stated",
    [
        {"model": "Qwen/Qwen3-32B", "gpu": "L4-24GB"},
        {"model": "Qwen/Qwen3-235B-A22B", "gpu": "H100-SXM-80GB", "gpus": 4},
        {"model": "Qwen/Qwen3-8B", "gpu": "L4-24GB", "overrides": {"max_model_len": 40960, "enforce_eager": False}},
        {"model": "Qwen/Qwen3-8B", "gpu": "H100-SXM-80GB", "overrides": {"gpu_memory_utilization": 0.15}},
    ],
)
def test_each_repair_put_in_has_the_effect_that_it_states(stated):
    made = plan_for(Request(source="embedded", **stated), embedded_model(stated["model"]))
    assert made.repairs
    for number, repair in enumerate(made.repairs, 1):
        found = again(stated, repair)
        assert found.feasibility.fits, repair
        assert repair.effect.startswith(f"{found.feasibility.verdict}: context {found.engine['max_model_len']:,}")
        assert with_repair(made.inputs, made.repairs, number) == found.inputs


def test_a_missed_target_is_mended_by_what_meets_it():
    stated = {"model": "Qwen/Qwen3-8B", "gpu": "L4-24GB", "tpot_ms": 40.0}
    made = plan_for(Request(source="embedded", **stated), embedded_model(stated["model"]))
    assert made.feasibility.fits
    assert made.estimate.tpot_ms.mean > 40
    assert {"--gpus", "--gpu", "--quantization"} & {repair.flags[0] for repair in made.repairs}
    for repair in made.repairs:
        assert again(stated, repair).estimate.tpot_ms.mean <= 40


def test_what_costs_accuracy_says_so_and_is_never_taken_unasked():
    made = planned("Qwen/Qwen3-32B", "H100-SXM-80GB", tpot_ms=22.0)
    assert made.engine["kv_cache_dtype"] == "auto"
    assert "quantization" not in made.engine
    lossy = [one for one in made.repairs if one.flags[0] in {"--quantization", "--kv-cache-dtype", "--model"}]
    assert lossy
    assert all("costs accuracy" in one.title for one in lossy)


def test_a_workload_that_has_no_room_is_mended():
    made = planned("Qwen/Qwen3-8B", "L4-24GB", concurrency=64, prompt_tokens=4000, overrides={"max_num_seqs": 64})
    assert made.feasibility.fits
    assert made.feasibility.max_concurrency_at_context < 64
    assert "--gpus 4" in flags(made)


def test_graphs_are_given_up_for_memory_alone():
    """Eager mode is slower: it mends a plan that does not fit, never one that is too slow."""
    slow = planned("Qwen/Qwen3-8B", "L4-24GB", tpot_ms=40.0)
    assert "--enforce-eager" not in flags(slow)
    lengths = range(20480, 40961, 1024)
    made = (planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": size}) for size in lengths)
    first = next(one for one in made if one.feasibility.verdict == "does_not_fit")
    assert "--enforce-eager" in flags(first)


def test_a_repair_that_does_not_exist_is_refused():
    made = planned("Qwen/Qwen3-32B", "L4-24GB")
    with pytest.raises(RequestError, match=r"--apply 9: this plan proposes \d changes"):
        with_repair(made.inputs, made.repairs, 9)
    with pytest.raises(RequestError, match="proposes no change"):
        with_repair(made.inputs, (), 1)


def test_more_gpus_than_a_node_has_are_more_nodes():
    made = planned("deepseek-ai/DeepSeek-V3", "H100-SXM-80GB", 8)
    assert "--nodes 2" in flags(made)


def test_divided_caches_make_room():
    """Qwen3-235B has 4 KV heads: 8 ranks hold each twice, and two that share hold about twice as many requests.

    More of them are admitted, too, and each reserves some memory.
    """
    sizes = {"tensor_parallel_size": 8, "gpu_memory_utilization": 0.92}
    whole, shared = (
        planned(
            "Qwen/Qwen3-235B-A22B", "H100-SXM-80GB", 8, concurrency=400, overrides=sizes | {name: 1} if name else sizes
        )
        for name in ("decode_context_parallel_size", "")
    )
    assert (whole.layout.decode_context_parallel_size, shared.layout.decode_context_parallel_size) == (1, 2)
    room = whole.feasibility.max_concurrency_at_context
    assert 1.8 * room < shared.feasibility.max_concurrency_at_context <= 2.1 * room


def test_a_start_in_doubt_is_made_sure():
    """A context that an L4 holds at the expected values only: every repair starts for certain."""
    made = planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": 25000}, concurrency=2)
    assert (made.feasibility.verdict, made.feasibility.max_concurrency_at_context > 0) == ("tight", True)
    assert {"--max-model-len", "--kv-cache-dtype", "--gpus"} <= {one.flags[0] for one in made.repairs}
    assert all(one.effect.startswith("fits") for one in made.repairs)
