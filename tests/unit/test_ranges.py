"""Numbers of engine values: what vLLM's configuration classes refuse is refused here, in one line with the bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.catalogue.argument_values import ranges
from generator.catalogue.engines import engine, known_versions
from generator.catalogue.models import embedded_model
from generator.cli.options import request_from
from generator.errors import RequestError
from generator.workflow import plan_for

REFUSED = [
    ("cpu_offload_gb", -3, "cpu_offload_gb must be at least 0, got -3"),
    ("cpu_offload_gb", math.nan, "cpu_offload_gb must be at least 0, got nan"),
    ("cpu_offload_gb", math.inf, "cpu_offload_gb must be a finite number, got inf"),
    ("gpu_memory_utilization", 1.5, "gpu_memory_utilization must be above 0 and at most 1, got 1.5"),
    ("watermark", 1, "watermark must be at least 0 and below 1, got 1"),
    ("max_num_seqs", 0, "max_num_seqs must be at least 1, got 0"),
    ("max_num_seqs", 10**400, "max_num_seqs must be a number that 64 bits hold"),
    ("seed", 2**63, "seed must be a number that 64 bits hold"),
    ("data_parallel_rpc_port", 65536, "data_parallel_rpc_port must be at least 1 and at most 65535, got 65536"),
    ("limit_mm_per_prompt", {"image": 1e9}, "limit_mm_per_prompt.image must be a whole number"),
    ("limit_mm_per_prompt", '{"image": -1}', "limit_mm_per_prompt.image must be at least 0, got -1"),
    ("limit_mm_per_prompt", {"video": {"num_frames": 0}}, "video.num_frames must be at least 1, got 0"),
    ("speculative_config", {"num_speculative_tokens": 0}, "num_speculative_tokens must be at least 1"),
    ("eplb_config", {"window_size": -1}, "eplb_config.window_size must be at least 1, got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_a_number_that_vllm_refuses_is_refused(name, value, words):
    with pytest.raises(RequestError) as refused:
        engine().check(name, value)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu_offload_gb", 0), ("max_logprobs", -1), ("max_model_len", "auto"),
        ("gpu_memory_utilization", 1), ("seed", -1),
        ("limit_mm_per_prompt", {"image": 0, "video": {"count": 1, "width": 64}}), ("long_prefill_token_threshold", 0),
    ],
)  # fmt: skip
def test_a_number_that_vllm_takes_is_taken(name, value):
    assert engine().check(name, value) is not None


def test_no_default_of_a_release_is_out_of_its_range():
    """A row that refused what vLLM itself chooses would be wrong."""
    for version in known_versions():
        release = engine(version)
        for flag in release.flags:
            if flag.name in ranges() and isinstance(flag.default, int | float):
                assert ranges()[flag.name].holds(flag.default), (version, flag.name)


def test_every_range_is_of_an_argument_that_a_release_has():
    known = {flag.name for version in known_versions() for flag in engine(version).flags}
    assert {name.partition(".")[0] for name in ranges()} <= known


@given(st.sampled_from(sorted(name for name in ranges() if "." not in name)), st.integers() | st.floats())
def test_a_number_is_taken_or_refused_in_a_line(name, value):
    """Whatever it is: no traceback, and what is taken lies within the bounds."""
    try:
        read = engine().check(name, value)
    except RequestError as refused:
        assert len(str(refused)) < 300  # noqa: PT017 - either is right
    else:
        assert ranges()[name].holds(read)
        assert math.isfinite(read)


def test_no_request_holds_more_images_than_tokens():
    """The limit that vLLM itself has, 999, passes whatever the context."""
    facts = embedded_model("Qwen/Qwen3-8B")
    wanted = {"model": "Qwen/Qwen3-8B", "gpu": "H100", "source": "embedded"}
    for count in (999, 40960):
        plan_for(request_from(wanted | {"overrides": {"limit_mm_per_prompt": {"image": count}}}), facts)
    with pytest.raises(
        RequestError, match=r"limit_mm_per_prompt\.image must be at most 40,960, the tokens of a request"
    ):
        plan_for(request_from(wanted | {"overrides": {"limit_mm_per_prompt": {"image": 10**9}}}), facts)
