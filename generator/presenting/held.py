"""Rows of `models` as text."""

from generator.models.fit import ModelRow
from generator.presenting.text import count_text, duration_text, short_tokens_text
from generator.units import GIB

CELLS = ("model", "params", "GiB", "context", "at once", "ms a\ntoken")
"""Headings of the columns."""


def cells(row: ModelRow) -> tuple[str, ...]:
    """A row's cells, in the order of the headings."""
    return (
        f"{'~' if row.verdict == 'tight' else ''}{row.model}",
        count_text(row.parameters),
        f"{row.checkpoint_bytes / GIB:.1f}",
        short_tokens_text(row.max_model_len),
        f"{row.concurrency:,}",
        "-" if row.tpot_ms is None else f"{row.tpot_ms:.1f}",
    )


def fastest_line(rows: tuple[ModelRow, ...], most: int) -> str:
    """The fastest of the rows by the gap between tokens, or that none is known."""
    timed = sorted((row.tpot_ms, row.model) for row in rows if row.tpot_ms is not None)
    named = ", ".join(f"{model} ({duration_text(gap)} a token)" for gap, model in timed[:most])
    return f"fastest: {named}" if named else "no speed is known of them here"
