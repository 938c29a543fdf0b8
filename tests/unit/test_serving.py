"""Serving features follow from vLLM's own tables, and nothing that vLLM would refuse is set."""

from __future__ import annotations

import re

import pytest

from generator.catalogue.engines import known_versions
from generator.catalogue.models import embedded_ids, embedded_model
from generator.catalogue.serving import all_families, parsers_of, serving_of
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import plan_for

FAMILIES = all_families()
each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])

RECIPES = [
    # recipes/models/*.yaml of vLLM 0.33.0's source distribution: features.tool_calling and features.reasoning
    ("Qwen/Qwen3-8B", "qwen3", "hermes", "qwen3"),
    ("Qwen/Qwen3-32B-FP8", "qwen3", "hermes", "qwen3"),
    ("RedHatAI/Qwen3-32B-FP8-dynamic", "qwen3", "hermes", "qwen3"),
    ("Qwen/Qwen3-32B-AWQ", "qwen3", "hermes", "qwen3"),
    ("Qwen/Qwen3-30B-A3B", "qwen3_moe", "hermes", "qwen3"),
    ("Qwen/Qwen3-235B-A22B-Instruct-2507", "qwen3_moe", "hermes", None),
    ("nvidia/Qwen3-235B-A22B-Instruct-2507-NVFP4", "qwen3_moe", "hermes", None),
    ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen3_moe", "qwen3_coder", None),
    ("Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", "qwen3_moe", "qwen3_coder", None),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", "qwen3_next", "hermes", None),
    ("Qwen/QwQ-32B", "qwen2", "hermes", "deepseek_r1"),
    ("Qwen/Qwen3.5-122B-A10B", "qwen3_5_moe", "qwen3_coder", "qwen3"),
    ("Qwen/Qwen3.5-27B-GPTQ-Int4", "qwen3_5", "qwen3_coder", "qwen3"),
    ("nvidia/Qwen3.6-27B-NVFP4", "qwen3_5", "qwen3_coder", "qwen3"),
    ("deepseek-ai/DeepSeek-V3.2", "deepseek_v32", "deepseek_v32", "deepseek_v3"),
    ("deepseek-ai/DeepSeek-V3.2-Exp", "deepseek_v32", "deepseek_v32", "deepseek_v3"),
    ("deepseek-ai/DeepSeek-V4-Pro", "deepseek_v4", "deepseek_v4", "deepseek_v4"),
    ("moonshotai/Kimi-K2-Instruct", "kimi_k2", "kimi_k2", None),
    ("moonshotai/Kimi-K2-Thinking", "kimi_k2", "kimi_k2", "kimi_k2"),
    ("nvidia/Kimi-K2.5-NVFP4", "kimi_k25", "kimi_k2", "kimi_k2"),
    ("moonshotai/Kimi-K3", "kimi_k3", "kimi_k3", "kimi_k3"),
    ("zai-org/GLM-4.5", "glm4_moe", "glm45", "glm45"),
    ("zai-org/GLM-4.6-FP8", "glm4_moe", "glm45", "glm45"),
    ("zai-org/GLM-4.7", "glm4_moe", "glm47", "glm47"),
    ("zai-org/GLM-5", "glm_moe_dsa", "glm47", "glm47"),
    ("openai/gpt-oss-120b", "gpt_oss", "openai", None),
    ("MiniMaxAI/MiniMax-M2.5", "minimax_m2", "minimax_m2", "minimax_m2"),
    ("MiniMaxAI/MiniMax-M3", "minimax_m3", "minimax_m3", "minimax_m3"),
    ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4", "nemotron_h", "qwen3_coder", "nemotron_v3"),
    ("mistralai/Mistral-Large-3-675B-Instruct-2512", "mistral3", "mistral", None),
    ("mistralai/Ministral-3-8B-Reasoning-2512", "mistral3", "mistral", "mistral"),
    ("stepfun-ai/Step-3.7-Flash-FP8", "step3p7", "step3p5", "step3p5"),
    ("tencent/Hy3", "hy_v3", "hy_v3", "hy_v3"),
    ("LiquidAI/LFM2.5-1.2B-Thinking", "lfm2", "lfm2", "qwen3"),
    ("arcee-ai/Trinity-Large-Thinking", "afmoe", "qwen3_coder", "deepseek_r1"),
    ("thinkingmachines/Inkling", "inkling", "inkling", "inkling"),
    ("zai-org/GLM-5.3-Flash", "glm_any", "glm47", "glm47"),
]


