"""Options: flags and profile together make a request."""

from __future__ import annotations

import inspect

import pytest

from generator.cli.options import Stated, request_from, with_request_options
from generator.errors import RequestError
from generator.models.request import Request


@with_request_options
def seen(*, stated: Stated) -> None:
    """Remember what was stated."""
    SEEN.append(stated)


SEEN: list[Stated] = []


def stated(**given):
    names = inspect.signature(seen).parameters
    seen(**(dict.fromkeys(names) | given))
    return SEEN[-1]


def test_every_field_of_a_request_is_an_option_or_said_elsewhere():
    elsewhere = {"overrides", "replan", "measured"}
    assert set(Request.model_fields) - elsewhere <= set(inspect.signature(seen).parameters)


def test_engine_flags_and_set_write_overrides():
    """Two spellings of one value are one value, the assignment's where vLLM reads both alike."""
    answers = stated(tensor_parallel_size=2, max_model_len="32K", set_=["max-model-len=32768", "seed=7"]).answers
    assert answers == {"overrides": {"tensor_parallel_size": 2, "max_model_len": 32768, "seed": 7}}


@pytest.mark.parametrize(
    ("options", "assigned", "said"),
    [
        ({"tensor_parallel_size": 2}, ["tensor-parallel-size=1"],
         "--tensor-parallel-size 2 and --set tensor_parallel_size=1 say"),
        ({"kv_cache_dtype": "bfloat16"}, ["kv_cache_dtype=fp8"],
         "--kv-cache-dtype bfloat16 and --set kv_cache_dtype=fp8"),
        ({"quantization": "fp8"}, ["quantization=null"], "--quantization fp8 and --set quantization=null"),
        ({"max_model_len": "32k"}, ["max_model_len=32K"], "--max-model-len 32k and --set max_model_len=32K"),
        ({"enforce_eager": False}, ["enforce_eager=true"], "--no-enforce-eager and --set enforce_eager=true"),
        ({}, ["seed=1", "max_num_seqs=4", "seed=2"], "--set seed=1 and --set seed=2"),
    ],
)  # fmt: skip
def test_two_values_of_one_argument_are_refused(options, assigned, said):
    """One line names both spellings, so that neither is dropped in silence."""
    with pytest.raises(RequestError, match=f"^{said}.*: drop one of the two$"):
        stated(**options, set_=assigned)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("seed=null", None), ("enforce_eager=true", True), ("served_model_name=a", "a"),
        ('--speculative-config={"method": "mtp"}', {"method": "mtp"}), ("chat_template=a=b", "a=b"),
    ],
)  # fmt: skip
def test_set_reads_yaml_and_json(word, value):
    assert list(stated(set_=[word]).answers["overrides"].values()) == [value]


@pytest.mark.parametrize("word", ["seed", "=1", "seed={"])
def test_set_refuses_what_it_cannot_read(word):
    with pytest.raises(RequestError, match="--set"):
        stated(set_=[word])


def test_words_of_the_ancestor_that_state_nothing():
    assert stated(quantization="none", interconnect="unknown").answers == {}


def test_a_flag_wins_over_the_profile_and_overrides_join(tmp_path):
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        "model: {id: a/b, max_model_len: 4096}\nhardware: {gpus: 2, tp_size: 2}\npolicy: {fragmentation_factor: 1.2}\n",
        encoding="utf-8",
    )
    found = stated(profile=profile, gpus=4, max_num_seqs=8)
    assert found.answers == {
        "model": "a/b", "gpus": 4,
        "overrides": {"max_model_len": 4096, "tensor_parallel_size": 2, "max_num_seqs": 8},
    }  # fmt: skip
    assert "fragmentation_factor" in found.warnings[0]


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ({}, "no model given"),
        ({"model": ""}, "no model given"),
        ({"model": "a/b", "gpus": 0}, "--gpus: input should be greater than 0, got 0"),
        ({"model": "a/b", "vram_gb": float("inf")}, "--vram-gb: input should be a finite number"),
        ({"model": "a/b", "workload": "chess"}, "--workload: .*'chess'"),
        ({"model": "a/b", "overrides": []}, "--overrides: .*dictionary"),
    ],
)
def test_a_request_that_cannot_be_names_its_option(answers, line):
    with pytest.raises(RequestError, match=line):
        request_from(answers)
