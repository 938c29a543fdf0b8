"""Embedded models: facts of popular models, for planning without the Hub."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from generator.errors import UnknownFactError
from generator.models.architecture import Architecture
from generator.models.checkpoint import Checkpoint, ModelFacts
from generator.models.quantization import Quantization

_NEAREST = 3


def embedded_ids() -> tuple[str, ...]:
    """Hub ids of every embedded model, in the table's order."""
    return tuple(_table())


def embedded_model(model_id: str) -> ModelFacts:
    """Facts of the embedded model with this Hub id, upper and lower case alike.

    Raises:
        UnknownFactError: no embedded model has the id; the nearest are named.
    """
    known = {name.lower(): name for name in _table()}
    name = known.get(model_id.lower())
    if name is None:
        nearest = get_close_matches(model_id.lower(), known, n=_NEAREST, cutoff=0.0)
        listed = ", ".join(known[key] for key in nearest)
        raise UnknownFactError(
            f"{model_id!r} is not an embedded model; nearest: {listed}; any other needs the Hub or a local directory"
        )
    return _facts(name)


@cache
def _table() -> dict[str, dict[str, Any]]:
    """Rows by id; what is nested in a row is JSON, which parses much faster than TOML."""
    text = files(__package__).joinpath("models.toml").read_text(encoding="utf-8")
    return {row["id"]: row for row in tomllib.loads(text)["model"]}


@cache
def _facts(name: str) -> ModelFacts:
    row = _table()[name]
    scheme = row.get("quantization")
    return ModelFacts(
        id=name,
        revision=row.get("revision"),
        source="embedded",
        architecture=Architecture.model_validate_json(row["architecture"]),
        checkpoint=Checkpoint(
            quantization=Quantization.model_validate_json(scheme) if scheme else None,
            total_bytes=row.get("total_bytes"),
        ),
        license=row.get("license"),
    )
