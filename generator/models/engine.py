"""One vLLM release: the flags its own parser accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from generator.errors import RequestError
from generator.models.choices import none_of
from generator.models.mapping import MappingKeys, check_mapping
from generator.models.number_range import NumberRange, check_numbers
from generator.models.release import Release, release_key
from generator.models.value import NONE, Made

if TYPE_CHECKING:
    from generator.models.companion import Companion
    from generator.models.kernels import ExpertKernels
    from generator.models.migration import Successor
    from generator.models.weight_loader import WeightLoader

FlagType = Literal["bool", "int", "float", "str", "json", "list", "unknown"]

_DECIMAL: dict[str, int] = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_AUTO = -1


class Flag(Made):
    """One `vllm serve` flag of a release."""

    name: str
    """The argument's name with underscores: `max_model_len`."""
    type: FlagType
    """`unknown` where the release's dump does not say; then every value passes."""
    choices: tuple[str, ...] = ()
    default: Any = None
    negation: str | None = None
    """The spelling that turns a boolean off, where it is not `no-` before the name."""
    switch: bool = False
    """True for a boolean that can only be turned on."""
    human_readable: bool = False
    """True for an integer that also takes `32k` (32,000) and `32K` (32,768)."""
    auto: bool = False
    """True for an integer that also takes `auto`, which is -1."""
    items: Literal["str", "int"] = "str"
    """Type of a list's elements."""
    text: bool = False
    """True for a JSON object that may also be a plain word."""

    def read(self, value: Any) -> Any:
        """`value` as vLLM would read it: `32k` as 32000, anything else unchanged.

        Raises:
            RequestError: the flag takes no such value.
        """
        plain = self._number(value) if self.type == "int" else value
        if not _ACCEPTS[self.type](self, plain):
            raise RequestError(f"{self.option} takes {self.takes}, not {value!r}")
        chosen = plain if isinstance(plain, list | tuple) else (plain,)
        if self.choices and not all(str(one) in self.choices for one in chosen):
            raise RequestError(none_of(self.option, self.choices, value, lists=self.name))
        return plain

    @property
    def option(self) -> str:
        """The flag as it is typed: `--max-model-len`."""
        return "--" + self.name.replace("_", "-")

    @property
    def takes(self) -> str:
        """What values it takes, in words: `a whole number`."""
        wanted = _WANTED[self.type]
        if self.switch:
            wanted = "true only; leave it out to keep it off"
        if self.human_readable:
            wanted = "a whole number (also as 32k or 32K)"
        return f"{wanted} or auto" if self.auto else wanted

    def _number(self, value: Any) -> Any:
        if self.auto and value in ("auto", str(_AUTO), _AUTO):
            return _AUTO
        return human_readable_int(value) if self.human_readable and isinstance(value, str) else value


def nothing_registered(_argument: str) -> tuple[str, ...]:
    """What is known of a release whose tables nobody read."""
    return ()


