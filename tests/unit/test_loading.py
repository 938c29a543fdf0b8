"""Loaders of weights are told only what they know, as vLLM's loaders check it before they read a file."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import plan_for

MODEL = "Qwen/Qwen3-8B"


def planned(own, vllm="0.33.0"):
    """The verdict of a small deployment with values of the user's own."""
    asked = Request(model=MODEL, gpu="H100", source="embedded", vllm=vllm, overrides=own)
    return plan_for(asked, embedded_model(MODEL)).feasibility


THREADS = {"model_loader_extra_config": {"enable_multithread_load": True}}


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"model_loader_extra_config": {"a": 1}}, "key 'a' that load_format auto does not know, it takes enable_multi"),
        ({"load_format": "dummy", **THREADS}, "load_format dummy does not know, it takes none"),
        ({"load_format": "runai_streamer", **THREADS}, "takes concurrency, distributed, memory_limit"),
        ({"load_format": "sharded_state", **THREADS}, "takes pattern"),
        ({"model_loader_extra_config": {"num_threads": 0}}, "num_threads must be a whole number of at least 1, got 0"),
        (
            {"model_loader_extra_config": {"enable_multithread_load": 1}},
            "enable_multithread_load must be true or false",
        ),
        (THREADS | {"safetensors_load_strategy": "prefetch"}, "does not support safetensors_load_strategy prefetch"),
    ],
)
def test_what_a_loader_does_not_know_is_refused(own, why):
    """Source: vLLM 0.33.0 default_loader.py:97 to 147, dummy_loader.py:27, runai_streamer_loader.py:137."""
    with pytest.raises(RequestError, match=why):
        planned(own)


@pytest.mark.parametrize(
    ("own", "vllm"),
    [
        (THREADS, "0.33.0"),
        (THREADS | {"safetensors_load_strategy": "lazy"}, "0.33.0"),
        ({"load_format": "runai_streamer", "model_loader_extra_config": {"memory_limit": -1}}, "0.33.0"),
        ({"load_format": "runai_streamer", "model_loader_extra_config": {"other": 1}}, "0.23.0"),
        (THREADS | {"safetensors_load_strategy": "prefetch"}, "0.23.0"),
    ],
)
def test_what_it_knows_is_planned(own, vllm):
    """Before 0.26 the streamer and the threads look past what they do not know."""
    assert planned(own, vllm).fits
