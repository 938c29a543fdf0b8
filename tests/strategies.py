"""Whole cases for property tests: an embedded model, invented or real GPUs, a workload."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from generator.catalogue.engines import engine
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import embedded_model
from generator.catalogue.overheads import overheads
from generator.catalogue.quantizations import all_quantizations
from generator.catalogue.serving import serving_of
from generator.catalogue.speed import speed
from generator.models.hardware import GPU, Cluster
from generator.models.request import Request
from generator.planning.case import Case
from generator.planning.tables import Tables
from generator.units import GIB

MODELS = (
    "Qwen/Qwen3-0.6B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen2.5-7B-Instruct-AWQ",
    "google/gemma-3-12b-it",
    "meta-llama/Llama-3.1-70B-Instruct",
    "mistralai/Mixtral-8x7B-v0.1",
    "openai/gpt-oss-20b",
)
"""Dense, mixtures of experts, sliding windows, quantized: 0.6 to 70 billion parameters."""
REAL_GPUS = ("L4-24GB", "L40S-48GB", "A100-SXM-40GB", "H100-SXM-80GB", "B200-180GB")


@cache
def tables(model: str, version: str = "0.33.0") -> Tables:
    """The tables of this installation, without what repairs may propose."""
    return Tables(
        engine=engine(version),
        overheads=overheads(),
        methods=all_quantizations(),
        speed=speed(),
        serving=serving_of(embedded_model(model), version),
    )


def case_of(model: str, gpu: GPU | str, gpus: int = 1, **stated) -> Case:
    """The case of an embedded model on GPUs of one node."""
    gpu = find_gpu(gpu) if isinstance(gpu, str) else gpu
    request = Request(model=model, gpu=gpu.name, gpus=gpus, source="embedded", **stated)
    return Case.of(request, embedded_model(model), Cluster(gpu=gpu, gpus_per_node=gpus), tables(model))


invented_gpus = st.builds(
    GPU,
    name=st.just("invented"),
    memory_bytes=st.integers(16 * 8, 192 * 8).map(lambda eighths: eighths * GIB // 8),
    capability=st.sampled_from((80, 86, 89, 90, 100, 120)),
)
gpus = st.one_of(invented_gpus, st.sampled_from(REAL_GPUS).map(find_gpu))
workloads = st.fixed_dictionaries(
    {
        "prompt_tokens": st.sampled_from((64, 1024, 3000)),
        "gen_tokens": st.sampled_from((16, 256, 1000)),
        "concurrency": st.sampled_from((1, 7, 64, 400)),
        "batching_mode": st.sampled_from(("latency", "balanced", "throughput")),
    }
)


@st.composite
def cases(draw, models=MODELS):
    """One case of any of these models."""
    return case_of(draw(st.sampled_from(models)), draw(gpus), draw(st.sampled_from((1, 2, 3, 4))), **draw(workloads))
