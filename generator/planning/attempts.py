"""Attempts: the batch limits that one layout is worked out with, from comfortable to lean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from generator.models.parallelism import Layout
from generator.models.workload import Workload
from generator.planning import limits
from generator.planning.limits import Limit
from generator.planning.rules import checks
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.planning.case import Case

_LEAN_TOKENS = 2048


class Attempt(NamedTuple):
    """Limits to try, each with its reason."""

    sequences: Limit
    tokens: Limit
    context: Limit | None = None
    """The context that the tokens were chosen for, where prompts are read whole."""
    share: float = 1.0
    """The share of the GPU that vLLM is to ask for, where the user does not say."""
    roomy: bool = False
    """True where the sequences are vLLM's default, to be cut to what the cache carries."""


def attempts(case: Case, layout: Layout) -> Iterator[Attempt]:
    """Limits from comfortable to lean; the user's own stay."""
    if not case.chunked_prefill:
        yield from _whole_prompts(case, layout)
        return
    defaults = checks.default_limits(case)
    load = replica_load(case.load, layout)
    seen = set()
    vllms_tokens = defaults.max_num_batched_tokens
    most, least = max(vllms_tokens, case.gpu.batched_tokens), min(_LEAN_TOKENS, vllms_tokens)
    given, vllms = own(case, "max_num_seqs", defaults.max_num_seqs), defaults.max_num_seqs
    comfortable, peak = limits.default_sequences(vllms), limits.sequence_limit(load, vllms)
    lean = limits.sequence_limit(load, vllms, room=1)
    for room, tokens in ((comfortable, most), (comfortable, vllms_tokens), (peak, least), (lean, least)):
        sequences = given or room
        chosen = _tokens(case, layout, sequences, tokens)
        attempt = Attempt(sequences, chosen, roomy=room is comfortable)
        if (sequences.value, chosen.value) not in seen:
            seen.add((sequences.value, chosen.value))
            yield attempt


def _whole_prompts(case: Case, layout: Layout) -> Iterator[Attempt]:
    """Limits of a step that takes no prompt in pieces: it holds the longest, or else the workload's."""
    load = replica_load(case.load, layout)
    longest = case.asked_context or case.model_context
    shorter = longest if case.asked_context else min(longest, limits.workload_context(load))
    for length in dict.fromkeys((longest, shorter)):
        defaults = checks.default_limits(case, length)
        sequences = own(case, "max_num_seqs", defaults.max_num_seqs)
        tokens = own(case, "max_num_batched_tokens", defaults.max_num_batched_tokens)
        yield Attempt(
            sequences or limits.sequence_limit(load, defaults.max_num_seqs),
            tokens or limits.whole_prompt_tokens(defaults.max_num_batched_tokens, length),
            None if case.asked_context else limits.whole_prompt_context(length, longest),
        )


def fewer_sequences(case: Case, layout: Layout) -> Iterator[Attempt]:
    """Limits that admit fewer requests than the workload keeps in flight."""
    if not case.chunked_prefill or not case.chooses("max_num_seqs"):
        return
    load = replica_load(case.load, layout)
    defaults = checks.default_limits(case)
    wanted = min(_LEAN_TOKENS, defaults.max_num_batched_tokens)
    for sequences in limits.fewer_sequences(load, defaults.max_num_seqs):
        yield Attempt(sequences, _tokens(case, layout, sequences, wanted))


def shorter_steps(case: Case, layout: Layout, attempt: Attempt, context: int) -> Attempt | None:
    """The attempt with steps that still hold a prompt of the workload; None where its own are no longer.

    `context` is what the longer ones left: a windowed layer keeps a whole step of each request (vLLM 0.32
    v1/kv_cache_interface.py: SlidingWindowSpec.max_memory_usage_bytes), and activations grow with the step.
    """
    if not case.chunked_prefill or case.asked_context or not case.chooses("max_num_batched_tokens"):
        return None
    wanted = max(_LEAN_TOKENS, round_up(case.load.prompt_tokens, _LEAN_TOKENS))
    longer = int(attempt.tokens.value)
    why = (
        f"a step holds a prompt of the workload; {longer:,} tokens would leave a context of {context:,}, not half of it"
    )
    tokens = _tokens(case, layout, attempt.sequences, wanted, shorter=why)
    return attempt._replace(tokens=tokens) if tokens.value < attempt.tokens.value else None


def _tokens(case: Case, layout: Layout, sequences: Limit, wanted: int, *, shorter: str = "") -> Limit:
    """The user's tokens of a step, or `wanted` as the limits allow it."""
    vllms = checks.default_limits(case).max_num_batched_tokens
    return own(case, "max_num_batched_tokens", vllms) or limits.token_limit(
        wanted, int(sequences.value), vllms, checks.least_step(case, layout), shorter=shorter
    )


def replica_load(load: Workload, layout: Layout) -> Workload:
    """The workload of one data-parallel replica: its share of the requests in flight."""
    return load.model_copy(update={"concurrency": ceil_div(load.concurrency, layout.data_parallel_size)})


def own(case: Case, field: str, vllms: float) -> Limit | None:
    """The user's value, or vLLM's own where the user leaves the argument to it; None where the planner chooses."""
    if field in case.fixed:
        return Limit(field, case.fixed[field], lambda: "you set it")
    if field in case.left_to_vllm:
        return Limit(field, vllms, lambda: "vLLM's default, which you leave it to")
    return None
