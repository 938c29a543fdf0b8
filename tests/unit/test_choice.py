"""The choice among layouts: what goes before what, and what else could be had."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.catalogue.models import embedded_model
from generator.cli.options import changes_of
from generator.models.request import Request
from generator.planning.choosing.alternatives import alternatives, front
from generator.planning.choosing.choice import best
from generator.planning.choosing.variants import DIVIDED
from generator.planning.costs import gpus_needed
from generator.planning.planner import options_of as every_option
from generator.planning.planner import planned
from generator.workflow import plan_for


def options_of(*budget, **stated):
    case = case_of(*budget, **stated)
    return case, every_option(case)


MODES = ("latency", "balanced", "throughput")


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "concurrency"),
    [
        ("Qwen/Qwen3-8B", "H100-SXM-80GB", 4, 64),
        ("Qwen/Qwen3-30B-A3B", "H100-SXM-80GB", 4, 256),
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 8, 96),
        ("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 8, 256),
    ],
)
def test_no_mode_beats_another_in_its_own_figure_at_the_stated_load(model, gpu, gpus, concurrency):
    """At the pessimistic end of each range: tokens a second, and the time of a whole request."""
    found = {}
    for mode in MODES:
        case, options = options_of(model, gpu, gpus, concurrency=concurrency, batching_mode=mode)
        found[mode] = best(case, options).estimate
    rates = {mode: one.output_tokens_per_s.low for mode, one in found.items()}
    times = {mode: one.e2e_ms.high for mode, one in found.items()}
    assert rates["throughput"] == max(rates.values())
    assert times["latency"] == min(times.values())


def test_stages_inside_an_nvlink_node_need_more_than_a_close_estimate():
    """Side by side they gave 5,338 tokens/s on two H100, tensor parallelism 7,649 (bench.csv, p0055 and p0057)."""
    case, options = options_of("Qwen/Qwen3-30B-A3B", "H200-SXM-141GB", 8, concurrency=512)
    chosen = best(case, options)
    fastest = max(options, key=lambda one: one.estimate.output_tokens_per_s.mean if one.estimate else 0.0)
    assert fastest.candidate.layout.pipeline_parallel_size > 1
    assert chosen.candidate.layout.pipeline_parallel_size == 1
    assert "stages inside an NVLink node" in fastest.estimate.calibration


def test_stages_inside_a_node_carry_a_load_where_they_surely_have_room():
    """A 70B in BF16 on two H100: stages hold 35 of 32 requests, 23 at the low end; slices 30, and answer sooner."""
    made = plan_for(
        Request(model="meta-llama/Llama-3.1-70B-Instruct", gpu="H100", gpus=2, concurrency=32, source="embedded"),
        embedded_model("meta-llama/Llama-3.1-70B-Instruct"),
    )
    assert (made.layout.tensor_parallel_size, made.feasibility.carries.answer) == (2, "no")
    assert made.runner_up.layout.pipeline_parallel_size == 2
    assert made.runner_up.estimate.tpot_ms.mean > made.estimate.tpot_ms.mean


def test_stages_inside_an_nvlink_node_do_not_win_a_missed_target_by_less_than_they_were_slower():
    """Two stages on eight H100 miss 500 ms by 45 %, eight slices by 58 %: published stages were slower by 43 %."""
    load = {"concurrency": 200, "prompt_tokens": 3500, "gen_tokens": 500}
    case, options = options_of("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 8, **load, ttft_ms=500.0)
    chosen = best(case, options)
    least = min(options, key=lambda one: one.estimate.ttft_ms.mean if one.estimate else float("inf"))
    assert least.candidate.layout.pipeline_parallel_size > 1
    assert chosen.candidate.layout.pipeline_parallel_size == 1
    assert chosen.estimate.ttft_ms.mean < least.estimate.ttft_ms.mean * 7649 / 5338


def test_replicas_that_share_nothing_are_taken_where_nobody_states_a_load():
    """An 8B on eight H100: vLLM's recipe has one GPU a server; 16 requests over eight GPUs are nobody's wish."""
    case, options = options_of("meta-llama/Llama-3.1-8B-Instruct", "H100-SXM-80GB", 8)
    layout = best(case, options).candidate.layout
    assert (layout.tensor_parallel_size, layout.data_parallel_size) == (1, 8)
    stated, same = options_of("meta-llama/Llama-3.1-8B-Instruct", "H100-SXM-80GB", 8, concurrency=16)
    assert best(stated, same).candidate.layout.tensor_parallel_size > 1


def test_a_mixture_is_compared_with_independent_servers():
    """The recipe of gpt-oss-120b has one GPU a server; replicas in one engine share experts, servers do not."""
    made = planned(case_of("openai/gpt-oss-120b", "H200-SXM-141GB", 8, servers=1, concurrency=128))
    found = {one.kind: one for one in made.alternatives}
    assert made.layout.ranks == 8
    assert {found["independent servers"].servers, found["smallest servers"].servers} == {4, 8}
    assert "--servers" in found["smallest servers"].flags


def test_a_plan_names_the_second_best_layout_of_the_same_gpus_and_compares():
    made = planned(case_of("meta-llama/Llama-3.1-70B-Instruct", "H100-SXM-80GB", 8, concurrency=96))
    second = made.runner_up
    assert second.layout.ranks == made.layout.ranks
    assert second.layout != made.layout
    assert second.estimate.output_tokens_per_s.low <= made.estimate.output_tokens_per_s.low
    reason = next(one.reason for one in made.decisions if one.field == "tensor_parallel_size")
    assert "x the tokens/s" in reason
    assert f"{second.estimate.tpot_ms.mean:,.1f} ms" in reason


def test_a_target_that_one_gpu_meets_takes_one_gpu():
    case, options = options_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 4, tpot_ms=200.0)
    assert best(case, options).candidate.layout.ranks == 1


def test_a_target_that_needs_more_gpus_takes_them():
    case, options = options_of("Qwen/Qwen3-8B", "L4-24GB", 4)
    alone = min(one.estimate.tpot_ms.mean for one in options if one.candidate.layout.ranks == 1)
    case, options = options_of("Qwen/Qwen3-8B", "L4-24GB", 4, tpot_ms=alone * 0.75)
    chosen = best(case, options)
    assert chosen.candidate.layout.ranks > 1
    assert chosen.estimate.tpot_ms.mean <= alone * 0.75


def test_a_target_that_nothing_meets_is_said():
    made = planned(case_of("Qwen/Qwen3-8B", "L4-24GB", 1, tpot_ms=1.0, ttft_ms=1.0))
    missed = [text for text in made.warnings if text.startswith("The target of 1 ms")]
    assert len(missed) == 2


def test_an_alternative_beats_the_chosen_layout_in_what_it_claims():
    case, options = options_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 4)
    chosen = best(case, options)
    found = alternatives(case, options, chosen)
    own = chosen.estimate
    assert 0 < len(found) <= 5
    assert len({one.kind for one in found}) == len(found)
    for one in found:
        assert "--tp" in one.flags
        assert " against " in one.gain
        assert one.lost
        assert {
            "cheaper": one.layout.ranks < chosen.candidate.layout.ranks,
            "fewer GPUs": one.layout.ranks < chosen.candidate.layout.ranks,
            "shorter gaps between tokens": one.tpot_ms < own.tpot_ms.mean,
            "more tokens per second": one.output_tokens_per_s > own.output_tokens_per_s.mean,
            "FP8 KV cache": one.flags[:2] == ("--kv-cache-dtype", "fp8"),
        }[one.kind]


@pytest.mark.parametrize("mode", ["latency", "balanced", "throughput"])
def test_an_alternative_of_another_layout_is_on_the_front(mode):
    case, options = options_of("Qwen/Qwen3-30B-A3B", "H100-SXM-80GB", 4, batching_mode=mode, concurrency=64)
    chosen = best(case, options)
    able = front(case, options)
    assert chosen in able
    layouts = [one.candidate.layout for one in able]
    for one in alternatives(case, options, chosen):
        assert one.servers > 1 or one.layout in layouts


def test_a_smaller_cache_is_offered_where_the_gpu_computes_in_it():
    """The fp8 formats came with compute capability 8.9 (Ada) and 9.0 (Hopper)."""
    offered = {}
    for gpu in ("A100-SXM-80GB", "L40S-48GB", "H100-SXM-80GB"):
        case, options = options_of("Qwen/Qwen3-8B", gpu)
        chosen = best(case, options)
        offered[gpu] = [one for one in alternatives(case, options, chosen) if one.kind == "FP8 KV cache"]
        assert chosen.candidate.cache.kv_cache_dtype in {"auto", "bfloat16"}
    assert not offered["A100-SXM-80GB"]
    assert all("costs accuracy" in offered[gpu][0].lost for gpu in ("L40S-48GB", "H100-SXM-80GB"))


def test_a_context_that_is_cut_short_can_be_had_with_divided_caches():
    """MLA's cache is whole on every rank, 8 times the same here; ranks that share it hold more tokens."""
    overrides = {"tensor_parallel_size": 8}
    case, options = options_of("deepseek-ai/DeepSeek-V3", "H100-NVL-94GB", 8, overrides=overrides)
    chosen = best(case, options)
    assert int(chosen.candidate.context.value) < case.model_context
    found = next(one for one in alternatives(case, options, chosen) if one.kind == "longer context")
    assert any(flag.startswith("decode_context_parallel_size=") for flag in found.flags)
    assert found.tpot_ms > 0
    assert "three more messages" in found.lost


