"""Words of a command line as engine arguments, read by a release's own table."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from generator.errors import RequestError
from generator.models.engine import Engine, Flag, opposite
from generator.sources.plain_yaml import LOADER

SHORT = {
    "tp": "tensor_parallel_size", "pp": "pipeline_parallel_size", "dp": "data_parallel_size",
    "dcp": "decode_context_parallel_size", "pcp": "prefill_context_parallel_size", "ep": "enable_expert_parallel",
    "dpl": "data_parallel_size_local", "dpn": "data_parallel_rank", "dpr": "data_parallel_start_rank",
    "dpa": "data_parallel_address", "dpp": "data_parallel_rpc_port", "dpb": "data_parallel_backend",
    "dph": "data_parallel_hybrid_lb", "dpe": "data_parallel_external_lb", "n": "nnodes", "r": "node_rank",
    "q": "quantization", "sc": "speculative_config", "cc": "compilation_config", "ac": "attention_config",
    "O": "optimization_level",
}  # fmt: skip
"""Short options of `vllm serve` (vLLM 0.32 engine/arg_utils.py)."""


def arguments_of(words: Sequence[str], engine: Engine) -> tuple[str, dict[str, Any]]:
    """The model that the words name first, and arguments by vLLM's names; one that the release lacks as its text."""
    model = ""
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if not _is_option(word):
            model = model or word
            continue
        name, inner, value = _split(word)
        flag = engine.by_name.get(name)
        if flag is None and name.startswith("no_") and (flag := engine.by_name.get(name.removeprefix("no_"))):
            found[flag.name] = False
            continue
        text = [value] if value is not None else _taken(left, flag)
        read = _value(flag, text)
        if inner:
            held = found.setdefault(name, {})
            _put(held if isinstance(held, dict) else {}, inner, _plain(" ".join(text)))
        else:
            found[name] = read
    return model, found


def checked(arguments: dict[str, Any], engine: Engine) -> tuple[dict[str, Any], dict[str, str]]:
    """Arguments that the release takes as they are, and the reason for each of the others."""
    good: dict[str, Any] = {}
    bad: dict[str, str] = {}
    for name, value in arguments.items():
        plain = name.replace("-", "_")
        if plain.startswith("no_") and plain not in engine.by_name and plain.removeprefix("no_") in engine.by_name:
            plain, value = plain.removeprefix("no_"), value is not True  # noqa: PLW2901 - the same argument, said the other way
        if plain not in engine.by_name and (other := opposite(plain)) in engine.by_name:
            plain, value = other, value is not True  # noqa: PLW2901 - the same argument, said the other way
        try:
            good[plain] = engine.check(plain, value)
        except RequestError as error:
            bad[plain] = str(error)
    return good, bad


def _is_option(word: str) -> bool:
    return word.startswith("-") and not word.lstrip("-")[:1].isdecimal() and len(word) > 1


def _split(word: str) -> tuple[str, str, str | None]:
    """Name with underscores, the path inside it (`--compilation-config.mode`), and the value after `=`."""
    key, equals, value = word.partition("=")
    plain = key.lstrip("-")
    if not key.startswith("--") and plain[:1] == "O" and plain[1:].isdecimal():
        return SHORT["O"], "", plain[1:]
    name, _, inner = plain.partition(".")
    name = SHORT.get(name, name) if not key.startswith("--") else name
    return name.replace("-", "_"), inner, value if equals else None


def _taken(left: list[str], flag: Flag | None) -> list[str]:
    """The words that belong to an option, taken off the front."""
    if flag is not None and flag.type == "bool":
        return [left.pop(0)] if left and left[0].lower() in ("true", "false") else []
    many = flag is None or flag.type == "list"
    found: list[str] = []
    while left and not _is_option(left[0]) and (many or not found):
        found.append(left.pop(0))
    return found


def _value(flag: Flag | None, text: list[str]) -> Any:
    if flag is None:
        said = " ".join(text)
        return _plain(said) if said[:1] in ("{", "[") else said or True
    if flag.type == "bool":
        return not text or text[0].lower() == "true"
    if flag.type == "list":
        plain = [int(one) if flag.items == "int" and one.isdecimal() else one for one in text]
        return _plain(text[0]) if len(text) == 1 and text[0].startswith("[") else plain
    if flag.type in ("json", "int", "float"):
        return _plain(" ".join(text))
    return " ".join(text)


def _plain(text: str) -> Any:
    """A value as JSON or YAML has it; text where it is neither."""
    for read in (json.loads, lambda it: yaml.load(it, Loader=LOADER)):  # noqa: S506 - a safe loader
        try:
            return read(text)
        except (ValueError, yaml.YAMLError):
            continue
    return text


def _put(into: dict[str, Any], path: str, value: Any) -> None:
    first, _, rest = path.partition(".")
    if rest:
        _put(into.setdefault(first, {}), rest, value)
    else:
        into[first] = value