class Engine(Made):
    """A vLLM release: version, behaviour, container image and flags."""

    version: str
    release: Release
    """How it behaves, where releases differ."""
    image: str
    """Image tag of the release: `vllm/vllm-openai:v0.33.0`."""
    rocm_image: str
    """The same for AMD's GPUs: `vllm/vllm-openai-rocm:v0.33.0`."""
    flags: tuple[Flag, ...]
    default_gpu_memory_utilization: float
    kv_cache_dtypes: tuple[str, ...] = ()
    """Values of `kv_cache_dtype`; 0.33 checks them after parsing."""
    quantization_methods: tuple[str, ...] = ()
    """Values of `quantization`; vLLM checks them after parsing."""
    registered: Callable[[str], tuple[str, ...]] = nothing_registered
    """Values of an argument that vLLM looks up after parsing; none where any will do, or nobody knows them."""
    mappings: Mapping[str, MappingKeys] = NONE
    """Keys of the arguments that are mappings of a closed vocabulary; none where only the parser was asked."""
    connectors: Mapping[str, bool] = NONE
    """KV connectors, and whether each keeps caches in groups of layers; none where nobody read them."""
    expert_kernels: Mapping[str, ExpertKernels] = NONE
    """Kernels of experts by the way that they are stored; none where nobody asked."""
    moved_experts: Mapping[str, tuple[str, ...]] = NONE
    """Ways to store experts that ranks may exchange while serving, each with the kernels that do; none for all."""
    companions: Mapping[str, tuple[Companion, ...]] = NONE
    """What arguments ask for beside themselves, by their names, `argument.key` inside a mapping."""
    loaders: Mapping[str, WeightLoader] = NONE
    """Loaders of weights that refuse what they do not know, by load format."""
    ranges: Mapping[str, NumberRange] = NONE
    """Numbers that an argument takes, or a mapping's key, by its name; vLLM checks them after parsing."""
    elsewhere: Mapping[str, str] = NONE
    """Releases by the name of a flag that this release lacks: `0.19.1 to 0.27.1`."""
    successors: Mapping[str, Successor] = NONE
    """What became of arguments that this or an earlier release removed."""
    source: str

    @cached_property
    def by_name(self) -> dict[str, Flag]:
        """Flags by argument name."""
        return {flag.name: flag for flag in self.flags}

    def flag(self, name: str, value: Any = None) -> Flag:
        """The flag of exactly this name, dashes or underscores; vLLM's own prefix matching is not followed.

        Raises:
            RequestError: the release lacks it.
        """
        underscored = name.removeprefix("--").replace("-", "_")
        if underscored not in self.by_name:
            raise RequestError(f"vLLM {self.version} has no argument {name!r}; {self._hint(underscored, value)}")
        return self.by_name[underscored]

    def check(self, name: str, value: Any) -> Any:
        """`value` of the argument `name` as this release reads it; None leaves the argument to vLLM.

        Raises:
            RequestError: the release lacks the flag, or takes no such value.
        """
        flag = self.flag(name, value)
        if value is None:
            return None
        read = flag.read(value)
        if flag.type == "json":
            check_mapping(flag.name, read, self.mappings, self.version)
        check_numbers(flag.name, read if flag.type != "json" else _plain(read), self.ranges)
        known = self._checked_later(flag.name)
        if known and read not in known:
            raise RequestError(f"vLLM {self.version}: {none_of(flag.option, known, value, lists=flag.name)}")
        return read

    def choices(self, name: str) -> tuple[str, ...]:
        """The only values of an argument of this release, its parser's or the engine's; empty where any will do."""
        return self.by_name[name].choices or self._checked_later(name)

    def _checked_later(self, name: str) -> tuple[str, ...]:
        """Values of an argument that the parser takes as free text and the engine refuses later."""
        listed = {"kv_cache_dtype": self.kv_cache_dtypes, "quantization": self.quantization_methods}
        return listed[name] if name in listed else self.registered(name)

    def _hint(self, name: str, value: Any) -> str:
        gone = self.successors.get(name)
        if gone is not None and release_key(self.version) > release_key(gone.last):
            pinned = f"; or pin vLLM {self.elsewhere[name]}, which has it (--vllm)" if name in self.elsewhere else ""
            return gone.advice(value) + pinned
        if name in self.elsewhere:
            return f"vLLM {self.elsewhere[name]} has it: remove it or pin that release (--vllm)"
        other = opposite(name)
        if other in self.by_name:
            return f"set {other} instead"
        close = get_close_matches(name, self.by_name, n=3)
        return f"nearest: {', '.join(close)}" if close else "remove it: `vllm serve --help=all` lists what there is"


def human_readable_int(text: str) -> int:
    """The integer that vLLM reads in `text`: "32k" is 32000, "32K" is 32768, "1.5m" is 1500000.

    vLLM 0.32 utils/argparse_utils.py:29; a fraction of a binary unit is refused there too.

    Raises:
        RequestError: `text` is no such number.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)([kKmMgGtT]?)\s*", text)
    whole, _, fraction = found[1].partition(".") if found else ("", "", "")
    unit = found[2] if found else ""
    if not found or (fraction and unit not in _DECIMAL):
        raise RequestError(f"{text!r} is not a whole number such as 32768, 32k or 32K")
    if unit in _DECIMAL:
        scale: int = 10 ** len(fraction)
        return int(whole + fraction) * _DECIMAL[unit] // scale
    return int(whole) * _BINARY.get(unit, 1)


def opposite(name: str) -> str:
    """The argument that says the other way what this one says; empty for a name that has none."""
    for prefix, other in (("no_", ""), ("disable_", "enable_"), ("enable_", "disable_")):
        if name.startswith(prefix):
            return other + name.removeprefix(prefix)
    return ""


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_json(flag: Flag, value: Any) -> bool:
    if not isinstance(value, str) or flag.text:
        return isinstance(value, dict | list | str)
    try:
        return isinstance(json.loads(value), dict | list)
    except json.JSONDecodeError:
        return False


def _plain(value: Any) -> Any:
    """A JSON object that came as its text, as the object."""
    return json.loads(value) if isinstance(value, str) and value.lstrip().startswith("{") else value


def _is_list(flag: Flag, value: Any) -> bool:
    elements = value if isinstance(value, list | tuple) else (value,)
    wanted: Callable[[Any], bool] = _is_int if flag.items == "int" else lambda one: isinstance(one, str)
    return bool(elements) and all(map(wanted, elements))


_ACCEPTS: dict[FlagType, Callable[[Flag, Any], bool]] = {
    "bool": lambda flag, value: value is True or (value is False and not flag.switch),
    "int": lambda _, value: _is_int(value),
    "float": lambda _, value: _is_int(value) or isinstance(value, float),
    "str": lambda _, value: isinstance(value, str),
    "json": _is_json,
    "list": _is_list,
    "unknown": lambda *_: True,
}
_WANTED: dict[FlagType, str] = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "json": "a JSON object",
    "list": "a list",
    "unknown": "any value",
}
