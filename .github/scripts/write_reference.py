"""Write the generated pages of docs/reference: cli.md, answers.md, plan.schema.json and profile.schema.json.

    python .github/scripts/write_reference.py

The figures are the program's own: options of the command line, questions of copier.yml, fields of the plan.
tests/unit/test_docs.py fails where a page differs from what this writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from profile_schema import profile_schema

from generator.cli.commands import COMMANDS, loaded
from generator.models.plan import Plan
from generator.models.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
_NOTE = "<!-- Written by .github/scripts/write_reference.py; do not edit. -->"
_HELP = "--help"
_SHARED_BY = "plan"
"""The command whose grouped options are those of every command that plans."""


def commands() -> dict[str, Any]:
    """Every command by its words after `vllm-wizard`, in the order of the help page."""
    return dict(pair for name in COMMANDS for pair in _walk(loaded(name), (name,)))


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    nested = getattr(command, "commands", None)
    if nested is None:
        yield " ".join(words), command
        return
    for name, child in nested.items():
        if not child.hidden:
            yield from _walk(child, (*words, name))


def is_shared(parameter: Any) -> bool:
    """True for an option that every command takes which plans: it stands in a group of its own."""
    return getattr(parameter, "rich_help_panel", None) is not None


def cli_page() -> str:
    """docs/reference/cli.md."""
    found = commands()
    planning = [name for name, command in found.items() if any(map(is_shared, command.params))]
    parts = [
        "# Command line",
        _NOTE,
        (
            "Every command has `--help`. Results go to standard output, messages to standard error. "
            "Exit statuses: [README](../../README.md#exit-statuses)."
        ),
        *(_command(name, command) for name, command in found.items()),
        "## Options of every command that plans",
        (
            f"{_listed(planning)} take all of these. "
            "What they mean for a plan: [answers](answers.md). In `update` they change the recorded answers."
        ),
        *_panels(found[_SHARED_BY]),
    ]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> str:
    own = [parameter for parameter in command.params if not is_shared(parameter) and _HELP not in parameter.opts]
    text, _, example = command.help.partition("Example: ")
    words = "".join(f" {_argument(one)}" for one in own if one.param_type_name == "argument")
    lines = [f"## {name}", text.strip(), f"```console\n{example.strip()}\n```" if example else ""]
    usage = f"Usage: `vllm-wizard {name} [OPTIONS]{words}`"
    if any(map(is_shared, command.params)):
        usage += ", with [the options of every command that plans](#options-of-every-command-that-plans)"
    return "\n\n".join([*filter(None, lines), usage, *([_table(own)] if own else [])])


def _argument(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    return word if parameter.required else f"[{word}]"


def _panels(command: Any) -> Iterator[str]:
    groups: dict[str, list[Any]] = {}
    for parameter in filter(is_shared, command.params):
        groups.setdefault(parameter.rich_help_panel, []).append(parameter)
    for title, parameters in groups.items():
        yield f"### {title.partition(' (')[0]}"
        yield _table(parameters)


def _table(parameters: list[Any]) -> str:
    rows = [f"| {_words(one)} | {_kind(one)} | {_cell(_help(one))} |" for one in parameters]
    return "\n".join(["| option | value | meaning |", "|---|---|---|", *rows])


def _words(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`"
    return ", ".join(f"`{word}`" for word in (*parameter.opts, *parameter.secondary_opts))


def _kind(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    if getattr(parameter, "is_flag", False):
        return ""
    choices = get_args(annotation)
    if annotation == list[str]:
        return "text, may be repeated"
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    return {int: "number", float: "number with decimals", Path: "path"}.get(annotation, "text")


def _help(parameter: Any) -> str:
    return str(getattr(parameter, "help", None) or "")


def answers_page() -> str:
    """docs/reference/answers.md."""
    questions = {
        name: question
        for name, question in yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8")).items()
        if not name.startswith("_")
    }
    asked = [_answer(name, one) for name, one in questions.items() if name not in _COMPUTED]
    computed = [f"| `{name}` | {one['help']} |" for name, one in questions.items() if name in _COMPUTED]
    return "\n".join(
        [
            "# Answers",
            "",
            _NOTE,
            "",
            "What a deployment records in `.copier-answers.yml`. Each answer is a question of `copier.yml`; all but",
            "`service`, `artefacts`, `ci`, `host` and `trace` are also fields of `Request`, and `inputs` of",
            "`plan --json`.",
            "",
            "Set one with its option, with its key in a [profile](profile.md), or with bare Copier: `-d NAME=VALUE`.",
            "A person on a terminal is asked for those marked so, where flags and profile leave them open.",
            "",
            "| answer | kind | default | option | asked | meaning |",
            "|---|---|---|---|---|---|",
            *asked,
            "",
            "`overrides` holds every engine value of your own: the options of the group *Engine* and `--set` write it.",
            "",
            "## Computed",
            "",
            "| answer | meaning |",
            "|---|---|",
            *computed,
            "",
            "`model_facts` and `plan` are recorded, `plan_inputs` is not. An edit of them by hand is refused:",
            "see [how updates work](../explanation/copier.md).",
            "",
        ]
    )


_COMPUTED = ("tool", "model_facts", "plan_inputs", "plan")
_OPTIONS = {"artefacts": "--emit", "service": "--service", "ci": "--ci", "overrides": "--set", "replan": "--replan"}
_NO_OPTION = frozenset({"measured", "host"})


def _answer(name: str, question: dict[str, Any]) -> str:
    choices = question.get("choices")
    values = list(choices.values()) if isinstance(choices, dict) else choices
    kind = ", ".join(f"`{value}`" for value in values) if values else question["type"]
    if question.get("multiselect"):
        kind = f"any of {kind}"
    option = "" if name in _NO_OPTION else f"`{_OPTIONS.get(name, '--' + name.replace('_', '-'))}`"
    asked = {False: "", True: "yes"}.get(question.get("ask", True), "where the GPU is `custom`")
    return f"| `{name}` | {kind} | {_default(name, question)} | {option} | {asked} | {_cell(question['help'])} |"


def _default(name: str, question: dict[str, Any]) -> str:
    default = question.get("default")
    if isinstance(default, list):
        return ", ".join(f"`{value}`" for value in default)
    if default is None or default == "":
        return "must be given" if default is None else "empty"
    if isinstance(default, str) and "{{" in default:
        return {"gpu": "this machine's", "vllm": "the newest", "service": "from the model's name"}[name]
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def schema() -> str:
    """docs/reference/plan.schema.json."""
    made = Plan.model_json_schema(mode="serialization", by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **made}, indent=2) + "\n"


def pages() -> dict[str, str]:
    """Text of every generated page by its name in docs/reference."""
    schemas = {"plan.schema.json": schema(), "profile.schema.json": profile_schema()}
    return {"cli.md": cli_page(), "answers.md": answers_page(), **schemas}


def _listed(names: list[str]) -> str:
    words = [f"`{name}`" for name in names]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the pages."""
    undocumented = [name for name, field in Request.model_fields.items() if not field.description]
    if undocumented:
        raise SystemExit(f"{undocumented[0]} of Request has no description")
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
