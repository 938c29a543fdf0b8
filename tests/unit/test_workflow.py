"""The two steps that command line and template share, and the GPUs that they find."""

from __future__ import annotations

import sys

import pytest
from fixtures.nvml_library import H100, L4, NVML

from generator import workflow
from generator.cluster import cluster_for, detected_gpu, detected_hardware
from generator.errors import HardwareDetectionError, RequestError, SourceError, UnknownFactError
from generator.models.request import Request
from generator.units import GIB


def request_for(**stated):
    return Request(**({"model": "Qwen/Qwen3-8B", "source": "embedded", "gpu": "L4"} | stated))


def test_facts_come_from_the_source_that_is_asked_for(tmp_path):
    assert workflow.facts_for(request_for()).source == "embedded"
    with pytest.raises(SourceError, match="is not a directory"):
        workflow.facts_for(request_for(model=str(tmp_path / "none"), source="local"))


def test_a_gpu_is_found_by_any_of_its_names_and_its_memory_may_be_stated():
    assert cluster_for(request_for(gpu="NVIDIA L4", gpus=2)).gpu.name == "L4-24GB"
    assert cluster_for(request_for(vram_gb=20.0, reserve_gb=1.5)).gpu.memory_bytes == 20 * GIB
    assert cluster_for(request_for(reserve_gb=1.5)).reserved_bytes == 3 * GIB // 2
    own = cluster_for(request_for(gpu="custom", vram_gb=12.0, capability="8.6")).gpu
    assert (own.memory_bytes, own.capability) == (12 * GIB, 86)
    with pytest.raises(RequestError, match="--capability"):
        cluster_for(request_for(gpu="custom", vram_gb=12.0))
    with pytest.raises(UnknownFactError, match="nearest"):
        cluster_for(request_for(gpu="L44"))
    with pytest.raises(RequestError, match=r"^--reserve-gb 22.5: a L4-24GB has 22.5 GiB"):
        cluster_for(request_for(reserve_gb=22.5))


def test_what_others_hold_of_a_gpu_is_short_in_full():
    """Each GiB that other processes hold is one GiB more that is short, also where they leave vLLM nothing."""
    facts = workflow.facts_for(request_for())
    short = [
        workflow.plan_for(request_for(reserve_gb=held), facts).feasibility.shortfall_bytes for held in (8, 16, 21, 22)
    ]
    assert [(after - short[0]) / GIB for after in short] == pytest.approx([0, 8, 13, 14], abs=0.5)


@pytest.fixture
def machine(monkeypatch):
    """Give this machine a driver that shows GPUs of these names."""
    return lambda *names, **held: monkeypatch.setitem(sys.modules, "pynvml", NVML(*names, **held))


def test_this_machines_gpus_are_answers(machine):
    machine(H100, H100)
    assert detected_hardware() == {"gpu": "H100-SXM-80GB", "gpus": 2}
    assert detected_gpu() == "H100-SXM-80GB"
    assert cluster_for(request_for(gpu="auto")).gpu.name == "H100-SXM-80GB"


def test_memory_of_other_processes_is_reserved(machine):
    machine(H100, used=5 * GIB, processes=1)
    assert detected_hardware()["reserve_gb"] >= 4


def test_gpus_of_different_kinds_must_be_named(machine):
    machine(H100, L4)
    with pytest.raises(HardwareDetectionError, match=r"different kinds \(NVIDIA H100 80GB HBM3, NVIDIA L4\): name one"):
        detected_hardware()
    assert detected_gpu() is None
