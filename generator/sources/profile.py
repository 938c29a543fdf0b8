"""Profiles: a deployment's answers as a YAML file for people, the ancestor's format included."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from generator.errors import RequestError, SourceError
from generator.models.question import SECTIONS
from generator.models.request import ASKED, CI, Artefact, Request
from generator.models.value import Value, problem, shortened
from generator.sources import plain_yaml

NAMING = {"service": "service", "emit": "artefacts", "ci": "ci"}
"""Keys of the section `outputs` and the answers, beside the request, that they state."""
_ANSWERS: dict[str, dict[str, str]] = {
    section: {key: name for name, one in ASKED.items() if one.section == section for key in one.keys}
    for section in SECTIONS
}
_ANSWERS["outputs"] |= NAMING
ENGINE_KEYS: dict[str, dict[str, str]] = {
    "model": {name: name for name in ("dtype", "quantization", "kv_cache_dtype", "max_model_len")},
    "hardware": {"tp_size": "tensor_parallel_size"},
    "policy": {"gpu_memory_utilization": "gpu_memory_utilization"},
}
"""Keys of the ancestor's profiles that state engine values, by section."""
_SUPERSEDED = {
    "model.params_b": "parameters are counted from the model itself",
    "policy.overhead_gb": "overheads are planned item by item; use reserve_gb for other processes",
    "policy.fragmentation_factor": "vLLM's paged cache is planned block by block",
    "workload.streaming": "streaming does not change the plan",
}
_WORDS = {"interconnect": {"unknown": "auto"}, "artefacts": {"k8s": "kubernetes"}}
_NOT_STATED = {"dtype": "auto", "quantization": "none", "kv_cache_dtype": "auto"}


class _Naming(Value):
    """What a profile states beside the request."""

    service: str = "any"
    artefacts: tuple[Artefact, ...] = ()
    ci: CI = "none"


class Profile(Value):
    """A profile file, parsed: the answers that it states and what it states in vain."""

    answers: dict[str, Any]
    warnings: tuple[str, ...] = ()


def load_profile(path: Path) -> Profile:
    """The answers that a profile file states, sections `resolved` and comments left out.

    Raises:
        SourceError: the file cannot be read.
        RequestError: it is not YAML, a section or key is unknown or stated twice, or a value is no such answer; names
            the line and the field.
    """
    root = _parse(path)
    overrides: dict[str, Any] = {}
    warnings: list[str] = []
    stated: dict[str, tuple[str, Any]] = {}
    stated_all = False
    for field, line, value in _entries(root, path):
        section, _, key = field.partition(".")
        if field in _SUPERSEDED:
            warnings.append(f"{path.name} line {line}: {field} has no effect any more: {_SUPERSEDED[field]}")
        elif _ANSWERS[section].get(key) == "overrides":
            overrides |= _mapping(value, path, line, field)
            stated_all = True
        elif key in ENGINE_KEYS.get(section, {}):
            name = ENGINE_KEYS[section][key]
            overrides |= {} if value in (None, _NOT_STATED.get(name)) else {name: value}
        elif key in _ANSWERS[section]:
            if value is not None:
                stated[_ANSWERS[section][key]] = f"{path} line {line}: {field}", value
        else:
            known = ", ".join(sorted({*_ANSWERS[section], *ENGINE_KEYS.get(section, {})}))
            raise RequestError(f"{path} line {line}: unknown key {field!r}; known in {section}: {known}")
    answers = {name: _translated(name, value) for name, (_, value) in stated.items()}
    _refuse_wrong(answers, stated)
    if overrides or stated_all:
        answers["overrides"] = overrides
    return Profile(answers=answers, warnings=tuple(warnings))


def _parse(path: Path) -> yaml.MappingNode:
    try:
        with path.open("rb") as file:
            root = plain_yaml.compose(file.read(plain_yaml.MOST_BYTES + 1))
    except OSError as error:
        raise SourceError(f"cannot read profile {path}: {error.strerror}") from error
    except ValueError as error:
        raise _refusal(error, path) from error
    if not isinstance(root, yaml.MappingNode):
        raise RequestError(f"{path}: expected the sections model, hardware, workload, policy, outputs")
    return root


def _entries(root: yaml.MappingNode, path: Path) -> Iterator[tuple[str, int, Any]]:
    """`section.key`, its line and its value, for every key of every section that is ours to read."""
    for section_node, body in root.value:
        section, line = section_node.value, section_node.start_mark.line + 1
        if section in ("profile_version", "resolved"):
            continue
        if section not in _ANSWERS:
            raise RequestError(
                f"{path} line {line}: unknown section {section!r}; known: {', '.join(_ANSWERS)}, resolved"
            )
        if not isinstance(body, yaml.MappingNode):
            if body.tag == "tag:yaml.org,2002:null":
                continue
            raise RequestError(f"{path} line {line}: section {section} must be a mapping of keys to values")
        for key, value in body.value:
            yield f"{section}.{key.value}", key.start_mark.line + 1, _value(value, path)


def _value(node: yaml.Node, path: Path) -> Any:
    try:
        return plain_yaml.value_of(node)
    except plain_yaml.NotPlainError as error:
        raise _refusal(error, path) from error


def _refusal(error: ValueError, path: Path) -> RequestError:
    where = f" line {error.line}" if isinstance(error, plain_yaml.NotPlainError) and error.line else ""
    return RequestError(f"{path}{where}: {getattr(error, 'reason', None) or 'is no path of a file'}")


def _mapping(value: Any, path: Path, line: int, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(f"{path} line {line}: {field} must be a mapping of vLLM arguments to values")
    return {str(key).replace("-", "_"): item for key, item in value.items()}


def _refuse_wrong(answers: Mapping[str, Any], stated: Mapping[str, tuple[str, Any]]) -> None:
    """Return only where every answer can be one; `stated` has line, key and value of each as the file writes them."""
    for shape, needed in ((Request, {"model": "any"}), (_Naming, {})):
        try:
            shape.model_validate(needed | {name: answers[name] for name in answers if name in shape.model_fields})
        except ValidationError as error:
            name = problem(error)[0].partition(".")[0]
            where, value = stated[name]
            raise RequestError(f"{where}: {problem(error)[1]}, got {shortened(value)}") from error
    for name, value in answers.items():
        field = Request.model_fields.get(name)
        if isinstance(value, bool) and field is not None and field.annotation is not bool:
            raise RequestError(f"{stated[name][0]}: yes and no are no value of it: write a number or a word in quotes")


def _translated(name: str, value: Any) -> Any:
    words = _WORDS.get(name, {})
    if isinstance(value, list):
        return [words.get(item, item) if isinstance(item, str) else item for item in value]
    return words.get(value, value) if isinstance(value, str) else value
