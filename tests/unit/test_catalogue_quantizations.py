"""quantizations.toml: every row is sourced, every name finds its row, and vLLM's own minima hold."""

from __future__ import annotations

import pytest

from generator.catalogue.engines import engine, known_versions
from generator.catalogue.quantizations import all_quantizations

METHODS = all_quantizations()
each_method = pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])

BY_NAME = {word: method for method in METHODS for word in (method.name, *method.aliases)}

NOT_FOR_NVIDIA = {"cpu_awq"}


def test_a_spelling_names_one_row():
    """Names and aliases are vLLM's and config.json's own, lower case, and none stands twice."""
    spellings = [word for method in METHODS for word in (method.name, *method.aliases)]
    assert len(spellings) == len(BY_NAME)
    assert spellings == [word.lower() for word in spellings]


@each_method
def test_a_row_is_consistent(method):
    assert ".py" in method.source
    assert (method.arithmetic is None) == (method.native_capability is None)
    assert method.stored or method.covers == "all"
    assert method.native_capability is None or method.native_capability >= 89


@pytest.mark.parametrize("version", known_versions())
def test_every_method_of_every_release_has_a_row(version):
    for name in set(engine(version).quantization_methods) - NOT_FOR_NVIDIA:
        assert BY_NAME[name]


@pytest.mark.parametrize(
    ("name", "capability"),
    [  # get_min_capability of vLLM 0.32.0 (reference: model_executor/layers/quantization)
        ("auto_gptq", 60),
        ("inc", 60),
        ("moe_wna16", 70),
        ("auto_awq", 75),
        ("fp8", 75),
        ("humming", 75),
        ("modelopt_fp4", 75),
        ("torchao", 75),
        ("online", 75),
        ("experts_int8", 80),
        ("modelopt", 80),
        ("modelopt_mxfp8", 80),
        ("gpt_oss_mxfp4", 80),
        ("fp_quant", 100),
    ],
)
def test_the_minimum_capability_is_vllm_s(name, capability):
    assert BY_NAME[name].minimum_for("0.32.0") == capability


@pytest.mark.parametrize(
    ("name", "version", "capability"),
    [  # get_min_capability in those releases' own trees
        ("modelopt", "0.26.0", 89),
        ("modelopt", "0.27.1", 80),
        ("mxfp8", "0.19.1", 100),
        ("mxfp8", "0.20.2", 75),
        ("mxfp8", "0.24.0", 80),
        ("modelopt_mixed", "0.23.0", 89),
        ("modelopt_mixed", "0.24.0", 75),
    ],
)
def test_older_releases_had_other_minima(name, version, capability):
    assert BY_NAME[name].minimum_for(version) == capability


def test_a_t4_does_not_start_modelopt_fp8_as_vllm_says():
    """refusals.json: "The quantization method modelopt is not supported ... Minimum capability: 80"."""
    assert BY_NAME["modelopt"].minimum_for("0.32.0") > 75


def test_eight_bit_arithmetic_needs_ada_and_awq_has_none():
    assert BY_NAME["fp8"].native_capability == 89
    assert BY_NAME["awq"].native_capability is None


def test_only_what_vllm_can_do_while_loading_is_online():
    online = online_in("0.33.0")
    assert {"fp8", "fp8_per_tensor", "fp8_per_block", "mxfp8", "experts_int8", "nvfp4_per_token"} <= online
    assert not online & {"awq", "gptq", "compressed-tensors", "modelopt", "bitsandbytes"}
    assert "mxfp4" in online
    assert "mxfp4" not in online_in("0.27.1")
    assert online_in("0.19.1") == {"fp8", "mxfp8", "experts_int8"}


def online_in(version):
    """Methods that a release takes and can apply while loading."""
    taken = set(engine(version).quantization_methods)
    return {method.name for method in METHODS if method.is_online_in(version) and method.name in taken}


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [  # get_supported_act_dtypes of vLLM 0.32.0 and 0.33.0
        ("auto_awq", ("float16", "bfloat16")),
        ("compressed-tensors", ("float16", "bfloat16", "float32")),
        ("gpt_oss_mxfp4", ("bfloat16",)),
        ("modelopt_mxfp8", ("bfloat16",)),
        ("torchao", ("float16", "bfloat16", "float32")),
    ],
)
def test_the_dtypes_it_computes_in_are_vllm_s(name, dtypes):
    assert BY_NAME[name].computes_in(online=False) == dtypes


def test_what_is_quantized_while_loading_computes_in_both_of_16_bits():
    """online/base.py:206: whatever the name."""
    assert BY_NAME["mxfp4"].computes_in(online=True) == ("float16", "bfloat16")
