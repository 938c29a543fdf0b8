"""The conversation on a pseudo-terminal: every question, every way round them, every kind of terminal."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from fixtures.deployments import git
from fixtures.terminals import DOWN, ENTER, STOP, UP, Person

pytestmark = pytest.mark.usefixtures("own_home")

ASKED = [
    ("Model,", "qwen3-8b\r"), ("GPU", "L4\r"), ("GPUs of one node", ENTER), ("Workload preset", ENTER),
    ("Requests in flight", ENTER), ("Name of the service", ENTER), ("What to render", ENTER), ("New directory", ENTER),
    ("Which one?", ENTER), ("Generate qwen3-8b?", ENTER),
]  # fmt: skip
"""Every question of a conversation in its order, and keys that answer it."""
COLOURS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|9[0-7]|38;[0-9;]*)m")
VERDICT = "FITS even at the high end"


@pytest.fixture
def person(tmp_path):
    """Sits a person down at a terminal; what runs at the end is stopped."""
    seated = []

    def sit(*words, **how):
        seated.append(Person(words, tmp_path, **how))
        return seated[-1]

    yield sit
    for one in seated:
        one.child.close(force=True)


@pytest.mark.parametrize("number", range(len(ASKED)), ids=[question.strip(" (?") for question, _ in ASKED])
def test_ctrl_c_leaves_nothing_at_any_question(person, tmp_path, number):
    one = person("generate", "--offline")
    for question, keys in ASKED[:number]:
        one.answer(question, keys)
    one.answer(ASKED[number][0], STOP)
    assert one.end() == 130
    assert "nothing was changed" in one.screen.seen()
    assert "Traceback" not in one.written
    assert list(tmp_path.iterdir()) == []


def test_every_answer_that_cannot_be_is_refused_at_its_own_question(person, tmp_path):
    """What was right before it stays: nothing is asked twice."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    one = person("generate", "--offline")
    for question, wrong, said, right in (
        ("Model,", "Qwen/Qwen3-8BB\r", "nearest: Qwen/Qwen3-8B", "qwen3-8b\r"),
        ("GPU", "L5\r", "nearest: L4-24GB", "L4\r"),
        ("GPUs of one node", "two\r", "no whole number", ENTER),
        ("GPUs of one node", "0\r", "greater than 0", ENTER),
    ):
        one.answer(question, wrong)
        one.sees(said)
        if question != "GPUs of one node" or wrong == "0\r":
            one.answer(question, right)
    one.answer("Workload preset")
    one.answer("Requests in flight", "-1\r")
    one.sees("greater than or equal to 0")
    one.answer("Requests in flight")
    one.answer("Name of the service", "No Name!\r")
    one.sees("lower-case")
    one.answer("Name of the service")
    one.answer("What to render")
    one.answer("New directory", "taken\r")
    one.sees("taken exists and is not empty")
    one.answer("New directory", "mine\r")
    one.answer("Which one?")
    one.answer("Generate mine?")
    assert one.end() == 0
    assert git(tmp_path / "mine", "status", "--porcelain") == ""


def test_help_the_way_back_and_one_changed_answer(person, tmp_path):
    """`?` explains, `<` asks the question before; one answer changed afterwards asks nothing else again."""
    one = person("generate", "--offline", "-m", "Qwen/Qwen3-8B")
    one.answer("GPU", "?\r")
    one.sees("Type < for the question before")
    one.answer("GPU", "T4\r")
    one.answer("GPUs of one node", "<\r")
    for question, keys in ASKED[1:8]:
        one.answer(question, keys)
    one.answer("Which one?", f"{UP * 3}{ENTER}")
    one.answer("Which answer?", f"{DOWN * 2}{ENTER}")
    one.answer("GPUs of one node", "2\r")
    one.sees("2 GPUs")
    one.answer("Which one?", "?")
    one.sees("Each line is a proven plan")
    one.answer("Which one?")
    one.answer("Generate qwen3-8b?", "y")
    assert one.end() == 0
    assert "\ngpus: 2\n" in (tmp_path / "qwen3-8b/.copier-answers.yml").read_text(encoding="utf-8")


def test_several_pasted_lines_are_no_answer_and_no_bug(person):
    """A terminal pastes them as one: the question is asked again."""
    one = person("generate", "--offline")
    one.answer("Model,", "\x1b[200~qwen3-8b\nL4\n2\x1b[201~\r")
    one.sees("One line at a time")
    one.answer("Model,", "qwen3-8b\r")
    one.answer("GPU,", STOP)
    assert one.end() == 130


def test_a_repair_is_picked_where_the_plan_does_not_fit(person, tmp_path):
    """The first that fits is marked, so that Enter is never a dead end."""
    one = person("generate", "--offline", "-m", "Qwen/Qwen3-32B", "--gpu", "L4", "-o", "big")
    for question, keys in ASKED[2:7]:
        one.answer(question, keys)
    one.sees("DOES NOT FIT")
    one.answer("Which one?", f"{UP}{ENTER}")
    one.sees("It does not fit, so that nothing can be generated")
    one.answer("Which one?", f"{DOWN}{ENTER}")
    one.answer("Generate big?", "y")
    assert one.end() == 0
    assert "\nmodel: Qwen/Qwen3-32B" in (tmp_path / "big/.copier-answers.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("columns", "rows", "variables"),
    [
        (80, 24, {}),
        (120, 40, {}),
        (80, 24, {"NO_COLOR": "1"}),
        (80, 24, {"TERM": "dumb"}),
        (80, 24, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
    ],
    ids=["80x24", "120x40", "NO_COLOR", "dumb", "ASCII"],
)
def test_the_verdict_is_on_the_screen_when_it_is_agreed_to_and_at_the_end(person, tmp_path, columns, rows, variables):
    """And the command that is printed last gives the same tree, byte for byte."""
    one = person("generate", "--offline", columns=columns, rows=rows, **variables)
    for question, keys in ASKED[:-1]:
        one.answer(question, keys)
    one.sees("Generate qwen3-8b?")
    assert VERDICT in one.screen.seen()
    assert "K KV cache" in one.screen.seen()
    one.child.send("y")
    assert one.end() == 0
    assert VERDICT in one.screen.seen()
    assert "cd " in one.screen.seen()
    if variables:
        assert not COLOURS.search(one.written) or "LC_ALL" in variables
    command = re.sub(r"\x1b\[[0-9;]*m", "", one.written[one.written.rindex("vllm-wizard generate") :])
    words = shlex.split(command)[2:]
    words[words.index("--output-dir") + 1] = "again/qwen3-8b"
    subprocess.run([sys.executable, "-m", "generator", "generate", *words], cwd=tmp_path, check=True)
    assert tree(tmp_path / "qwen3-8b") == tree(tmp_path / "again/qwen3-8b")


def tree(place):
    """Bytes of every file of a repository but git's own, by path."""
    found = (path for path in place.rglob("*") if path.is_file() and ".git" not in path.relative_to(place).parts[:1])
    return {str(path.relative_to(place)): path.read_bytes() for path in found}


@pytest.mark.parametrize("words", [(), ("generate",), ("generate", "-m", "Qwen/Qwen3-8B", "--gpu", "L4")])
def test_without_a_terminal_nothing_is_asked_and_nothing_hangs(tmp_path, words):
    """A pipe is told what to say on the command line; it is never waited for."""
    done = subprocess.run(
        [sys.executable, "-m", "generator", *words], cwd=tmp_path, stdin=subprocess.PIPE, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--output-dir" in done.stderr or "Usage: " in done.stdout
    assert list(tmp_path.iterdir()) == []
