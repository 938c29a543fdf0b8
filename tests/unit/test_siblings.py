"""Siblings exist, are smaller than their model, and a GPU's verdict on a format follows from its capability."""

from __future__ import annotations

import pytest

from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import all_siblings, embedded_ids, embedded_model, siblings_of
from generator.catalogue.quantizations import all_quantizations
from generator.models.request import Request
from generator.planning.arithmetic import arithmetic, cache_arithmetic
from generator.planning.weights.rank import rank_weights
from generator.workflow import plan_for

METHODS = {word: method for method in all_quantizations() for word in (method.name, *method.aliases)}
ROWS = all_siblings()
each_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


@each_row
def test_every_sibling_is_an_embedded_model_that_states_its_quantization(row):
    for facts in siblings_of(row.name):
        assert facts.checkpoint.quantization is not None
        assert METHODS[facts.checkpoint.quantization.method]
        assert not facts.architecture.generic


@each_row
def test_siblings_become_smaller_along_the_row(row):
    known = {name.casefold() for name in embedded_ids()}
    line = [embedded_model(row.name)] if row.name.casefold() in known else []
    sizes = [weights_bytes(facts) for facts in (*line, *siblings_of(row.name))]
    assert sizes == sorted(sizes, reverse=True)
    shapes = {shape_of(facts.architecture) for facts in (*line, *siblings_of(row.name))}
    assert len(shapes) == 1


def test_a_model_has_one_row():
    names = [row.name.casefold() for row in ROWS]
    assert len(names) == len(set(names))


def test_a_sibling_is_followed_by_the_smaller_ones_alone():
    assert [one.id for one in siblings_of("qwen/qwen3-235b-a22b")] == [
        "Qwen/Qwen3-235B-A22B-FP8",
        "nvidia/Qwen3-235B-A22B-NVFP4",
    ]
    assert [one.id for one in siblings_of("Qwen/Qwen3-235B-A22B-FP8")] == ["nvidia/Qwen3-235B-A22B-NVFP4"]
    assert siblings_of("nvidia/Qwen3-235B-A22B-NVFP4") == ()
    assert siblings_of("someone/unheard-of") == ()


@pytest.mark.parametrize(
    ("model", "gpu", "verdict"),
    [  # vLLM 0.32: fp8.py:147 and marlin_utils_fp8.py; modelopt.py:769; auto_awq.py:234; compressed_tensors.py:897
        ("Qwen/Qwen3-32B-FP8", "H100", "native"),
        ("Qwen/Qwen3-32B-FP8", "L4", "native"),
        ("Qwen/Qwen3-32B-FP8", "A100-80GB", "emulated"),
        ("Qwen/Qwen3-32B-FP8", "T4", "emulated"),
        ("Qwen/Qwen3-32B-FP8", "V100-32GB", "unsupported"),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "B200", "native"),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "H100", "emulated"),
        ("openai/gpt-oss-20b", "H100", "emulated"),
        ("openai/gpt-oss-20b", "T4", "unsupported"),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "A100-80GB", "native"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "H100", "native"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "A100-80GB", "emulated"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "A100-80GB", "native"),
        ("nvidia/Qwen3.6-27B-NVFP4", "H100", "emulated"),
        ("nvidia/Qwen3.6-27B-NVFP4", "B200", "native"),
    ],
)
def test_a_gpus_verdict_on_a_checkpoint(model, gpu, verdict):
    quantization = embedded_model(model).checkpoint.quantization
    found = arithmetic(METHODS[quantization.method], find_gpu(gpu), "0.32.0", quantization)
    assert found.verdict == verdict
    assert found.text


@pytest.mark.parametrize(
    ("dtype", "gpu", "verdict"),
    [  # vLLM 0.32: triton_attn.py:487 and flashinfer.py; FP8 came with Ada and Hopper, FP4 with Blackwell
        ("auto", "T4", "native"),
        ("fp8", "A100-80GB", "emulated"),
        ("fp8", "L4", "native"),
        ("fp8_e4m3", "H100", "native"),
        ("nvfp4", "H100", "emulated"),
        ("nvfp4", "B200", "native"),
    ],
)
def test_a_gpus_verdict_on_a_cache(dtype, gpu, verdict):
    assert cache_arithmetic(dtype, find_gpu(gpu)).verdict == verdict


@pytest.mark.parametrize(
    ("model", "gpu", "stated", "field", "words"),
    [
        ("Qwen/Qwen3-32B-FP8", "H100", {}, "dtype", "multiplies in fp8"),
        ("Qwen/Qwen3-32B-FP8", "A100-80GB", {}, "dtype", "emulated: A100-SXM-80GB has no fp8"),
        ("Qwen/Qwen3-8B", "L40S", {"quantization": "fp8"}, "quantization", "you set it; L40S-48GB multiplies in fp8"),
        ("Qwen/Qwen3-8B", "A100-80GB", {"kv_cache_dtype": "fp8"}, "kv_cache_dtype", "has no fp8 arithmetic"),
    ],
)
def test_every_plan_says_how_the_gpu_computes_with_the_format(model, gpu, stated, field, words):
    made = planned(model, gpu, 1, overrides=stated)
    assert words in next(one.reason for one in made.decisions if one.field == field)


def test_a_sibling_without_a_known_commit_says_when_it_is_pinned():
    made = planned("Qwen/Qwen3-235B-A22B", "H100", 4)
    title = next(one.title for one in made.repairs if "checkpoint" in one.title)
    assert "the Hub's newest commit, pinned when it is read" in title


def test_the_verdict_follows_the_release():
    """Release 0.26 started ModelOpt's FP8 from compute capability 8.9 on; later ones from 8.0."""
    method = METHODS["modelopt"]
    assert arithmetic(method, find_gpu("A100-80GB"), "0.26.0").verdict == "unsupported"
    assert arithmetic(method, find_gpu("A100-80GB"), "0.33.0").verdict == "emulated"


def test_a_plan_that_does_not_fit_names_a_sibling_that_does():
    made = planned("Qwen/Qwen3-235B-A22B", "H100", 4)
    assert made.feasibility.verdict == "does_not_fit"
    repair = next(one for one in made.repairs if "checkpoint" in one.title)
    assert repair.flags == ("--model", "Qwen/Qwen3-235B-A22B-FP8")
    assert planned(repair.flags[1], "H100", 4).feasibility.fits


def test_a_sibling_does_not_inherit_what_belongs_to_the_checkpoint():
    made = planned("Qwen/Qwen3-235B-A22B", "H100", 2, overrides={"quantization": "fp8"})
    repair = next(one for one in made.repairs if "checkpoint" in one.title)
    assert repair.flags == ("--model", "nvidia/Qwen3-235B-A22B-NVFP4", "--unset", "quantization")
    assert "emulated" in repair.title


def planned(model, gpu, gpus, **stated):
    request = Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated)
    return plan_for(request, embedded_model(model))


def shape_of(architecture):
    return architecture.model_type, architecture.hidden_size, architecture.num_hidden_layers, architecture.vocab_size


def weights_bytes(facts):
    return rank_weights(facts.architecture, facts.checkpoint.quantization).worst.total_bytes
