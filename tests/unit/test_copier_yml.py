"""copier.yml: its questions are the request's fields, and nothing in it runs anything but the planner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import jinja2
import pytest
import yaml
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from generator.models.request import CI, Artefact, Request
from generator.recording import FACT_INPUTS
from generator.rendering.answers import INPUTS, SERVICE
from generator.rendering.trust import features

TEXT = (Path(__file__).parents[2] / "copier.yml").read_text(encoding="utf-8")
CONFIG = yaml.safe_load(TEXT)
QUESTIONS = {name: question for name, question in CONFIG.items() if not name.startswith("_")}
NAMING = {"service", "artefacts", "ci", "host", "trace"}
COMPUTED = {"model_facts", "plan_inputs", "plan", "tool"}
OF_THIS_MACHINE = {"gpu", "vllm"}
"""Questions whose default is found out, so that what is recorded means the same everywhere."""
ONE = 1
"""Servers that a bare copy starts: what a command leaves to the plan, an answer states."""
TYPES = {"str": str, "int": int, "float": float, "bool": bool, "json": dict}
JINJA = jinja2.Environment(extensions=[AnsibleCoreFiltersExtension], autoescape=False)


def render(text, **answers):
    return JINJA.from_string(text).render(answers)


def test_the_questions_are_the_fields_of_the_request():
    assert QUESTIONS.keys() == Request.model_fields.keys() | NAMING | COMPUTED
    assert set(INPUTS) == QUESTIONS.keys() - COMPUTED


@pytest.mark.parametrize("name", Request.model_fields)
def test_a_question_is_its_field(name):
    """Same help, same choices, same type, same default."""
    question, field = QUESTIONS[name], Request.model_fields[name]
    assert question["help"] == field.description
    choices = get_args(field.annotation) if field.annotation not in TYPES.values() else ()
    assert tuple(question.get("choices", ())) == (() if question["type"] == "json" else choices)
    default = question.get("default")
    if field.is_required():
        assert default is None
    elif name not in OF_THIS_MACHINE:
        parsed = yaml.safe_load(default) if question["type"] == "json" else default
        expected = ONE if name == "servers" else field.get_default(call_default_factory=True)
        assert (parsed, type(parsed)) == (expected, TYPES[question["type"]])


def test_a_person_is_asked_seven_questions():
    asked = [name for name, question in QUESTIONS.items() if question.get("ask", question.get("when", True)) is True]
    assert asked == ["model", "gpu", "gpus", "workload", "concurrency", "service", "artefacts"]


def test_a_custom_gpu_is_asked_about():
    expert = {name for name, question in QUESTIONS.items() if isinstance(question.get("ask"), str)}
    assert expert == {"vram_gb", "capability"}
    assert render(QUESTIONS["vram_gb"]["ask"], gpu="custom") == "True"


def test_the_plan_depends_on_every_input_and_on_the_facts():
    keys = re.findall(r"^ +'([a-z_]+)':", QUESTIONS["plan_inputs"]["default"], re.MULTILINE)
    assert keys == [*Request.model_fields, "facts"]


def test_the_facts_depend_on_what_asks_for_them():
    """A draft, which `overrides` may name, is read with the model; another one leaves the facts as they are."""
    for part, more in (("default", ("overrides",)), ("validator", ())):
        asked = re.search(r"\{('[^}]+)\}", QUESTIONS["model_facts"][part])
        assert tuple(re.findall(r"'([a-z_]+)':", asked[1])) == (*FACT_INPUTS, *more)


def test_choices_are_those_of_the_operations():
    assert tuple(QUESTIONS["artefacts"]["choices"].values()) == get_args(Artefact)
    assert tuple(QUESTIONS["ci"]["choices"]) == get_args(CI)


def test_only_the_planner_runs():
    assert features(TEXT) == ()
    assert CONFIG["_jinja_extensions"] == ["generator.copier_ext.PlannerV1"]


def test_validators_call_no_planner():
    """A validator that called it would change what an old copy is checked against."""
    assert not [name for name, question in QUESTIONS.items() if "vllm_" in question.get("validator", "")]


@pytest.mark.parametrize(
    ("model", "service"),
    [
        ("Qwen/Qwen3-8B", "qwen3-8b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3-1-8b-instruct"),
        ("/srv/models/My Model_v2/", "my-model-v2"),
        ("org/01-Yi", "yi"),
        ("org/vLLM", "llm"),
        ("org/123", "llm"),
        ("org/" + "a" * 51 + "-b", "a" * 51),
        ("org/Modèle-é", "mod-le"),
    ],
)
def test_the_service_is_named_after_the_model(model, service):
    assert render(QUESTIONS["service"]["default"], model=model) == service
    assert render(QUESTIONS["service"]["validator"], service=service) == ""


@pytest.mark.parametrize("service", ["", "vllm", "Llm", "1llm", "llm-", "l" * 53, "l_m", "l.m"])
def test_a_name_that_kubernetes_refuses_is_no_service(service):
    assert render(QUESTIONS["service"]["validator"], service=service) != ""


def test_the_command_line_refuses_the_same_services():
    assert f"^{SERVICE.pattern}$" in QUESTIONS["service"]["validator"]
