"""model_facts(): the one way from a model's name to what the planner is told about it, whole or not at all."""

import re
from collections.abc import Callable

from generator.catalogue.draft_heads import published_head
from generator.catalogue.models import embedded_model
from generator.errors import GatedModelError, HubUnreachableError, RequestError, SourceError, UnknownFactError
from generator.models.checkpoint import ModelFacts
from generator.models.request import SourceChoice
from generator.planning.weights.rank import model_totals
from generator.presenting.text import gib_text
from generator.sources.given import given_facts
from generator.sources.places import is_directory

_PATH = re.compile(r"^(~|\.{0,2}[/\\])|^\.{1,2}$")


def model_facts(
    model: str,
    *,
    revision: str | None = None,
    source: SourceChoice = "auto",
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ModelFacts:
    """Facts of `model`: a directory where there is one, else the Hub, else the embedded models.

    With `offline` nothing is fetched: an embedded model is used, or what the Hub's client has in its cache.
    `progress` is told of headers read and headers in all.

    Raises:
        SourceError: no source has the model, or the one asked for failed.
        RequestError: a revision was asked of a source that has none.
    """
    told = given_facts(model)
    if told is not None:
        return told
    if source == "local" or (source == "auto" and (_PATH.search(model) or is_directory(model))):
        if revision is not None:
            raise RequestError(f"{model} is a directory, which has no revisions: drop --revision {revision}.")
        from generator.sources.local import local_facts  # noqa: PLC0415 - the readers take longer than a plan

        return local_facts(model, progress=progress)
    if source == "embedded":
        return _embedded(model, revision)
    if source == "hub":
        return _of_hub(model, revision, cached_only=offline, progress=progress)
    return _offline(model, revision) if offline else _online(model, revision, progress)


def draft_facts(
    model: str,
    *,
    revision: str | None = None,
    source: SourceChoice = "auto",
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ModelFacts:
    """Facts of a draft model: a directory where there is one, else from the source of its target.

    Raises:
        SourceError: no source has it.
        UnsupportedArchitectureError: its config.json is of a class that no reader knows.
    """
    here = source == "local" or _PATH.search(model) or is_directory(model)
    choice: SourceChoice = "auto" if here else source
    try:
        return model_facts(model, revision=revision, source=choice, offline=offline, progress=progress)
    except (RequestError, SourceError, UnknownFactError) as error:
        raise type(error)(f"the draft model of speculative_config: {error}") from error


def _online(model: str, revision: str | None, progress: Callable[[int, int], None] | None) -> ModelFacts:
    """The Hub's facts; those embedded under the same id where the Hub does not answer."""
    try:
        return _of_hub(model, revision, progress=progress)
    except HubUnreachableError as unreachable:
        try:
            return _embedded(model, revision)
        except SourceError as absent:
            raise SourceError(f"{_clause(unreachable)}. {absent}") from unreachable
    except GatedModelError as gated:
        if _find_embedded(model) is None:
            raise
        raise GatedModelError(f"{gated} Or plan with the embedded facts: add --offline.") from gated


def _offline(model: str, revision: str | None) -> ModelFacts:
    """The embedded model; without one of this revision, what the Hub's cache holds."""
    try:
        return _embedded(model, revision)
    except SourceError as absent:
        try:
            return _of_hub(model, revision, cached_only=True)
        except HubUnreachableError:
            raise absent from None


def _of_hub(
    model: str,
    revision: str | None,
    *,
    cached_only: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ModelFacts:
    from generator.sources.hub import hub_facts  # noqa: PLC0415 - the readers take longer than a plan

    return hub_facts(model, revision=revision, cached_only=cached_only, progress=progress)


def _embedded(model: str, revision: str | None) -> ModelFacts:
    """The embedded model, or head that drafts for one, of this id, if it is the revision that was asked for."""
    try:
        facts = published_head(model) or embedded_model(model)
    except UnknownFactError as error:
        raise SourceError(str(error)) from error
    if revision not in {None, facts.revision}:
        embedded = f"at revision {facts.revision}" if facts.revision else "without a revision"
        raise SourceError(f"{model} is embedded {embedded}, not at {revision!r}: drop --revision, or reach the Hub.")
    return facts


def _find_embedded(model: str) -> ModelFacts | None:
    try:
        return embedded_model(model)
    except UnknownFactError:
        return None


def _clause(error: Exception) -> str:
    """An error's first clause: what happened, without its next step."""
    return str(error).partition(": ")[0]


_LEAST = 0.75
"""Share of the shapes' bytes that tied heads, shared layers and other honest differences leave."""


def refuse_partial(facts: ModelFacts) -> None:
    """Return only where the tensors' bytes are about what the shapes take; many more are no harm.

    Raises:
        SourceError: most likely a download that did not end.
    """
    stored = facts.checkpoint.total_bytes
    if stored is None:
        return
    described = model_totals(facts.architecture, facts.checkpoint.quantization).stored_bytes
    if stored < _LEAST * described:
        raise SourceError(
            f"the safetensors files of {facts.id} hold {gib_text(stored)} of tensors, the model that its config.json "
            f"describes takes {gib_text(described)}: finish the download, or take both files from one revision."
        )
