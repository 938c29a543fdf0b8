"""`vllm-wizard explain`: one argument of vLLM, and what a plan made of it."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from generator.cli import console
from generator.cli.options import Stated, engine_options, with_request_options
from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.models.explained import FlagExplained


_WHERE = "A deployment repository, whose plan is asked about; the one of this directory where there is one."
_LABEL = 9
_BY = {"you": "your own", "planner": "the planner's", "vllm": "left to vLLM"}


class FlagFirst(TyperCommand):
    """Reads a first word like `--max-num-seqs` as the argument that is asked about, not as an option of ours."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words, the first without its dashes where vLLM's own command line would have it so."""
        first = args[0].partition("=")[0] if args else ""
        ours = {word for one in self.params for word in one.opts} - engine_options()
        if first.startswith("--") and first not in {*ours, "--", "--help"}:
            args = [first.lstrip("-"), *args[1:]]
        return super().parse_args(ctx, args)


@with_request_options
def explain(
    *,
    stated: Stated,
    flag: Annotated[str, typer.Argument(metavar="FLAG", help="An argument of vLLM, like max-num-seqs.")],
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help=_WHERE, show_default=False)] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Use embedded models and the cache only.")] = False,
) -> None:
    """Explain one argument of vLLM: what it does, its default and choices, what a plan chose and what changes it.

    The plan is that of a deployment, or of the model that the options name; without either the release alone is asked.
    `plan --explain` gives the reasons of all values of a plan at once.

    Example: vllm-wizard explain max-num-seqs --model Qwen/Qwen3-8B --gpu 2xL4
    """
    found = _asked(flag, directory, stated, offline=offline)
    if json_:
        console.out(found.model_dump_json(indent=2))
        return
    console.show(f"[bold]{found.option}[/bold] of vLLM {found.vllm}")
    for label, text in (*_facts(found), *_chosen(found)):
        console.show(_row(label, text))


def _asked(flag: str, directory: Path | None, stated: Stated, *, offline: bool) -> FlagExplained:
    """The argument, with the plan of the deployment or of the model that is named; without either, alone."""
    from generator.operations.explain import explain as look  # noqa: PLC0415 - start-up time
    from generator.operations.explain import explain_in  # noqa: PLC0415
    from generator.rendering.answers import ANSWERS_FILE  # noqa: PLC0415

    others = {name: value for name, value in stated.answers.items() if name != "vllm"}
    vllm = str(stated.answers.get("vllm", ""))
    if directory is not None and others:
        raise RequestError(f"{directory} has its own model and plan: name it, or a model, not both")
    if directory is not None or (not others and (Path() / ANSWERS_FILE).is_file()):
        return explain_in(directory or Path(), flag, vllm=vllm)
    if not others:
        return look(flag, vllm=vllm)
    from generator.cli.proposal import proposal  # noqa: PLC0415 - start-up time

    look(flag, vllm=vllm)  # a wrong name is told before the Hub is asked
    return look(flag, plan=proposal(stated.answers, cheapest=False, apply=0, offline=offline).plan)


def _facts(found: FlagExplained) -> Iterator[tuple[str, str]]:
    """What the release says of the argument."""
    yield "does", found.does or "no table describes it: see `vllm serve --help=all` of that release"
    yield "takes", f"one of {', '.join(found.choices)}" if found.choices else found.takes
    yield "default", "vLLM decides when it starts" if found.default is None else _word(found.default)
    if found.since:
        yield "since", f"{found.since}{' or earlier' if found.since == found.oldest else ''}"
    for one in found.other_defaults:
        yield "changed", f"{one.release}: the default became {_word(one.after)}, it was {_word(one.before)}"


def _chosen(found: FlagExplained) -> Iterator[tuple[str, str]]:
    """What the plan made of it."""
    made = found.chosen
    if made is None:
        return
    yield "plan", f"{made.model} on {made.gpus}"
    yield "value", _BY[made.by] if made.value is None else f"{_word(made.value)} ({_BY[made.by]})"
    yield "why", made.reason
    yield "change", made.change


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value else dumps(value)


def _row(label: str, text: str) -> str:
    import textwrap  # noqa: PLC0415 - start-up time

    head = f"  {label:<{_LABEL}}"
    told = textwrap.fill(
        f"{head}{text}", console.width(), subsequent_indent=" " * len(head),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"  [bold]{label}[/bold]{console.escaped(told[2 + len(label) :])}"


explain.parsed_by = FlagFirst  # type: ignore[attr-defined]
