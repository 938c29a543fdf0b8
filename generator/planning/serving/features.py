"""Serving features that follow from the model: parsers, chat template, speculative heads; set where they are sure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.parallelism import Layout
from generator.models.plan import Decision
from generator.models.serving import Serving, ServingFamily
from generator.planning.drafts.advice import draft_advice
from generator.planning.drafts.ways import config_of, own_drafts
from generator.planning.serving.pooling import VERBS
from generator.presenting.text import plural

if TYPE_CHECKING:
    from generator.planning.case import Case

EXAMPLES = "/vllm-workspace/examples"
"""Where vLLM's image keeps its chat templates (vLLM 0.33 docker/Dockerfile:1050)."""

_TOOL, _AUTO, _REASONING = "tool_call_parser", "enable_auto_tool_choice", "reasoning_parser"
_PLUGINS = {_TOOL: "tool_parser_plugin", _REASONING: "reasoning_parser_plugin"}
_KINDS = {_TOOL: "tool", _REASONING: "reasoning"}
_ALONE = frozenset({"hf", "beam"})
"""Parsers that vLLM combines only with themselves (vLLM 0.33 docs/features/tool_calling.md)."""


def serving_decisions(case: Case) -> tuple[Decision, ...]:
    """The parsers that the plan sets: the family's own where the table is sure, each with its source."""
    reasons = {_TOOL: "the model's own tool format", _REASONING: "the model's own way of thinking aloud"}
    made = tuple(
        Decision(field=field, value=name, reason=f"{reasons[field]} ({_source(case)})")
        for field, name in _chosen(case).items()
    )
    if _wants_auto(case):
        reason = "vLLM reads tool calls only with it"
        return (*made, Decision(field=_AUTO, value=True, reason=reason))
    return made


def check_serving(case: Case) -> None:
    """Return only where vLLM has the parsers that the user sets, and has one where tools are to be called.

    Raises:
        RequestError: it would refuse to start; names the nearest parsers, or the one to set.
    """
    parsers = case.tables.serving.parsers
    for field, known in ((_TOOL, parsers.tool), (_REASONING, parsers.reasoning)):
        name = case.fixed.get(field)
        if name and known and name not in known and not case.fixed.get(_PLUGINS[field]):
            raise RequestError(f"vLLM {case.release} has no {field} {name!r}; {_remedy(case, field, str(name), known)}")
    pair = {name for name in (case.fixed.get(_TOOL), case.fixed.get(_REASONING)) if name}
    if pair & _ALONE and len(pair) > 1:
        raise RequestError(f"vLLM combines {' and '.join(sorted(pair & _ALONE))} with no other parser: set it for both")
    if case.fixed.get(_AUTO) and not (case.fixed.get(_TOOL) or _TOOL in _chosen(case)):
        raise RequestError(
            f"--enable-auto-tool-choice requires --tool-call-parser: --set {_TOOL}=NAME, or leave it out"
        )


def serving_advisories(case: Case, layout: Layout) -> tuple[str, ...]:
    """What the user may set beyond the plan, and what is not known, a sentence each."""
    return (*_advisories(case, layout), *draft_advice(case))


def _advisories(case: Case, layout: Layout) -> Iterator[str]:
    serving = case.tables.serving
    yield from _of_short_context(case)
    if case.pooling:
        yield from _of_pooling(case)
        yield from _notes(serving.family)
    elif serving.family is None:
        if not (serving.base or _decided(case, _TOOL)):
            yield _unknown(case, serving)
    else:
        yield from _family_advisories(case, serving.family, layout)
    if case.architecture.towers and not case.language_model_only:
        yield (
            "Images become tokens of the prompt: count them in --prompt-tokens, "
            "or leave the encoder out with --set language_model_only=true."
        )


def _family_advisories(case: Case, family: ServingFamily, layout: Layout) -> Iterator[str]:
    if family.chat_template and not _decided(case, _TOOL) and "chat_template" not in case.fixed:
        name = _first(family.tool_call_parser, case.tables.serving.parsers.tool)
        if name:
            yield (
                f"{family.name} calls tools only with a chat template that vLLM ships: --set {_TOOL}={name} "
                f"--set chat_template={EXAMPLES}/{family.chat_template} (its place in vLLM's image)."
            )
    parsers = case.tables.serving.parsers
    for field, names, known in _families_parsers(case, family):
        own, sure = case.fixed.get(field), _first(names, known)
        if own and sure and own not in names:
            yield f"{family.name} is read by {field} {sure}; {own} is yours, and what it cannot read stays text."
        if names and known and not _decided(case, field) and not sure:
            when = parsers.elsewhere.get(f"{_KINDS[field]} {names[0]}", "a newer release")
            yield f"vLLM {case.release} has no {field} {names[0]}, which {family.name} needs: {when} has it."
    yield from _notes(family)
    yield from _draft_advice(case, layout)


