"""The conversation: each question's own checks, the ways round it, and what it ends with; keys are really typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from generator.cli import console
from generator.cli.knowing import Known
from generator.cli.options import changes_of
from generator.cli.wizard.conversation import _DIRECTORY
from generator.cli.wizard.finish import command
from generator.cli.wizard.flow import Talk
from generator.cli.wizard.offers import offers, proven
from generator.cli.wizard.replies import meant
from generator.cli.wizard.words import label
from generator.errors import SourceError
from generator.models.request import ASKED, Request
from generator.presenting.board import board
from generator.rendering.questions import questions

DOWN = "\x1b[B"


@pytest.fixture
def talk(tmp_path, monkeypatch):
    """A conversation in which these keys are typed: its answers."""
    monkeypatch.chdir(tmp_path)
    console.stderr.cache_clear()

    def run(keys, **stated):
        known = Known(offline=True)
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys)
            found = Talk((*questions("worktree"), _DIRECTORY), stated, known)
            found.ask_open()
        return found

    yield run
    console.stderr.cache_clear()


def test_every_default_is_taken_with_enter_and_typing_replaces_one(talk):
    """`2` is two GPUs: no default stands in the line that is typed into."""
    answers = talk("qwen3-8b\rL4\r2\r\r\r\r\r\r").answers
    assert (answers["model"], answers["gpu"], answers["gpus"]) == ("Qwen/Qwen3-8B", "L4-24GB", 2)
    assert (answers["workload"], answers["concurrency"], answers["service"]) == ("chat", 0, "qwen3-8b")
    assert answers["artefacts"] == ["command", "profile", "compose"]
    assert answers["output_dir"] == "qwen3-8b"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("Qwen/Qwen3-8BB\rQwen/Qwen3-8B\rL4\r\r", "nearest: Qwen/Qwen3-8B"),
        (
            "qwen3-8b\rL5\rL4\r\r",
            "unknown GPU 'L5'; nearest: L4-24GB; or type custom to describe it",
        ),
        ("qwen3-8b\r24GB\rL4\r\r", "choose of A10-24GB"),
        ("qwen3-8b\rauto\rL4\r\r", "driver"),
        ("qwen3-8b\rL4\rtwo\r1\r", "'two' is no whole number"),
        ("qwen3-8b\rL4\r500\r1\r", "should be less than or equal to 128"),
        ("qwen3-8b\rL4\r?\r1\r", "How many GPUs one machine gives"),
        ("qwen3-8b\rT4\r<\rL4\r1\r", "T4-16GB: 15.0 GiB"),
    ],
)
def test_an_answer_is_refused_explained_or_taken_back_at_its_own_question(talk, capsys, wrong, said):
    answers = talk(f"{wrong}\r\r\r\r\r").answers
    assert said in " ".join(capsys.readouterr().err.split())
    assert (answers["model"], answers["gpu"], answers["gpus"]) == ("Qwen/Qwen3-8B", "L4-24GB", 1)


def test_a_model_that_does_not_exist_is_answered_with_what_the_hub_finds(hub):
    hub.add("acme/tiny-chat", {})
    (question,) = [one for one in questions("worktree") if one.name == "model"]
    with pytest.raises(SourceError, match=r"does not exist on .*; on the Hub: acme/tiny-chat$"):
        meant(question, "acme/tiny", {}, Known(offline=False))


def test_a_number_before_the_gpu_answers_both_questions(talk):
    answers = talk("qwen3-8b\r2x3090\r\r\r\r\r\r").answers
    assert (answers["gpu"], answers["gpus"]) == ("RTX-3090-24GB", 2)


def test_a_custom_gpu_is_asked_for_its_memory_and_capability(talk):
    answers = talk("qwen3-8b\rcustom\r1\r\r\r\r\r24\r8.9\r\r").answers
    assert (answers["gpu"], answers["vram_gb"], answers["capability"]) == ("custom", 24.0, "8.9")


def test_a_taken_directory_is_refused_where_it_is_named(talk, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    assert talk("mine\rother\r", **STATED).answers["output_dir"] == "other"
    assert "mine exists and is not empty" in capsys.readouterr().err


STATED = {
    "model": "Qwen/Qwen3-8B", "gpu": "L4-24GB", "gpus": 1, "workload": "chat", "concurrency": 0, "service": "mine",
    "artefacts": ["command"],
}  # fmt: skip


def test_one_answer_is_changed_and_the_others_stay(talk):
    """The third of the listed questions is the number of GPUs."""
    found = talk("\r", **STATED)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(f"{DOWN}{DOWN}\r4\r")
        assert found.change()
    assert found.answers == {**STATED, "gpus": 4, "output_dir": "mine"}


def test_words_types_and_order_are_the_templates_and_the_requests():
    """A question is a field of `Request`, or one of the five that are the repository's own; its label is short."""
    listed = [one.name for one in questions("worktree")]
    assert set(listed) == {*Request.model_fields, "service", "artefacts", "ci", "trace", "host"}
    assert listed[:3] == ["model", "gpu", "gpus"]
    assert all(0 < len(label(one)) <= 60 for one in questions("worktree"))
    assert all(ASKED[name].section for name in Request.model_fields if name != "measured")