def test_the_rate_that_is_asked_for_counts_the_gpus_of_all_replicas():
    case, options = options_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 4, requests_per_s=50.0, concurrency=16)
    chosen = best(case, options)
    able = [one for one in options if one.candidate.verdict == "fits"]
    least = min(gpus_needed(case, one.candidate, one.estimate) for one in able)
    assert gpus_needed(case, chosen.candidate, chosen.estimate) == least


@pytest.mark.parametrize("targets", [{}, {"tpot_ms": 30.0}])
def test_a_rate_without_a_concurrency_takes_the_fewest_gpus_that_meet_the_targets(targets):
    """The preset's 16 requests in flight were 279 GPUs for 1,000 requests/s of an 8B; 122 do with 293."""
    made = planned(case_of("meta-llama/Llama-3.1-8B-Instruct", "H100-SXM-80GB", requests_per_s=1000.0, **targets))
    assert made.scaling.concurrency > 16
    assert made.scaling.gpus <= (279 if targets else 122)
    assert made.estimate.tpot_ms.mean <= targets.get("tpot_ms", 1000.0)
    asked = {"requests_per_s": 1000.0, "concurrency": made.scaling.concurrency, **targets}
    stated = planned(case_of("meta-llama/Llama-3.1-8B-Instruct", "H100-SXM-80GB", **asked))
    assert stated.scaling.gpus == made.scaling.gpus


