"""vLLM releases: one file a release in `engines/`, written as its differences from the next newer one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from generator.catalogue.argument_values import mappings_of, ranges, registered
from generator.catalogue.behaviours import release_of
from generator.catalogue.companions import companions
from generator.catalogue.connectors import connectors
from generator.catalogue.expert_kernels import expert_kernels
from generator.catalogue.imported import imported_dump, imported_versions
from generator.catalogue.loader import Later, Row, Source, Words, read, row, table
from generator.catalogue.loaders import weight_loaders
from generator.catalogue.moved_experts import moved_experts
from generator.errors import UnknownFactError
from generator.models.engine import Engine, Flag, FlagType
from generator.models.migration import Successor

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from generator.catalogue.engine_dump import EngineDump

_IMAGE = "vllm/vllm-openai:v{version}"
_ROCM_IMAGE = "vllm/vllm-openai-rocm:v{version}"
"""https://docs.vllm.ai/en/latest/getting_started/installation/gpu/ (AMD ROCm, pre-built images)"""
_OWN_RELEASE = "the release's own parser"


class FlagRow(Row):
    """One flag of a release; its name is the row's key. Columns are `Flag`'s, defaults left out."""

    type: FlagType
    choices: Words = ()
    default: Any = None
    switch: bool = False
    human_readable: bool = False
    auto: bool = False
    items: Literal["str", "int"] = "str"
    text: bool = False


class EngineTable(Row):
    """One file of `engines/`: everything that differs from the release named by `base`."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    base: str | None = None
    source: Source
    kv_cache_dtypes: Words | None = None
    quantization_methods: Words | None = None
    removed: Words = ()
    """Flags of `base` that this release lacks."""
    flags: dict[str, FlagRow]
    """Flags that `base` lacks or has otherwise; without a base: all."""


class FlagChange(NamedTuple):
    """One flag that two releases have, but not alike."""

    before: Flag
    after: Flag


class EngineDifference(NamedTuple):
    """What a configuration of one release meets in another."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[FlagChange, ...]


@cache
def known_versions() -> tuple[str, ...]:
    """Releases of the tables, oldest first."""
    names = (file.name.removesuffix(".toml") for file in table("engines").iterdir())
    return tuple(sorted((name for name in names if name[:1].isdigit()), key=_order))


def all_versions() -> tuple[str, ...]:
    """Releases of the tables and those imported on this machine, oldest first."""
    return tuple(sorted({*known_versions(), *imported_versions()}, key=_order))


def engine(version: str = "") -> Engine:
    """The release `version` ("0.33", "0.33.0" or "v0.33.0"; empty for the default release).

    A version without its last number is the newest such release; an earlier patch than the one read ("0.19.0" where
    the tables have 0.19.1) has that one's table, under its own number and image.

    Raises:
        UnknownFactError: no table has it and it was not imported; the newest and the oldest known are named.
        SourceError: its import is broken.
    """
    asked = version.strip().removeprefix("v") or DEFAULT_VERSION
    known = all_versions()
    same_minor = [name for name in known if name.rpartition(".")[0] == asked]
    later = _later_patch(asked, known)
    if later:
        return _patch(engine(later), asked)
    if asked not in known and not same_minor:
        raise UnknownFactError(
            f"no table for vLLM {version!r}: the newest known is {known[-1]}, the oldest {known[0]}; "
            "`vllm-wizard engine import` takes another in"
        )
    found = asked if asked in known else same_minor[-1]
    return _engine(found) if found in known_versions() else engine_from_dump(imported_dump(found))


