"""Limits of one engine, chosen from the workload and the budget; each choice carries its reason."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import (
    Callable,
    Iterator,
)
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.models.hardware import Cluster
from generator.models.plan import Decision
from generator.models.workload import Workload
from generator.presenting.text import gib_text, plural
from generator.units import ceil_div, round_up

if TYPE_CHECKING:
    from generator.planning.kv_cache.layout import CacheLayout

    Pools = tuple[int, ...]
    """Cache bytes of one rank of every pipeline stage."""

_WAITING_ROOM = 2
"""Sequences admitted for each request that the workload keeps in flight."""
_CONTEXT_STEP = 1024
_MORE_THAN_HALF = "the workload's requests: they take more than half of the pool each, {}"
_SEQUENCE_STEP = 8
"""CUDA graphs are captured for batches in steps of eight."""


class Limit(NamedTuple):
    """A value for one engine argument, and why: put into words only for the plan that is chosen."""

    field: str
    value: Any
    because: Callable[[], str]

    @property
    def decision(self) -> Decision:
        """The value with its reason in words."""
        return Decision(field=self.field, value=self.value, reason=self.because())


def sequence_limit(load: Workload, default: int, room: int = _WAITING_ROOM) -> Limit:
    """Sequences that are admitted where memory is short: `room` times the workload's, at most the default."""
    wanted = round_up(load.concurrency * room, _SEQUENCE_STEP)
    if wanted >= default:
        return default_sequences(default)

    def because() -> str:
        times = f"{room} x " if room > 1 else ""
        of = f"{times}{plural(load.concurrency, 'request')} in flight, in steps of {_SEQUENCE_STEP}"
        return f"{of}: each admitted sequence reserves memory that is short here (vLLM's default is {default:,})"

    return Limit("max_num_seqs", wanted, because)


def peak_sequences(load: Workload) -> int:
    """The workload's requests in flight with room for a peak, in steps of eight."""
    return round_up(load.concurrency * _WAITING_ROOM, _SEQUENCE_STEP)


def default_sequences(default: int) -> Limit:
    """As many sequences as vLLM admits by default on this GPU."""
    return Limit("max_num_seqs", default, lambda: "vLLM's default for this GPU")


def carried_sequences(load: Workload, carried: int, default: int) -> Limit:
    """As many sequences as the cache holds of the workload's requests, and its peak where it holds the workload.

    More would be admitted and preempted, and each of them reserves memory.
    """
    peak = peak_sequences(load) if carried >= load.concurrency else 0

    def because() -> str:
        return (
            f"the cache holds {carried:,} of the workload's requests at once (in steps of {_SEQUENCE_STEP}, with room "
            f"for a peak); vLLM's default of {default:,} would admit more and preempt them"
        )

    return Limit("max_num_seqs", max(round_up(carried, _SEQUENCE_STEP), peak, _SEQUENCE_STEP), because)


