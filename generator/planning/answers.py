"""The verdict in three answers: whether vLLM starts, whether the workload is carried, whether targets are met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.estimate import Estimate
from generator.models.verdict import Answer
from generator.planning.choosing.choice import has_targets
from generator.planning.memory.evidence import encoder_doubt
from generator.planning.overridden import uncounted
from generator.planning.rules.code import lacks_tokenizer_code
from generator.planning.rules.experts import unasked
from generator.planning.rules.hangs import kernel_doubt
from generator.planning.rules.linear import named_kernels
from generator.planning.rules.states import states_doubt
from generator.presenting.text import duration_text, gib_text, plural, tokens_text

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_MINUTE_MS = 60_000.0


def starts(case: Case, chosen: Candidate) -> Answer:
    """Whether vLLM starts: memory, and what it asks of it beside."""
    if chosen.verdict == "does_not_fit":
        lacks = f"{gib_text(chosen.shortfall_bytes)} short on each GPU"
        if chosen.state_blocks > chosen.sure_blocks > 0:
            lacks = (
                f"max_num_seqs ({chosen.state_blocks:,}) exceeds the {chosen.sure_blocks:,} cache blocks that are sure"
            )
        return Answer(answer="no", why=lacks)
    if lacks_tokenizer_code(case):
        return Answer(answer="doubtful", why="its tokenizer is code of its own repository, which nobody allowed to run")
    if why := kernel_doubt(case, chosen.layout):
        return Answer(answer="doubtful", why=why)
    if why := states_doubt(chosen.replica):
        return Answer(answer="doubtful", why=why)
    if named := (*uncounted(case.fixed), *unasked(case, chosen.layout), *named_kernels(case)):
        why = f"{', '.join(named)} is yours, and not counted here: make preflight asks vLLM itself"
        return Answer(answer="doubtful", why=why)
    if chosen.oom_risk == "LOW":
        return Answer(answer="yes", why="even at the high end of every estimate")
    return Answer(answer="doubtful", why=_doubt(case, chosen))


def _doubt(case: Case, chosen: Candidate) -> str:
    """What a start that is not sure may fail by."""
    if case.gpu.unified_memory:
        return "the CPU shares this memory, and takes gibibytes of it"
    if chosen.start_risk != "LOW":
        return "what else such a GPU holds may leave too little for this utilization"
    if chosen.verdict == "tight":
        return "at the expected values, not at the high end"
    if encoder_doubt(chosen.replica, case.tables.overheads):
        return "at the high end of every estimate, but little is known of its encoder's peak"
    return "even at the high end of every estimate, with little to spare"


def carries(case: Case, chosen: Candidate) -> Answer:
    """Whether the workload's requests are all held at once, at their lengths."""
    load = case.load
    asked = f"{plural(load.concurrency, 'request')} of {tokens_text(load.request_tokens)} tokens"
    if chosen.verdict == "does_not_fit":
        return Answer(answer="no", why=f"no room for {asked}")
    each = " of each server" if case.servers > 1 else ""
    room = f"room for {chosen.concurrency:,} at once, {asked} are asked for{each}"
    if chosen.concurrency < load.concurrency:
        return Answer(answer="no", why=f"{room}: the rest wait")
    sure = not case.states_load or _surely_carries(chosen)  # a preset's figures are nobody's wish
    return Answer(answer="yes" if sure else "doubtful", why=room)


def _surely_carries(chosen: Candidate) -> bool:
    """Whether the pool holds the workload at the low end of what is available."""
    if not chosen.cache.groups:
        return True
    low = tuple(max(0, stage.kv_cache_available_bytes.low) for stage in chosen.stages)
    length = min(chosen.load.request_tokens, int(chosen.context.value))
    return chosen.cache.max_concurrency(low, length) >= chosen.load.concurrency


def meets(case: Case, estimate: Estimate | None) -> Answer:
    """Whether the stated targets are met; a first token of minutes is never in order."""
    targets = case.request.targets
    if estimate is None:
        unknown = "this GPU's speed is not known"
        return Answer(answer="doubtful", why=unknown) if has_targets(case) else Answer(answer="not_asked", why=unknown)
    pairs = ((targets.ttft_ms, estimate.ttft_ms, "first token"), (targets.tpot_ms, estimate.tpot_ms, "each further"))
    stated = [(asked, found, name) for asked, found, name in pairs if asked is not None]
    missed = [one for one in stated if one[1].mean > one[0]]
    doubtful = [one for one in stated if one[1].high > one[0]]
    for answer, listed in (("no", missed), ("doubtful", doubtful)):
        if listed:
            asked, found, name = listed[0]
            shown = duration_text(found.mean if answer == "no" else found.high)
            return Answer.model_validate({"answer": answer, "why": f"{name} {shown}, {duration_text(asked)} asked for"})
    first = estimate.ttft_ms.mean
    if first >= _MINUTE_MS and targets.ttft_ms is None:
        return Answer(answer="doubtful", why=f"the first token takes {duration_text(first)}")
    return Answer(
        answer="yes" if has_targets(case) else "not_asked", why="" if has_targets(case) else "no target is stated"
    )
