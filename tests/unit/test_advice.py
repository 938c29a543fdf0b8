"""Advice: each sentence appears where it is true, and not elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
from strategies import case_of

from generator.catalogue.gpus import custom_gpu
from generator.catalogue.models import embedded_model
from generator.models.request import Request
from generator.planning import advice
from generator.planning.planner import planned
from generator.workflow import plan_for

FIGURES = "Figures | None"


def said(model="Qwen/Qwen3-8B", gpu="H100-SXM-80GB", gpus=1, **stated):
    made = planned(case_of(model, gpu, gpus, **stated))
    return " ".join((*made.advisories, *made.warnings))


@pytest.mark.parametrize(
    ("sentence", "where", "elsewhere"),
    [
        ("of 3 GPUs stay idle", {"gpus": 3, "overrides": {"tensor_parallel_size": 2}}, {"gpus": 2}),
        ("talk over PCIe", {"gpu": "L4-24GB", "gpus": 2, "overrides": {"tensor_parallel_size": 2}},
         {"gpus": 2, "overrides": {"tensor_parallel_size": 2}}),
        ("are not planned as a pair",
         {"overrides": {"kv_transfer_config": {"kv_connector": "NixlConnector", "kv_role": "kv_both"}}}, {}),
        ("of your own description", {"gpu": custom_gpu(24.0, "8.9")}, {}),
        ("the rest wait", {"gpu": "L4-24GB", "concurrency": 4000}, {}),
        ("page cache and other programs", {"gpu": "GB10-128GB"}, {}),
        ("The targets are not checked", {"gpu": custom_gpu(24.0, "8.9"), "tpot_ms": 50.0}, {"tpot_ms": 50.0}),
        ("not counted in this plan: kv_cache_dtype_skip_layers",
         {"overrides": {"kv_cache_dtype": "fp8", "kv_cache_dtype_skip_layers": ["0"]}},
         {"overrides": {"kv_cache_dtype": "fp8"}}),
        ("one replica takes fewer", {"gpus": 3, "requests_per_s": 9.0, "overrides": {"tensor_parallel_size": 2}},
         {"gpus": 3, "overrides": {"tensor_parallel_size": 2}}),
        ("requests in flight on each replica take the fewest GPUs", {"requests_per_s": 90.0},
         {"requests_per_s": 90.0, "concurrency": 16}),
        ("Replicas that share experts step together",
         {"model": "Qwen/Qwen3-30B-A3B", "gpus": 2, "overrides": {"data_parallel_size": 2}}, {"gpus": 2}),
        ("The target of 1 ms time per output token is missed", {"tpot_ms": 1.0}, {"tpot_ms": 1000.0}),
    ],
)  # fmt: skip
def test_a_sentence_is_said_where_it_is_true(sentence, where, elsewhere):
    assert sentence in said(**where)
    assert sentence not in said(**elsewhere)


def test_embedded_facts_are_said_to_be_that():
    assert "Model facts are embedded" in said()
    facts = embedded_model("Qwen/Qwen3-8B").model_copy(update={"source": "hub", "revision": "0" * 40})
    made = plan_for(Request(model=facts.id, gpu="L4"), facts)
    assert "Model facts are embedded" not in " ".join(made.advisories)
    assert made.engine["revision"] == "0" * 40


def test_a_directory_without_weights_is_said_to_be_that():
    facts = embedded_model("Qwen/Qwen3-8B").model_copy(update={"source": "local"})
    held = facts.model_copy(update={"checkpoint": facts.checkpoint.model_copy(update={"total_bytes": 16_381_470_720})})
    for one, expected in ((facts, True), (held, False)):
        made = plan_for(Request(model="/models/qwen", gpu="L4"), one)
        assert any("holds no safetensors" in text for text in made.advisories) is expected


def test_a_class_of_no_known_family_is_warned_of():
    """Its standard fields are counted, and whether vLLM has such a class nothing here knows."""
    facts = embedded_model("Qwen/Qwen3-8B")
    shape = facts.architecture.model_copy(update={"architecture": "FooForCausalLM", "generic": True})
    facts = facts.model_copy(update={"architecture": shape, "custom_code": True})
    made = plan_for(Request(model=facts.id, gpu="L4", trust_remote_code=True), facts)
    assert any(text.startswith("FooForCausalLM is counted from standard fields") for text in made.warnings)
    assert "standard fields" not in said()


def test_a_tight_fit_says_by_how_much_a_start_may_fail():
    """Between a context that fits surely and one that does not, there is one that fits as expected only."""
    lengths = range(20480, 40961, 1024)
    made = [planned(case_of("Qwen/Qwen3-8B", "L4-24GB", overrides={"max_model_len": size})) for size in lengths]
    tight = [one for one in made if one.feasibility.verdict == "tight"]
    assert tight
    for one in tight:
        assert one.feasibility.oom_risk == "HIGH"
        assert one.feasibility.fits
        assert any("a start may fail by" in text for text in one.warnings)


def test_code_of_the_repository_is_refused_until_allowed():
    known = embedded_model("Qwen/Qwen3-8B")
    shapes = known.architecture.model_copy(update={"generic": True})
    facts = known.model_copy(update={"custom_code": True, "architecture": shapes, "id": "a/own-code"})
    made = plan_for(Request(model="a/own-code", gpu="L4", trust_remote_code=True), facts)
    assert made.engine["trust_remote_code"] is True
    assert "--trust-remote-code" in made.command


def test_no_function_lacks_a_text():
    """A function that decides whether a sentence is said, and is none itself, would never be heard."""
    silent = [
        name for name, one in vars(advice).items() if getattr(one, "__annotations__", {}).get("return") == FIGURES
    ]
    assert silent == []
    assert advice.SENTENCES[0].when.__annotations__["return"] == FIGURES


def test_no_message_is_taken_from_a_docstring():
    """`python -OO` strips them."""
    program = (
        "from generator.planning.advice import SENTENCES; from generator.operations.looks import CHECKS;"
        "print(all(len(one.text) > 20 for one in SENTENCES), all(len(look.message) > 20 for _, look in CHECKS))"
    )
    done = subprocess.run([sys.executable, "-OO", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


@pytest.mark.parametrize("nameless", [True, False])
def test_a_scheme_that_vllm_sets_aside_is_said_to_be(nameless):
    """A scheme without method or producer leaves 16 bits (vLLM 0.32 config/model.py: _verify_quantization)."""
    facts = embedded_model("Qwen/Qwen3-8B")
    stored = facts.checkpoint.model_copy(update={"nameless": nameless})
    request = Request(model=facts.id, gpu="H100", source="embedded")
    made = plan_for(request, facts.model_copy(update={"checkpoint": stored}))
    assert any("vLLM sets it aside" in text for text in made.warnings) is nameless