@pytest.mark.parametrize(("name", "model_type", "tool", "reasoning"), RECIPES, ids=[row[0] for row in RECIPES])
def test_a_model_gets_the_parsers_of_its_recipe(name, model_type, tool, reasoning):
    serving = serving_of(facts(name, model_type), "0.33.0")
    assert serving.family is not None
    assert (*serving.family.tool_call_parser, None)[0] == tool
    assert (*serving.family.reasoning_parser, None)[0] == reasoning


@pytest.mark.parametrize(
    ("name", "model_type"),
    [
        ("Qwen/Qwen3-8B-Base", "qwen3"),
        ("meta-llama/Llama-3.2-1B", "llama"),
        ("someone/Qwen3-8B", "qwen3"),
        ("Qwen/Qwen3-8B-roleplay", "qwen3"),
        ("google/gemma-4-26B-A4B", "gemma4"),
        ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-Base-BF16", "nemotron_h"),
        ("someone/gpt-oss-20b-base", "gpt_oss"),
        ("someone/chat", "never_seen"),
    ],
)
def test_a_model_that_no_row_surely_names_gets_no_parser(name, model_type):
    assert serving_of(facts(name, model_type), "0.33.0").family is None


def test_a_directory_is_known_by_its_model_type_alone():
    assert serving_of(facts("/models/Qwen/Qwen3-8B", "qwen3", "local"), "0.33.0").family is None
    family = serving_of(facts("/models/gpt-oss", "gpt_oss", "local"), "0.33.0").family
    assert family is not None
    assert family.tool_call_parser == ("openai",)


def test_a_model_of_a_known_type_is_told_its_candidates():
    names = {row.name for row in serving_of(facts("someone/tuned", "qwen3"), "0.33.0").candidates}
    assert "Qwen3" in names
    assert not names & {"Qwen3 Embedding", "Qwen3 Reranker"}


@each_family
def test_a_row_names_parsers_of_the_newest_release(family):
    parsers = parsers_of("0.33.0")
    assert set(family.tool_call_parser) <= set(parsers.tool)
    assert set(family.reasoning_parser) <= set(parsers.reasoning)


@each_family
def test_a_row_is_consistent(family):
    assert family.model_types or family.repositories
    assert not family.chat_template or family.tool_call_parser
    assert not family.mtp_since or family.mtp_tokens
    assert re.compile(family.repositories)
    assert family.source.split(":")[0] in {
        "docs",
        "recipes",
        "vllm/tool_parsers/__init__.py and examples/tool_chat_template_phi4_mini.jinja of vLLM 0.33.0",
    }


def test_names_of_releases_are_those_of_their_registries():
    """Counts of the dictionaries in vllm/tool_parsers/__init__.py and vllm/reasoning/__init__.py."""
    assert len(parsers_of("0.32.0").tool) == 54
    assert len(parsers_of("0.33.0").tool) == 58
    assert len(parsers_of("0.32.0").reasoning) == 38
    assert len(parsers_of("0.33.0").reasoning) == 42
    assert {"beam", "muse"} <= set(parsers_of("0.33.0").tool) - set(parsers_of("0.32.0").tool)
    assert "minimax" in parsers_of("0.23.0").tool
    assert "minimax" not in parsers_of("0.24.0").tool


@pytest.mark.parametrize("version", known_versions())
def test_every_release_has_the_oldest_parsers(version):
    assert "hermes" in parsers_of(version).tool
    assert "deepseek_r1" in parsers_of(version).reasoning


def test_a_chat_model_is_served_with_its_parsers():
    engine = planned().engine
    assert engine["tool_call_parser"] == "hermes"
    assert engine["reasoning_parser"] == "qwen3"
    assert engine["enable_auto_tool_choice"] is True


@pytest.mark.parametrize("removed", ["tool_call_parser", "enable_auto_tool_choice"])
def test_a_parser_that_the_user_removes_takes_the_switch_with_it(removed):
    engine = planned(overrides={removed: None}).engine
    assert "enable_auto_tool_choice" not in engine


def test_the_users_parser_stays_and_is_switched_on():
    engine = planned(overrides={"tool_call_parser": "xlam"}).engine
    assert (engine["tool_call_parser"], engine["enable_auto_tool_choice"]) == ("xlam", True)


