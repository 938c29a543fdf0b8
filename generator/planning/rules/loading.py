"""What vLLM's loaders of weights refuse before they read any: keys and values that they do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.planning.case import Case

_EXTRA = "model_loader_extra_config"
_THREADS, _STRATEGY = "enable_multithread_load", "safetensors_load_strategy"
_ONE_BY_ONE = (None, "lazy")


def check_loading(case: Case) -> None:
    """Return only where the loader takes what it is told (vLLM 0.33 model_executor/model_loader).

    Raises:
        RequestError: it does not; names the key and what it takes.
    """
    _check_keys(case)
    threads = case.mapping(_EXTRA).get(_THREADS)
    strategy = case.fixed.get(_STRATEGY)
    if threads and strategy not in _ONE_BY_ONE and case.vllm.has("threads_load_lazily"):
        raise RequestError(f"{_EXTRA}.{_THREADS} does not support {_STRATEGY} {strategy}: leave one of them out")


def _check_keys(case: Case) -> None:
    form = str(case.fixed.get("load_format") or "auto").lower()
    loader = case.tables.engine.loaders.get(form)
    if loader is None:
        return
    for key, value in case.mapping(_EXTRA).items():
        if key not in loader.keys:
            known = f"takes {', '.join(sorted(loader.keys))}" if loader.keys else "takes none"
            raise RequestError(
                f"{_EXTRA} has a key {key!r} that load_format {form} does not know, it {known}: remove it"
            )
        wanted = loader.wanted(key, value)
        if wanted:
            raise RequestError(f"{_EXTRA}.{key} must be {wanted}, got {value!r}")
