"""How releases behave, and compute capabilities in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.models import embedded_model
from generator.errors import RequestError, UnknownFactError
from generator.models.capability import AMPERE, BLACKWELL, HOPPER, TURING, Capability, CapabilitySet
from generator.models.request import Request
from generator.workflow import plan_for


def planned(**fields):
    """The plan of a small model."""
    return plan_for(Request(model="Qwen/Qwen3-0.6B", **fields), embedded_model("Qwen/Qwen3-0.6B"))


PLANNING = Path(__file__).parents[2] / "generator" / "planning"


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        ("", (70, 121), ()),
        ("9.x 12.1", (90, 121), (89, 100, 120)),
        ("8.9+", (89, 90, 121), (86,)),
        ("7.5-12.1", (75, 100, 121), (70,)),
    ],
)
def test_capabilities_in_words(words, inside, outside):
    found = CapabilitySet(words)
    assert all(found.has(Capability(one)) for one in inside)
    assert not any(found.has(Capability(one)) for one in outside)


def test_a_family_is_a_major_version():
    """NVIDIA's B300 is 10.3, as vLLM's `is_device_capability_family(100)` has it."""
    assert Capability.of("10.3").family == BLACKWELL
    assert Capability(86).family == AMPERE
    assert HOPPER.words == "9.0"


@pytest.mark.parametrize(
    ("version", "holds"), [("0.30.0", True), ("0.31.0", True), ("0.31.7", True), ("0.32.0", False), ("0.8.5", True)]
)
def test_patches_of_the_last_release_are_counted_in(version, holds):
    assert release_of(version).has("rotary_axes_of_four_lengths") is holds


def test_graphs_of_1024_tokens_are_captured_on_b200_from_0_28_on():
    """In vLLM 0.27.1 config/vllm.py the limit is 512 on every GPU, in 0.28.0 1024 on compute capability 10.x."""
    old, new = release_of("0.27.1"), release_of("0.28.0")
    assert [one.has("captures_1024_sequences", capability=BLACKWELL) for one in (old, new)] == [False, True]
    assert not new.has("captures_1024_sequences", capability=HOPPER)


def test_an_unknown_behaviour_is_an_error():
    with pytest.raises(UnknownFactError, match="no behaviour 'refined'"):
        release_of("0.33.0").has("refined")


def test_planning_asks_for_every_behaviour_and_for_no_other():
    text = "\n".join(file.read_text(encoding="utf-8") for file in PLANNING.rglob("*.py"))
    unknown = [name for name in release_of("0.33.0").behaviours if f'"{name}"' not in text]
    assert not unknown
    assert set(re.findall(r"\.has\(\s*\"(\w+)\"", text)) <= set(release_of("0.33.0").behaviours)


@pytest.mark.parametrize(
    ("release", "capability", "runs"),
    [
        ("0.33.0", 70, False), ("0.20.2", 70, False), ("0.19.1", 70, True), ("0.19.0", 72, True), ("0.33.0", 72, False),
        ("0.33.0", 75, True), ("0.20.2", 75, True), ("0.33.0", 121, True), ("0.33.0", 130, True),
    ],
)  # fmt: skip
def test_cuda_13_has_no_code_for_volta(release, capability, runs):
    """Pull request 39878 of vLLM made CUDA 13.0 the default; torch 2.11, which 0.20 pins, is built with it."""
    assert release_of(release).has("built_for", capability=Capability(capability)) is runs


@pytest.mark.parametrize("gpu", [one for one in all_gpus() if one.capability < TURING])
def test_every_card_of_volta_is_refused_with_a_release_that_runs_it(gpu):
    with pytest.raises(RequestError, match=r"not built for compute capability 7\.0.*--vllm 0\.19\)"):
        planned(gpu=gpu.name)
    assert planned(gpu=gpu.name, vllm="0.19").feasibility.fits
