"""Asked: where a field of `Request` is asked for, beside its question in copier.yml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Panel = Literal["Model", "GPUs", "Workload", "Policy"]
"""Groups of command-line options, in the order of the help page."""
Section = Literal["model", "hardware", "workload", "policy", "outputs"]
"""Sections of a profile that state answers."""
PANELS: tuple[Panel, ...] = get_args(Panel)
SECTIONS: tuple[Section, ...] = get_args(Section)


@dataclass(frozen=True)
class Asked:
    """The option and the profile key of one field, which both have its name where nothing else is said."""

    panel: Panel | None
    """None where no option of its own writes the field."""
    section: Section | None
    """None where no profile states the field."""
    keys: tuple[str, ...] = ()
    """Keys in the section: the written one, then those that are read as well."""
    short: str = ""
    """One-letter form of the option."""


def asked(fields: Mapping[str, FieldInfo]) -> dict[str, Asked]:
    """How each field is asked for, its keys filled in.

    Raises:
        TypeError: a field does not say it.
    """
    return {name: _asked(name, field) for name, field in fields.items()}


def _asked(name: str, field: FieldInfo) -> Asked:
    for one in field.metadata:
        if isinstance(one, Asked):
            return Asked(one.panel, one.section, one.keys or (name,), one.short)
    raise TypeError(f"{name} of Request does not say its panel and profile section: annotate it with Asked(...)")
