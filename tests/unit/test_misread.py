"""A command line that cannot be read is answered with what to type, never with an option that is merely spelt alike."""

from __future__ import annotations

import sys

import pytest

from generator.cli.app import run
from generator.cli.misread import _ELSEWHERE, _HERE


@pytest.fixture
def refusal(capsys, monkeypatch):
    """The line that a refused command prints."""

    def of(*words):
        monkeypatch.setattr(sys, "argv", ["vllm-wizard", *words])
        assert run() == 2
        return capsys.readouterr().err.strip()

    return of


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "m", "--context", "8k"), "No such option: --context; here it is --max-model-len"),
        (("plan", "m", "--attention-backend", "x"), "here it is --set attention_backend=VALUE, an argument of vLLM"),
        (("plan", "m", "--users", "9"), "No such option: --users; here it is --concurrency"),
        (("generate", "m", "--out", "x"), "No such option: --out; here it is --output-dir"),
        (("plan", "m", "--concurency", "9"), "No such option: --concurency; nearest: --concurrency"),
        (("plan", "m", "--frobnicate"), "No such option: --frobnicate (see --help)"),
        (("plan", "m", "--out", "x"), "No such option: --out (see --help)"),
        (("plan", "m", "L4"), "L4 is a GPU: name it with --gpu L4"),
        (("plan", "m", "2 L4"), "2 L4 is a GPU: name it with --gpu '2 L4'"),
        (("plan", "m", "nothing"), "Got unexpected extra argument(s) (nothing)"),
        (("plan", "m", "--gpus", "two"), "Invalid value for '--gpus': write a whole number, like 2"),
        (("qwen3-8b",), "qwen3-8b is a model and no command: vllm-wizard plan qwen3-8b --gpu NAME"),
        (("a/b",), "a/b is a model and no command: vllm-wizard plan a/b --gpu NAME"),
        (("version",), "there is no command version: `vllm-wizard --version` prints it"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_was_meant_is_said(refusal, words, said):
    assert said in refusal(*words)


def test_a_word_of_another_tool_means_one_option():
    assert len(_HERE) == sum(len(words.split()) for words in _ELSEWHERE.values())
    assert set(_HERE).isdisjoint(_ELSEWHERE)
