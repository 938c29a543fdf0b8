"""Print the arguments of a vLLM release as JSON, read from its own `vllm serve` parser.

For a release that `vllm-wizard` does not know yet. It needs nothing but the release itself:

    docker run --rm -v "$PWD/scripts:/w:ro" --entrypoint python3 vllm/vllm-openai:v0.34.0 /w/dump-engine.py >0.34.0.json
    vllm-wizard engine import 0.34.0.json
    vllm-wizard update --vllm 0.34.0 --dry-run
"""

from __future__ import annotations

import enum
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    import argparse

_PARSER_MODULES = ("vllm.utils.argparse_utils", "vllm.utils")
_CACHE_MODULES = ("vllm.config.cache", "vllm.config")


def serve_parser() -> argparse.ArgumentParser:
    """The release's own parser of `vllm serve`."""
    parser_class = _first(_PARSER_MODULES, "FlexibleArgumentParser")
    subcommand = import_module("vllm.entrypoints.cli.serve").ServeSubcommand()
    parser: argparse.ArgumentParser = subcommand.subparser_init(parser_class().add_subparsers())
    return parser


def dump() -> dict[str, Any]:
    """Version, platform, flags, cache dtypes and quantization methods of the installed release."""
    flags = {_name(action): _flag(action) for action in serve_parser()._actions}  # noqa: SLF001 - argparse has no public list
    platform = import_module("vllm.platforms").current_platform
    quantization = import_module("vllm.model_executor.layers.quantization")
    return {
        "version": import_module("vllm").__version__.partition("+")[0],
        "platform": type(platform).__name__,
        "n_flags": len(flags),
        "kv_cache_dtypes": list(get_args(_first(_CACHE_MODULES, "CacheDType"))),
        "quantization_methods": list(quantization.QUANTIZATION_METHODS),
        "flags": flags,
    }


def _first(modules: tuple[str, ...], name: str) -> Any:
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"{name} is in none of {', '.join(modules)}: this vLLM has another layout")


def _name(action: argparse.Action) -> str:
    long = [option for option in action.option_strings if option.startswith("--")]
    return long[0] if long else (action.option_strings or [f"<{action.dest}>"])[0]


def _flag(action: argparse.Action) -> dict[str, Any]:
    names = _type_names(action.type)
    return {
        "aliases": action.option_strings,
        "dest": action.dest,
        "action": type(action).__name__,
        "type": names[0] if names else None,
        "inner_type": names[-1] if names else None,
        "choices": None if action.choices is None else [_plain(choice) for choice in action.choices],
        "nargs": action.nargs,
        "default": _plain(action.default),
        "required": action.required,
    }


def _type_names(converter: Any) -> list[str]:
    """Names of an argument's converter and of the converters that it wraps, outermost first."""
    names = []
    while converter is not None:
        names.append(getattr(converter, "__name__", str(converter)))
        cells = getattr(converter, "__closure__", None) or ()
        wrapped = [cell.cell_contents for cell in cells if callable(cell.cell_contents)]
        converter = wrapped[-1] if wrapped and names[-1] != "parse_dataclass" else None
    return names


def _plain(value: Any) -> Any:
    """A value as JSON has it; a configuration object as its text."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, set | frozenset | tuple):
        return sorted(map(_plain, value))
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return str(value)


if __name__ == "__main__":
    json.dump(dump(), sys.stdout, indent=1, default=str)
