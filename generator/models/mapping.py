"""Mappings among a release's arguments: the keys that vLLM's configuration classes take, and no other."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from generator.errors import RequestError
from generator.models.choices import none_of
from generator.models.value import NONE, Made

_DASHES_TOO = frozenset({"speculative_config"})
"""Arguments whose keys may have dashes (vLLM 0.32 engine/arg_utils.py: create_speculative_config)."""


class MappingKeys(Made):
    """The keys of one argument, or of a mapping inside it, in one release."""

    name: str
    """`compilation_config`, or `compilation_config.pass_config` for the mapping inside it."""
    keys: tuple[str, ...]
    choices: Mapping[str, tuple[str | int, ...]] = NONE
    """Values of keys that take no other."""
    any_case: tuple[str, ...] = ()
    """Keys of `choices` that take a word in any case."""
    elsewhere: Mapping[str, str] = NONE
    """Releases by a key that this one lacks: `0.26.0 and newer`."""

    def check(self, given: Mapping[str, Any], release: str) -> None:
        """Return only where the release takes all keys of `given`, and the values of those that are closed.

        Raises:
            RequestError: it refuses one; names the key and what it takes.
        """
        for written, value in given.items():
            key = str(written).replace("-", "_") if self.name in _DASHES_TOO else str(written)
            if key not in self.keys:
                raise RequestError(f"vLLM {release}: {self.name} has no key {written!r}; {self._hint(key)}")
            choices = self.choices.get(key)
            if choices and value is not None and self._read(key, value) not in choices:
                raise RequestError(f"vLLM {release}: {none_of(f'{self.name}.{key}', choices, value)}")

    def _read(self, key: str, value: Any) -> Any:
        """A value as it is compared; what is neither a word nor a number is no choice."""
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        return value.upper() if key in self.any_case and isinstance(value, str) else value

    def _hint(self, key: str) -> str:
        if key in self.elsewhere:
            return f"vLLM {self.elsewhere[key]} has it: remove it or pin that release (--vllm)"
        close = get_close_matches(key, self.keys, n=3)
        return f"nearest: {', '.join(close)}" if close else "remove it"


def check_mapping(name: str, value: Any, known: Mapping[str, MappingKeys], release: str) -> None:
    """Return only where the release takes the mapping `value` of the argument `name`, those inside it included.

    An argument that is no mapping of known keys passes.

    Raises:
        RequestError: the release refuses it.
    """
    keys = known.get(name)
    if keys is None or value is None:
        return
    given = json.loads(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
    if not isinstance(given, dict):
        raise RequestError(f"vLLM {release}: {name} must be a mapping, like {{}}, got {value!r}")
    keys.check(given, release)
    for key, inside in given.items():
        check_mapping(f"{name}.{key}", inside, known, release)
