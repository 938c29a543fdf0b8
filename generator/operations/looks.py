"""Everything that `check` looks at: one function and its message each.

A function yields nothing where all is well, and otherwise what stands in the place of the braces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from generator import __version__
from generator.catalogue.engines import all_versions
from generator.catalogue.gpus import find_gpu
from generator.catalogue.prices import all_prices
from generator.errors import GeneratorError, SourceError, UnknownFactError
from generator.models.plan import PlanRecord
from generator.operations import tree_findings
from generator.operations.hosting import findings as hosting
from generator.operations.look import Look, Severity, says
from generator.presenting.text import plural, some
from generator.rendering import repository, store
from generator.sources.profile import load_profile

if TYPE_CHECKING:
    from generator.operations.state import State

_PROFILE, _SERVE = "profile.yaml", "serve.yaml"
_PRICE_DAYS = 180
"""Age at which a list price is no basis any more: providers changed theirs within half a year."""


@says("This directory is in no git repository{}: `git init && git add -A && git commit`, so that updates can merge")
def _no_repository(state: State) -> Iterator[str]:
    if not (state.in_git or repository.refusal(state.place)):
        yield ""


@says("Updates cannot merge here: {}")
def _unread_repository(state: State) -> Iterator[str]:
    if not state.in_git and (why := repository.refusal(state.place)):
        yield why


@says("Two branches changed the answers and neither is chosen{}: run `vllm-wizard update --resolve`")
def _unmerged_answers(state: State) -> Iterator[str]:
    if state.unmerged:
        yield ""


@says("The recorded plan was made for other answers than a merge left ({}): run `vllm-wizard update --resolve`")
def _merged_answers(state: State) -> Iterator[str]:
    if state.other_inputs and not state.unmerged and state.merged:
        yield some(state.other_inputs)


@says("The recorded plan was made for other answers ({}): restore .copier-answers.yml, then use `vllm-wizard update`")
def _edited_answers(state: State) -> Iterator[str]:
    if state.other_inputs and not state.unmerged and not state.merged:
        yield some(state.other_inputs)


@says("The recorded plan was edited by hand{}: restore .copier-answers.yml, then use `vllm-wizard update --set`")
def _edited_plan(state: State) -> Iterator[str]:
    if not state.sound and not state.other_inputs:
        yield ""


@says("Conflicts are left in {}: resolve them and delete what is rejected")
def _conflict_markers(state: State) -> Iterator[str]:
    if state.marked:
        yield some(state.marked)


@says("The pinned template {} is on no machine that this one knows: run `vllm-wizard template sync`")
def _unknown_template(state: State) -> Iterator[str]:
    if state.tags and state.answers.template not in state.tags:
        yield state.answers.template


@says("Template {}: put that tag back, and release the change under a new version")
def _moved_template(state: State) -> Iterator[str]:
    if state.moved:
        yield store.moved(state.answers.template, state.answers.source, state.answers.commit or "", state.moved)


@says("The tables have no vLLM {}: upgrade vllm-wizard, or add it with `vllm-wizard engine import`")
def _unknown_release(state: State) -> Iterator[str]:
    if str(state.answers.values.get("vllm")) not in all_versions():
        yield str(state.answers.values.get("vllm"))


@says("{}: upgrade vllm-wizard, or describe the GPU with --vram-gb and --capability")
def _unknown_gpu(state: State) -> Iterator[str]:
    name = str(state.answers.values.get("gpu"))
    try:
        if name not in ("custom", "auto"):
            find_gpu(name)
    except UnknownFactError as error:
        yield str(error)


@says("The table's row of the GPU changed: {}; `vllm-wizard update --replan` plans with it")
def _changed_gpu(state: State) -> Iterator[str]:
    if isinstance(state.fresh, GeneratorError):
        return
    old, new = (dict(plan.display.memory).get("GPU") for plan in (state.plan, state.fresh))
    if old != new:
        yield f"{state.answers.values.get('gpu')} had {old}, has {new}"


@says("This package would refuse the recorded plan today: {}")
def _refused_plan(state: State) -> Iterator[str]:
    if isinstance(state.fresh, GeneratorError) and not isinstance(state.fresh, UnknownFactError):
        yield str(state.fresh)


@says("Planned again, the deployment would change ({}): `vllm-wizard update --replan`")
def _aged_plan(state: State) -> Iterator[str]:
    if state.plan.planner != __version__ and not state.other_inputs:
        changes = tuple(_differences(state.plan, state.fresh))
        if changes:
            yield f"planner {state.plan.planner} -> {__version__}: {some(changes)}"


@says("The recorded plan is not what this very version plans for these answers ({}): `vllm-wizard update --replan`")
def _other_plan(state: State) -> Iterator[str]:
    if state.plan.planner == __version__ and state.sound:
        changes = tuple(_differences(state.plan, state.fresh))
        if changes:
            yield some(changes)


@says("The server starts, and {}: `vllm-wizard plan` with the same answers shows what would mend it")
def _falls_short(state: State) -> Iterator[str]:
    if state.sound and state.falls_short:
        yield some(state.falls_short)


@says("The newest list price of this GPU in the tables is {} old: state yours, `vllm-wizard update --price N`")
def _old_price(state: State) -> Iterator[str]:
    gpu, own = str(state.answers.values.get("gpu")), state.answers.values.get("price")
    read = [date.fromisoformat(price.read_on) for price in all_prices() if price.gpu == gpu and not own]
    if read and (state.today - max(read)).days > _PRICE_DAYS:
        yield plural((state.today - max(read)).days, "day")


@says("What was measured no longer applies ({}): record a start anew, `vllm-wizard verify LOG --record`, or forget it")
def _idle_measurements(state: State) -> Iterator[str]:
    if not (state.sound and state.answers.values.get("measured")):
        return
    from generator.operations.calibrate import idle  # noqa: PLC0415 - start-up time

    if found := idle(state.answers):
        yield some(found)


@says("No commit of the model is pinned, its facts are {}: with the Hub, `vllm-wizard update --replan` pins one")
def _unpinned_model(state: State) -> Iterator[str]:
    facts = state.answers.values.get("model_facts") or {}
    if facts.get("source") == "embedded" and not facts.get("revision"):
        yield "this package's own"


@says("The pinned template does not render the recorded answers again: {}")
def _unrendered(state: State) -> Iterator[str]:
    if state.unrendered:
        yield state.unrendered


@says("serve.yaml is not the recorded plan's ({}): `vllm-wizard adopt` turns the edit into overrides")
def _served_otherwise(state: State) -> Iterator[str]:
    if _SERVE in state.marked:
        return
    try:
        served = state.mapping(_SERVE)
    except GeneratorError as error:
        yield str(error)
        return
    if served is not None and served != state.plan.serve:
        yield some(_unlike(state.plan.serve, served))


@says("profile.yaml states other answers than are recorded ({}): `vllm-wizard update --profile profile.yaml`")
def _profile_otherwise(state: State) -> Iterator[str]:
    if _PROFILE in state.marked or not state.sound:
        return
    try:
        stated = load_profile(state.place / _PROFILE).answers
    except SourceError:
        return
    except GeneratorError as error:
        yield str(error)
        return
    recorded = state.answers.inputs
    there = {name: recorded.get(name) for name in stated}
    if recorded.get("overrides") and "overrides" not in stated:
        there["overrides"] = recorded["overrides"]
    if stated != there:
        yield some(_unlike(there, stated))


@says("Managed files with edits of your own, which updates merge: {}")
def _edited_files(state: State) -> Iterator[str]:
    if state.edited:
        yield some(state.edited)


@says("Managed files that are gone, which updates leave out: {}")
def _deleted_files(state: State) -> Iterator[str]:
    if state.deleted:
        yield some(state.deleted)


@says("Template {} is out: `vllm-wizard update --upgrade --dry-run` shows what it changes")
def _newer_template(state: State) -> Iterator[str]:
    if (newest := store.newest_of(state.tags)) and newest != state.answers.template:
        yield newest


@says("The tables know vLLM {}: `vllm-wizard update --vllm {} --dry-run` shows what it changes")
def _newer_release(state: State) -> Iterator[str]:
    if (newest := all_versions()[-1]) != state.answers.values.get("vllm"):
        yield newest


@says("The model has a newer commit {}: `vllm-wizard update --replan` takes it")
def _newer_model(state: State) -> Iterator[str]:
    if (newest := state.newest_revision) and newest != (state.answers.values.get("model_facts") or {}).get("revision"):
        yield newest


CHECKS: tuple[tuple[Severity, Look], ...] = (
    *tree_findings.CHECKS,
    *hosting.CHECKS,
    ("error", _unmerged_answers),
    ("error", _merged_answers),
    ("error", _edited_answers),
    ("error", _edited_plan),
    ("error", _conflict_markers),
    ("error", _unknown_template),
    ("error", _moved_template),
    ("error", _unknown_release),
    ("error", _unknown_gpu),
    ("warning", _no_repository),
    ("warning", _unread_repository),
    ("warning", _refused_plan),
    ("warning", _other_plan),
    ("warning", _falls_short),
    ("warning", _unrendered),
    ("warning", _served_otherwise),
    ("warning", _profile_otherwise),
    ("note", _changed_gpu),
    ("note", _aged_plan),
    ("note", _old_price),
    ("note", _idle_measurements),
    ("note", _unpinned_model),
    ("note", _edited_files),
    ("note", _deleted_files),
    ("note", _newer_template),
    ("note", _newer_release),
    ("note", _newer_model),
)
"""Every finding with its severity, the most urgent first."""
DECIDES = frozenset({_unmerged_answers, _merged_answers})
"""What alone is said of answers that two branches changed: all else follows from it."""


def _differences(old: PlanRecord, new: PlanRecord | GeneratorError) -> Iterator[str]:
    """What differs, the figures only where nothing else does; nothing where there is no other plan."""
    if isinstance(new, GeneratorError):
        return
    named = [
        *((name, old.engine.get(name), new.engine.get(name)) for name in dict.fromkeys([*old.engine, *new.engine])),
        ("image", old.runtime.image, new.runtime.image),
        ("verdict", old.verdict, new.verdict),
    ]
    changed = [f"{name} {before} -> {after}" for name, before, after in named if before != after]
    yield from changed or (["its figures only"] if old.display != new.display else [])


def _unlike(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{name} {old.get(name)!r} -> {new.get(name)!r}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )
