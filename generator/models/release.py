"""Releases of vLLM as they compare."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=256)
def release_key(release: str) -> tuple[int, ...]:
    """A release as numbers that compare in order: (0, 27, 1) for "0.27.1"."""
    return tuple(int(part) for part in release.split("."))
