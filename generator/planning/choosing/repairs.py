"""Repairs: the smallest changes that make a plan fit or meet what is asked for, each planned again and proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from generator.errors import GeneratorError, RequestError
from generator.models.parallelism import Layout
from generator.models.plan import Repair
from generator.models.request import Request
from generator.planning.choosing.changes import changes
from generator.planning.choosing.servers import copies
from generator.planning.speed.estimates import meets_targets
from generator.presenting.text import duration_text, plural, tokens_text

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.choosing.change import Change
    from generator.planning.choosing.scored import Scored

    Choose = Callable[[Case, Layout | None], Scored]
    """The best option of a case, or what becomes of one layout."""

_MOST = 7


def repairs(case: Case, chosen: Scored, choose: Choose, options: Sequence[Scored] = ()) -> tuple[Repair, ...]:
    """At most seven changes, the one that changes least first; of each kind the first that mends the plan.

    `options` are the layouts that were worked out, of which several copies may carry the stated requests.
    Empty where nothing is amiss, and where speed is not known but was asked for: then nothing can be proven.
    """
    if not _is_amiss(case, chosen):
        return ()
    found: dict[str, Repair] = {}
    for change in changes(case, chosen, copies(case, options)):
        if len(found) == _MOST:
            break
        if change.kind not in found:
            proven = _proven(change, chosen, choose)
            if proven is not None:
                found[change.kind] = _repair(case, change, proven)
    return tuple(found.values())


def with_repair(request: Request, proposed: Sequence[Repair], number: int) -> Request:
    """The request with the repair of that number, counted from 1, put in.

    Raises:
        RequestError: there is no such repair.
    """
    if not 1 <= number <= len(proposed):
        have = f"{plural(len(proposed), 'change')}; leave --apply out to see them" if proposed else "no change"
        raise RequestError(f"--apply {number}: this plan proposes {have}")
    return request.model_copy(update=proposed[number - 1].changes)


def _is_amiss(case: Case, chosen: Scored) -> bool:
    """Whether a start is in doubt, the workload has no room, or a target that can be checked is missed."""
    if chosen.candidate.doubt or not chosen.candidate.carries_load:
        return True
    return chosen.estimate is not None and not meets_targets(case, chosen.estimate)


def _proven(change: Change, before: Scored, choose: Choose) -> Scored | None:
    """The changed plan where it is mended; a change that vLLM refuses is no repair."""
    try:
        if change.layout is not None and not _mends(change, choose(change.case, change.layout), before):
            return None
        option = choose(change.case, None)
    except GeneratorError:
        return None
    return option if _mends(change, option, before) else None


def _mends(change: Change, option: Scored, before: Scored) -> bool:
    """Whether an option fits; or, where the plan did before, is as sure, carries the workload and meets the targets.

    Where doubt is all that was amiss it is surer.
    """
    if before.candidate.verdict == "does_not_fit":
        return option.candidate.verdict != "does_not_fit"
    doubtful = before.candidate.carries_load and meets_targets(change.case, before.estimate)
    sure = option.candidate.doubt <= before.candidate.doubt - doubtful
    return sure and option.candidate.carries_load and meets_targets(change.case, option.estimate)


def _repair(case: Case, change: Change, proven: Scored) -> Repair:
    changed = change.case.request
    fields = type(case.request).model_fields
    differs = {name: getattr(changed, name) for name in fields if getattr(changed, name) != getattr(case.request, name)}
    return Repair(title=change.title, flags=change.flags, effect=_effect(proven), changes=differs)


def _effect(proven: Scored) -> str:
    candidate, found = proven.candidate, proven.estimate
    longest = tokens_text(int(candidate.context.value))
    pace = (
        f", first token {duration_text(found.ttft_ms.mean)}, then {duration_text(found.tpot_ms.mean)} each"
        if found
        else ""
    )
    return f"{candidate.verdict}: context {longest}, room for {candidate.concurrency:,}{pace}"