def test_tools_without_a_parser_are_refused_as_vllm_refuses_them():
    with pytest.raises(RequestError, match="--enable-auto-tool-choice requires --tool-call-parser"):
        planned(overrides={"enable_auto_tool_choice": True, "tool_call_parser": None})


def test_an_unknown_parser_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="nearest: hermes"):
        planned(overrides={"tool_call_parser": "hermess"})
    with pytest.raises(RequestError, match="nearest: qwen3"):
        planned(overrides={"reasoning_parser": "qwen33"})


@pytest.mark.parametrize(
    ("release", "asked", "said"),
    [  # vllm/tool_parsers/__init__.py and vllm/reasoning/__init__.py of each release
        ("0.32.0", {"tool_call_parser": "step5"}, "vLLM 0.33.0 and newer has it"),
        ("0.33.0", {"tool_call_parser": "minimax"}, "vLLM 0.23.0 and older has it"),
        ("0.19.1", {"reasoning_parser": "glm47"}, "vLLM 0.24.0 and newer has it"),
    ],
)
def test_a_parser_of_another_release_is_refused_with_that_release(release, asked, said):
    with pytest.raises(RequestError, match=said):
        planned(vllm=release, overrides=asked)


def test_a_parser_of_a_plugin_is_the_users_affair():
    given = {"reasoning_parser": "nano_v3", "reasoning_parser_plugin": "/srv/plugins/nano_v3.py"}
    assert planned(overrides=given).engine["reasoning_parser"] == "nano_v3"


def test_the_parser_of_the_response_template_goes_with_no_other():
    engine = planned(overrides={"tool_call_parser": "hf"}).engine
    assert "reasoning_parser" not in engine
    with pytest.raises(RequestError, match="no other parser"):
        planned(overrides={"tool_call_parser": "hf", "reasoning_parser": "qwen3"})


def test_a_parser_is_set_only_where_the_release_has_it():
    old = planned("openai/gpt-oss-20b", vllm="0.19.1")
    assert set(old.engine) & {"tool_call_parser"} <= {"tool_call_parser"}
    assert all(
        planned("Qwen/Qwen3-8B", vllm=version).engine["tool_call_parser"] in parsers_of(version).tool
        for version in ("0.19.1", "0.33.0")
    )


def test_a_family_whose_template_lacks_tools_is_advised_and_not_set():
    made = planned("deepseek-ai/DeepSeek-V3", gpu="H200", gpus=8)
    assert "tool_call_parser" not in made.engine
    advised = [text for text in made.advisories if "tool_chat_template_deepseekv3.jinja" in text]
    assert len(advised) == 1
    given = {"chat_template": "/vllm-workspace/examples/tool_chat_template_deepseekv3.jinja"}
    made = planned("deepseek-ai/DeepSeek-V3", gpu="H200", gpus=8, overrides=given)
    assert made.engine["tool_call_parser"] == "deepseek_v3"


def test_shipped_heads_are_named_with_the_flag_that_uses_them():
    made = planned("deepseek-ai/DeepSeek-V3", gpu="H200", gpus=8)
    assert "speculative_config" not in made.engine
    assert any('{"method": "mtp", "num_speculative_tokens": 1}' in text for text in made.advisories)


def test_a_model_of_unknown_tool_format_says_how_to_set_one():
    made = planned("google/gemma-2-9b-it", gpu="H100")
    assert "tool_call_parser" not in made.engine
    assert any("--set tool_call_parser=NAME" in text for text in made.advisories)


def test_images_are_said_to_count_as_prompt():
    assert any("tokens of the prompt" in text for text in planned("google/gemma-3-4b-it", gpu="H100").advisories)


def test_every_embedded_model_has_a_row_or_none_and_never_two_minds():
    for name in embedded_ids():
        serving = serving_of(embedded_model(name), "0.33.0")
        assert serving.family is None or not serving.candidates


def facts(name, model_type, source="hub"):
    known = embedded_model("Qwen/Qwen3-8B")
    shapes = known.architecture.model_copy(update={"model_type": model_type})
    return known.model_copy(update={"id": name, "source": source, "architecture": shapes})


def planned(model="Qwen/Qwen3-8B", gpu="L40S", gpus=1, **stated):
    request = Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated)
    return plan_for(request, embedded_model(model))