def test_without_a_known_speed_every_gpu_is_used_and_nothing_is_compared():
    case = case_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 2)
    slow = case.changed(tables=case.tables.changed(speed=None))
    options = every_option(slow)
    chosen = best(slow, options)
    assert chosen.candidate.layout.ranks == 2
    assert alternatives(case, options, chosen) == ()


def test_where_nothing_fits_the_layout_that_is_shortest_by_least_is_shown():
    case, options = options_of("meta-llama/Llama-3.1-70B-Instruct", "L4-24GB", 4)
    chosen = best(case, options)
    assert chosen.candidate.verdict == "does_not_fit"
    assert chosen.candidate.headroom_bytes == max(one.candidate.headroom_bytes for one in options)


@pytest.mark.parametrize(
    ("model", "gpu", "advised"),
    [
        ("Qwen/Qwen3-8B", "T4-16GB", False),
        ("Qwen/Qwen3-8B", "A100-SXM-80GB", True),
        ("deepseek-ai/DeepSeek-V2-Lite", "A100-SXM-80GB", False),
    ],
)
def test_a_smaller_cache_is_no_advice_where_vllm_refuses_it(model, gpu, advised):
    """Triton's backends, which are all that a T4 and MLA on an A100 have, need SM89 (triton_attn.py:487)."""
    plan = planned(case_of(model, gpu))
    change = next(one.change for one in plan.decisions if one.field == "kv_cache_dtype")
    assert bool(change) is advised


def test_draft_layers_are_an_alternative_with_their_gain_and_memory():
    """A recipe of DeepSeek-R1 drafts one token; at four requests a step is bound by memory, so that it pays."""
    facts = embedded_model("deepseek-ai/DeepSeek-R1")
    asked = {"model": facts.id, "gpu": "H200-SXM-141GB", "gpus": 8, "concurrency": 4, "source": "embedded"}
    made = plan_for(Request(**asked), facts)
    drafted = next(one for one in made.alternatives if one.kind == "drafted tokens")
    again = plan_for(Request(**asked, **changes_of(drafted.flags)), facts)
    assert again.estimate.tpot_ms.mean == pytest.approx(drafted.tpot_ms, rel=0.02)
    assert again.estimate.tpot_ms.mean < made.estimate.tpot_ms.mean
    assert again.memory.weights_bytes.expected > made.memory.weights_bytes.expected