def _later_patch(asked: str, known: tuple[str, ...]) -> str | None:
    """The known release that `asked` is an earlier patch of."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", asked) or asked in known:
        return None
    minor = asked.rpartition(".")[0]
    return next((one for one in known if one.rpartition(".")[0] == minor and _order(one) > _order(asked)), None)


def _patch(later: Engine, version: str) -> Engine:
    """An earlier patch of a release whose table is read."""
    own = {"version": version, "release": release_of(version), "image": _IMAGE.format(version=version)}
    own["rocm_image"] = _ROCM_IMAGE.format(version=version)
    return later.changed(**own, source=f"{later.source}; {version} is an earlier patch of it")


def engine_from_dump(dump: EngineDump) -> Engine:
    """A release that the tables lack, from what `dump_engine.py` printed of its own parser."""
    from generator.catalogue.engine_dump import flags_of  # noqa: PLC0415 - start-up time

    flags = flags_of(dump)
    return Engine(
        version=dump.version,
        release=release_of(dump.version),
        image=_IMAGE.format(version=dump.version),
        rocm_image=_ROCM_IMAGE.format(version=dump.version),
        flags=flags,
        default_gpu_memory_utilization=_utilization(flags),
        kv_cache_dtypes=dump.kv_cache_dtypes,
        quantization_methods=dump.quantization_methods,
        moved_experts=Later(lambda: moved_experts(dump.version)),
        companions=Later(lambda: companions(dump.version)),
        ranges=Later(ranges),
        elsewhere=Later(lambda: _elsewhere(frozenset(flag.name for flag in flags))),
        successors=Later(_successors),
        source=f"{_OWN_RELEASE}, on {dump.platform}",
    )


def compare(before: Engine, after: Engine) -> EngineDifference:
    """Flags that moving from `before` to `after` adds, removes or changes (type, choices, default)."""
    old, new = before.by_name, after.by_name
    return EngineDifference(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(
            FlagChange(before=old[name], after=new[name])
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ),
    )


def read_table(file: Traversable) -> EngineTable:
    """One release's file, checked.

    Raises:
        GeneratorError: a key is missing, unknown or of another type.
    """
    return row(file, "release", read(file), EngineTable)


@cache
def _engine(version: str) -> Engine:
    own = _table(version)
    rows = _flag_rows(version)
    flags = tuple(Flag.of_row(rows[name], name=name) for name in sorted(rows))
    return Engine(
        version=version,
        release=release_of(version),
        image=_IMAGE.format(version=version),
        rocm_image=_ROCM_IMAGE.format(version=version),
        flags=flags,
        default_gpu_memory_utilization=_utilization(flags),
        kv_cache_dtypes=_inherited(version, "kv_cache_dtypes"),
        quantization_methods=_inherited(version, "quantization_methods"),
        registered=partial(registered, version),
        mappings=Later(lambda: mappings_of(version)),
        connectors=Later(lambda: connectors(version)),
        expert_kernels=Later(lambda: expert_kernels(version)),
        moved_experts=Later(lambda: moved_experts(version)),
        companions=Later(lambda: companions(version)),
        loaders=Later(lambda: weight_loaders(version)),
        ranges=Later(ranges),
        elsewhere=Later(lambda: _elsewhere(frozenset(rows))),
        successors=Later(_successors),
        source=own.source,
    )


@cache
def _table(version: str) -> EngineTable:
    return read_table(table("engines", f"{version}.toml"))


@cache
def _flag_rows(version: str) -> dict[str, FlagRow]:
    own = _table(version)
    inherited = _flag_rows(own.base) if own.base else {}
    return {name: flag for name, flag in inherited.items() if name not in own.removed} | own.flags


def _inherited(version: str, column: Literal["kv_cache_dtypes", "quantization_methods"]) -> tuple[str, ...]:
    own = _table(version)
    stated: tuple[str, ...] | None = getattr(own, column)
    if stated is not None:
        return stated
    return _inherited(own.base, column) if own.base else ()


def _successors() -> Mapping[str, Successor]:
    from generator.catalogue.migrations import successors  # noqa: PLC0415 - start-up time

    return successors()


def _utilization(flags: tuple[Flag, ...]) -> float:
    default = next(flag.default for flag in flags if flag.name == "gpu_memory_utilization")
    return float(default)


def _elsewhere(names: frozenset[str]) -> dict[str, str]:
    """First and last known release of every flag that is not in `names`."""
    having: dict[str, list[str]] = {}
    for version in known_versions():
        for name in _flag_rows(version).keys() - names:
            having.setdefault(name, []).append(version)
    return {
        name: versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
        for name, versions in sorted(having.items())
    }


def _order(version: str) -> tuple[int, ...]:
    """Numbers first; a release candidate or development release comes before its release, a post release after it."""
    numbers = re.findall(r"\d+", version)[:3]
    suffix = version.removeprefix(".".join(numbers)).lstrip(".")
    stage = 0 if not suffix else 1 if suffix.startswith("post") else -1
    return (*map(int, numbers), stage)


DEFAULT_VERSION = known_versions()[-1]
"""The newest release of the tables, which a new deployment is pinned to."""
