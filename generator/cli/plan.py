"""`vllm-wizard plan`: the proof, for people or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from generator.cli import console, report
from generator.cli.options import MODEL_HELP, Stated, named_too, with_request_options
from generator.cli.proposal import APPLY_HELP, CHEAPEST_HELP, FACTS_HELP, facts_from, proposal
from generator.errors import FindingsError
from generator.presenting.verdict import infeasible

_STRICT = "Status 8 also where the plan does not carry the workload or misses a target."

if TYPE_CHECKING:
    from generator.workflow import Proof

_FORMAT_HELP = "text for people, json, markdown, html: one page with a picture of the memory, or svg: the picture."


@with_request_options
def plan(
    *,
    stated: Stated,
    id_: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, show_default=False)] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON object.")] = False,
    format_: Annotated[
        Literal["text", "json", "markdown", "html", "svg"], typer.Option("--format", help=_FORMAT_HELP)
    ] = "text",
    explain: Annotated[bool, typer.Option("--explain", help="Print the reason of every engine value.")] = False,
    cheapest: Annotated[bool, typer.Option("--cheapest", help=CHEAPEST_HELP)] = False,
    apply: Annotated[int, typer.Option("--apply", min=0, help=APPLY_HELP, show_default=False)] = 0,
    facts: Annotated[Path | None, typer.Option("--facts", help=FACTS_HELP, show_default=False)] = None,
    strict: Annotated[bool, typer.Option("--strict", help=_STRICT)] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use embedded models and the cache only.")] = False,
) -> None:
    """Prove a vLLM configuration on paper: memory of one rank, limits, speed, every choice with its reason.

    Example: vllm-wizard plan Qwen/Qwen3-8B --gpu 2xL4 --concurrency 16 --explain
    """
    for warning in stated.warnings:
        console.warn(warning)
    with facts_from(facts):
        proof = proposal(named_too(stated, id_), cheapest=cheapest, apply=apply, offline=offline)
    made = proof.plan
    if json_ or format_ == "json":
        console.out(made.model_dump_json(indent=2, by_alias=True))
    elif format_ == "text":
        report.show_plan(made, explain=explain)
    else:
        console.out(_document(proof, format_))
    if not made.feasibility.fits and made.feasibility.verdict == "does_not_fit":
        raise infeasible(made)
    if strict and made.feasibility.falls_short:
        raise FindingsError("; ".join(made.feasibility.falls_short))


def _document(proof: Proof, kind: str) -> str:
    from generator.operations.loads import loads_for  # noqa: PLC0415 - start-up time
    from generator.presenting import drawing, page  # noqa: PLC0415 - likewise

    if kind == "svg":
        return drawing.svg(proof.plan)
    write = page.html if kind == "html" else page.markdown
    return write(proof.plan, loads_for(proof))
