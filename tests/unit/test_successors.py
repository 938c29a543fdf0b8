"""Arguments that a release removed, and what is said instead of them."""

from __future__ import annotations

import re

import pytest

from generator.catalogue.engines import engine
from generator.catalogue.migrations import successors
from generator.errors import RequestError

NEWEST = engine()
REMOVED = [
    "calculate_kv_scales",
    "cuda_graph_sizes",
    "device",
    "disable_async_output_proc",
    "disable_frontend_multiprocessing",
    "disable_log_requests",
    "disable_mm_preprocessor_cache",
    "enable_bf16x3_router_gemm",
    "enable_lora_bias",
    "enable_multimodal_encoder_data_parallel",
    "enable_prompt_adapter",
    "enable_reasoning",
    "eplb_log_balancedness",
    "eplb_step_interval",
    "eplb_window_size",
    "expand_tools_even_if_tool_choice_none",
    "guided_decoding_backend",
    "guided_decoding_disable_additional_properties",
    "guided_decoding_disable_any_whitespace",
    "guided_decoding_disable_fallback",
    "logits_processor_pattern",
    "long_lora_scaling_factors",
    "lora_extra_vocab_size",
    "max_long_partial_prefills",
    "max_num_partial_prefills",
    "max_prompt_adapter_token",
    "max_prompt_adapters",
    "max_seq_len_to_capture",
    "multi_step_stream_outputs",
    "num_lookahead_slots",
    "num_redundant_experts",
    "num_scheduler_steps",
    "override_attention_dtype",
    "override_neuron_config",
    "override_pooler_config",
    "preemption_mode",
    "prompt_adapters",
    "qlora_adapter_name_or_path",
    "rope_scaling",
    "rope_theta",
    "scheduler_delay_factor",
    "swap_space",
    "task",
    "tokenizer_pool_extra_config",
    "tokenizer_pool_size",
    "tokenizer_pool_type",
    "use_gpu_for_pooling_score",
    "use_v2_block_manager",
]
"""Arguments that a parser of 0.8.5 to 0.32.0 had and 0.33.0's has not, short spellings apart."""


def said(argument, value):
    """What the newest release says of it."""
    with pytest.raises(RequestError) as caught:
        NEWEST.check(argument, value)
    return str(caught.value)


def test_every_removed_argument_has_one_successor():
    assert set(REMOVED) == set(successors())


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("task", "embed", "set runner=pooling and convert=embed"),
        ("task", "classify", "set runner=pooling and convert=classify"),
        ("disable_log_requests", True, "leave it out"),
        ("disable_log_requests", False, "set enable_log_requests=true"),
        ("enable_reasoning", True, "set reasoning_parser alone"),
        ("guided_decoding_backend", "xgrammar", 'set structured_outputs_config={"backend":"xgrammar"}'),
        ("cuda_graph_sizes", [1, 2], "set cudagraph_capture_sizes=[1, 2]"),
        ("num_scheduler_steps", 8, "leave it out"),
        ("override_pooler_config", {"normalize": True}, 'set pooler_config={"normalize": true}'),
    ],
)
def test_a_removed_argument_is_answered_with_its_value(argument, value, words):
    assert words in said(argument, value)


def test_a_release_of_the_tables_that_has_it_is_named():
    assert "or pin vLLM 0.19.1 to 0.27.1" in said("calculate_kv_scales", value=True)


@pytest.mark.parametrize("flag", sorted(successors()))
def test_what_is_advised_is_an_argument_of_the_newest_release(flag):
    row = successors()[flag]
    text = " ".join((row.instead, *row.values.values()))
    advised = re.findall(r"(?:set|and|or) ([a-z_]+)=", text)
    assert not [name for name in advised if name not in NEWEST.by_name]
    assert flag not in NEWEST.by_name
