"""A plan against a recorded answer: what holds for every plan of the key, and bytes, lengths and sequences by us."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from tests.oracle.questions import flags_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNANSWERED = "not answerable"
_GROWING = frozenset({"FullAttentionSpec", "MLAAttentionSpec", "SinkFullAttentionSpec", "UniformTypeKVCacheSpecs"})
"""Kinds of cache whose pages of one request grow with its length."""


def refusal(answer: Mapping[str, Any], question: Mapping[str, Any], *, low: bool = True) -> str:
    """Why vLLM refuses the plan, in its words or ours; empty where it starts, `UNANSWERED` where nobody knows."""
    if answer["stands"] is None:
        return f"{UNANSWERED}: {answer['text']}"
    if not answer["stands"]:
        return f"{answer['level']}: {answer['text']}"
    if "groups" not in answer:
        return ""
    cache_bytes = question["cache_bytes_low"] if low else question["cache_bytes"]
    blocks = blocks_of(answer, question, cache_bytes)
    needed = pages_of(answer, question)
    if blocks <= needed:  # one block is vLLM's own
        return f"plan: one request of the stated length takes {needed} blocks, the cache has {blocks}"
    seqs = int(flags_of(question["argv"]).get("--max-num-seqs", "0"))
    if answer.get("states") and answer["cudagraph_mode"].startswith("FULL") and seqs > blocks:
        return f"graphs: max_num_seqs ({seqs}) exceeds available Mamba cache blocks ({blocks})"
    return ""


def blocks_of(answer: Mapping[str, Any], question: Mapping[str, Any], cache_bytes: int) -> int:
    """Blocks of the stage that has fewest, where the plan's worst stage leaves `cache_bytes`."""
    weights, worst = answer["parameter_bytes"], question["worst_stage"]
    held = weights[worst] if worst is not None and worst < len(weights) else None
    left = [cache_bytes + (0 if held is None else _beyond(worst, held - one)) for one in weights]
    return min(one // size for one, size in zip(left, answer["bytes_per_block"], strict=True) if size)


def _beyond(worst: int, less: int) -> int:
    """What a stage has more than the worst by what its weights are smaller.

    The first is the worst for what it computes beside them, an encoder's peak: then no other has less.
    """
    return less if worst else max(0, less)


def pages_of(answer: Mapping[str, Any], question: Mapping[str, Any]) -> int:
    """Blocks that one request of the command's length takes on the stage where it takes most."""
    length = flags_of(question["argv"]).get("--max-model-len", "")
    known = answer["max_model_len"]
    ratio = int(length) / known if length.isdecimal() else 1.0
    return max(sum(_pages(group, ratio) for group in stage) for stage in answer["groups"])


def _pages(group: Sequence[Any], ratio: float) -> int:
    kind, pages = str(group[0]), int(group[4])
    return ceil(pages * ratio) if kind in _GROWING else min(pages, max(1, ceil(pages * ratio)))
