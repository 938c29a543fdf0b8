"""The user's engine values as a release reads them; a quantization that it lacks is answered with a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from generator.errors import RequestError
from generator.models.choices import nearest_choices

if TYPE_CHECKING:
    from generator.planning.tables import Tables

_BITS = re.compile(r"[2-8]")
_OF_FOUR = ("awq", "gptq", "bnb", "bitsandbytes", "marlin")
"""Words without a digit for weights of four bits."""


def own_values(given: Mapping[str, Any], tables: Tables) -> dict[str, Any]:
    """Each value under the release's own name of its argument; None for one that is left to vLLM.

    Raises:
        RequestError: the release lacks or refuses one.
    """
    return {tables.engine.flag(name, value).name: _checked(name, value, tables) for name, value in given.items()}


def stored_so(word: str, tables: Tables) -> str:
    """The published checkpoint of these weights whose format a word means, as an option; empty where none is known."""
    known = [(one.id, one.checkpoint.quantization) for one in tables.siblings]
    wanted = _bits_of(word)
    named = [name for name, own in known if own and own.method == word]
    alike = [name for name, own in known if own and own.bits == wanted]
    return next((f"--model {name}" for name in (*named, *alike)), "")


def _checked(name: str, value: Any, tables: Tables) -> Any:
    engine = tables.engine
    methods = engine.choices("quantization") if name == "quantization" else ()
    if methods and value is not None and value not in methods:
        near = ", ".join(nearest_choices(str(value), methods))
        instead = stored_so(str(value), tables) or "name their checkpoint as the model"
        raise RequestError(
            f"vLLM {engine.version}: --quantization takes no {value!r}{f'; nearest: {near}' if near else ''}; "
            f"weights that are stored so need no such option: {instead}"
        )
    return engine.check(name, value)


def _bits_of(word: str) -> int:
    """The bits of a weight that a word means; 0 where it says none."""
    found = _BITS.search(word)
    if found:
        return int(found[0])
    return 4 if word.startswith(_OF_FOUR) else 0
