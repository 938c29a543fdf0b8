"""The whole planner over the embedded models: JSON, signs, arguments; and single plans that people know."""

from __future__ import annotations

import json
import os

import pytest
from strategies import case_of

from generator.catalogue.engines import engine
from generator.catalogue.models import embedded_ids, embedded_model
from generator.errors import InfeasiblePlanError, RequestError
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.planning.attempts import attempts, fewer_sequences
from generator.planning.candidate import worked_out
from generator.planning.evaluation import evaluate
from generator.planning.planner import planned as proven
from generator.planning.weights.rank import rank_weights
from generator.presenting.memory import memory_rows
from generator.workflow import case_for, plan, plan_for

GPUS = (
    ("T4-16GB", 4), ("RTX-4090-24GB", 2), ("L40S-48GB", 4), ("A100-SXM-80GB", 8), ("H100-SXM-80GB", 8),
    ("B200-180GB", 8),
)  # fmt: skip
FULL = "VLLM_WIZARD_FULL" in os.environ
"""Every pair of model and GPUs (minutes) in place of one pair a model."""
BUDGETS = [
    (model, *budget)
    for number, model in enumerate(embedded_ids())
    for budget in (GPUS if FULL else (GPUS[number % len(GPUS)],))
]
DRAFTS = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 3}
REFUSED = ("no attention backend", "FP8 KV cache", "minimum capability")
"""What vLLM refuses whatever the layout: sparse attention and FP8 on GPUs that lack the kernels."""


@pytest.mark.parametrize(("model", "gpu", "gpus"), BUDGETS)
def test_a_plan_is_json_without_a_negative_number(model, gpu, gpus):
    try:
        made = planned(model, gpu, gpus)
    except RequestError as refusal:
        if not any(words in str(refusal) for words in REFUSED):
            raise
        return
    shown = json.loads(made.model_dump_json(by_alias=True))
    assert min(numbers(shown)) >= 0
    assert shown["layout"]["tensor_parallel_size"] * shown["layout"]["pipeline_parallel_size"] <= gpus
    keeps_none = shown["feasibility"]["verdict"] == "does_not_fit" or made.pooling is not None
    assert (shown["kv_cache"] is None) == keeps_none
    flags = engine("0.33.0")
    assert all(flags.check(name, value) == value for name, value in made.engine.items())
    assert {one.field for one in made.decisions} == set(made.engine)
    assert all(one.reason for one in made.decisions)


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "verdict"),
    [
        # 8.2 billion bf16 parameters are 15.3 GiB (the model card's count): a T4 has 15, an L4 22.5
        ("Qwen/Qwen3-8B", "T4-16GB", 1, "does_not_fit"),
        ("Qwen/Qwen3-8B", "L4-24GB", 1, "fits"),
        # 70.6 billion bf16 parameters are 131 GiB: two H100s hold 158 GiB, one H200 has 140
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 1, "does_not_fit"),
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 2, "fits"),
        # 671 billion FP8 parameters: eight H100s hold 632 GiB, eight H200s 1,120 (DeepSeek-V3's README: 8 x H200)
        ("deepseek-ai/DeepSeek-V3", "H100-SXM-80GB", 8, "does_not_fit"),
        ("deepseek-ai/DeepSeek-V3", "H200-SXM-141GB", 8, "fits"),
        # gpt-oss-120b's model card: runs on one H100; gpt-oss-20b within 16 GB
        ("openai/gpt-oss-120b", "H100-SXM-80GB", 1, "fits"),
        ("openai/gpt-oss-20b", "RTX-4090-24GB", 1, "fits"),
    ],
)
def test_models_fit_where_they_are_known_to(model, gpu, gpus, verdict):
    assert planned(model, gpu, gpus).feasibility.verdict == verdict


def test_parameters_are_those_of_the_model_cards():
    """Qwen3-8B 8.2B, Qwen3-30B-A3B 30.5B with 3.3B active, DeepSeek-V3 671B with 37B active."""
    cards = {"Qwen/Qwen3-8B": (8.2, 8.2), "Qwen/Qwen3-30B-A3B": (30.5, 3.3), "deepseek-ai/DeepSeek-V3": (671, 37)}
    for model, (total, active) in cards.items():
        found = planned(model, "H200-SXM-141GB", 8).model
        assert found.parameters == pytest.approx(total * 1e9, rel=0.01)
        assert found.active_parameters == pytest.approx(active * 1e9, rel=0.03)


