"""Everything that `check` looks at: one function a finding, whose docstring is the message.

A function yields nothing where all is well, and otherwise what stands in the place of the braces.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from generator import __version__
from generator.catalogue.engines import all_versions
from generator.catalogue.gpus import find_gpu
from generator.catalogue.prices import all_prices
from generator.errors import GeneratorError, SourceError, UnknownFactError
from generator.models.value import Value
from generator.presenting.text import plural
from generator.rendering import repository, store
from generator.sources.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from generator.models.plan import PlanRecord
    from generator.operations.state import State

Severity = Literal["error", "warning", "note"]
_PROFILE, _SERVE = "profile.yaml", "serve.yaml"
_SHOWN = 5
_PRICE_DAYS = 180
"""Age at which a list price is no basis any more: providers changed theirs within half a year."""


class Finding(Value):
    """One thing that somebody should look at."""

    check: str
    severity: Severity
    message: str


def no_repository(state: State) -> Iterator[str]:
    """This directory is in no git repository{}: `git init && git add -A && git commit`, so that updates can merge."""
    if not (state.in_git or repository.refusal(state.place)):
        yield ""


def unread_repository(state: State) -> Iterator[str]:
    """Updates cannot merge here: {}."""
    if not state.in_git and (why := repository.refusal(state.place)):
        yield why


def unmerged_answers(state: State) -> Iterator[str]:
    """Two branches changed the answers and neither is chosen{}: run `vllm-wizard update --resolve`."""
    if state.unmerged:
        yield ""


def merged_answers(state: State) -> Iterator[str]:
    """The recorded plan was made for other answers than a merge left ({}): run `vllm-wizard update --resolve`."""
    if state.other_inputs and not state.unmerged and state.merged:
        yield _some(state.other_inputs)


def edited_answers(state: State) -> Iterator[str]:
    """The recorded plan was made for other answers ({}): restore .copier-answers.yml, then use `vllm-wizard update`."""
    if state.other_inputs and not state.unmerged and not state.merged:
        yield _some(state.other_inputs)


def edited_plan(state: State) -> Iterator[str]:
    """The recorded plan was edited by hand{}: restore .copier-answers.yml, then use `vllm-wizard update --set`."""
    if not state.sound and not state.other_inputs:
        yield ""


def conflict_markers(state: State) -> Iterator[str]:
    """Conflicts are left in {}: resolve them and delete what is rejected."""
    if state.marked:
        yield _some(state.marked)


def unknown_template(state: State) -> Iterator[str]:
    """The pinned template {} is on no machine that this one knows: run `vllm-wizard template sync`."""
    if state.tags and state.answers.template not in state.tags:
        yield state.answers.template


def moved_template(state: State) -> Iterator[str]:
    """Template {}: put that tag back, and release the change under a new version."""
    if state.moved:
        yield store.moved(state.answers.template, state.answers.source, state.answers.commit or "", state.moved)


def unknown_release(state: State) -> Iterator[str]:
    """The tables have no vLLM {}: upgrade vllm-wizard, or add it with `vllm-wizard engine import`."""
    if str(state.answers.values.get("vllm")) not in all_versions():
        yield str(state.answers.values.get("vllm"))


def unknown_gpu(state: State) -> Iterator[str]:
    """{}: upgrade vllm-wizard, or describe the GPU with --vram-gb and --capability."""
    name = str(state.answers.values.get("gpu"))
    try:
        if name not in ("custom", "auto"):
            find_gpu(name)
    except UnknownFactError as error:
        yield str(error)


def changed_gpu(state: State) -> Iterator[str]:
    """The table's row of the GPU changed: {}; `vllm-wizard update --replan` plans with it."""
    if isinstance(state.fresh, GeneratorError):
        return
    old, new = (dict(plan.display.memory).get("GPU") for plan in (state.plan, state.fresh))
    if old != new:
        yield f"{state.answers.values.get('gpu')} had {old}, has {new}"


def refused_plan(state: State) -> Iterator[str]:
    """This package would refuse the recorded plan today: {}."""
    if isinstance(state.fresh, GeneratorError) and not isinstance(state.fresh, UnknownFactError):
        yield str(state.fresh)


def aged_plan(state: State) -> Iterator[str]:
    """Planned again, the deployment would change ({}): `vllm-wizard update --replan`."""
    if state.plan.planner != __version__ and not state.other_inputs:
        changes = tuple(_differences(state.plan, state.fresh))
        if changes:
            yield f"planner {state.plan.planner} -> {__version__}: {_some(changes)}"


