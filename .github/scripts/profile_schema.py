"""The JSON Schema of a profile, from the fields that its keys state: docs/reference/profile.schema.json."""

from __future__ import annotations

import json
from typing import Any, get_args

from generator.catalogue.engines import engine
from generator.models.question import SECTIONS
from generator.models.request import ASKED, CI, Artefact, Request
from generator.sources.profile import ENGINE_KEYS, NAMING

_OF_TYPE = {"int": ["integer", "string"], "float": ["number", "string"], "bool": ["boolean"], "str": ["string"]}
"""JSON types of an argument's values, as YAML and vLLM read them; others may be anything."""
_NAMING: dict[str, dict[str, Any]] = {
    "service": {"type": "string", "description": "Name of the deployment"},
    "artefacts": {
        "type": "array",
        "items": {"enum": [*get_args(Artefact), "k8s"]},
        "description": "What is rendered",
    },
    "ci": {"enum": list(get_args(CI)), "description": "Jobs that are rendered"},
}


def profile_schema() -> str:
    """The schema as text: closed sections, each key with the bounds and the sentence of the answer that it states."""
    sections = {section: _section(section) for section in SECTIONS}
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profile",
        "description": "Answers of a vllm-wizard deployment; a key without a value states nothing.",
        "type": "object",
        "additionalProperties": False,
        "properties": sections | {"profile_version": True, "resolved": True},
    }
    return json.dumps(made, indent=2) + "\n"


def _section(name: str) -> dict[str, Any]:
    asked = Request.model_json_schema()["properties"]
    keys = {
        key: _or_nothing(_plain(asked[field]))
        for field, one in ASKED.items()
        if one.section == name
        for key in one.keys
    }
    keys |= {key: _or_nothing(_argument(argument)) for key, argument in ENGINE_KEYS.get(name, {}).items()}
    if name == "outputs":
        keys |= {key: _or_nothing(_NAMING[answer]) for key, answer in NAMING.items()}
    return {"type": ["object", "null"], "additionalProperties": False, "properties": keys}


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """A field's schema without what only this package reads: its title and its default."""
    return {name: it for name, it in field.items() if name not in {"title", "default"}}


def _argument(name: str) -> dict[str, Any]:
    """An argument of the newest release."""
    flag = engine().by_name[name]
    return {"type": _OF_TYPE.get(flag.type, ["string"]), "description": f"vLLM's {flag.option}"}


def _or_nothing(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be left empty."""
    described = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [{name: it for name, it in schema.items() if name != "description"}, {"type": "null"}]} | described
