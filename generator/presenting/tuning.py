"""A search by measuring: a Markdown table, the winner, and what to do with it."""

import json
import shlex
from collections.abc import Iterator, Mapping

from generator.models.tuning import Tried, Tuned

_HEAD = "| step | values | seen prompts | unseen prompts | |\n|---|---|---|---|---|"


def words_text(words: Mapping[str, str]) -> str:
    """The options of a step in one line."""
    return ", ".join(f"{name}={word}" for name, word in words.items())


def figure(value: float | None) -> str:
    """A score with as many decimals as tell something; empty of none."""
    if value is None:
        return ""
    return f"{value:,.{0 if value >= 100 else 2}f}"  # noqa: PLR2004 - three digits tell enough


def winner_text(found: Tuned) -> str:
    """What won, by how much, on prompts that nothing was chosen by."""
    plan, best = found.plan.held, found.best.held
    if found.best.outcome != "kept" or plan is None or best is None:
        return "Nothing that was tried is better than the plan on prompts that it was not tuned on."
    gain = (best.mean / plan.mean - 1) * 100 if plan.mean else 0.0
    return (
        f"{words_text(found.best.words)}: {figure(best.mean)} {found.unit} against the plan's {figure(plan.mean)} "
        f"({gain:+.0f} %), on prompts that it was not tuned on."
    )


def next_steps(found: Tuned) -> Iterator[str]:
    """Commands that make the winner the plan, one a line; none where the plan won."""
    if found.best.outcome == "kept":
        flags = (f"{name}={json.dumps(value)}" for name, value in found.overrides.items())
        yield f"vllm-wizard update {' '.join(f'--set {shlex.quote(one)}' for one in flags)}"
        yield f"git merge {found.branch}"


def tuned_text(found: Tuned) -> str:
    """Every step as a Markdown table, and what won."""
    rows = [f"| {one.step} | {words_text(one.words)} {_cells(one)}" for one in found.tried]
    return "\n".join(
        (
            "# What tuning measured",
            "",
            f"Scores in {found.unit}; a missed target or a failed request takes off its share.",
            "",
            _HEAD,
            *rows,
            "",
            winner_text(found),
        )
    )


def _cells(one: Tried) -> str:
    unseen = f"{figure(one.held.mean)} ± {one.held.spread * 50:.1f} %" if one.held else ""
    why = f": {' '.join(one.why.replace('|', '/').split())}" if one.why else ""
    return f"| {figure(one.score)} | {unseen} | {one.outcome}{why} |"
