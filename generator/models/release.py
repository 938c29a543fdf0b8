"""Releases of vLLM: how they compare, and how each behaves where releases differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from generator.errors import UnknownFactError
from generator.models.capability import Capability, CapabilitySet
from generator.models.value import NONE, Made

if TYPE_CHECKING:
    from generator.models.backend import Backend, BackendOrder


@lru_cache(maxsize=256)
def release_key(release: str) -> tuple[int, ...]:
    """A release as numbers that compare in order: (0, 27, 1) for "0.27.1", and for a candidate of it, "0.27.1rc1"."""
    found = re.match(r"\d+(\.\d+){0,2}", release)
    return tuple(map(int, found[0].split("."))) if found else ()


def is_between(version: str, since: str | None, until: str | None) -> bool:
    """Whether a release lies from `since` to `until`: 0.31.1 lies in "until 0.31"; None is without an end."""
    key = release_key(version)
    if since is not None and key < release_key(since):
        return False
    last = release_key(until) if until is not None else key
    return key[: len(last)] <= last


class Behaviour(Made):
    """One way in which a release behaves, on some GPUs or for some model classes alone."""

    capabilities: CapabilitySet = CapabilitySet()
    classes: frozenset[str] = frozenset()
    """Model classes that it is about; none for all."""

    def holds(self, capability: Capability | None, architecture: str) -> bool:
        """Whether it is about a GPU of `capability` and a model of the class `architecture`."""
        on_gpu = not self.capabilities or (capability is not None and self.capabilities.has(capability))
        return on_gpu and (not self.classes or architecture in self.classes)


class Release(Made):
    """One release, and how it behaves."""

    version: str
    behaviours: dict[str, tuple[Behaviour, ...]]
    """By name, those of other releases too: a name without rows is one that this release has not."""
    since: Mapping[str, str] = NONE
    """First release by the name of a behaviour that began with one: "0.33"."""
    until: Mapping[str, str] = NONE
    """Last release by the name of a behaviour that ended with one: "0.19"."""
    backends: tuple[Backend, ...] = ()
    """Its attention backends."""
    orders: tuple[BackendOrder, ...] = ()
    """The orders in which it tries them; the first that fits a layer is the layer's."""

    @cached_property
    def by_name(self) -> dict[str, Backend]:
        """Attention backends by vLLM's name."""
        return {backend.name: backend for backend in self.backends}

    def has(self, name: str, *, capability: Capability | None = None, architecture: str = "") -> bool:
        """Whether the release behaves so: on a GPU of `capability`, for a model of the class `architecture`.

        What is about some GPUs or classes alone does not hold where none is given.

        Raises:
            UnknownFactError: no row of the tables has that name.
        """
        asked = (name, capability, architecture)
        if asked not in self._has:
            self._has[asked] = any(row.holds(capability, architecture) for row in self._rows(name))
        return self._has[asked]

    def _rows(self, name: str) -> tuple[Behaviour, ...]:
        if name not in self.behaviours:
            raise UnknownFactError(f"no behaviour {name!r} of vLLM is in the tables")
        return self.behaviours[name]

    @cached_property
    def _has(self) -> dict[tuple[str, Capability | None, str], bool]:
        """Answers given: each layout of a plan asks for the same ones."""
        return {}

    def __str__(self) -> str:
        return self.version

    def __hash__(self) -> int:
        return hash(self.version)