def test_what_the_user_fixes_is_kept_and_said():
    fixed = {"tensor_parallel_size": 2, "max_model_len": 16384, "max_num_seqs": 48, "enforce_eager": True}
    made = planned("Qwen/Qwen3-8B", "L4-24GB", 4, overrides=fixed)
    assert {name: made.engine[name] for name in fixed} == fixed
    assert {one.reason for one in made.decisions if one.field in fixed} == {"you set it"}


def test_a_null_leaves_an_argument_to_vllm():
    made = planned("Qwen/Qwen3-8B", "H100-SXM-80GB", 1, overrides={"max_num_seqs": None, "dtype": None})
    assert not {"max_num_seqs", "dtype"} & set(made.engine)
    assert "--max-num-seqs" not in made.command


def test_one_request_longer_than_the_context_is_refused():
    with pytest.raises(RequestError, match="lower --prompt-tokens or --gen-tokens"):
        planned("Qwen/Qwen3-8B", "H100-SXM-80GB", 1, prompt_tokens=40000, gen_tokens=1000)


def test_several_nodes_are_filled_by_a_pipeline():
    made = planned("deepseek-ai/DeepSeek-V3", "H100-SXM-80GB", 8, nodes=2)
    assert (made.layout.tensor_parallel_size, made.layout.pipeline_parallel_size) == (8, 2)
    assert (made.runtime.nodes, made.runtime.gpus_per_node) == (2, 8)
    assert made.memory.worst_rank.startswith("stage ")
    assert made.feasibility.fits


def test_a_price_and_a_target_rate_give_cost_and_replicas():
    made = planned("Qwen/Qwen3-8B", "H100-SXM-80GB", 1, price=2.5, requests_per_s=200.0)
    rate, cost = made.estimate.output_tokens_per_s.mean, made.cost
    assert cost.price_source == "your price"
    assert cost.cost_per_million_output_tokens == pytest.approx(2.5 * made.layout.ranks / 3600 / rate * 1e6, abs=1e-3)
    assert 200 / made.estimate.requests_per_s.mean <= cost.replicas < 400 / made.estimate.requests_per_s.low
    dated = planned("Qwen/Qwen3-8B", "H100-SXM-80GB", 1).cost
    assert "read on 20" in dated.price_source


def test_a_gpu_of_your_own_description_gets_a_plan_without_speed():
    made = planned("Qwen/Qwen3-8B", "custom", 1, vram_gb=24.0, capability="8.9")
    assert made.feasibility.fits
    assert made.estimate is None
    assert made.cost is None


def test_multi_token_prediction_loads_the_draft_layer():
    draft = {"speculative_config": {"method": "mtp", "num_speculative_tokens": 1}}
    plain = planned("deepseek-ai/DeepSeek-V3", "H200-SXM-141GB", 8, overrides={"tensor_parallel_size": 8})
    with_draft = planned("deepseek-ai/DeepSeek-V3", "H200-SXM-141GB", 8, overrides={"tensor_parallel_size": 8, **draft})
    assert with_draft.memory.weights_bytes.expected > plain.memory.weights_bytes.expected


def test_gpus_that_share_a_sequences_cache_hold_longer_ones():
    """MLA keeps one copy of the cache on every rank of TP; decode context parallelism spreads it."""
    sizes = {"tensor_parallel_size": 8, "max_model_len": 131072}
    plain, shared = (
        planned("deepseek-ai/DeepSeek-V3", "H200-SXM-141GB", 8, overrides=sizes | {"decode_context_parallel_size": n})
        for n in (1, 4)
    )
    assert shared.kv_cache.capacity_tokens > 3 * plain.kv_cache.capacity_tokens
    assert shared.engine["decode_context_parallel_size"] == 4


def test_the_library_has_one_door():
    made = plan(Request(model="Qwen/Qwen3-8B", gpu="L4", source="embedded"), offline=True)
    assert made == planned("Qwen/Qwen3-8B", "L4", 1)


def test_the_error_of_a_plan_that_does_not_fit_carries_its_bytes():
    assert InfeasiblePlanError("short", shortfall_bytes=7).shortfall_bytes == 7


