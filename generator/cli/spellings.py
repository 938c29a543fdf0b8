"""Two spellings of one engine argument, an option and a `--set`: they say one value, or are refused."""

from collections.abc import Iterable, Mapping
from typing import Any

from generator.errors import RequestError
from generator.models.engine import human_readable_int
from generator.models.value import shortened


def merged(options: Mapping[str, Any], assigned: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The arguments of both spellings: those of options such as `--tp`, and each `--set KEY=VALUE` in its order.

    Raises:
        RequestError: an argument has two values; names both spellings.
    """
    found = dict(options)
    said = {name: _option(name, value) for name, value in options.items()}
    for name, value in assigned:
        spelt = f"--set {name}={_word(value)}"
        if name in found and not _same(found[name], value):
            raise RequestError(f"{said[name]} and {spelt} say different values of {name}: drop one of the two")
        found[name], said[name] = value, spelt
    return found


def _option(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {_word(value)}"


def _word(value: Any) -> str:
    """A value as it is typed after `--set KEY=`."""
    words: dict[Any, str] = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else shortened(value).strip("'")


def _same(one: Any, other: Any) -> bool:
    """Whether vLLM reads both alike: `32K` is 32768."""
    return bool(one == other) or (None not in (one, other) and _number(one) == _number(other))


def _number(value: Any) -> Any:
    try:
        return human_readable_int(value) if isinstance(value, str) else value
    except RequestError:
        return value
