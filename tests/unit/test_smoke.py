"""`scripts/smoke.py` of a rendered repository, before a server that answers as vLLM does, with faults on demand."""

import runpy
import subprocess
import sys

import pytest
from fixtures.openai_server import KEY, answering
from fixtures.rendered import ANSWERS, render


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The script of a plan with a tool parser, for 16 requests at once."""
    answers = ANSWERS["single"]
    plan = answers["plan"]
    tools = {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"}
    runtime = plan["runtime"] | {"watch": plan["runtime"]["watch"] | {"requests": 16}}
    made = answers | {"plan": plan | {"engine": plan["engine"] | tools, "runtime": runtime}}
    return render(made, tmp_path_factory.mktemp("smoke")) / "scripts" / "smoke.py"


@pytest.fixture
def smoke(script, monkeypatch, capsys):
    """Runs the script in this process: its status, and its lines with those that name a fault apart."""
    run = runpy.run_path(str(script))["main"]

    def ask(url, *more):
        monkeypatch.setenv("VLLM_API_KEY", KEY)
        monkeypatch.setattr(sys, "argv", ["smoke.py", url, *more])
        status = run()
        lines = capsys.readouterr().out.splitlines()
        return status, [line for line in lines if line.startswith(("WRONG", "note"))], lines

    return ask


def test_a_server_that_does_what_it_must_passes(script):
    """As a process, with the key from the environment."""
    with answering() as url:
        done = subprocess.run(
            [sys.executable, script, url], env={"VLLM_API_KEY": KEY}, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "the server does what it must"
    assert "ok    models without a key: 401" in lines
    assert "ok    /invocations, which the gateway must not serve: 404" in lines
    assert any(line.startswith("ok    a stream: 9 events") for line in lines)
    assert any(line.startswith("ok    a prompt of 378 of 400 tokens") for line in lines)
    assert any(line.startswith("ok    16 completions at once: all answered") for line in lines)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("open", "WRONG models without a key: 200, expected 401"),
        ("no gateway", "WRONG /invocations, which the gateway must not serve: 200, expected 404"),
        ("no stream", "WRONG a stream: 1 events"),
        ("no tool", "WRONG a tool by its name: no call in the answer"),
        ("free text", "WRONG a structured answer: 'four, five' is none of yes, no"),
        ("short", "CUDA out of memory"),
        ("cuts", "WRONG a prompt beyond 400 tokens, which must be refused: 200, expected 400"),
        ("overload", "WRONG 16 completions at once: 16 failed; 503: not ready"),
    ],
)
def test_each_fault_has_its_words(smoke, fault, said):
    with answering(fault) as url:
        status, wrong, lines = smoke(url)
    assert status == 1
    assert said in wrong[0]
    assert lines[-1].endswith(" wrong")


def test_vllm_itself_may_answer_on_its_own_paths(smoke):
    with answering("no gateway") as url:
        assert smoke(url, "--no-gateway")[:2] == (0, [])


def test_nothing_that_answers_is_one_line(smoke, capsys):
    assert smoke("http://127.0.0.1:1")[0] == 1
