"""The choice among layouts: what goes before what, and what else could be had."""

from __future__ import annotations

import pytest
from strategies import case_of

from generator.planning.choosing.alternatives import alternatives, front
from generator.planning.choosing.choice import best, scored
from generator.planning.costs import gpus_needed
from generator.planning.planner import candidates, planned


def options_of(*budget, **stated):
    case = case_of(*budget, **stated)
    return case, scored(case, candidates(case))


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B"])
def test_the_mode_decides_what_is_best(model):
    chosen = {}
    for mode in ("latency", "throughput"):
        case, options = options_of(model, "H100-SXM-80GB", 4, batching_mode=mode)
        chosen[mode] = best(case, options)
        if mode == "latency":
            able = [one for one in options if one.candidate.verdict == "fits" and one.candidate.carries_load]
            assert chosen[mode].estimate.tpot_ms.mean == min(one.estimate.tpot_ms.mean for one in able)
    assert chosen["latency"].estimate.tpot_ms.mean <= chosen["throughput"].estimate.tpot_ms.mean
    assert chosen["throughput"].full_tokens_per_s > 0


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
            "fewer GPUs": one.layout.ranks < chosen.candidate.layout.ranks,
            "shorter gaps between tokens": one.tpot_ms < own.tpot_ms.mean,
            "more tokens per second": one.output_tokens_per_s > own.output_tokens_per_s.mean,
            "FP8 KV cache": one.flags[:2] == ("--kv-cache-dtype", "fp8"),
        }[one.kind]


@pytest.mark.parametrize("mode", ["latency", "balanced", "throughput"])
def test_an_alternative_of_another_layout_is_on_the_front(mode):
    case, options = options_of("Qwen/Qwen3-30B-A3B", "H100-SXM-80GB", 4, batching_mode=mode)
    chosen = best(case, options)
    able = front(options)
    assert chosen in able
    layouts = [one.candidate.layout for one in able]
    for one in alternatives(case, options, chosen):
        assert one.layout in layouts


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
    case, options = options_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 4, requests_per_s=50.0)
    chosen = best(case, options)
    able = [one for one in options if one.candidate.verdict == "fits"]
    least = min(gpus_needed(case, one.candidate, one.estimate) for one in able)
    assert gpus_needed(case, chosen.candidate, chosen.estimate) == least


def test_a_rate_without_a_concurrency_can_be_had_on_fewer_and_fuller_replicas():
    """The preset's 16 requests in flight leave an H200's cache half empty."""
    case, options = options_of("meta-llama/Llama-3.1-70B-Instruct", "H200-SXM-141GB", 8, requests_per_s=5.0)
    chosen = best(case, options)
    found = next(one for one in alternatives(case, options, chosen) if one.kind == "fuller replicas")
    number = int(found.flags[found.flags.index("--concurrency") + 1])
    assert 2 * 16 <= number <= chosen.candidate.concurrency
    asked = {"requests_per_s": 5.0, "concurrency": number}
    stated, same = options_of("meta-llama/Llama-3.1-70B-Instruct", "H200-SXM-141GB", 8, **asked)
    packed = best(stated, same)
    assert gpus_needed(stated, packed.candidate, packed.estimate) < gpus_needed(case, chosen.candidate, chosen.estimate)
    assert all(one.kind != "fuller replicas" for one in alternatives(stated, same, packed))


def test_without_a_known_speed_every_gpu_is_used_and_nothing_is_compared():
    case = case_of("Qwen/Qwen3-8B", "H100-SXM-80GB", 2)
    slow = case.model_copy(update={"tables": case.tables.model_copy(update={"speed": None})})
    options = scored(slow, candidates(slow))
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
