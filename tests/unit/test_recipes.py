"""Layouts of published recipes: the planner's choice, or one of its first alternatives with figures."""

from __future__ import annotations

import tomllib
from pathlib import Path

from generator.catalogue.models import embedded_model
from generator.models.request import Request
from generator.workflow import plan_for

PAIRS = tomllib.loads((Path(__file__).parents[1] / "fixtures" / "recipes.toml").read_text(encoding="utf-8"))["pair"]
LEAST = 0.8
"""Share of the pairs whose layout is the planner's own choice."""


def test_the_layouts_of_the_field_are_chosen_or_named_among_the_first():
    chosen = 0
    for pair in PAIRS:
        request = Request(model=pair["model"], gpu=pair["gpu"], gpus=pair["gpus"], source="embedded")
        made = plan_for(request, embedded_model(pair["model"]))
        agrees = made.layout.tensor_parallel_size == pair["recipe"] and made.layout.pipeline_parallel_size == 1
        assert (pair["right"] == "both") == agrees, (pair["model"], pair["gpu"], made.layout)
        chosen += agrees
        first = [one for one in made.alternatives[:3] if one.layout.tensor_parallel_size == pair["recipe"]]
        assert agrees or any(one.output_tokens_per_s for one in first), (pair["model"], made.alternatives)
    assert chosen / len(PAIRS) >= LEAST
