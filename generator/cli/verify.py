"""`vllm-wizard verify`: a start of vLLM beside the plan that it was made from."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.cli import console
from generator.errors import FindingsError, RequestError

if TYPE_CHECKING:
    from generator.models.boot import Boot
    from generator.models.verified import ItemCompared, Verified

_LOG = "The boot log, or - for standard input: docker compose logs vllm, kubectl logs POD."
_METRICS = "A running server's /metrics, as a file or an address."
_GIB = 1024**3
_MARKS = {True: "inside", False: "OUTSIDE", None: ""}


def verify(
    *,
    log: Annotated[str, typer.Argument(help=_LOG, show_default=False)] = "",
    directory: Annotated[Path, typer.Option("--directory", help="The deployment repository.")] = Path(),
    metrics: Annotated[str, typer.Option("--metrics", help=_METRICS)] = "",
    record: Annotated[bool, typer.Option("--record", help="Plan again with what the start showed.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Set a boot log of vLLM beside the plan: each item inside its range, or what explains it; why a start failed.

    Status 8 where an item left its range or the start failed. Nothing leaves this machine.

    Example: docker compose logs vllm | vllm-wizard verify - --record
    """
    from generator.operations.verify import verify as compare  # noqa: PLC0415 - start-up time

    place = directory.expanduser().absolute()
    boot = _read(log, metrics)
    found = compare(place, boot)
    if json_:
        console.out(found.model_dump_json(indent=2))
    else:
        for line in _lines(found, log or "-"):
            console.out(line)
    if record:
        _record(place, boot)
    if found.failed:
        raise FindingsError(f"the start failed: {boot.failure.says if boot.failure else ''}")
    if found.outside and not record:
        named = ", ".join(one.item for one in found.outside)
        raise FindingsError(f"outside the plan's range: {named}")


def _read(log: str, metrics: str) -> Boot:
    from generator.sources.boot_log import read_boot  # noqa: PLC0415 - start-up time

    boot = None
    if log or not metrics:
        if not log and sys.stdin is not None and sys.stdin.isatty():
            raise RequestError(
                "name a boot log, or pipe one in: docker compose logs vllm | vllm-wizard verify - (or --metrics FILE)"
            )
        boot = read_boot(log or "-")
    if not metrics:
        assert boot is not None  # noqa: S101 - one of both was asked for
        return boot
    from generator.sources.metrics import read_metrics  # noqa: PLC0415 - start-up time

    stated = read_metrics(metrics)
    if boot is None:
        return stated
    told = {"blocks": stated.blocks, "block_size": stated.block_size}
    return boot.model_copy(update=told)


def _record(place: Path, boot: Boot) -> None:
    if boot.device == "CPU":
        console.warn("a server on the CPU teaches nothing about the planned GPU's memory: nothing is recorded of it")
        return
    from generator.cli.update_report import show_update  # noqa: PLC0415 - start-up time
    from generator.operations import calibrate  # noqa: PLC0415

    show_update(calibrate.record(place, calibrate.measurement_of(place, boot)))


def _lines(found: Verified, log: str) -> Iterator[str]:
    boot = found.boot
    yield _headline(boot)
    yield from (f"  note: {note}" for note in found.notes)
    for one in found.items:
        yield _row(one)
    if boot.failure is None:
        return
    yield f"  failed: {boot.failure.says}"
    yield f"    {' '.join(boot.failure.message.split())}"
    if boot.failure.advice:
        yield f"  {boot.failure.advice}"
    if found.recordable:
        yield f"  Known of this start, another plan fits: vllm-wizard verify {shlex.quote(log)} --record"
    if found.repairs:
        yield "  What would start, by the planner's proof:"
    for number, repair in enumerate(found.repairs, 1):
        yield f"  {number}. {repair.title} ({repair.effect}): vllm-wizard update {shlex.join(repair.flags)}"


def _headline(boot: Boot) -> str:
    ended = "serves" if boot.ready else "failed" if boot.failure else f"ends at {boot.stage}"
    words = [f"vLLM {boot.version}" if boot.version else "vLLM, release not logged", boot.model or "", ended]
    timed = ((boot.load_s, "to load"), (boot.compile_s, "to compile"), (boot.engine_s, "to profile and warm up"))
    words += [f"{seconds:.0f} s {what}" for seconds, what in timed if seconds is not None]
    words += [f"the last of {boot.starts} starts"] if boot.starts > 1 else []
    return ", ".join(word for word in words if word)


def _row(one: ItemCompared) -> str:
    planned = "" if one.planned is None else f"planned {_shown(one.planned, one.unit)}"
    if one.low is not None and one.high is not None:
        planned += f" ({_shown(one.low, one.unit)} to {_shown(one.high, one.unit)})"
    why = f": {one.why}" if one.why else ""
    return f"  {one.item:32s} {_shown(one.found, one.unit):>12s}  {planned:44s} {_MARKS[one.inside]}{why}".rstrip()


def _shown(value: float | str | None, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or "not logged"
    if unit == "bytes":
        return f"{value / _GIB:,.2f} GiB"
    return f"{value:,.2f}" if unit == "requests" else f"{value:,.0f}"
