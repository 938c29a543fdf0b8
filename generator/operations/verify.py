"""verify(): the boot log of a deployment, or its `/metrics`, beside its plan; nothing is changed, no network asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator import recording, workflow
from generator.errors import GeneratorError
from generator.models.boot import Boot
from generator.models.checkpoint import ModelFacts
from generator.models.interval import ByteInterval
from generator.models.plan import Plan, PlanRecord, Repair
from generator.models.request import Request
from generator.models.verified import ItemCompared, Verified
from generator.planning.planner import choose
from generator.presenting.text import gib_text, some
from generator.rendering.answers import read
from generator.units import GIB

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate

_DIGIT = GIB // 100
"""Logs round to a hundredth of a GiB."""
_OTHERS = GIB // 2
"""Memory in use at a start beyond which it is not the start's own context."""
_MEMORY = frozenset({"no_cache", "context_too_long", "states"})
"""Ends of a start that a plan foresees once it knows what this start showed."""
_UNTOLD = "nothing in the log explains it: `--record` has the next plan rest on it"


def verify(root: Path, boot: Boot) -> Verified:
    """A start of the deployment at `root` beside its plan; where it failed, changes that the planner proves.

    Raises:
        RequestError: `root` is no deployment.
        GeneratorError: today's planner refuses the recorded answers.
    """
    answers = read(root, updated=False)
    request = recording.request_of(answers.values)
    facts = recording.facts_of(answers.values.get(recording.FACTS) or {})
    notes = tuple(_notes(boot, answers.plan))
    if boot.failure is not None:
        repairs, recordable = _repairs(root, boot, request, facts)
        return Verified(boot=boot, notes=notes, repairs=repairs, recordable=recordable)
    case = workflow.case_for(request, facts)
    found = choose(case, answers.plan.layout).candidate
    why = next((note for note in notes if "CPU" not in note), _UNTOLD)
    items = [*_memory(boot, found, why), *_cache(boot, found, why), *_engine(boot, found, answers.plan)]
    return Verified(boot=boot, notes=notes, items=tuple(one for one in items if one.found is not None))


def _notes(boot: Boot, plan: PlanRecord) -> Iterator[str]:
    """What differs from the planned start before any figure does."""
    release = plan.inputs.get("vllm")
    if boot.version is not None and boot.version.split("+")[0] != release:
        yield f"the log is of vLLM {boot.version}, the plan of {release}"
    differ = [
        f"{name} is {value!r}, planned {plan.engine[name]!r}"
        for name, value in boot.arguments.items()
        if name in plan.engine and plan.engine[name] != value and name != "model"
    ]
    if differ:
        yield f"the start had other values: {some(differ, 3)}"
    if boot.total_bytes and boot.free_bytes and boot.total_bytes - boot.free_bytes.low > _OTHERS:
        held = gib_text(boot.total_bytes - boot.free_bytes.low)
        yield f"{held} of the GPU was in use before the start: other processes (state it: --reserve-gb)"
    if boot.device == "CPU":
        yield "the log is of a server on the CPU: its memory says nothing of the planned GPU"


def _memory(boot: Boot, found: Candidate, why: str) -> Iterator[ItemCompared]:
    """Items of one rank; those of a CPU are nobody's concern, its weights aside."""
    budget = found.memory
    loaded = boot.weights_bytes
    yield _bytes("weights", budget.weights_bytes, loaded.high if loaded else None, why)
    if boot.device == "CPU":
        return
    yield _bytes("outside PyTorch", budget.non_torch_bytes, boot.non_torch_bytes, why)
    yield _bytes("activation peak", budget.activation_peak_bytes, boot.activation_bytes, why)
    estimated, took = boot.graph_estimate_bytes, boot.graph_bytes
    graphs = why
    if estimated is not None and took is not None:
        graphs = f"vLLM took {gib_text(estimated)} off for graphs, capturing them took {gib_text(max(0, took.high))}"
    yield _bytes("CUDA graphs, estimate", budget.cuda_graph_bytes, estimated, graphs)
    if took is not None:
        yield ItemCompared(item="CUDA graphs, captured", unit="bytes", planned=None, found=took.high, inside=None)
    left = boot.cache_bytes
    yield _bytes("memory for the cache", budget.kv_cache_available_bytes, left.low if left else None, why)


