"""Layouts of published recipes: the planner's choice, or one of the first that it names with figures."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from generator.catalogue.models import embedded_model
from generator.models.request import Request
from generator.workflow import plan_for

PAIRS = tomllib.loads((Path(__file__).parents[1] / "fixtures" / "recipes.toml").read_text(encoding="utf-8"))["pair"]
LEAST = 0.8
"""Share of the pairs that were compared first whose layout is the planner's own choice."""


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{one['model']}-{one['gpus']}-{one['gpu']}" for one in PAIRS])
def test_the_layout_of_the_field_is_chosen_or_named_among_the_first(pair):
    request = Request(model=pair["model"], gpu=pair["gpu"], gpus=pair["gpus"], source="embedded")
    made = plan_for(request, embedded_model(pair["model"]))
    agrees = made.layout.tensor_parallel_size == pair["recipe"] and made.layout.pipeline_parallel_size == 1
    assert (pair["right"] == "both") == agrees, made.layout
    named = [one.layout for one in (made.runner_up,) if one]
    named += [one.layout for one in made.alternatives[:3] if one.output_tokens_per_s]
    found = agrees or pair["recipe"] in {one.tensor_parallel_size for one in named}
    assert found == pair.get("named", True)


def test_four_in_five_of_the_pairs_compared_first_agree():
    first = [one for one in PAIRS if not one.get("further")]
    assert sum(one["right"] == "both" for one in first) / len(first) >= LEAST
