"""A release's own parser, as `dump_engine.py` printed it, read into flags."""

from typing import Any

from generator.models.engine import Flag, FlagType
from generator.models.value import Value

_NOT_ARGUMENTS = frozenset({"help", "model_tag", "config"})
"""The positional model, and what only a person types: no value of a plan."""
_TYPES: dict[str, FlagType] = {
    "int": "int",
    "human_readable_int": "int",
    "human_readable_int_or_auto": "int",
    "float": "float",
    "str": "str",
    "parse_reasoning_parser": "str",
    "<lambda>": "str",
    "loads": "json",
    "parse_dataclass": "json",
    "union_dict_and_str": "json",
}
"""Flag types by the name of the converter that vLLM gives argparse (engine/arg_utils.py)."""
_SUPPRESSED = "==SUPPRESS=="


class DumpedFlag(Value):
    """One argument as argparse holds it; `inner_type` is the converter that `optional_type` wraps."""

    aliases: tuple[str, ...] = ()
    dest: str
    action: str
    type: str | None = None
    inner_type: str | None = None
    choices: tuple[Any, ...] | None = None
    nargs: int | str | None = None
    default: Any = None
    required: bool = False
    group: str = ""
    help: str | None = None


class EngineDump(Value):
    """Everything that `dump_engine.py` prints of one release."""

    version: str
    platform: str
    n_flags: int
    kv_cache_dtypes: tuple[str, ...] = ()
    quantization_methods: tuple[str, ...] = ()
    flags: dict[str, DumpedFlag]


def flags_of(dump: EngineDump) -> tuple[Flag, ...]:
    """The arguments of a dump that a configuration can set, sorted by name."""
    named = {flag.dest: flag for flag in dump.flags.values() if flag.dest not in _NOT_ARGUMENTS}
    return tuple(_flag(dumped) for _, dumped in sorted(named.items()))


def _flag(dumped: DumpedFlag) -> Flag:
    kind = _kind(dumped)
    inner = dumped.inner_type or dumped.type
    return Flag(
        name=dumped.dest,
        type=kind,
        choices=tuple(str(choice) for choice in dumped.choices or () if choice is not None),
        default=_default(dumped, kind),
        switch=dumped.action == "_StoreTrueAction",
        human_readable=inner in ("human_readable_int", "human_readable_int_or_auto"),
        auto=inner == "human_readable_int_or_auto",
        items="int" if kind == "list" and inner == "int" else "str",
        text=inner == "union_dict_and_str",
    )


def _kind(dumped: DumpedFlag) -> FlagType:
    if dumped.nargs == 0:
        return "bool"
    if dumped.nargs in ("+", "*") or dumped.action == "_AppendAction":
        return "list"
    if dumped.type == "str" and isinstance(dumped.default, int):
        return "int"  # an IntEnum, printed by its number: --optimization-level
    converter = dumped.inner_type or dumped.type
    return "str" if converter is None else _TYPES.get(converter, "unknown")


def _default(dumped: DumpedFlag, kind: FlagType) -> Any:
    """The default where it is a plain value; a configuration object's own defaults are not ours to repeat."""
    if kind == "json" or dumped.default == _SUPPRESSED:
        return None
    return dumped.default
