"""`vllm-wizard fit`: which GPUs hold a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generator.cli import console
from generator.cli.knowing import facts_of
from generator.cli.options import MODEL_HELP, Stated, named_too, request_from, with_request_options
from generator.cli.proposal import priced_rows, replica_text, stated_gpus
from generator.errors import RequestError
from generator.presenting.text import gib_text, short_tokens_text

if TYPE_CHECKING:
    from generator.models.fit import FitRow
    from generator.models.hardware import GPU

_MOST = 15
_WIDE = 10_000
_COLUMNS = (1, 2, 4, 8)
"""GPUs of a node that the table shows, where none is named; `--json` has them all."""
_DOUBTFUL = "at the means of its estimates alone: at their worse ends a target is missed, or room lacks"


@with_request_options
def fit(
    *,
    stated: Stated,
    id_: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, show_default=False)] = "",
    by_cost: Annotated[bool, typer.Option("--cheapest", help="What meets the targets, the cheapest first.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print every row as one JSON array.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Show on which GPUs, and how many of them, a model fits: context beside the workload and concurrency.

    Several kinds of GPU, side by side and with their prices: --gpu L40S,4090,"H100 MIG 3g.40gb".

    Example: vllm-wizard fit Qwen/Qwen3-32B --workload rag
    """
    answers = named_too(stated, id_)
    rows = rows_of(answers, by_cost=by_cost, offline=offline)
    if json_:
        console.out(json.dumps([row.model_dump(mode="json") for row in rows], indent=2))
    elif by_cost:
        _show_costs(answers["model"], rows)
    else:
        _show(answers["model"], rows, _shown(rows, every="gpus" in stated.answers))
        if _named(stated.answers):
            _show_prices(rows)


def rows_of(answers: dict[str, Any], *, by_cost: bool, offline: bool) -> tuple[FitRow, ...]:
    """The model on the GPUs that the answers name, or on all of the table; `by_cost` those that do, cheapest first.

    Raises:
        RequestError: no model is named, a value is out of its range, or vLLM would refuse what is asked for.
        SourceError: no source delivers the model.
    """
    from generator.workflow import fit_for  # noqa: PLC0415 - start-up time

    request = request_from({**answers, "gpu": "any"})
    kinds = _named(answers)
    facts = facts_of(request, offline=offline)
    if by_cost:
        return priced_rows(request, facts, answers, others=True)
    return fit_for(request, facts, gpus=answers.get("gpus"), nodes=answers.get("nodes"), kinds=kinds)


def _named(stated: dict[str, Any]) -> tuple[GPU, ...]:
    """The GPUs that are asked about; none where all of the table are."""
    if stated.get("gpu") == "custom" or stated.get("vram_gb"):
        raise RequestError("fit compares GPUs of the table: leave --vram-gb and --gpu custom out, or use `plan`")
    return stated_gpus(stated)


def _shown(rows: tuple[FitRow, ...], *, every: bool) -> tuple[tuple[int, int], ...]:
    """GPUs of a node and nodes, one pair a column."""
    found = dict.fromkeys((row.gpus, row.nodes) for row in rows)
    return tuple(size for size in found if every or size[0] in _COLUMNS)


def _show(model: str, rows: tuple[FitRow, ...], shown: tuple[tuple[int, int], ...]) -> None:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    console.show(f"{console.escaped(model)}: context, and requests at once")
    table = Table(box=None, pad_edge=False)
    table.add_column("GPU", no_wrap=True)
    for gpus, nodes in shown:
        table.add_column(f"{nodes} x {gpus}" if nodes > 1 else str(gpus), justify="right", no_wrap=True)
    cells = {(row.gpu, row.gpus, row.nodes): _cell(row) for row in rows}
    for name in dict.fromkeys(row.gpu for row in rows):
        table.add_row(name, *(cells[name, *size] for size in shown))
    console.show_table(table)
    console.show(
        "[dim]-5 GiB: short by that much on each; ~: tight, fits at the expected values only; x: vLLM refuses it[/dim]"
    )


def _show_prices(rows: tuple[FitRow, ...]) -> None:
    """A line for each GPU: what an hour of it costs at least, and who says so."""
    for row in {row.gpu: row for row in rows}.values():
        if row.price_per_gpu_hour is None:
            console.show(f"{row.gpu}: no dated offer; give your price with --price")
        else:
            several = (
                f" of {row.price_offers}, median {row.price_median_per_gpu_hour:.2f}" if row.price_offers > 1 else ""
            )
            said = f"{row.price_per_gpu_hour:.2f} USD an hour, the lowest dated{several}: {row.price_source}"
            console.show(f"{row.gpu}: {said}")


def _show_costs(model: str, rows: tuple[FitRow, ...]) -> None:
    from rich.table import Table  # noqa: PLC0415 - start-up time

    if not rows:
        console.show("nothing in the table fits, meets the targets and has a known price; give one with --price")
        return
    console.show(f"{console.escaped(model)}: what carries the workload; USD an hour, and a million output tokens")
    letters = _letters(rows[:_MOST])
    table = Table(box=None, pad_edge=False)
    for heading in ("GPUs", "USD an\nhour", "USD a\nmillion", "tokens\neach s", "ms to\nfirst", "ms a\ntoken"):
        table.add_column(heading, justify="left" if heading == "GPUs" else "right", no_wrap=True, vertical="bottom")
    if letters:
        table.add_column("with", no_wrap=True, vertical="bottom")
    for row in rows[:_MOST]:
        table.add_row(
            f"{row.replicas} x ({replica_text(row)})" if row.replicas > 1 else replica_text(row),
            _money(row.cost_per_hour),
            _money(row.cost_per_million_output_tokens),
            f"{row.output_tokens_per_s:,.0f}",
            f"{row.ttft_ms:,.0f}",
            f"{row.tpot_ms:.1f}",
            *([letters.get(_with(row), "")] if letters else []),
        )
    console.show_table(table)
    for known, letter in letters.items():
        console.show(f"[dim]{letter}: {console.escaped('; '.join(known))}[/dim]")
    several = any(row.replicas > 1 for row in rows[:_MOST])
    whose = f"the first: {rows[0].price_source}" if rows[0].price_source else "no dated offer"
    told = f"{whose}; --price gives your own{'; 2 x (...): two replicas' * several}"
    console.show(f"[dim]{console.escaped(told)}[/dim]")


def _money(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _with(row: FitRow) -> tuple[str, ...]:
    """What is to be known of a row: weights that are not those asked about, and what is not sure."""
    weights = (f"{' '.join(row.flags)}, which costs accuracy",) * bool(row.flags)
    return weights + (_DOUBTFUL,) * row.doubtful


def _letters(rows: tuple[FitRow, ...]) -> dict[tuple[str, ...], str]:
    """A letter for each thing that is to be known of rows, in their order."""
    found = dict.fromkeys(told for row in rows if (told := _with(row)))
    return {told: chr(ord("a") + number) for number, told in enumerate(found)}


def _cell(row: FitRow) -> str:
    if row.verdict is None:
        return "[dim]x[/dim]"
    if row.verdict == "does_not_fit":
        return f"[red]-{gib_text(row.shortfall_bytes)}[/red]"
    colour, sign = ("green", "") if row.verdict == "fits" else ("yellow", "~")
    return f"[{colour}]{sign}{short_tokens_text(row.max_model_len)}[/{colour}] {_short(row.concurrency)}"


def _short(count: int) -> str:
    """Requests in at most five letters, so that the table holds on 80 columns."""
    return f"{count:,}" if count < _WIDE else f"{count / 1000:,.0f}k"
