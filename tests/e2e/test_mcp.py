"""`vllm-wizard mcp`: the SDK's own client asks each tool, and gets what the command prints, or one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import jsonschema
import pytest
from mcp import Client, StdioServerParameters

from generator.cli.app import run
from generator.cli.assistant.server import server
from generator.cli.assistant.tools import TOOLS
from generator.models.request import ASKED, Request
from generator.operations.generate import generate

pytestmark = pytest.mark.usefixtures("own_home")

PLAN = {"model": "Qwen/Qwen3-8B", "gpu": "L4", "gpus": 2, "offline": True}
WORDS = ("Qwen/Qwen3-8B", "--gpu", "L4", "--gpus", "2", "--offline", "--json")


def asked(*calls, where=None):
    """The answers of a server to the calls, one after the other; `where` starts it as a process of its own."""

    async def ask():
        async with Client(where or server()) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return anyio.run(ask)


def text_of(answer):
    (block,) = answer.content
    return block.text


def printed(*words, monkeypatch, capsys):
    """What a command prints on standard output."""
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", *words])
    run()
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """A repository of the newest released template, with a value of the user's."""
    request = Request(model="Qwen/Qwen3-8B", gpu="L4-24GB", overrides={"max_num_seqs": 8})
    return generate(request, tmp_path_factory.mktemp("mcp") / "made", offline=True).path


def files(place):
    return {path: path.read_bytes() for path in Path(place).rglob("*") if path.is_file()}


def test_every_tool_is_listed_with_schemas_that_hold():
    """Read-only, closed objects of arguments, and an object for an answer."""

    async def listed():
        async with Client(server()) as client:
            return (await client.list_tools()).tools

    tools = {one.name: one for one in anyio.run(listed)}
    assert list(tools) == list(TOOLS)
    for one in tools.values():
        for schema in (one.input_schema, one.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        assert one.input_schema["additionalProperties"] is False
        assert one.annotations.read_only_hint


def test_a_plan_can_be_asked_with_every_option_that_the_command_has():
    offered = {name for name, one in ASKED.items() if one.panel is not None}
    assert offered <= TOOLS["plan"].takes.model_json_schema()["properties"].keys()


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("plan", PLAN, ("plan", *WORDS)),
        ("plan", {**PLAN, "gpu": "2xL4"}, ("plan", *WORDS)),
        ("fit", {"model": "qwen3-8b", "gpu": "L4", "offline": True}, ("fit", "qwen3-8b", "--gpu", "L4", *WORDS[-2:])),
        ("models", {"gpu": "L4", "task": "code"}, ("models", "--gpu", "L4", "--task", "code", "--json")),
        ("explain", {"flag": "max-num-seqs"}, ("explain", "max-num-seqs", "--json")),
        ("explain", {"flag": "tp", **PLAN}, ("explain", "tp", "--model", *WORDS)),
    ],
    ids=["plan", "plan-counted", "fit", "models", "explain", "explain-of-a-plan"],
)
def test_a_tool_answers_what_the_command_prints(tool, arguments, words, monkeypatch, capsys):
    (answer,) = asked((tool, arguments))
    assert not answer.is_error
    shown = json.loads(printed(*words, monkeypatch=monkeypatch, capsys=capsys))
    assert json.loads(text_of(answer)) == shown
    assert answer.structured_content == ({"rows": shown} if isinstance(shown, list) else shown)
    jsonschema.validate(answer.structured_content, TOOLS[tool].gives)


def test_check_answers_what_the_command_prints_and_writes_nothing(deployment, monkeypatch, capsys):
    before = files(deployment)
    (answer,) = asked(("check", {"directory": str(deployment), "offline": True}))
    shown = printed("check", str(deployment), "--offline", "--json", monkeypatch=monkeypatch, capsys=capsys)
    assert answer.structured_content == json.loads(text_of(answer)) == json.loads(shown)
    jsonschema.validate(answer.structured_content, TOOLS["check"].gives)
    assert files(deployment) == before


def test_a_deployments_own_value_is_explained_as_the_users(deployment):
    (answer,) = asked(("explain", {"flag": "max_num_seqs", "directory": str(deployment)}))
    assert answer.structured_content["chosen"]["by"] == "you"
    assert answer.structured_content["chosen"]["value"] == 8


