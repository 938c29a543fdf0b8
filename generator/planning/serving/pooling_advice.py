"""What whoever plans a pooling model should know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.serving.pooling import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.planning.case import Case


def pooling_advisories(case: Case) -> Iterator[str]:
    """What whoever plans a pooling model should know, a sentence each."""
    pooling = case.pooling
    if pooling is None:
        return
    yield (
        f"{case.facts.id} {VERBS[pooling.task]}: each request is one pass over its prompt, and no token is generated. "
        "No pooling model is in the calibration sets, neither for memory nor for speed."
    )
    preset = case.request.load.prompt_tokens
    if case.load.prompt_tokens < preset:
        tokens = f"{case.load.prompt_tokens:,}"
        yield f"Prompts are taken to be {tokens} tokens long, the model's own context: state --prompt-tokens."
