"""Models that keep a state a sequence: vLLM stops where it admits more sequences than the cache has blocks.

vLLM 0.20.2 to 0.33 config/compilation.py: `max_num_seqs (N) exceeds available Mamba cache blocks (M)`, unless graphs
are off or piecewise.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.catalogue.models import embedded_ids, embedded_model
from generator.models.request import Request
from generator.planning.kinds.of import is_hybrid
from generator.workflow import plan_for

HYBRIDS = tuple(name for name in embedded_ids() if is_hybrid(embedded_model(name).architecture))


def planned(model, gpu, **stated):
    return plan_for(Request(model=model, gpu=gpu, source="embedded", **stated), embedded_model(model))


@pytest.mark.parametrize(
    ("model", "gpu", "concurrency"),
    [
        ("nvidia/Qwen3.6-35B-A3B-NVFP4", "RTX-5090-32GB", 128),
        ("nvidia/Qwen3.6-27B-NVFP4", "RTX-5090-32GB", 128),
        ("Qwen/Qwen3.5-35B-A3B", "H100-SXM-80GB", 256),
        ("Qwen/Qwen3.5-27B", "H100-SXM-80GB", 256),
    ],
)
def test_the_planner_admits_no_more_sequences_than_states(model, gpu, concurrency):
    made = planned(model, gpu, concurrency=concurrency)
    assert made.feasibility.verdict == "fits"
    assert made.engine["max_num_seqs"] <= made.kv_cache.num_blocks


@pytest.mark.parametrize("overrides", [{"max_num_seqs": None}, {"max_num_seqs": 1024}])
def test_too_many_sequences_of_the_users_are_no_plan_that_starts(overrides):
    """VLLM's own default for an H100 is 1,024 too; the first repair is a number that starts."""
    made = planned("Qwen/Qwen3.5-27B", "H100-SXM-80GB", overrides=overrides)
    assert made.feasibility.verdict == "does_not_fit"
    assert any("vLLM stops where max_num_seqs, 1,024" in text for text in made.warnings)
    flags = made.repairs[0].flags
    assert flags[0] == "--max-num-seqs"
    mended = planned("Qwen/Qwen3.5-27B", "H100-SXM-80GB", overrides={"max_num_seqs": int(flags[1])})
    assert mended.feasibility.verdict == "fits"


@pytest.mark.parametrize(
    "overrides",
    [
        {"enforce_eager": True},
        {"compilation_config": {"cudagraph_mode": "PIECEWISE"}},
        {"compilation_config": {"cudagraph_mode": "NONE"}},
        {"optimization_level": 0},
        {"optimization_level": 1},
    ],
)
def test_without_whole_graphs_vllm_does_not_ask(overrides):
    made = planned("Qwen/Qwen3.5-27B", "H100-SXM-80GB", overrides={"max_num_seqs": 1024} | overrides)
    assert made.feasibility.fits


def test_the_release_before_captured_fewer_sizes_instead():
    """VLLM 0.19.1 config/compilation.py:1285 caps the sizes and warns."""
    assert planned(
        "Qwen/Qwen3.5-27B", "H200-SXM-141GB", vllm="0.19.1", overrides={"max_num_seqs": 2048}
    ).feasibility.fits


def test_a_model_without_states_has_no_such_rule():
    assert planned("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_num_seqs": 2048}).feasibility.fits


@settings(max_examples=6)
@given(
    model=st.sampled_from(HYBRIDS),
    gpu=st.sampled_from(["RTX-5090-32GB", "L40S-48GB", "A100-SXM-80GB", "H200-SXM-141GB", "B200-180GB"]),
    gpus=st.sampled_from([1, 2]),
    concurrency=st.integers(1, 2000),
    release=st.sampled_from(["0.23.0", "0.26.0", "0.32.0", "0.33.0"]),
)
def test_chosen_sequences_are_never_above_the_blocks_that_are_sure(model, gpu, gpus, concurrency, release):
    made = planned(model, gpu, gpus=gpus, concurrency=concurrency, vllm=release)
    sure = made.memory.kv_cache_available_bytes.low // made.kv_cache.bytes_per_block if made.kv_cache else 0
    assert made.feasibility.verdict != "fits" or made.engine["max_num_seqs"] <= sure


NEMOTRON = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"


@pytest.mark.parametrize(
    ("release", "stated", "concurrency"),
    [
        ("0.25.1", {}, 2),
        ("0.25.1", {"enable_prefix_caching": True}, 1),
        ("0.26.0", {}, 1),
        ("0.26.0", {"enable_prefix_caching": False}, 2),
    ],
)
def test_prefixes_beside_states_are_cached_by_newer_releases_alone(release, stated, concurrency):
    """A request keeps two states where its prefix is cached and one where it is not (config/model.py, 0.25.1 and 0.26).

    vllm#40691 shows it of 0.19: 33 requests of 32,768 tokens, where prefix caching would leave 31.
    """
    made = planned(NEMOTRON, "H100-SXM-80GB", vllm=release, overrides={"max_model_len": 8192, **stated})
    two = planned(
        NEMOTRON,
        "H100-SXM-80GB",
        vllm=release,
        overrides={"max_model_len": 8192, "enable_prefix_caching": True},
    )
    assert made.kv_cache.max_concurrency / two.kv_cache.max_concurrency == pytest.approx(concurrency, rel=0.02)


@pytest.mark.parametrize(
    ("release", "stated", "answer"),
    [
        ("0.27.1", {}, "doubtful"),
        ("0.27.1", {"mamba_cache_mode": "align"}, "yes"),
        ("0.27.1", {"enable_prefix_caching": False}, "yes"),
        ("0.28.0", {}, "yes"),
        ("0.28.0", {"mamba_cache_mode": "all"}, "doubtful"),
        ("0.25.1", {"enable_prefix_caching": True}, "doubtful"),
        ("0.25.1", {}, "yes"),
    ],
)
def test_a_state_at_each_block_is_more_than_a_plan_counts(release, stated, answer):
    """Classes that keep one at each block do so by themselves until 0.27 (models/config.py: MambaModelConfig)."""
    made = planned(NEMOTRON, "H100-SXM-80GB", vllm=release, overrides={"max_model_len": 8192, **stated})
    assert made.feasibility.starts.answer == answer


@pytest.mark.parametrize(
    ("release", "stated", "found"),
    [("0.25.1", {}, False), ("0.26.0", {}, True), ("0.26.0", {"enable_prefix_caching": False}, False)],
)
def test_a_hit_ratio_counts_where_prefixes_are_cached(release, stated, found):
    """What the workload repeats saves no step of a server that keeps no prefixes, and the estimate says so."""
    load = {"vllm": release, "overrides": stated, "prompt_tokens": 4096}
    made, without = (planned(NEMOTRON, "H100-SXM-80GB", prefix_hit_ratio=share, **load) for share in (0.5, 0.0))
    assert (made.estimate.ttft_ms.mean < without.estimate.ttft_ms.mean) == found
    assert ("prefix caching is off" in made.estimate.calibration) == (not found)
