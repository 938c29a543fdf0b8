"""Serving families, parser names and purposes of models; what to do with them is the planner's to say."""

import re
from functools import cache
from typing import Annotated

from pydantic import Field

from generator.catalogue.loader import Row, Source, packaged_rows
from generator.models.checkpoint import ModelFacts
from generator.models.fit import Purpose
from generator.models.release import release_key
from generator.models.serving import ParserKind, Parsers, Serving, ServingFamily

_STORED = re.compile(
    r"(?:[-_.](?:AWQ|GPTQ|FP8|NVFP4|MXFP[48]|FP4|INT[48]|BF16|bnb|quantized|w\d+a\d+|qat)(?:[-_.][\w-]+)*)*",
    re.IGNORECASE,
)
"""How a repository's name says that the weights are stored: `-FP8-dynamic`, `-GPTQ-Int4`, `-quantized.w4a16`."""
_BASE = re.compile(r"(?:.*[-_.])?(?:base|pt|pretrained)(?:[-_.].*)?", re.IGNORECASE)
"""Names of models before instruction tuning, which have no tool format."""


class ParserRow(Row):
    """One row of `parsers.toml`."""

    name: str = Field(min_length=1)
    kind: ParserKind
    since: str = "0.0.0"
    until: str = "9999.0.0"

    def is_in(self, version: str) -> bool:
        """Whether release `version` has the name."""
        return release_key(self.since) <= release_key(version) <= release_key(self.until)

    def when(self, version: str) -> str:
        """Releases that have the name, for one that has not."""
        newer = release_key(version) < release_key(self.since)
        return f"{self.since} and newer" if newer else f"{self.until} and older"


class ServingRow(Row, ServingFamily):
    """One row of `serving.toml`; the columns are the value's own."""

    source: Source


def all_families() -> tuple[ServingFamily, ...]:
    """Every family of the table, in its order."""
    return packaged_rows("serving.toml", "family", ServingRow)


@cache
def parsers_of(version: str) -> Parsers:
    """Names that release `version` ("0.33.0") takes for its tool and reasoning parsers."""
    rows = packaged_rows("parsers.toml", "parser", ParserRow)
    found = [row for row in rows if row.is_in(version)]
    return Parsers(
        tool=tuple(row.name for row in found if row.kind == "tool"),
        reasoning=tuple(row.name for row in found if row.kind == "reasoning"),
        elsewhere={f"{row.kind} {row.name}": row.when(version) for row in rows if not row.is_in(version)},
    )


def serving_of(facts: ModelFacts, version: str) -> Serving:
    """What the tables say about serving a model on release `version`.

    A directory has no publisher, so that only families known by `model_type` alone are sure of it.
    """
    model_type = facts.architecture.model_type
    publisher, _, repository = facts.id.rpartition("/") if facts.source != "local" else ("", "", "")
    family = next((row for row in all_families() if _is_of(row, model_type, publisher, repository)), None)
    base = _BASE.fullmatch(repository) is not None
    known = family is not None or base
    chat = (row for row in all_families() if row.task == "generate" and not known)
    alike = tuple(row for row in chat if model_type in row.model_types)
    return Serving(parsers=parsers_of(version), family=family, base=base, candidates=alike)


def _is_of(family: ServingFamily, model_type: str, publisher: str, repository: str) -> bool:
    if family.model_types and model_type not in family.model_types:
        return False
    if family.publishers and publisher not in family.publishers:
        return False
    if not family.repositories:
        return not _BASE.fullmatch(repository)
    return re.fullmatch(f"(?:{family.repositories}){_suffix()}", repository) is not None


def _suffix() -> str:
    return f"(?i:{_STORED.pattern})"


_TUNED = re.compile(r"-(?:instruct|chat|it)\b", re.IGNORECASE)
"""Words of a repository's name that say that the model was tuned to follow instructions."""


class PurposeRow(Row):
    """Models by their Hub ids that are made for one purpose."""

    name: Purpose
    models: Annotated[str, Field(min_length=1)]
    """Expression that a whole id matches."""
    source: Source


def purposes_of(facts: ModelFacts, serving: Serving, *, pools: bool) -> tuple[Purpose, ...]:
    """What the model can be asked for, in alphabetical order; `pools` says that it answers with vectors or scores."""
    family = serving.family
    tuned = family is not None or _TUNED.search(facts.id) is not None
    by_shape: dict[Purpose, bool] = {
        "chat": tuned and not serving.base and not pools,
        "embed": pools,
        "reasoning": bool(family and family.reasoning_parser) and not serving.base,
        "tools": bool(family and family.tool_call_parser) and not serving.base,
        "vision": bool(facts.architecture.towers),
    }
    listed = packaged_rows("purposes.toml", "purpose", PurposeRow)
    named = {row.name for row in listed if re.fullmatch(row.models, facts.id, re.IGNORECASE)}
    return tuple(sorted(named | {name for name, holds in by_shape.items() if holds}))