def planned(model, gpu, gpus, **stated):
    return plan_for(Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated), embedded_model(model))


def numbers(item):
    if isinstance(item, dict):
        item = list(item.values())
    if isinstance(item, list):
        return [number for one in item for number in numbers(one)]
    return [item] if isinstance(item, int | float) and not isinstance(item, bool) else []


def test_what_is_left_to_vllm_counts_at_vllms_default():
    """A command without --tensor-parallel-size starts on one GPU (vLLM 0.32 config/parallel.py)."""
    names = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    left = proven(case_of("Qwen/Qwen3-32B", "L40S-48GB", 4, overrides=dict.fromkeys(names)))
    assert left.layout.ranks == 1
    assert left.feasibility.verdict == "does_not_fit"
    own = proven(case_of("Qwen/Qwen3-8B", "H100-SXM-80GB", overrides={"gpu_memory_utilization": None}))
    assert "gpu_memory_utilization" not in own.engine
    share = own.memory.requested_bytes.expected / own.memory.gpu_total_bytes.expected
    assert share == pytest.approx(
        case_of("Qwen/Qwen3-8B", "H100-SXM-80GB").tables.engine.default_gpu_memory_utilization
    )
    batch = proven(case_of("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_num_seqs": None}))
    assert (
        batch.memory.kv_cache_available_bytes.expected
        < proven(case_of("Qwen/Qwen3-8B", "L4-24GB")).memory.kv_cache_available_bytes.expected
    )


@pytest.mark.parametrize(
    ("stated", "eager"),
    [
        ({"enforce_eager": True}, True),
        ({"compilation_config": {"cudagraph_mode": "NONE"}}, True),
        ({"compilation_config": {"cudagraph_mode": "PIECEWISE"}}, False),
        ({}, False),
    ],
)
def test_graphs_that_the_user_turns_off_take_no_memory_and_cost_time(stated, eager):
    made = proven(case_of("Qwen/Qwen3-8B", "H100-SXM-80GB", overrides=stated))
    assert (made.memory.cuda_graph_bytes.expected == 0) == eager
    plain = proven(case_of("Qwen/Qwen3-8B", "H100-SXM-80GB"))
    assert (made.estimate.tpot_ms.mean > plain.estimate.tpot_ms.mean) == eager


def test_the_speed_of_divided_caches_is_said_to_be_unconfirmed():
    overrides = {"tensor_parallel_size": 8, "decode_context_parallel_size": 2}
    made = proven(case_of("Qwen/Qwen3-235B-A22B-FP8", "H100-SXM-80GB", 8, overrides=overrides))
    assert any("one published pair of runs has it" in text for text in made.advisories)
    assert "divided caches are not in the calibration rows" in made.estimate.calibration


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "stated"),
    [
        ("google/gemma-3-27b-it", "H100-SXM-80GB", 2, {}),
        ("Qwen/Qwen3-8B", "RTX-4090-24GB", 1, {"cpu_offload_gb": 4}),
        ("Qwen/Qwen3-32B", "L40S-48GB", 4, {"pipeline_parallel_size": 2}),
        ("Qwen/Qwen3-32B", "H100-SXM-80GB", 2, {"speculative_config": DRAFTS}),
    ],
)
def test_the_reason_and_the_memory_table_say_the_same_weights(model, gpu, gpus, stated):
    """Rotary tables, what loading adds and what the host holds included; a draft's are an item of their own."""
    made = plan(Request(model=model, gpu=gpu, gpus=gpus, source="embedded", overrides=stated), offline=True)
    row = dict(memory_rows(made.memory))["Weights"].partition(" (")[0]
    reason = next(one.reason for one in made.decisions if one.field == "tensor_parallel_size")
    assert f"{row} of weights" in reason


def test_energy_is_that_of_all_boards_at_their_limit():
    """Two boards of 400 W (aiconfigurator, a100_sxm.yaml) take 800 J a second."""
    made = proven(case_of("Qwen/Qwen3-8B", "A100-SXM-80GB", 2, overrides={"tensor_parallel_size": 2}))
    watt_hours = 800 / made.estimate.output_tokens_per_s.mean * 1e6 / 3600
    assert made.energy.kwh_per_million_output_tokens == pytest.approx(watt_hours / 1000, rel=1e-3)
    assert proven(case_of("Qwen/Qwen3-8B", "RTX-4090-24GB")).energy is None


