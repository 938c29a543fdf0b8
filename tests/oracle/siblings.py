"""The config.json of checkpoints that the tables compose: the base's shapes with another checkpoint's scheme.

So vLLM can be asked about `Qwen/Qwen3-8B-AWQ` where only `Qwen/Qwen3-8B` and another AWQ checkpoint are at hand. What
is written is what the table says (`catalogue/checkpoints.toml`), not what the publisher wrote.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from generator.catalogue.loader import packaged_rows
from generator.catalogue.models import CheckpointRow
from tests.oracle.draws import directory_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCHEME = "quantization_config"


def composed(models: Mapping[str, Path], home: Path) -> dict[str, Path]:
    """Directories under `home` of the composed checkpoints whose two sources are among `models`."""
    found = dict(models)
    for row in packaged_rows("checkpoints.toml", "checkpoint", CheckpointRow):
        config = _config(row, found)
        if config is not None:
            place = home / directory_of(row.name)
            place.mkdir(parents=True, exist_ok=True)
            (place / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
            found[place.name] = place
    return found


def _config(row: CheckpointRow, models: Mapping[str, Path]) -> dict[str, Any] | None:
    base, like = (_read(models.get(directory_of(name))) if name else {} for name in (row.base, row.like))
    if base is None or like is None:
        return None
    context = {} if row.context is None else {"max_position_embeddings": row.context}
    return {key: value for key, value in base.items() if key != _SCHEME} | context | _scheme(row, like)


def _scheme(row: CheckpointRow, like: Mapping[str, Any]) -> dict[str, Any]:
    """The other's scheme; what `ignored` adds are experts' gates, which vLLM creates unquantized in any case."""
    if not row.like:
        return {}
    return {_SCHEME: {key: value for key, value in like[_SCHEME].items() if key != "kv_cache_scheme"}}


def _read(place: Path | None) -> dict[str, Any] | None:
    file = place / "config.json" if place else None
    if file is None or not file.is_file():
        return None
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return config
