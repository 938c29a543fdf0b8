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


def test_engine_flags_write_overrides_and_set_wins():
    answers = stated(tensor_parallel_size=2, max_model_len="32k", set_=["tensor-parallel-size=4", "seed=7"]).answers
    assert answers == {"overrides": {"tensor_parallel_size": 4, "max_model_len": "32k", "seed": 7}}


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