def test_a_plan_that_does_not_fit_is_an_answer():
    (answer,) = asked(("plan", {**PLAN, "model": "Qwen/Qwen3-32B"}))
    assert answer.structured_content["feasibility"]["verdict"] == "does_not_fit"
    assert answer.structured_content["repairs"]


_BAD = [
    ("plan", {}, "model"),
    ("plan", None, "model"),
    ("plan", {**PLAN, "gpu": "no such"}, "unknown GPU"),
    ("plan", {**PLAN, "gpus": -1}, "gpus"),
    ("plan", {**PLAN, "gpus": 10**40}, "gpus"),
    ("plan", {**PLAN, "gpus": "two"}, "gpus"),
    ("plan", {**PLAN, "model": ["a"]}, "model"),
    ("plan", {**PLAN, "model": "../../etc/passwd"}, "etc/passwd"),
    ("plan", {**PLAN, "model": "x" * 100_000}, "letters"),
    ("plan", {**PLAN, "model": "a\nb\x1b[2J"}, "control"),
    ("plan", {**PLAN, "model": "a\0b"}, "control"),
    ("plan", {**PLAN, "gpux": "L4"}, "nearest: gpu"),
    ("plan", {**PLAN, "measured": {}}, "takes no 'measured'"),
    ("plan", {**PLAN, "overrides": {"no_such": 1}}, "no argument"),
    ("plan", {**PLAN, "overrides": {"api_key": "secret"}}, "api_key"),
    ("plan", {**PLAN, "overrides": [1]}, "overrides"),
    ("plan", {**PLAN, "vllm": "0.1"}, "the newest known is 0.33.0"),
    ("plan", {**PLAN, "gpu": "4xL4", "gpus": 2}, "drop one"),
    ("plan", {**PLAN, "ttft_ms": float("inf")}, "ttft"),
    ("fit", {"model": "no/such", "offline": True}, "no/such"),
    ("fit", {**PLAN, "gpu": "custom"}, "custom"),
    ("models", {"gpu": "no such"}, "unknown GPU"),
    ("models", {"gpu": "L4", "task": "chess"}, "task"),
    ("models", {"gpu": "L4", "model": "a/b"}, "takes no 'model'"),
    ("explain", {"flag": "nope"}, "no argument"),
    ("explain", {"flag": ""}, "flag"),
    ("explain", {"flag": "tp", "directory": "/nowhere"}, ".copier-answers.yml"),
    ("explain", {"flag": "tp", "directory": ".", "model": "m"}, "not both"),
    ("check", {"directory": "/etc/passwd"}, ".copier-answers.yml"),
    ("check", {"directory": "a\0b"}, "control"),
    ("check", {"directory": "-" * 5000}, "directory"),
    ("update", {}, "choose one of plan, fit, models, explain, check"),
]


@pytest.mark.parametrize(("tool", "arguments", "said"), _BAD, ids=range(len(_BAD)))
def test_bad_arguments_are_one_line_that_says_what_is_wrong(tool, arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (answer,) = asked((tool, arguments))
    assert answer.is_error
    assert said in text_of(answer)
    assert "\n" not in text_of(answer)
    assert "Traceback" not in text_of(answer)
    assert answer.structured_content is None
    assert list(tmp_path.iterdir()) == []


def test_a_started_server_answers_over_its_streams(tmp_path, monkeypatch):
    """A process of its own, as an assistant starts it: a good call, a bad one, and the good one again."""
    monkeypatch.chdir(tmp_path)
    started = StdioServerParameters(command=sys.executable, args=["-m", "generator", "mcp"], cwd=str(tmp_path))
    first, bad, again = asked(("plan", PLAN), ("plan", {**PLAN, "gpus": 0}), ("plan", PLAN), where=started)
    assert first.structured_content["feasibility"]["fits"] is True
    assert bad.is_error
    assert again.structured_content == first.structured_content
    assert list(tmp_path.iterdir()) == []


def test_without_the_sdk_one_line_says_how_to_get_it(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.partition(".")[0] == "mcp" or "cli.assistant.server" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", "mcp"])
    assert run() == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "pip install" in said.err
