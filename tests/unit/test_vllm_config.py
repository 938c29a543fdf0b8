"""VLLMConfig: argv and serve.yaml of one release."""

from __future__ import annotations

import pytest

from generator.catalogue.engines import engine
from generator.errors import RequestError
from generator.models.vllm import VLLMConfig

RELEASE = engine("0.33.0")


def config(**arguments):
    return VLLMConfig(model="org/name", arguments=arguments)


@pytest.mark.parametrize(
    ("arguments", "words", "yaml"),
    [
        ({"max_model_len": 8192}, ("--max-model-len", "8192"), {"max-model-len": 8192}),
        ({"max_model_len": "32K"}, ("--max-model-len", "32768"), {"max-model-len": 32768}),
        ({"max_model_len": "auto"}, ("--max-model-len", "-1"), {"max-model-len": -1}),
        ({"gpu_memory_utilization": 0.9}, ("--gpu-memory-utilization", "0.9"), {"gpu-memory-utilization": 0.9}),
        ({"enforce_eager": True}, ("--enforce-eager",), {"enforce-eager": True}),
        # measured on 0.32: `key: false` in the file is ignored, the negation is not
        ({"enable_prefix_caching": False}, ("--no-enable-prefix-caching",), {"no-enable-prefix-caching": True}),
        ({"served_model_name": ["a", "b"]}, ("--served-model-name", "a", "b"), {"served-model-name": ["a", "b"]}),
        ({"speculative_config": {"num_speculative_tokens": 1, "method": "mtp"}},
         ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 1}'),
         {"speculative-config": {"num_speculative_tokens": 1, "method": "mtp"}}),
        ({"max_num_seqs": None}, (), {}),
    ],
)  # fmt: skip
def test_an_argument_as_words_and_as_yaml(arguments, words, yaml):
    assert config(**arguments).args(RELEASE) == ("vllm", "serve", "org/name", *words)
    assert config(**arguments).serve_yaml(RELEASE) == yaml


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"max_num_seq": 4}, "has no argument 'max_num_seq'; nearest: max_num_seqs"),
        ({"max_num_seqs": "many"}, "--max-num-seqs takes a whole number"),
        ({"dtype": "bf16"}, "--dtype takes one of"),
        ({"kv_cache_dtype": "fp9"}, "--kv-cache-dtype takes no 'fp9'; nearest: fp8"),
        ({"enforce_eager": "yes"}, "--enforce-eager takes true or false"),
    ],
)
def test_what_the_release_lacks_is_refused(arguments, reason):
    for written in (config(**arguments).args, config(**arguments).serve_yaml):
        with pytest.raises(RequestError, match=reason):
            written(RELEASE)


def test_the_order_is_the_writers():
    given = {"max_num_seqs": 4, "dtype": "auto", "max_model_len": 4096}
    assert list(config(**given).serve_yaml(RELEASE)) == ["max-num-seqs", "dtype", "max-model-len"]
