"""`vllm-wizard gpus`: the GPUs of the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console
from generator.errors import UnknownFactError

if TYPE_CHECKING:
    from generator.models.hardware import GPU

_HEADINGS = ("GPU", "memory", "capability", "TB/s", "BF16", "FP8", "USD/h")


def gpus(
    *,
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="Part of a name, or a size like 24GB.", show_default=False)
    ] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print the rows as one JSON array.")] = False,
) -> None:
    """List the GPUs that can be planned for: memory, bandwidth, arithmetic in TFLOP/s and the lowest dated price.

    Example: vllm-wizard gpus 24GB
    """
    found = _matching(word)
    if json_:
        console.out(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
        return
    from rich.table import Table  # noqa: PLC0415 - start-up time

    prices = _prices()
    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading == "GPU" else "right", no_wrap=True)
    for one in found:
        table.add_row(*_row(one, prices.get(one.name)))
    console.show_table(table)
    console.show("[dim]-: no source states it, or no price list has it; give yours with --price[/dim]")


def _matching(word: str) -> tuple[GPU, ...]:
    """The GPUs whose name holds `word`, or that have the memory it says, the smallest first.

    Raises:
        UnknownFactError: there is none.
    """
    from generator.catalogue.gpu_table import all_gpus  # noqa: PLC0415 - start-up time
    from generator.catalogue.gpu_words import size_of  # noqa: PLC0415
    from generator.catalogue.gpus import gpus_of  # noqa: PLC0415 - start-up time
    from generator.models.hardware import by_memory  # noqa: PLC0415

    size = size_of(word)
    wanted = word.casefold().replace(" ", "-")
    named = gpus_of(size) if size is not None else [one for one in all_gpus() if wanted in one.name.casefold()]
    if not named:
        raise UnknownFactError(f"no GPU of the table is named {word!r}: `vllm-wizard gpus` lists all")
    return tuple(sorted(named, key=by_memory))


def _prices() -> dict[str, float]:
    """The lowest price of an hour that the table has of each GPU, in USD."""
    from generator.catalogue.prices import all_prices  # noqa: PLC0415 - start-up time

    lowest: dict[str, float] = {}
    for one in all_prices():
        lowest[one.gpu] = min(one.usd_per_gpu_hour, lowest.get(one.gpu, one.usd_per_gpu_hour))
    return lowest


def _row(gpu: GPU, price: float | None) -> tuple[str, ...]:
    from generator.presenting.text import gib_text  # noqa: PLC0415 - start-up time

    tera = 10**12
    rates = (gpu.bandwidth_bytes_per_s, gpu.flops.bf16 or gpu.flops.fp16, gpu.flops.fp8)
    places = (2, 0, 0)
    figures = (
        "-" if rate is None else f"{rate / tera:,.{digits}f}" for rate, digits in zip(rates, places, strict=True)
    )
    cost = "-" if price is None else f"{price:.2f}"
    return gpu.name, gib_text(gpu.memory_bytes), gpu.capability.words, *figures, cost
