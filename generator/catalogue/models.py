"""Embedded models, for planning without the Hub, and which of them are the same weights in a smaller format."""

import json
import re
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any

from pydantic import Field

from generator.catalogue.loader import Row, Source, Words, packaged_rows, read, table
from generator.errors import UnknownFactError
from generator.models.architecture import Architecture
from generator.models.checkpoint import Checkpoint, ModelFacts
from generator.models.quantization import Quantization

_PAGE = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)(?:[/?#].*)?$")
_AT = re.compile(r"/(?:tree|blob|resolve|raw|commit)/([^/?#]+)|^[\w.-]+/[\w.-]+@([\w.-]+)$")
"""A branch, tag or commit in an address of the Hub, or after a model's id."""
_QUOTES = "\"'`"
_ALIKE = 0.6
"""Likeness of two spellings under which naming one for the other misleads."""


def embedded_ids() -> tuple[str, ...]:
    """Hub ids of every embedded model, in the table's order."""
    return tuple(_table())


def named(word: str) -> str:
    """The model's id that a person means by `word`: of a page of the Hub, or by an embedded model's own name alone.

    A name of several owners' models, and what is no such name, stays as it is.
    """
    plain = _plain(word)
    page = _PAGE.match(plain)
    if page:
        return page[1]
    if _AT.search(plain):
        plain = plain.partition("@")[0]
    typed = "-".join(plain.lower().split())
    own = [one for one in embedded_ids() if typed in (one.lower(), one.rpartition("/")[2].lower())]
    return own[0] if len(own) == 1 else plain


def revision_in(word: str) -> str:
    """The branch, tag or commit that a page's address or `ORG/NAME@REVISION` names; empty where it is the usual one."""
    found = _AT.search(_plain(word))
    revision = (found[1] or found[2]) if found else ""
    return "" if revision == "main" else revision


def _plain(word: str) -> str:
    """The word without what a page, a shell or another program puts around it; a path of this machine stays."""
    plain = word.strip().strip(_QUOTES).strip().removeprefix("hf://")
    return plain if plain.startswith((".", "/", "~")) else plain.rstrip("/")


def nearest_models(word: str, most: int = 3) -> tuple[str, ...]:
    """Embedded ids that `word` may mean: those that hold all its parts, else those spelled alike; none far from all."""
    parts = _parts(word)
    holding = [one for one in embedded_ids() if parts and parts <= _parts(one)]
    if holding:
        return tuple(sorted(holding, key=len)[:most])
    known = {form: one for one in embedded_ids() for form in (one.lower(), one.rpartition("/")[2].lower())}
    typed = word.lower().rstrip("/")
    close = get_close_matches(typed, known, n=2 * most, cutoff=_ALIKE)
    close += get_close_matches(typed.rpartition("/")[2], known, n=2 * most, cutoff=_ALIKE)
    return tuple(dict.fromkeys(known[form] for form in close))[:most]


def _parts(name: str) -> frozenset[str]:
    """Words and numbers of a name: `Qwen/Qwen3-8B` as qwen, qwen3, 8b."""
    return frozenset(re.findall(r"[a-z0-9.]+", name.lower()))


def embedded_model(model_id: str) -> ModelFacts:
    """Facts of the embedded model with this Hub id, upper and lower case alike.

    Raises:
        UnknownFactError: no embedded model has the id; the nearest are named.
    """
    known = {name.lower(): name for name in _table()}
    name = known.get(model_id.lower())
    if name is None:
        near = nearest_models(model_id)
        listed = f"nearest: {', '.join(near)}; " if near else ""
        raise UnknownFactError(
            f"{model_id!r} is not an embedded model; {listed}any other needs the Hub or a local directory"
        )
    return _facts(name)


class CheckpointRow(Row):
    """A checkpoint with the shapes of one embedded model, and the quantization scheme of another or none."""

    name: str = Field(min_length=1)
    base: str
    like: str = ""
    context: Annotated[int, Field(gt=0)] | None = None
    """Its own context, where it is not that of `base`."""
    ignored: Words = ()
    """Modules that stay unquantized beside those of `like`."""
    source: Source


@cache
def _table() -> dict[str, dict[str, Any]]:
    """Rows by id; what is nested in a row is JSON, which parses much faster than TOML."""
    known = {row["id"]: row for row in read(table("models.toml"))["model"]}
    return known | {row.name: {} for row in _checkpoints()}


def _checkpoints() -> tuple[CheckpointRow, ...]:
    return packaged_rows("checkpoints.toml", "checkpoint", CheckpointRow)


@cache
def _facts(name: str) -> ModelFacts:
    row = _table()[name]
    return _read(name, row) if row else _composed(next(one for one in _checkpoints() if one.name == name))


def _composed(row: CheckpointRow) -> ModelFacts:
    base = _facts(row.base)
    update = {"id": row.name, "revision": None, "license": None, "checkpoint": Checkpoint(quantization=_scheme(row))}
    return base.model_copy(update=update | {"architecture": _with_context(base.architecture, row.context)})


def _scheme(row: CheckpointRow) -> Quantization | None:
    if not row.like:
        return None
    scheme = _facts(row.like).checkpoint.quantization
    assert scheme is not None  # noqa: S101 - a test reads every row
    ignored = (*scheme.ignored_modules, *row.ignored)
    return scheme.model_copy(update={"ignored_modules": ignored, "kv_cache_dtype": None})


def _with_context(architecture: Architecture, context: int | None) -> Architecture:
    """The shapes with another context, and the table of rotations that goes with it."""
    if context is None:
        return architecture
    rotary = architecture.rotary_bytes * context // architecture.max_position_embeddings
    return architecture.model_copy(update={"max_position_embeddings": context, "rotary_bytes": rotary})


def _read(name: str, row: dict[str, Any]) -> ModelFacts:
    """The facts of a row, whose architecture and quantization are JSON; validated at once, which builds one schema."""
    held = {column: json.loads(row[column]) for column in ("architecture", "quantization") if column in row}
    checkpoint = {"quantization": held.pop("quantization", None), "total_bytes": row.get("total_bytes")}
    own = {column: row.get(column) for column in ("revision", "license")}
    return ModelFacts.model_validate({"id": name, "source": "embedded", "checkpoint": checkpoint} | held | own)


class SiblingRow(Row):
    """One model and its quantized checkpoints, by Hub id."""

    name: str = Field(min_length=1)
    siblings: Words
    source: Source


def all_siblings() -> tuple[SiblingRow, ...]:
    """Every row of `siblings.toml`, in its order."""
    return packaged_rows("siblings.toml", "model", SiblingRow)


def siblings_of(model_id: str) -> tuple[ModelFacts, ...]:
    """Embedded facts of the checkpoints that a model can be replaced with, those of the most bits first.

    A sibling's own siblings are the smaller ones of its row; the id is compared without regard to case.
    """
    asked = model_id.casefold()
    for row in all_siblings():
        line = [name.casefold() for name in (row.name, *row.siblings)]
        if asked in line:
            return tuple(embedded_model(name) for name in row.siblings[line.index(asked) :])
    return ()


def larger_of(model_id: str) -> str:
    """The model whose weights this one stores in fewer bits; empty where it is no sibling of the table."""
    asked = model_id.casefold()
    rows = (row.name for row in all_siblings() if asked in {name.casefold() for name in row.siblings})
    return next((name for name in rows if name.casefold() != asked), "")
