"""Values of config.json that vLLM's classes do not take, as vLLM 0.33's own start-up code answered."""

import pytest

from generator.catalogue.class_values import refused_value
from generator.errors import UnsupportedArchitectureError
from generator.sources.architectures.reader import read_architecture

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512, "intermediate_size": 1024,
    "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 4, "vocab_size": 32000,
    "max_position_embeddings": 4096,
}  # fmt: skip
GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 256, "n_head": 4, "n_layer": 4,
    "n_positions": 1024, "vocab_size": 50257,
}  # fmt: skip


@pytest.mark.parametrize(
    ("base", "field", "value", "why"),
    [
        (LLAMA, "hidden_act", "relu", "LlamaForCausalLM takes silu"),
        (LLAMA, "hidden_act", "swish", "compute silu alone"),
        (
            LLAMA | {"architectures": ["MistralForCausalLM"], "model_type": "mistral"},
            "hidden_act",
            "gelu",
            "takes silu",
        ),
        (GPT2, "activation_function", "mish", "no such activation"),
        (GPT2, "reorder_and_upcast_attn", True, "does not reorder"),
        (GPT2, "scale_attn_by_inverse_layer_idx", True, "does not scale"),
    ],
)
def test_a_value_that_the_class_refuses_is_refused(base, field, value, why):
    """VLLM 0.33: "Unsupported activation: relu", "Activation function 'mish' is not supported", two assertions."""
    with pytest.raises(UnsupportedArchitectureError, match=rf"{field}.*{why}"):
        read_architecture(base | {field: value})


@pytest.mark.parametrize(
    ("base", "more"),
    [
        (LLAMA, {"hidden_act": "silu"}),
        (LLAMA, {"hidden_act": None}),
        (LLAMA, {}),
        (GPT2, {"activation_function": "gelu_new", "reorder_and_upcast_attn": False}),
        (LLAMA | {"architectures": ["ArceeForCausalLM"], "model_type": "arcee"}, {"hidden_act": "relu2"}),
    ],
)
def test_what_the_class_takes_is_read(base, more):
    """An absent field is the class's own default; another class computes another activation."""
    assert read_architecture(base | more).num_hidden_layers == 4


def test_the_case_of_a_word_does_not_matter():
    """VLLM's look-up of activations asks in lower case (layers/activation.py: get_act_fn)."""
    assert refused_value("BertModel", {"hidden_act": "GELU"}) is None
    assert refused_value("BertModel", {"hidden_act": "mish"}).field == "hidden_act"
