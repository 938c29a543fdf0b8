"""`vllm-wizard detect`: the GPUs of this machine, as NVML reports them."""

from typing import Annotated

import typer

from generator.cli import console, report


def detect(
    *,
    json_: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON object.")] = False,
) -> None:
    """Show this machine's GPUs, driver and free memory; nvidia-smi is not needed.

    Example: vllm-wizard detect --json
    """
    from generator.sources.nvml import detect as detect_system  # noqa: PLC0415 - start-up time

    system = detect_system()
    if json_:
        console.out(system.model_dump_json(indent=2))
    else:
        report.show_system(system)
