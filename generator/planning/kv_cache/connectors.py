"""KV connectors: which one the user's values bring, and whether caches stay in groups of layers beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.errors import RequestError
from generator.models.engine import Engine

_MANAGER = "disable_hybrid_kv_cache_manager"
_NATIVE, _OTHERS = "OffloadingConnector", "LMCacheMPConnector"
"""What kv_offloading_size brings (vLLM 0.33 config/vllm.py: _post_init_kv_transfer_config)."""


def manager_is_off(values: Mapping[str, Any], engine: Engine) -> bool | None:
    """Whether vLLM switches the hybrid KV cache manager off; None where nothing is stated that decides it.

    vLLM 0.33 config/vllm.py: __post_init__ (need_disable_hybrid_kv_cache_manager).

    Raises:
        RequestError: a connector is unknown, or keeps no groups and the manager is wanted beside it.
    """
    asked: bool | None = values.get(_MANAGER)
    names = tuple(connectors_of(values))
    if not names:
        return asked
    lacking = [name for name in names if not _keeps_groups(name, values, engine)]
    every = engine.release.has("connectors_keep_groups")
    early = not every and "kv_transfer_config" not in values
    if lacking and (asked is False or (early and asked is None)):
        raise RequestError(
            f"{lacking[0]} does not work with the hybrid KV cache manager in vLLM {engine.version}: "
            f"--set {_MANAGER}=true"
        )
    return bool(lacking) or (not every and not early) if asked is None else asked


def connectors_of(values: Mapping[str, Any]) -> Iterator[str]:
    """Connectors that the user's values bring, those inside a MultiConnector too."""
    given = values.get("kv_transfer_config")
    if isinstance(given, dict):
        yield from _named(given)
    if values.get("kv_offloading_size"):
        yield _NATIVE if values.get("kv_offloading_backend", "native") == "native" else _OTHERS


def _named(given: Mapping[str, Any]) -> Iterator[str]:
    if given.get("kv_connector"):
        yield str(given["kv_connector"])
    inner = (given.get("kv_connector_extra_config") or {}).get("connectors", ())
    for one in inner if isinstance(inner, list) else ():
        yield from _named(one) if isinstance(one, dict) else ()


def _keeps_groups(name: str, values: Mapping[str, Any], engine: Engine) -> bool:
    """Whether a connector supports the hybrid KV cache manager; code of the user's own is taken to.

    Raises:
        RequestError: the release has no such connector.
    """
    if name in engine.connectors or not engine.connectors:
        return engine.connectors.get(name, True)
    if "kv_connector_module_path" in str(values.get("kv_transfer_config")):
        return True
    known = ", ".join(engine.connectors)
    raise RequestError(f"vLLM {engine.version} has no kv_connector {name[:40]!r}; it has {known}")