def _bytes(item: str, planned: ByteInterval, found: int | None, why: str) -> ItemCompared:
    inside = None if found is None else planned.low - _DIGIT <= found <= planned.high + _DIGIT
    return ItemCompared(
        item=item, unit="bytes", planned=planned.expected, low=planned.low, high=planned.high, found=found,
        inside=inside, why="" if inside is not False else why,
    )  # fmt: skip


def _cache(boot: Boot, found: Candidate, why: str) -> Iterator[ItemCompared]:
    """What the cache holds: blocks and requests of the planned context, at both ends of its memory."""
    if boot.device == "CPU" or not found.cache.groups:
        return
    ends = ("low", "expected", "high")
    pools = [tuple(max(0, getattr(one.kv_cache_available_bytes, end)) for one in found.stages) for end in ends]
    length = boot.context or int(found.context.value)
    low, mean, high = (found.cache.max_concurrency(pool, length) for pool in pools)
    yield _count("requests of the context at once", "requests", (mean, low, high), boot.concurrency, why)
    if boot.block_size in {None, found.cache.block_size_tokens}:
        low, mean, high = (float(found.cache.num_blocks(pool)) for pool in pools)
        yield _count("blocks of the cache", "blocks", (mean, low, high), boot.blocks, why)
    yield ItemCompared(item="tokens of the cache", unit="tokens", planned=None, found=boot.cache_tokens, inside=None)


def _count(item: str, unit: Any, planned: tuple[float, float, float], found: float | None, why: str) -> ItemCompared:
    mean, low, high = planned
    slack = 0.01 * mean
    inside = None if found is None else low - slack <= found <= high + slack
    return ItemCompared(
        item=item, unit=unit, planned=round(mean, 2), low=round(low, 2), high=round(high, 2), found=found,
        inside=inside, why="" if inside is not False else why,
    )  # fmt: skip


def _engine(boot: Boot, found: Candidate, plan: PlanRecord) -> Iterator[ItemCompared]:
    """What the engine resolved beside what was planned."""
    context = plan.engine.get("max_model_len")
    yield _same("context", "tokens", context, boot.context)
    yield _same("data type", "text", found.replica.architecture.dtype, boot.config.get("dtype"), judged=False)
    backends = found.cache.backends
    known = boot.backend is not None and boot.backend.isupper() and boot.device != "CPU"
    planned = ", ".join(backends) or None
    inside = boot.backend in backends if known and backends else None
    yield ItemCompared(item="attention backend", unit="text", planned=planned, found=boot.backend, inside=inside)


def _same(item: str, unit: Any, planned: Any, found: Any, *, judged: bool = True) -> ItemCompared:
    inside = planned == found if judged and None not in (planned, found) else None
    why = "the server was started with another value" if inside is False else ""
    return ItemCompared(item=item, unit=unit, planned=planned, found=found, inside=inside, why=why)


def _repairs(root: Path, boot: Boot, request: Request, facts: ModelFacts) -> tuple[tuple[Repair, ...], bool]:
    """Changes that the planner proves with what this start showed, and whether that alone leads to a plan that fits."""
    from generator.operations.mending import FailedStart, mended  # noqa: PLC0415 - a start that serves needs none of it

    failure = boot.failure
    assert failure is not None  # noqa: S101 - asked for failed starts alone
    learned = _learned(root, boot, request) if failure.kind in _MEMORY else request
    plan = _planned(learned, facts)
    repairs = mended(FailedStart(failure, learned, plan or _planned(request, facts)), facts)
    fits = plan is not None and plan.feasibility.verdict != "does_not_fit"
    return (*repairs, *(plan.repairs if plan else ())), learned is not request and fits


def _learned(root: Path, boot: Boot, request: Request) -> Request:
    """The request with what this start showed; as it is where the log tells too little."""
    from generator.operations.calibrate import measurement_of  # noqa: PLC0415 - as above: it comes with all of update

    try:
        new = measurement_of(root, boot)
    except GeneratorError:
        return request
    return request.model_copy(update={"measured": {**request.measured, new.key: new}})


def _planned(request: Request, facts: ModelFacts) -> Plan | None:
    try:
        return recording.prove(request, facts).plan
    except GeneratorError:
        return None
