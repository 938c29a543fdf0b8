"""anchored(): a model's directory as it is recorded, by its absolute path; it means the same from anywhere."""

from collections.abc import Mapping
from typing import Any

from generator.catalogue.argument_values import path_kinds
from generator.sources.places import absolute, is_directory

_RELATIVE = ("./", "../", "~")
_HERE = frozenset({"auto", "local"})
"""Sources of facts that read a directory where there is one."""


def anchored(answers: Mapping[str, Any], source: str = "auto") -> dict[str, Any]:
    """The answers with the directories that `model` and a draft model name now by their absolute paths.

    `source` is where facts come from, where the answers do not say it; a name without a directory stays as it is.
    """
    found = dict(answers)
    if found.get("model") and found.get("source", source) in _HERE:
        found["model"] = _anchored(found["model"])
    if found.get("overrides"):
        found["overrides"] = {name: _override(name, value) for name, value in found["overrides"].items()}
    return found


def _override(name: str, value: Any) -> Any:
    plain = name.removeprefix("--").replace("-", "_")
    if plain == "spec_model" and isinstance(value, str):
        return _anchored(value)
    if plain == "speculative_config" and isinstance(value, dict) and isinstance(value.get("model"), str):
        return value | {"model": _anchored(value["model"])}
    kind = path_kinds().get(plain)
    if kind in ("file", "loose", "written"):
        return [_path(one, kind) for one in value] if isinstance(value, list) else _path(value, kind)
    return value


def _path(value: Any, kind: str) -> Any:
    """A relative path as the absolute one of a file or directory that is there; anything else as it is."""
    if not isinstance(value, str) or not value or "\n" in value:
        return value
    name, equals, path = value.rpartition("=")
    relative = path.startswith(_RELATIVE) or (kind == "file" and not path.startswith("/"))
    place = absolute(path)
    return f"{name}{equals}{place}" if relative and place.exists() else value


def _anchored(model: str) -> str:
    return str(absolute(model)) if is_directory(model) else model
