"""Code that a repository brings beside its weights: whether its tokenizer or processor is such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Read = Callable[[str], Any]
    """The JSON value of a file of the repository; None where there is no such file."""

_TOKENIZER_FILE = "tokenizer_config.json"
_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")


def brings_tokenizer(read: Read) -> bool | None:
    """Whether `auto_map` points at code for the tokenizer or processor that Transformers has no class of its own for.

    None where neither has a config that could be read.

    A class of Transformers' goes first where `tokenizer_class` or `processor_class` names one
    (Transformers 5.19 models/auto/tokenization_auto.py).
    """
    pairs = [(_TOKENIZER_FILE, "AutoTokenizer", "tokenizer_class")]
    pairs += [(name, "AutoProcessor", "processor_class") for name in _PROCESSOR_FILES]
    found = [(read(name), kind, named) for name, kind, named in pairs]
    known = [one for one in found if isinstance(one[0], dict)]
    return any(_is_own(*one) for one in known) if known else None


def _is_own(config: Mapping[str, Any], kind: str, named: str) -> bool:
    """Whether the class that the config names is the one that its code brings."""
    mapped = config.get("auto_map")
    listed = mapped.get(kind) if isinstance(mapped, dict) else mapped if kind == "AutoTokenizer" else None
    references = listed if isinstance(listed, list) else [listed]
    brought = {_plain(one) for one in references if isinstance(one, str)}
    own = config.get(named)
    return bool(brought) and (not isinstance(own, str) or _plain(own) in brought)


def _plain(reference: str) -> str:
    """The class's name alone: `tokenization_kimi.TikTokenTokenizer` without its module, fast or slow."""
    return reference.rpartition(".")[2].removesuffix("Fast")
