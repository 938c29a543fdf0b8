"""The schemas that an editor checks a profile and a plan with."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from generator.errors import RequestError
from generator.models.request import Request
from generator.sources.profile import load_profile
from generator.workflow import plan

ROOT = Path(__file__).parents[2]
PROFILE = json.loads((ROOT / "docs/reference/profile.schema.json").read_text(encoding="utf-8"))
PLAN = json.loads((ROOT / "docs/reference/plan.schema.json").read_text(encoding="utf-8"))
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
RENDERED = sorted((ROOT / "tests/golden").glob("*/profile.yaml"))
COMMENT = "# yaml-language-server: $schema=../docs/reference/profile.schema.json"
WRONG = [
    "model: {idd: Qwen/Qwen3-8B}",
    "modell: {id: Qwen/Qwen3-8B}",
    "hardware: {gpus: 0}",
    "hardware: {gpus: two}",
    "workload: {preset: chatt}",
    "workload: {prefix_hit_ratio: 1.5}",
    "outputs: {emit: [helm]}",
    "outputs: {ci: jenkins}",
    "hardware: [L4]",
    "policy: {headroom_gb: -1}",
]


@pytest.mark.parametrize("schema", [PROFILE, PLAN], ids=["profile", "plan"])
def test_a_schema_is_one(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", [*EXAMPLES, *RENDERED], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_profile_of_this_repository_is_right(path):
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), PROFILE)


@pytest.mark.parametrize("text", WRONG)
def test_what_the_program_refuses_the_schema_refuses(text, tmp_path):
    profile = tmp_path / "profile.yaml"
    profile.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError):
        load_profile(profile)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), PROFILE)


@pytest.mark.parametrize(
    "text", ["model:", "model: {id: a/b, dtype: }", "hardware: {gpu_name: L4}", "resolved: {a: 1}"]
)
def test_what_the_program_takes_the_schema_takes(text, tmp_path):
    profile = tmp_path / "profile.yaml"
    profile.write_text(text, encoding="utf-8")
    load_profile(profile)
    jsonschema.validate(yaml.safe_load(text), PROFILE)


def test_every_key_says_what_it_is():
    keys = [
        key
        for section in PROFILE["properties"].values()
        if section is not True
        for key in section["properties"].items()
    ]
    assert [name for name, one in keys if not one.get("description")] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_tells_an_editor_its_schema(path):
    assert path.read_text(encoding="utf-8").splitlines()[0] == COMMENT


def test_a_plan_is_what_its_schema_says():
    made = plan(Request(model="Qwen/Qwen3-8B", gpu="L4"), offline=True)
    jsonschema.validate(json.loads(made.model_dump_json(by_alias=True)), PLAN)