@pytest.mark.parametrize(
    ("gpu", "more"),
    [("L40S-48GB", {}), ("L40S-48GB", {"vllm": "0.20.2"})],
)
def test_a_step_holds_the_largest_video_that_is_never_cut(gpu, more):
    """Gemma 4 on a GPU of small defaults: startup_logs.csv T019 logs 2,496 tokens a step (vLLM 0.25.1)."""
    made = planned("nvidia/Gemma-4-26B-A4B-NVFP4", gpu, 1, **more)

    assert made.engine["max_num_batched_tokens"] == 2496


def test_a_step_too_short_for_a_video_is_refused_unless_only_text_is_served():
    """Refused by vLLM 0.32: "Chunked MM input disabled but max_tokens_per_mm_item (2496) is larger"."""
    asked = {"max_num_batched_tokens": 2048}
    with pytest.raises(RequestError, match="2,048 is less than the 2,496 tokens of the largest video"):
        planned("nvidia/Gemma-4-26B-A4B-NVFP4", "RTX-5090-32GB", 1, overrides=asked)

    made = planned("nvidia/Gemma-4-26B-A4B-NVFP4", "RTX-5090-32GB", 1, overrides={**asked, "language_model_only": True})

    assert made.engine["max_num_batched_tokens"] == 2048


def test_fewer_requests_are_admitted_where_their_reserve_is_what_a_safe_start_lacks():
    """Three quarters of a 5090 hold the weights: at 64 sequences the low end of the cache holds nothing."""
    crowded = {"concurrency": 32, "prompt_tokens": 1024, "gen_tokens": 256}
    share = {"gpu_memory_utilization": 0.78}
    chosen, comfortable = (
        planned("nvidia/Qwen3.6-27B-NVFP4", "RTX-5090-32GB", 1, **crowded, overrides=share | own)
        for own in ({}, {"max_num_seqs": 64})
    )

    assert chosen.feasibility.verdict == "fits" != comfortable.feasibility.verdict
    assert chosen.engine["max_num_seqs"] < 32
    assert chosen.feasibility.max_concurrency_at_context > comfortable.feasibility.max_concurrency_at_context


def test_where_weights_take_the_whole_share_no_limits_hold_a_request():
    """A model of 72B on one GPU of 24 GB: the first limits are as good as any, and no others are worked out."""
    name = "Qwen/Qwen2.5-72B-Instruct"
    case = case_for(Request(model=name, source="embedded", gpu="L4"), embedded_model(name))
    weights = rank_weights(case.architecture)
    every = (*attempts(case, Layout()), *fewer_sequences(case, Layout()))
    made = [worked_out(case, Layout(), weights, one._replace(share=0.97)) for one in every]
    assert len(made) > 2
    assert {(one.is_hopeless, one.concurrency, one.verdict) for one in made} == {(True, 0, "does_not_fit")}
    assert evaluate(case, Layout()).sequences.value == made[0].sequences.value


@pytest.mark.parametrize(
    ("stated", "prompt", "gen"), [({}, 410, 102), ({"prompt_tokens": 500}, 500, 12), ({"gen_tokens": 500}, 12, 500)]
)
def test_lengths_of_a_preset_are_cut_to_the_context(stated, prompt, gen):
    """What the user states stays; a preset is nobody's word, and no reason to refuse a short context."""
    asked = Request(model="Qwen/Qwen3-8B", gpu="L4", source="embedded", overrides={"max_model_len": 512}, **stated)
    made = plan_for(asked, embedded_model("Qwen/Qwen3-8B"))
    load = asked.load_in(512)
    assert made.feasibility.fits
    assert (load.prompt_tokens, load.gen_tokens) == (prompt, gen)
    assert any("more than the context" in text for text in made.advisories)


def test_lengths_that_are_stated_are_held_against_the_context():
    """They are the user's word."""
    asked = Request(
        model="Qwen/Qwen3-8B", gpu="L4", source="embedded", overrides={"max_model_len": 512}, prompt_tokens=600
    )
    with pytest.raises(RequestError, match="lower --prompt-tokens or --gen-tokens"):
        plan_for(asked, embedded_model("Qwen/Qwen3-8B"))
