"""What the wizard says of a question: its label, its choices, and the explanation behind `?`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from generator.models.workload import PRESETS
from generator.presenting.text import plural

if TYPE_CHECKING:
    from generator.rendering.questions import Question

_MORE = {
    "model": (
        "An id of the Hub, its page's address, an embedded model's name alone (qwen3-8b), or a directory with "
        "config.json. Nothing is downloaded but config.json and the headers of the weights. A name that the Hub lacks "
        "is searched there."
    ),
    "gpu": (
        "A product (4090, L40S, H100 NVL), several of them (2x3090), a size to see what has it (24GB), auto for "
        "this machine's, or custom to give memory and compute capability yourself."
    ),
    "gpus": "How many GPUs one machine gives to this deployment. vLLM divides the model over them, or copies it.",
    "workload": "What the plan must carry. Each preset is a mean request and how many of them run at once.",
    "concurrency": "Requests that are answered at the same time. Press Enter for the preset's number.",
    "service": "It names containers, Kubernetes objects and, if you do not say otherwise, the directory.",
    "artefacts": "Each is a way to run the same plan.",
    "output_dir": "A new or empty directory. It becomes a git repository with one commit, unless one is around it.",
    "overrides": 'Values of your own for vLLM\'s arguments as JSON, like {"max_model_len": 16384}.',
}


def label(question: Question) -> str:
    """The question in few words: what copier.yml says before its first semicolon or colon."""
    return re.split("[;:]", question.help)[0]


def explanation(question: Question) -> str:
    """All that is to be said of a question, with what moves in every prompt."""
    more = _MORE.get(question.name, "")
    return f"{question.help}. {more} Type < for the question before, Ctrl-C to stop: nothing is written."


def labelled(question: Question) -> tuple[tuple[str, Any], ...]:
    """The choices with what each means: a preset with its numbers."""
    if question.name != "workload":
        return question.choices
    return tuple((_preset(value), value) for _, value in question.choices)


def _preset(name: str) -> str:
    one = PRESETS[name]  # type: ignore[index] # a choice of copier.yml, which a test compares
    shape = f"{one.prompt_tokens:,} + {one.gen_tokens:,} tokens"
    return f"{name:<6} {plural(one.concurrency, 'request')} at once, {shape} each"
