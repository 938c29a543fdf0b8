"""The command line's commands by name; a command's module is imported when it runs, so that help comes at once."""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command as built

from generator.cli import console
from generator.errors import RequestError


class Listed(NamedTuple):
    """Where a command lies, and what the list of commands says of it: its own first sentence."""

    place: str
    says: str


COMMANDS = {
    "detect": Listed("detect:detect", "Show this machine's GPUs, driver and free memory; nvidia-smi is not needed."),
    "gpus": Listed(
        "gpus:gpus",
        "List the GPUs that can be planned for: memory, bandwidth, arithmetic in TFLOP/s and the lowest dated price.",
    ),
    "fit": Listed(
        "fit:fit",
        "Show on which GPUs, and how many of them, a model fits: context beside the workload and concurrency.",
    ),
    "models": Listed(
        "models:models",
        "Show which models fit the GPUs, quantized siblings among them: the biggest or the fastest first.",
    ),
    "trace": Listed(
        "trace:trace",
        "Summarise recorded requests by what a plan counts with: lengths, rates, requests in flight.",
    ),
    "plan": Listed(
        "plan:plan",
        "Prove a vLLM configuration on paper: memory of one rank, limits, speed, every choice with its reason.",
    ),
    "explain": Listed(
        "explain:explain",
        "Explain one argument of vLLM: what it does, its default and choices, what a plan chose and what changes it.",
    ),
    "sessions": Listed(
        "sessions:sessions",
        "Plan for sessions that come back: what stays cached, which limit binds, what the host's memory is to hold.",
    ),
    "host": Listed("host:host", "Several models on one host: proven together, one repository, one gateway."),
    "generate": Listed("generate:generate", "Generate a deployment repository: prove the plan, render it, commit it."),
    "update": Listed(
        "update:update", "Update a deployment repository: change answers, plan again, merge; your own edits survive."
    ),
    "check": Listed(
        "check:check",
        "Say what a deployment is pinned to, what is newer, and what drifted; status 8 on errors and warnings.",
    ),
    "doctor": Listed(
        "doctor:doctor",
        "Say whether this host, or this cluster, can run the plan of a deployment, and what mends it where it cannot.",
    ),
    "bench": Listed(
        "bench:bench",
        "Measure the running server under its planned load, and compare with estimate and targets.",
    ),
    "status": Listed(
        "status:status",
        "Show the running server beside its plan: load, queue, cache, preemptions, latency against targets.",
    ),
    "verify": Listed(
        "verify:verify",
        "Set a boot log of vLLM beside the plan: each item inside its range, or what explains it; why a start failed.",
    ),
    "calibrate": Listed(
        "calibrate:calibrate", "What starts and benchmarks of a deployment measured, which its plan rests on."
    ),
    "tune": Listed(
        "tune:tune",
        "Search better engine values by measuring: start, measure, keep what wins, revert what does not.",
    ),
    "adopt": Listed(
        "adopt:adopt",
        "Turn an edit of serve.yaml into overrides, so that it is planned with and survives every update.",
    ),
    "import": Listed(
        "import_:import_", "Read a deployment that exists, say what each part of it becomes, and generate it."
    ),
    "engine": Listed("engine:engine", "The vLLM releases that plans can be made for."),
    "mcp": Listed(
        "mcp:mcp",
        "Serve plan, fit, models, explain and check as tools of the Model Context Protocol, over standard streams.",
    ),
    "template": Listed("template:template", "The released templates, and a team's own remote of them."),
}

_ALIASES = {"new": "generate", "init": "generate"}
"""What other tools call the same."""
_LISTS = "`gpus` and `models` list what can be planned"
_STARTS = "`make up` starts the server, in the repository that `generate` makes"
_MEANT = {
    "list": _LISTS,
    "ls": _LISTS,
    "show": "`plan` shows a plan, `status` a running server",
    "info": "`explain ARGUMENT` says what one of vLLM's does, `check` what a deployment is pinned to",
    "run": _STARTS,
    "serve": _STARTS,
    "start": _STARTS,
    "deploy": "`generate` makes the repository, `make up` there starts the server",
    "upgrade": "`update --upgrade` takes a deployment to the newest template",
    "validate": "`check` looks at a deployment",
    "benchmark": "`bench` measures the running server",
    "version": "`vllm-wizard --version` prints it",
    "install": "`engine import` takes in a release of vLLM; nothing else is installed",
}
"""What to say where a command of another tool is typed."""


class LazyGroup(TyperGroup):
    """The commands of the table: a name and a sentence until one of them is to run."""

    _runs = False

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = {name: TyperCommand(name=name, short_help=one.says) for name, one in COMMANDS.items()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself where it is to run, else what the list shows of it; None where there is none."""
        name = _ALIASES.get(cmd_name, cmd_name)
        return loaded(name) if self._runs and name in COMMANDS else super().get_command(ctx, name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words name, ready to run."""
        self._runs = True
        if args[:1] == ["help"]:
            args = [*({*args[1:2]} - {"help"}), "--help"]
        if args[0] == "--help":
            console.out(ctx.get_help())
            raise typer.Exit
        if args[0] in _MEANT:
            raise RequestError(f"there is no command {args[0]}: {_MEANT[args[0]]}")
        if args[0] not in self.commands and args[0] not in _ALIASES and _is_model(args[0]):
            raise RequestError(f"{args[0]} is a model and no command: vllm-wizard plan {args[0]} --gpu NAME")
        try:
            return super().resolve_command(ctx, args)
        finally:
            self._runs = False


def _is_model(word: str) -> bool:
    """Whether a word is an id of the Hub, or names an embedded model."""
    from generator.catalogue.models import embedded_ids, named  # noqa: PLC0415 - start-up time

    return not word.startswith("-") and (word.count("/") > 0 or named(word) in embedded_ids())


class LazyOption(TyperOption):
    """An option whose type is worked out where it is given a value: a command has fifty, and few are given."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        """The option's value; None where none is given and that is enough."""
        left_out = value is None and not (self.required or self.multiple or self.callback)
        return None if left_out else super().process_value(ctx, value)


def loaded(name: str) -> Any:
    """The command of the table, its module imported."""
    module, _, attribute = COMMANDS[name].place.partition(":")
    found = getattr(import_module(f"generator.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = built(found)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, cls=getattr(found, "parsed_by", None))(found)
    command = built(single)
    for option in command.params:
        if type(option) is TyperOption:
            option.__class__ = LazyOption
    return command
