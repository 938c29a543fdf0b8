"""`vllm-wizard plan`: the proof, for people or as JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from generator.cli import console, report
from generator.cli.hardware import with_detected_gpus
from generator.cli.options import Stated, request_from, with_request_options
from generator.errors import InfeasiblePlanError
from generator.presenting.shortfall import shortfall_line


@with_request_options
def plan(
    *,
    stated: Stated,
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON object.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print the reason of every engine value.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use embedded models and the cache only.")] = False,
) -> None:
    """Prove a vLLM configuration on paper: memory of one rank, limits, speed, every choice with its reason.

    Example: vllm-wizard plan --model Qwen/Qwen3-8B --gpu L4 --gpus 2 --concurrency 16 --explain
    """
    from generator.workflow import facts_for, plan_for  # noqa: PLC0415 - start-up time

    for warning in stated.warnings:
        console.warn(warning)
    request = request_from(with_detected_gpus(stated.answers))
    made = plan_for(request, facts_for(request, offline=offline, progress=console.progress()))
    if json_:
        console.out(made.model_dump_json(indent=2, by_alias=True))
    else:
        report.show_plan(made, explain=explain)
    if not made.feasibility.fits and made.feasibility.verdict == "does_not_fit":
        raise InfeasiblePlanError(shortfall_line(made), shortfall_bytes=made.feasibility.shortfall_bytes)
