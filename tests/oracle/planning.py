"""A draw, planned: its status, and where it is 0 the question that the judge is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import GeneratorError
from generator.workflow import facts_for, plan_for
from tests.oracle.questions import key_of, question_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.draws import Draw

OK = 0
MALFORMED = 2
DOES_NOT_FIT = 5


def planned(draw: Draw, directory: Path) -> dict[str, Any]:
    """One row: the draw's name and words, the status, and what is to be asked."""
    row: dict[str, Any] = {
        "name": draw.name,
        "model": draw.model,
        "words": words_of(draw),
        "release": draw.request.vllm,
        "request": draw.request.model_dump(mode="json", exclude_defaults=True),
    }
    try:
        made = plan_for(draw.request, facts_for(draw.request, offline=True))
    except GeneratorError as error:
        return row | {"status": error.status, "said": str(error)[:400]}
    if not made.feasibility.fits and made.feasibility.verdict == "does_not_fit":
        return row | {"status": DOES_NOT_FIT, "said": "does not fit"}
    question = question_of(made, directory, draw.request.vllm) | {"id": draw.name}
    return row | {
        "status": OK,
        "verdict": made.feasibility.verdict,
        "risk": made.feasibility.oom_risk,
        "key": key_of(question, draw.model),
        "question": question,
        "figures": _figures(made),
    }


def words_of(draw: Draw) -> str:
    """The draw as words of the command line, for a reader who repeats it."""
    asked = draw.request
    words = [f"--model {draw.model} --gpu {asked.gpu} --gpus {asked.gpus} --nodes {asked.nodes} --vllm {asked.vllm}"]
    words += [f"--workload {asked.workload} --batching-mode {asked.batching_mode} --concurrency {asked.concurrency}"]
    words += [f"--set {name}={value}" for name, value in draw.own.items()]
    return " ".join(words)


def _figures(made: Any) -> dict[str, Any]:
    """What the plan says of memory and cache, to be compared with vLLM's figures."""
    cache = made.kv_cache
    found = {
        "weights_bytes": made.memory.weights_bytes.expected,
        "draft_weights_bytes": made.memory.draft_weights_bytes,
        "max_model_len": made.engine.get("max_model_len"),
        "max_num_seqs": made.engine.get("max_num_seqs"),
    }
    if cache is None:
        return found
    groups = sorted((one.kind, one.layers, one.block_size_tokens, one.page_size_bytes) for one in cache.groups)
    return found | {
        "blocks": cache.num_blocks,
        "bytes_per_block": cache.bytes_per_block,
        "block": cache.block_size_tokens,
        "groups": groups,
        "capacity_tokens": cache.capacity_tokens,
    }