def fewer_sequences(load: Workload, default: int) -> Iterator[Limit]:
    """Halves of the workload's requests down to one step: what a sequence reserves goes to the cache instead."""

    def because() -> str:
        return (
            f"fewer than the {plural(load.concurrency, 'request')} in flight, the rest wait: each admitted sequence "
            "reserves memory that the cache needs more"
        )

    value = min(round_up(load.concurrency, _SEQUENCE_STEP), default)
    while value > _SEQUENCE_STEP:
        value = round_up(value // 2, _SEQUENCE_STEP)
        yield Limit("max_num_seqs", value, because)


def sequences_with_states(blocks: int, wanted: int) -> Limit:
    """At most one sequence a block, in steps where there are enough: each keeps a state, `wanted` were too many."""

    def because() -> str:
        return (
            f"each sequence keeps a state in a block of its own, and the cache surely has {blocks:,} (vLLM stops where "
            f"there are fewer; {wanted:,} were wanted)"
        )

    return Limit("max_num_seqs", min(blocks // _SEQUENCE_STEP * _SEQUENCE_STEP or blocks, wanted - 1), because)


class Least(NamedTuple):
    """Tokens that a step must hold at least, and what they are; zero tokens for nothing."""

    tokens: int = 0
    what: str = ""


def token_limit(wanted: int, sequences: int, default: int, least: Least, *, shorter: str = "") -> Limit:
    """Tokens of one step: `wanted`, never fewer than sequences or than `least`; `shorter` is why there are so few."""
    value = max(wanted, sequences)
    whole = value < least.tokens or value == default == least.tokens

    def because() -> str:
        if whole:
            return f"a step holds {least.what} ({least.tokens:,} tokens)"
        if wanted < sequences:
            return f"at least max_num_seqs ({sequences})"
        if wanted < default:
            return shorter or f"short steps for the sake of memory; vLLM's default is {default}"
        if wanted > default:
            return f"as published deployments of this GPU have it; vLLM's default is {default}"
        return "vLLM's default for this GPU"

    return Limit("max_num_batched_tokens", least.tokens if whole else value, because)


def context_limit(
    load: Workload,
    model_context: int,
    cache: CacheLayout,
    pools: tuple[Pools, Pools],
    sequences: int,
    *,
    whose: str = "the model's own",
) -> Limit:
    """Longest request: the model's own context, or what fits beside the workload, or half of the pool.

    Beside the rest of the workload at its mean length, or half of the pool where that is longer; in the low end of the
    pool, else in the expected one. A context below the workload's own requests is no answer: then that length is
    planned, whether one of them fits alone or the verdict says that it does not. `whose` word the model's context is
    stands in the reason.
    """
    least = min(load.request_tokens, model_context)
    others = min(load.concurrency, sequences) - 1
    value = min(model_context, round_up(least, _CONTEXT_STEP))
    for pool, end in zip(pools, ("even at the high end", "at the expected values"), strict=True):
        beside = longest_context(load, model_context, cache, pool, others)
        half = longest_context(load, model_context, cache, tuple(size // 2 for size in pool), 0) if others else 0
        longest = max(beside, half)
        if longest >= least:
            companions = others if beside >= half else None
            because = partial(_context_reason, load, (model_context, whose), longest, companions, end)
            return Limit("max_model_len", longest, because)
        if fits(cache, cache.num_blocks(pool), value, 0, value):
            return Limit("max_model_len", value, partial(_MORE_THAN_HALF.format, end))
    return Limit("max_model_len", value, lambda: "one request of the workload, nothing more")


def workload_context(load: Workload) -> int:
    """The least context that holds the workload's requests, in steps of 1,024 tokens."""
    return round_up(load.request_tokens, _CONTEXT_STEP)


def whole_prompt_tokens(value: int, length: int) -> Limit:
    """Tokens of one step where no prompt may be cut: vLLM's default, and the longest prompt at least."""

    def because() -> str:
        return f"a step holds the longest prompt whole ({length:,} tokens): this pooling reads none in pieces"

    return Limit("max_num_batched_tokens", value, because)


def whole_prompt_context(length: int, longest: int) -> Limit:
    """The context that a step's memory allows where no prompt may be cut."""

    def because() -> str:
        if length == longest:
            return "the model's own context"
        return f"the workload's prompts; a step that holds the model's own {longest:,} tokens takes too much memory"

    return Limit("max_model_len", length, because)


def longest_context(load: Workload, model_context: int, cache: CacheLayout, pool: Pools, companions: int) -> int:
    """Longest request, in steps of 1,024 tokens, beside `companions` mean requests; 0 where none fits."""
    blocks = cache.num_blocks(pool)

    def is_too_long(steps: int) -> bool:
        length = min(steps * _CONTEXT_STEP, model_context)
        return not fits(cache, blocks, length, companions, min(load.request_tokens, length))

    steps = bisect_left(range(1, ceil_div(model_context, _CONTEXT_STEP) + 1), x=True, key=is_too_long)
    return min(steps * _CONTEXT_STEP, model_context)


def longest_common_context(requests: int, model_context: int, cache: CacheLayout, pool: Pools) -> int:
    """Longest length, up to the model's, that `requests` requests can all have at once; 0 where none."""
    blocks = cache.num_blocks(pool)

    def is_too_long(length: int) -> bool:
        return not cache.starts(pool, length) or requests * cache.blocks_per_request(length) > blocks

    return bisect_left(range(1, model_context + 1), x=True, key=is_too_long)


def fits(cache: CacheLayout, blocks: int, length: int, companions: int, mean_length: int) -> bool:
    """Whether one request of `length` tokens and `companions` of `mean_length` share a pool of `blocks`.

    The null block is nobody's, and a start with one request alone needs it too.
    """
    alone = not cache.groups and not companions
    return alone or cache.blocks_per_request(length) + companions * cache.blocks_per_request(mean_length) < blocks


def utilization_reason(value: float, default: float, outside_bytes: int, cluster: Cluster) -> str:
    """Why the GPU's share is what it is."""
    reserved = cluster.reserved_bytes
    others = f" and {gib_text(reserved)} of other processes" if reserved else ""
    shared = "; the CPU shares this memory" if cluster.gpu.unified_memory else ""
    kept = f"{gib_text(outside_bytes)} that vLLM does not budget (context, graphs, tables){others}{shared}"
    if value > default:
        return f"the cache needs more than vLLM's default of {default:g} leaves it; leaves {kept}"
    if value < default:
        return f"less than vLLM's default of {default:g}: leaves {kept}"
    return f"vLLM's default, which leaves {kept}"


def _context_reason(load: Workload, most: tuple[int, str], value: int, companions: int | None, end: str) -> str:
    """`most` is the longest context with whose word it is; `companions` is None where the pool's half decides."""
    model_context, whose = most
    place = f" beside {plural(companions, 'request')} of {load.request_tokens:,} tokens" if companions else ""
    if companions is None:
        place = " in half of the pool"
    if value == model_context:
        return f"{whose} context; one such request fits{place}, {end}"
    return f"the longest that fits{place}, {end}; {whose} is {model_context:,}"
