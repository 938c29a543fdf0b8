"""session_plan(): the plan of a workload of sessions, its cache in the host's memory chosen where it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from generator import workflow
from generator.errors import RequestError
from generator.models.checkpoint import ModelFacts
from generator.models.request import Request
from generator.models.sessions import Offload, SessionPlan, Sessions, Where
from generator.operations.loads import loads_for
from generator.planning import sessions
from generator.planning.memory import offload
from generator.planning.planner import choose
from generator.units import round_up

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.workflow import Proof

SIZE = "kv_offloading_size"
_CONTEXT_STEP = 1024
_ROUNDS = 2


def session_plan(request: Request, asked: Sessions, facts: ModelFacts, *, host_gb: float | None = None) -> SessionPlan:
    """The plan of `request` for these sessions; `host_gb` is what the host gives its cache: None for what it takes.

    Each plan shows how many are answered at once and what is found cached, which the next one counts with.

    Raises:
        RequestError: a session outgrows the model's context, the model generates nothing, or vLLM refuses the request.
    """
    wanted = _asked(request, asked, facts)
    proof = workflow.prove(_loaded(wanted, asked, asked.live, "gpu"), facts)
    for _ in range(_ROUNDS):
        option, case = _chosen(proof)
        buffer = _buffer(case, option, asked, host_gb)
        where = sessions.kept(asked, option, buffer).where(asked.live)
        loaded = _loaded(wanted, asked, sessions.busy(asked, loads_for(proof)), where)
        proof = workflow.prove(_with(loaded, {SIZE: buffer.size_gib} if buffer else {}), facts)
    return _told(asked, proof)


def _told(asked: Sessions, proof: Proof) -> SessionPlan:
    option, case = _chosen(proof)
    size = case.fixed.get(SIZE)
    buffer = offload.offload(size, offload.chunk_bytes(case, option)) if size and offload.is_counted(case) else None
    planned = sessions.Planned(option, case.gpu, loads_for(proof), buffer)
    found = sessions.ceilings(asked, planned)
    shared, own = sessions.blocks_of(asked, option)
    return SessionPlan(
        asked=asked,
        busy=proof.request.concurrency,
        block_tokens=option.cache.block_size_tokens,
        session_blocks=own,
        shared_blocks=shared,
        kept=sessions.kept(asked, option, buffer),
        offload=buffer,
        ceilings=found,
        binds=sessions.binding(asked, found),
        computed_tokens={where: asked.computed_tokens(where) for where in get_args(Where)},
        flags=_flags(proof),
        plan=proof.plan,
    )


def _asked(request: Request, asked: Sessions, facts: ModelFacts) -> Request:
    """The request with room for the context of the last turn.

    Raises:
        RequestError: the model's context is shorter, or the user's own is.
    """
    own = request.overrides.get("max_model_len")
    limit = own if isinstance(own, int) and own > 0 else facts.architecture.max_position_embeddings
    if asked.last_tokens > limit:
        raise RequestError(
            f"a session has {asked.last_tokens:,} tokens after {asked.turns} turns, and {limit:,} is the context: "
            "state fewer --turns, or smaller --turn-tokens, --gen-tokens or --shared-tokens"
        )
    least = min(limit, round_up(asked.last_tokens, _CONTEXT_STEP))
    return request if own is not None else _with(request, {"max_model_len": least})


def _loaded(request: Request, asked: Sessions, at_once: int, where: Where) -> Request:
    """The request for the mean turn of so many sessions at once, kept there."""
    load = {
        "prompt_tokens": asked.mean_prompt_tokens,
        "gen_tokens": asked.answer_tokens,
        "concurrency": at_once,
        "prefix_hit_ratio": round(asked.found_ratio(where), 4),
    }
    return request.model_copy(update=load)


def _with(request: Request, values: dict[str, Any]) -> Request:
    return request.model_copy(update={"overrides": request.overrides | values})


def _chosen(proof: Proof) -> tuple[Candidate, Case]:
    case = proof.case
    if case.pooling is not None:
        raise RequestError(f"{proof.facts.id} pools: it keeps no context between calls, so that sessions mean nothing")
    return choose(case, proof.plan.layout).candidate, case


def _buffer(case: Case, option: Candidate, asked: Sessions, host_gb: float | None) -> Offload | None:
    """The cache in the host's memory: the user's own, what is given, else the least that keeps all; None for none."""
    if not offload.is_counted(case) or SIZE not in case.tables.engine.by_name or not option.cache.groups:
        return None
    chunk, stated = offload.chunk_bytes(case, option), case.fixed.get(SIZE)
    if isinstance(stated, (int, float)):
        return offload.offload(stated, chunk)
    if host_gb == 0 or sessions.kept(asked, option, None).gpu >= asked.live:
        return None
    least = offload.size_for(sessions.chunks_for(asked, option), chunk)
    each = None if host_gb is None else host_gb / option.layout.data_parallel_size
    return offload.offload(least if each is None else min(least, each), chunk)


def _flags(proof: Proof) -> tuple[str, ...]:
    request = proof.request
    words = [
        "--prompt-tokens", str(request.prompt_tokens), "--gen-tokens", str(request.gen_tokens),
        "--concurrency", str(request.concurrency), "--prefix-hit-ratio", str(request.prefix_hit_ratio),
    ]  # fmt: skip
    for name in ("max_model_len", SIZE):
        if name in request.overrides:
            words += ["--set", f"{name}={request.overrides[name]}"]
    return tuple(words)
