"""Whether the backends of all layers lay out one cache alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from generator.planning.kv_cache.settings import CacheSettings

_TOKENS_OUTERMOST = frozenset({"FLEX_ATTENTION", "TURBOQUANT"})
"""Backends that know no other layout than tokens before heads (vLLM 0.29 to 0.33 v1/attention/backends)."""


def share_a_layout(settings: CacheSettings, backends: Iterable[str]) -> None:
    """Return only where one layout of the cache serves every backend.

    Raises:
        RequestError: some keep heads before tokens and some after (v1/attention/backends/utils.py:
            get_supported_kv_cache_layouts).
    """
    chosen = frozenset(backends)
    apart = sorted(chosen & _TOKENS_OUTERMOST)
    if not apart or "FLASHINFER" not in chosen:
        return
    if settings.release.has("flashinfer_keeps_heads_outermost", capability=settings.capability):
        raise RequestError(
            f"no KV cache layout satisfies every layer: on this GPU FLASHINFER has heads before tokens, {apart[0]} has "
            "tokens first; leave --kv-cache-dtype at auto, or take fp8"
        )
