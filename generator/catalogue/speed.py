"""The coefficients of the speed estimates; the figures are `speed.toml`'s, which a committed script fits."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from generator.catalogue.loader import read, table
from generator.errors import GeneratorError
from generator.models.speed import COEFFICIENTS, Coefficients

_FILE = "speed.toml"
_OTHER = ("half_widths", "regions", "few_sources", "calibration")


@cache
def speed() -> Coefficients:
    """The packaged table.

    Raises:
        GeneratorError: the table lacks a part or the coefficient of a class, or holds something that is no number.
    """
    content = read(table(_FILE))
    missing = [part for part in _OTHER if part not in content]
    if missing:
        raise GeneratorError(f"{_FILE} lacks [{missing[0]}]; run .github/scripts/fit_speed.py")
    values = dict(_values(content))
    absent = [name for name in _needed() if name not in values]
    if absent:
        raise GeneratorError(f"{_FILE} lacks {', '.join(absent)}; run .github/scripts/fit_speed.py")
    return Coefficients(
        values=values,
        half_widths=content["half_widths"],
        regions=content["regions"],
        few_sources=content["few_sources"],
        calibration=content["calibration"]["set"],
        gpus=tuple(content["calibration"]["gpus"]),
    )


def _needed() -> Iterator[str]:
    return (f"{group}.{name}" for group, names in COEFFICIENTS.items() for name in names)


def _values(content: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for group, entries in content.items():
        if group not in _OTHER:
            yield from ((f"{group}.{name}", float(value)) for name, value in entries.items())