@pytest.mark.parametrize(
    ("model", "draft"),
    [
        ("openai/gpt-oss-120b", "nvidia/gpt-oss-120b-Eagle3-v3"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "RedHatAI/Llama-3.1-8B-Instruct-speculator.eagle3"),
    ],
)
def test_a_head_that_is_published_for_the_model_is_named(model, draft):
    """For a quantized checkpoint too, whose states are those of the weights it was made of."""
    made = plan_for(Request(model=model, gpu="H100-SXM-80GB", source="embedded"), embedded_model(model))
    assert any(draft in note for note in made.advisories)


def test_caches_are_divided_where_the_widest_group_has_no_room_for_the_stated_load():
    """The recipe of Kimi-K2-Thinking divides them for throughput: 486 tokens/s undivided, 695 divided."""
    load = {"workload": "agent", "concurrency": 128}
    made = planned(case_of("deepseek-ai/DeepSeek-R1", "H200-SXM-141GB", 8, **load))
    assert (made.layout.tensor_parallel_size, made.layout.decode_context_parallel_size) == (8, 8)
    assert made.feasibility.carries.answer == "yes"
    assert made.runner_up.layout != made.layout
    kept = planned(case_of("deepseek-ai/DeepSeek-R1", "H200-SXM-141GB", 8, **load, overrides={DIVIDED: 1}))
    assert kept.layout.decode_context_parallel_size == 1
    assert kept.estimate.ttft_ms.mean > made.estimate.ttft_ms.mean
    assert kept.estimate.output_tokens_per_s.low < made.estimate.output_tokens_per_s.low


@pytest.mark.parametrize(
    ("model", "stated"),
    [
        ("deepseek-ai/DeepSeek-R1", {}),
        ("deepseek-ai/DeepSeek-R1", {"concurrency": 8}),
        ("deepseek-ai/DeepSeek-V3.2", {"workload": "agent", "concurrency": 256}),
        ("meta-llama/Llama-3.1-70B-Instruct", {"workload": "agent", "concurrency": 256}),
    ],
)
def test_caches_stay_whole_where_room_is_there_or_vllm_divides_none(model, stated):
    """VLLM refuses an indexer's picks in 16 bits, on FlashMLA; eight heads on eight GPUs share none."""
    made = planned(case_of(model, "H200-SXM-141GB", 8, **stated))
    assert made.layout.decode_context_parallel_size == 1
    assert not any(one.layout.decode_context_parallel_size > 1 for one in made.alternatives if "V3.2" in model)


def test_every_replica_carries_its_share():
    """Room for 68 requests over two replicas carries 64, not 128."""
    case, options = options_of("deepseek-ai/DeepSeek-R1", "H200-SXM-141GB", 8, workload="agent", concurrency=128)
    two = next(one.candidate for one in options if one.candidate.layout.data_parallel_size == 2)
    assert two.carries_load == (two.concurrency >= 128)
    chosen = best(case, options).candidate
    assert chosen.concurrency >= 128


@pytest.mark.parametrize("rate", [20.0, 300.0, 1000.0])
def test_requests_in_flight_that_the_planner_works_out_are_surely_held(rate):
    """Nobody asked for so many: a plan that doubts its own number would be no answer."""
    model = "meta-llama/Llama-3.1-8B-Instruct"
    made = plan_for(Request(model=model, gpu="H100", source="embedded", requests_per_s=rate), embedded_model(model))
    assert made.feasibility.carries.answer == "yes"


def test_balanced_gives_a_tenth_of_the_rate_for_room():
    """70B in INT4 on four RTX 3090: two replicas of two GPUs are a little faster, in a context of 2,048 tokens."""
    stated = {"concurrency": 8}
    case, options = options_of("RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16", "RTX-3090-24GB", 4, **stated)
    roomy = best(case, options)
    assert int(roomy.candidate.context.value) > 8192
    most = best(case.changed(request=case.request.model_copy(update={"batching_mode": "throughput"})), options)
    assert most.estimate.output_tokens_per_s.low * 0.9 < roomy.estimate.output_tokens_per_s.low
    assert int(most.candidate.context.value) < 8192