def _notes(family: ServingFamily | None) -> Iterator[str]:
    yield from (note if note.endswith(".") else f"{note}." for note in (family.notes if family else ()))


def _draft_advice(case: Case, layout: Layout) -> Iterator[str]:
    """What drafts for the model, where the user leaves that open: it costs memory, so that it is named and not set."""
    own = own_drafts(case, layout)
    if own is not None:
        yield (
            f"The checkpoint ships {plural(len(case.architecture.drafts), 'draft layer')}: faster answers at low load, "
            f"for more memory, with --set 'speculative_config={json.dumps(own)}' (--explain has its figures)."
        )
    elif case.chooses("speculative_config"):
        for row in case.tables.drafts:
            how = "--explain has its figures" if row.facts else "with the Hub it plans the head's memory"
            yield (
                f"A head that drafts for it is published ({row.method}, {row.source}): --set "
                f"'speculative_config={json.dumps(config_of(row))}' ({how})."
            )


def _unknown(case: Case, serving: Serving) -> str:
    how = f"--set {_TOOL}=NAME --set {_REASONING}=NAME set what its model card names"
    if not serving.candidates:
        return f"How {case.facts.id} writes tool calls is not known, so that they stay text: {how}."
    names = ", ".join(f"{row.name} ({_parsers_text(row)})" for row in serving.candidates if _parsers_text(row))
    return f"How {case.facts.id} writes tool calls is not known; models of its type are {names}: {how}."


def _parsers_text(family: ServingFamily) -> str:
    pairs = (("tools", family.tool_call_parser), ("reasoning", family.reasoning_parser))
    return ", ".join(f"{what} {names[0]}" for what, names in pairs if names)


def _chosen(case: Case) -> dict[str, str]:
    """Parsers that the plan adds to what the user decided, by argument."""
    family = case.tables.serving.family
    if case.pooling or family is None or family.task != "generate" or case.fixed.get(_AUTO) is False:
        return {}
    alone = bool({case.fixed.get(_TOOL), case.fixed.get(_REASONING)} & _ALONE)
    found = {
        field: _first(names, known)
        for field, names, known in _families_parsers(case, family)
        if not alone and not _decided(case, field) and _reaches_prompt(case, family, field)
    }
    return {field: name for field, name in found.items() if name}


def _families_parsers(
    case: Case, family: ServingFamily
) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """The family's parsers of each kind, and those of the release."""
    parsers = case.tables.serving.parsers
    return (
        (_TOOL, family.tool_call_parser, parsers.tool),
        (_REASONING, family.reasoning_parser, parsers.reasoning),
    )


def _reaches_prompt(case: Case, family: ServingFamily, field: str) -> bool:
    """Whether the chat template shows tools to the model: its own, or the one that the user sets."""
    return field != _TOOL or not family.chat_template or bool(case.fixed.get("chat_template"))


def _wants_auto(case: Case) -> bool:
    has_parser = bool(case.fixed.get(_TOOL)) or _TOOL in _chosen(case)
    return has_parser and not _decided(case, _AUTO)


def _decided(case: Case, field: str) -> bool:
    """Whether the user set the argument, or leaves it to vLLM."""
    return field in case.fixed or field in case.left_to_vllm


def _first(names: tuple[str, ...], known: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in known), None)


def _source(case: Case) -> str:
    family = case.tables.serving.family
    return f"{family.name}; {family.origin}" if family else ""


def _remedy(case: Case, field: str, name: str, known: tuple[str, ...]) -> str:
    """The releases that have the parser; the nearest names where none has."""
    when = case.tables.serving.parsers.elsewhere.get(f"{_KINDS[field]} {name}")
    return f"vLLM {when} has it: pin that with --vllm" if when else _nearest(name, known)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name, known, n=3, cutoff=0.0)
    return f"nearest: {', '.join(close)}"


def _of_short_context(case: Case) -> Iterator[str]:
    """A preset whose requests are longer than the context is not what is planned."""
    preset, load = case.request.load.request_tokens, case.load
    if case.pooling is None and load.request_tokens < preset:
        yield (
            f"Requests of the {case.request.workload} workload take {preset:,} tokens, more than the context: "
            f"{load.prompt_tokens:,} + {load.gen_tokens:,} are planned; state --prompt-tokens and --gen-tokens."
        )


def _of_pooling(case: Case) -> Iterator[str]:
    """What whoever plans a pooling model should know, a sentence each."""
    pooling = case.pooling
    if pooling is None:
        return
    yield (
        f"{case.facts.id} {VERBS[pooling.task]}: each request is one pass over its prompt, and no token is generated. "
        "No pooling model is in the calibration sets, neither for memory nor for speed."
    )
    preset = case.request.load.prompt_tokens
    if case.load.prompt_tokens < preset:
        tokens = f"{case.load.prompt_tokens:,}"
        yield f"Prompts are taken to be {tokens} tokens long, the model's own context: state --prompt-tokens."