def other_plan(state: State) -> Iterator[str]:
    """The recorded plan is not what this very version plans for these answers ({}): `vllm-wizard update --replan`."""
    if state.plan.planner == __version__ and state.sound:
        changes = tuple(_differences(state.plan, state.fresh))
        if changes:
            yield _some(changes)


def old_price(state: State) -> Iterator[str]:
    """The newest list price of this GPU in the tables is {} old: state yours, `vllm-wizard update --price N`."""
    gpu, own = str(state.answers.values.get("gpu")), state.answers.values.get("price")
    read = [date.fromisoformat(price.read_on) for price in all_prices() if price.gpu == gpu and not own]
    if read and (state.today - max(read)).days > _PRICE_DAYS:
        yield plural((state.today - max(read)).days, "day")


def unpinned_model(state: State) -> Iterator[str]:
    """No commit of the model is pinned, its facts are {}: with the Hub, `vllm-wizard update --replan` pins one."""
    facts = state.answers.values.get("model_facts") or {}
    if facts.get("source") == "embedded" and not facts.get("revision"):
        yield "this package's own"


def unrendered(state: State) -> Iterator[str]:
    """The pinned template does not render the recorded answers again: {}."""
    if state.unrendered:
        yield state.unrendered


def served_otherwise(state: State) -> Iterator[str]:
    """serve.yaml is not the recorded plan's ({}): `vllm-wizard adopt` turns the edit into overrides."""
    if _SERVE in state.marked:
        return
    try:
        served = state.mapping(_SERVE)
    except GeneratorError as error:
        yield str(error)
        return
    if served is not None and served != state.plan.serve:
        yield _some(_unlike(state.plan.serve, served))


def profile_otherwise(state: State) -> Iterator[str]:
    """profile.yaml states other answers than are recorded ({}): `vllm-wizard update --profile profile.yaml`."""
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
        yield _some(_unlike(there, stated))


def edited_files(state: State) -> Iterator[str]:
    """Managed files with edits of your own, which updates merge: {}."""
    if state.edited:
        yield _some(state.edited)


def deleted_files(state: State) -> Iterator[str]:
    """Managed files that are gone, which updates leave out: {}."""
    if state.deleted:
        yield _some(state.deleted)


def newer_template(state: State) -> Iterator[str]:
    """Template {} is out: `vllm-wizard update --upgrade --dry-run` shows what it changes."""
    if (newest := newest_template(state)) and newest != state.answers.template:
        yield newest


def newer_release(state: State) -> Iterator[str]:
    """The tables know vLLM {}: `vllm-wizard update --vllm {} --dry-run` shows what it changes."""
    if (newest := all_versions()[-1]) != state.answers.values.get("vllm"):
        yield newest


def newer_model(state: State) -> Iterator[str]:
    """The model has a newer commit {}: `vllm-wizard update --replan` takes it."""
    if (newest := state.newest_revision) and newest != (state.answers.values.get("model_facts") or {}).get("revision"):
        yield newest


CHECKS: tuple[tuple[Severity, Callable[[State], Iterator[str]]], ...] = (
    ("error", unmerged_answers),
    ("error", merged_answers),
    ("error", edited_answers),
    ("error", edited_plan),
    ("error", conflict_markers),
    ("error", unknown_template),
    ("error", moved_template),
    ("error", unknown_release),
    ("error", unknown_gpu),
    ("warning", no_repository),
    ("warning", unread_repository),
    ("warning", refused_plan),
    ("warning", other_plan),
    ("warning", unrendered),
    ("warning", served_otherwise),
    ("warning", profile_otherwise),
    ("note", changed_gpu),
    ("note", aged_plan),
    ("note", old_price),
    ("note", unpinned_model),
    ("note", edited_files),
    ("note", deleted_files),
    ("note", newer_template),
    ("note", newer_release),
    ("note", newer_model),
)
"""Every finding with its severity, the most urgent first."""


def findings(state: State) -> tuple[Finding, ...]:
    """Everything found in one deployment; a conflict in the answers hides what follows from it."""
    first = unmerged_answers, merged_answers
    checks = [one for one in CHECKS if one[1] in first] if state.unmerged else CHECKS
    return tuple(
        Finding(check=function.__name__, severity=severity, message=_message(function, detail))
        for severity, function in checks
        for detail in function(state)
    )


def newest_template(state: State) -> str | None:
    """The newest released template that this machine can reach; None where it reaches none."""
    return store.newest_of(state.tags)


def _message(function: Callable[[State], Iterator[str]], detail: str) -> str:
    text = (function.__doc__ or function.__name__).partition("\n")[0].removesuffix(".")
    return text.replace("{}", detail)


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


def _some(words: tuple[str, ...]) -> str:
    rest = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
