"""What a person is told of a Hub that is silent."""

from __future__ import annotations

from generator.cli.knowing import Known
from generator.models.request import Request


def test_a_hub_that_does_not_answer_is_told_of_once(capsys):
    """A conversation asks for the model's quantized siblings too, and says the same of none of them."""
    known = Known(offline=False)
    for model in ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B-AWQ", "Qwen/Qwen3-8B"):
        assert known.of(Request(model=model, gpu="L4-24GB")).id == model
    assert capsys.readouterr().err.count("The Hub did not answer") == 1
