"""A config.json that states what cannot be is refused in one line, whatever its field and value."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import GeneratorError, SourceError
from generator.models.request import Request
from generator.sources.bounds import check_config
from generator.sources.config import assemble
from generator.workflow import plan_for

FAMILIES = {
    name: row["config"] for name, row in json.loads(Path("tests/fixtures/families.json").read_text("utf-8")).items()
}
QWEN = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
    "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 151936, "max_position_embeddings": 40960, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
FP8 = {"quant_method": "fp8"}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128}
VALUES = (
    0, -1, -4.5, 1e-9, 1e308, float("nan"), float("inf"), 2**63, True, False, "32", "many", "", [], [-3, "x"], {},
    {"a": {"b": [1]}}, None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"intermediate_size": -1}, "intermediate_size -1"),
        ({"vocab_size": 0}, "vocab_size 0"),
        ({"vocab_size": -5}, "vocab_size -5"),
        ({"head_dim": 0}, "head_dim 0"),
        (
            {"num_hidden_layers": 2**31},
            "num_hidden_layers 2147483648, which has to be a whole number from 1 on, 10,000",
        ),
        ({"hidden_size": "32"}, "hidden_size '32'"),
        ({"num_key_value_heads": "eight"}, "num_key_value_heads 'eight'"),
        ({"num_key_value_heads": 0}, "num_key_value_heads 0"),
        ({"num_key_value_heads": True}, "num_key_value_heads True"),
        ({"num_key_value_heads": 7}, "num_key_value_heads 7, which has to be a divisor of the 32"),
        ({"max_position_embeddings": "many"}, "max_position_embeddings 'many'"),
        ({"max_position_embeddings": 1e308}, "max_position_embeddings 1e[+]308"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": -4}}, "rope_scaling.factor -4"),
        ({"num_experts": -8}, "num_experts -8"),
        ({"num_experts": 8, "num_experts_per_tok": 9}, "num_experts_per_tok 9, which has to be at most the 8"),
        ({"quantization_config": AWQ | {"dynamic": {"-:(": {}}}}, r"quantization_config '\(', .* regular expression"),
        ({"quantization_config": FP8 | {"ignore": ["re:*x"]}}, "quantization_config '[*]x'"),
        ({"quantization_config": AWQ | {"bits": -4}}, "quantization_config.bits -4"),
        ({"quantization_config": AWQ | {"bits": "four"}}, "quantization_config.bits 'four'"),
        ({"quantization_config": AWQ | {"group_size": [128, 128]}}, r"quantization_config.group_size \[128, 128\]"),
        ({"quantization_config": {"quant_method": "inc", "group_size": [128]}}, "quantization_config.group_size .128."),
        ({"quantization_config": AWQ | {"group_size": 0}}, "quantization_config.group_size 0"),
        *(
            ({"quantization_config": {"quant_method": "fp8", "weight_block_size": block}},
             "quantization_config.weight_block_size .*, which has to be two whole numbers above 0")
            for block in ([128], [], [128, 128, 128], [128, 0], 128, "128x128")
        ),
        ({"quantization_config": {"config_groups": {"group_0": {"weights": {"block_structure": [128]}}}}},
         "quantization_config.config_groups.weights.block_structure .128., which has to be two whole numbers above 0"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings 'yes', which has to be true or false"),
        ({"architectures": "Qwen3ForCausalLM"}, "architectures 'Qwen3ForCausalLM', which has to be a list of classes"),
        ({"quantization_config": FP8 | {"activation_scheme": "foo"}}, "quantization_config.activation_scheme 'foo'"),
        (
            {"quantization_config": FP8 | {"activation_scheme": "static", "weight_block_size": [128, 128]}},
            "quantization_config.activation_scheme 'static', which has to be dynamic where weights",
        ),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings 1, which has to be true or false"),
        ({"hidden_size": [4096]}, "hidden_size .4096., which has to be a number"),
        ({"rope_scaling": "yarn"}, "rope_scaling 'yarn', which has to be a mapping"),
        ({"quantization_config": "fp8"}, "quantization_config 'fp8', which has to be a mapping"),
        ({"layer_types": "full_attention"}, "layer_types 'full_attention', which has to be a list"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named(changed, named):
    """One line says the field, its value and what it has to be."""
    with pytest.raises(SourceError, match=f"config.json says {named}"):
        check_config(QWEN | changed, "config.json")


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_recorded_family_passes_the_door(name):
    check_config(FAMILIES[name], name)


@settings(max_examples=40)
@given(family=st.sampled_from(sorted(FAMILIES)), value=st.sampled_from(VALUES), data=st.data())
def test_no_mutant_ends_as_a_bug(family, value, data):
    """Either it is planned with figures that are counts, or refused in one line."""
    config = deepcopy(FAMILIES[family])
    config[data.draw(st.sampled_from(sorted(config)))] = value
    with suppress(GeneratorError):
        facts = assemble(id=family, revision=None, source="local", config=config, quant_config=None, tensors=None)
        asked = Request(model=family, gpu="B300-SXM-288GB", source="local", overrides={"tensor_parallel_size": 1})
        made = plan_for(asked, facts)
        assert made.model.parameters > 0
        assert made.memory.weights_bytes.low >= 0
