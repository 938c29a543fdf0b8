"""A host's profile: the GPUs that it has, and the models that share them, in the order in which they start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from generator.errors import RequestError, SourceError
from generator.models.request import Request
from generator.models.shared_host import AskedModel, SharedHost
from generator.models.value import problem, shortened
from generator.sources import plain_yaml

_HOSTS = ("gpu", "vram_gb", "capability", "interconnect", "vllm", "reserve_gb")
"""What all models of a host have in common, and the host alone states."""
_PLACE = ("name", "share", "first_gpu")
_MOST_MODELS = 16
_NEVER = frozenset({"replan", "measured", "nodes"})
"""Fields of a request that a host's profile does not state."""


def load_host(path: Path) -> SharedHost:
    """The host that a profile describes.

    Raises:
        SourceError: the file cannot be read.
        RequestError: it is not YAML, a key is unknown or missing, or a value is out of its range; names the model.
    """
    stated = _read(path)
    models = stated.pop("models", None)
    if not isinstance(models, list) or not models:
        raise RequestError(f"{path}: list the models beneath `models:`, each with `model: ORG/NAME`")
    if len(models) > _MOST_MODELS:
        raise RequestError(f"{path} lists {len(models)} models: at most {_MOST_MODELS} share a host")
    _refuse_unknown(path, "the host", stated, ("gpus", *_HOSTS))
    _refuse_words(path, "the host", stated)
    common = {name: stated[name] for name in _HOSTS if name in stated and name != "reserve_gb"}
    members = tuple(_member(path, number, one, common) for number, one in enumerate(models, 1))
    own = {name: stated[name] for name in ("gpu", "gpus", "reserve_gb") if name in stated}
    try:
        return SharedHost.model_validate({"gpu": "auto", **own, "members": members})
    except ValidationError as error:
        raise _refusal(f"{path}: the host", error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = plain_yaml.load(path.read_bytes())
    except OSError as error:
        raise SourceError(f"cannot read the host's profile {path}: {error.strerror}") from error
    except ValueError as error:
        raise RequestError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise RequestError(f"{path}: expected gpu, gpus and models; examples/hosts has profiles of hosts")
    return {str(name): value for name, value in found.items()}


def _member(path: Path, number: int, stated: Any, common: Mapping[str, Any]) -> AskedModel:
    place = f"{path}: model {number}"
    if not isinstance(stated, dict) or not stated.get("model"):
        raise RequestError(f"{place} has no `model:`: name it, like `model: Qwen/Qwen3-8B`")
    asked = set(Request.model_fields) - set(_HOSTS) - _NEVER
    _refuse_unknown(path, f"model {number}", stated, (*_PLACE, *sorted(asked)))
    _refuse_words(path, f"model {number}", stated)
    wanted = {name: value for name, value in stated.items() if name not in _PLACE}
    try:
        request = Request.model_validate({**common, **wanted})
        return AskedModel.model_validate(
            {"name": "", **{name: stated[name] for name in _PLACE if name in stated}, "request": request}
        )
    except ValidationError as error:
        raise _refusal(place, error) from error


def _refuse_unknown(path: Path, whose: str, stated: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [str(name) for name in stated if name not in known]
    if unknown and unknown[0] in _HOSTS:
        raise RequestError(f"{path}: {unknown[0]} is the host's, and not of {whose}: state it once, above `models:`")
    if unknown:
        raise RequestError(f"{path}: unknown key {shortened(unknown[0])} of {whose}; known: {', '.join(known)}")


def _refuse_words(path: Path, whose: str, stated: Mapping[str, Any]) -> None:
    """Return only where yes and no, which YAML reads as numbers too, stand for what is one of the two."""
    kinds = {name: field.annotation for name, field in Request.model_fields.items()}
    wrong = [name for name, value in stated.items() if isinstance(value, bool) and kinds.get(name) is not bool]
    if wrong:
        raise RequestError(f"{path}: {wrong[0]} of {whose}: yes and no are no value of it: write a number or a word")


def _refusal(place: str, error: ValidationError) -> RequestError:
    field, said = problem(error)
    return RequestError(f"{place}: {field}: {said}, got {shortened(error.errors()[0]['input'])}")