@pytest.fixture(scope="module")
def offered():
    """What is offered for eight billion parameters on two L4."""
    known = Known(offline=True)
    request = Request(model="Qwen/Qwen3-8B", gpu="L4-24GB", gpus=2, source="embedded")
    return offers(proven(request, known), known, lambda one: one)


def test_the_offers_differ_and_are_proven(offered):
    assert 3 <= len(offered) <= 5
    faces = {(one.proof.plan.cluster.gpu.name, one.proof.plan.command) for one in offered}
    assert len(faces) == len(offered)
    assert all(one.proof.plan.feasibility.verdict != "does_not_fit" for one in offered[1:])


@pytest.mark.parametrize("widest", [75, 115, 195])
def test_the_board_fits_its_terminal(offered, widest):
    lines = board([(one.proof.plan, "") for one in offered], widest)
    assert len(lines) == len(offered) + 1
    assert max(map(len, lines)) <= widest
    assert "2 L4-24GB" in lines[1]


def test_the_board_says_what_of_a_node_a_plan_takes():
    """Half of the GPUs, or all of them by two servers: neither is one server on two GPUs."""
    known = Known(offline=True)
    asked = Request(model="Qwen/Qwen3-8B", gpu="L4-24GB", gpus=2, source="embedded")
    sizes = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    half, both = (asked.model_copy(update=one) for one in ({"overrides": dict.fromkeys(sizes, 1)}, {"servers": 2}))
    _, first, second = board([(proven(one, known).plan, "") for one in (half, both)], 115)
    assert first.split("  ")[0] == "1 of 2 L4-24GB"
    assert second.split()[:6] == ["2", "L4-24GB", "2", "x", "1", "GPU"]


def test_what_does_not_fit_is_mended_by_number():
    known = Known(offline=True)
    request = Request(model="Qwen/Qwen3-32B", gpu="L4-24GB", gpus=2, source="embedded", concurrency=64)
    first, *others = offers(proven(request, known), known, lambda one: one)
    assert first.proof.plan.repairs
    assert [one.title for one in others][:1] == [first.proof.plan.repairs[0].title]


def test_the_command_states_what_differs_from_the_defaults():
    request = Request(model="a/b", gpu="L4-24GB", gpus=2, trust_remote_code=True, overrides={"max_num_seqs": 8})
    words = shlex.split(
        command(request, {"service": "x", "artefacts": ["command"]}, Path("my dir"), more=("--offline",))
    )
    assert words == [
        "vllm-wizard", "generate", "--model", "a/b", "--gpu", "L4-24GB", "--gpus", "2", "--trust-remote-code",
        "--set", "max_num_seqs=8", "--service", "x", "--emit", "command", "--offline", "--output-dir", "my dir",
        "--yes",
    ]  # fmt: skip


def test_flags_that_a_plan_proposes_are_read_as_changes():
    assert changes_of(("--tp", "2", "--set", "enable_expert_parallel=true", "--concurrency", "48")) == {
        "concurrency": 48, "overrides": {"tensor_parallel_size": 2, "enable_expert_parallel": True},
    }  # fmt: skip
