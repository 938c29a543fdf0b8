"""`vllm-wizard sessions`: conversations and agents that come back, and what keeps their context."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from generator.cli import console
from generator.cli.options import MODEL_HELP, Stated, named_too, request_from, with_request_options
from generator.errors import RequestError
from generator.models.value import problem

if TYPE_CHECKING:
    from generator.models.checkpoint import ModelFacts
    from generator.models.sessions import SessionPlan, Sessions

_PRESET_TURNS = 10
_WHERE = "Generate the deployment there, its cache in the host's memory included."
_HOST = "GiB of the host's memory for the cache; 0: none. Without it, what it takes to keep all."


@with_request_options
def sessions(
    *,
    stated: Stated,
    id_: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP, show_default=False)] = "",
    live: Annotated[int, typer.Option("--sessions", help="Sessions at once, those that pause among them.")],
    turn_tokens: Annotated[int, typer.Option("--turn-tokens", help="New tokens of a turn's prompt.")] = 512,
    turns: Annotated[int, typer.Option("--turns", help="Turns of a session.")] = _PRESET_TURNS,
    shared_tokens: Annotated[int, typer.Option("--shared-tokens", help="Tokens that all sessions begin with.")] = 0,
    pause_s: Annotated[float, typer.Option("--pause-s", help="Seconds from an answer to the next turn.")] = 0.0,
    host_gb: Annotated[float | None, typer.Option("--host-gb", min=0, help=_HOST, show_default=False)] = None,
    output_dir: Annotated[Path | None, typer.Option("--output-dir", "-o", help=_WHERE, show_default=False)] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the proof as one JSON object.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Embedded models and the cache only.")] = False,
) -> None:
    """Plan for sessions that come back: what stays cached, which limit binds, what the host's memory is to hold.

    --gen-tokens is a turn's answer. The context grows with each turn, and has room for the last one's.

    Example: vllm-wizard sessions Qwen/Qwen3-8B --gpu L40S --sessions 200 --turns 12 --turn-tokens 800 --pause-s 30
    """
    from generator.cli.knowing import facts_of  # noqa: PLC0415 - start-up time
    from generator.operations.sessions import session_plan  # noqa: PLC0415 - likewise

    request = request_from(named_too(stated, id_))
    load = {"live": live, "turns": turns, "shared_tokens": shared_tokens, "turn_tokens": turn_tokens}
    asked = _asked(load | {"pause_s": pause_s, "answer_tokens": request.load.gen_tokens})
    facts = facts_of(request, offline=offline)
    found = session_plan(request, asked, facts, host_gb=host_gb)
    if json_:
        console.out(found.model_dump_json(indent=2, by_alias=True))
    _refuse_unfit(found)
    if not json_:
        _show(found)
    if output_dir is not None:
        _generated(found, facts, output_dir, stated.answers)


def _asked(load: dict[str, Any]) -> Sessions:
    from generator.models.sessions import Sessions  # noqa: PLC0415 - start-up time

    try:
        return Sessions.model_validate(load)
    except ValidationError as error:
        field, said = problem(error)
        names = {"live": "sessions", "answer_tokens": "gen-tokens"}
        raise RequestError(f"--{names.get(field, field.replace('_', '-'))}: {said}") from error


def _refuse_unfit(found: SessionPlan) -> None:
    from generator.presenting.verdict import infeasible  # noqa: PLC0415 - start-up time

    if found.plan.feasibility.verdict == "does_not_fit":
        raise infeasible(found.plan)


def _show(found: SessionPlan) -> None:
    from generator.presenting.sessions import lines_of  # noqa: PLC0415 - start-up time

    for line in lines_of(found):
        console.show(console.escaped(line))
    console.out(" ".join(("vllm-wizard generate", found.plan.model.id, *found.flags)))


def _generated(found: SessionPlan, facts: ModelFacts, place: Path, answers: dict[str, Any]) -> None:
    from generator.operations.generate import generate  # noqa: PLC0415 - start-up time

    made = generate(
        found.plan.inputs, place, facts=facts, artefacts=answers.get("artefacts"), service=answers.get("service")
    )
    console.show(f"[green]generated[/green] {console.escaped(str(made.path))} (template {made.template})", whole=True)
