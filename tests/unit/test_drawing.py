"""A plan as a picture: well formed, whole, for light and dark, and the one in the documents is today's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from generator.models.request import Request
from generator.presenting.drawing import svg
from generator.workflow import plan

PICTURE = Path(__file__).parents[2] / "docs/pictures/plan.svg"
SVG = "{http://www.w3.org/2000/svg}"
WIDEST = 9
"""Units that a letter of 15 px takes at most, on the average of a line."""


@pytest.fixture(scope="module", params=["Qwen/Qwen3-8B", "Qwen/Qwen3-32B", "BAAI/bge-m3"])
def drawn(request):
    """A plan that fits, one that does not, and one of a server of vectors."""
    made = plan(Request(model=request.param, gpu="L4", gpus=2 if "Qwen" in request.param else 1), offline=True)
    return made, svg(made)


def test_it_is_well_formed_and_says_in_words_what_it_shows(drawn):
    made, text = drawn
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert made.model.id in root.find(f"{SVG}title").text
    assert "Weights" in root.find(f"{SVG}desc").text


def test_no_line_leaves_the_picture(drawn):
    root = ET.fromstring(drawn[1])
    width, height = int(root.get("width")), int(root.get("height"))
    for line in root.iter(f"{SVG}text"):
        left = int(line.get("x"))
        assert left + len(line.text) * WIDEST * (1 if left > 100 else 0.85) <= width * 1.12
        assert int(line.get("y")) < height


def test_the_bar_is_the_whole_gpu_and_what_is_missing(drawn):
    bars = [one for one in ET.fromstring(drawn[1]).iter(f"{SVG}rect") if one.get("fill")]
    assert sum(int(one.get("width")) for one in bars) == 720
    edges = [int(one.get("x")) for one in bars]
    assert edges == sorted(edges)


def test_nothing_is_fetched_and_nothing_runs(drawn):
    assert re.findall(r"(?:href|src|url\()", drawn[1]) == []
    assert "<script" not in drawn[1]
    assert "prefers-color-scheme:dark" in drawn[1]


def test_a_name_is_text_whatever_it_holds(drawn):
    made = drawn[0].model_copy(update={"model": drawn[0].model.model_copy(update={"id": "<b>&'\""})})
    assert ET.fromstring(svg(made)).find(f"{SVG}title").text.startswith("<b>&'\" on")


def test_the_documents_show_todays_plan():
    """`vllm-wizard plan Qwen/Qwen3-8B --gpu 2xL4 --offline --format svg >docs/pictures/plan.svg` where this fails."""
    made = plan(Request(model="Qwen/Qwen3-8B", gpu="L4-24GB", gpus=2), offline=True)
    assert PICTURE.read_text(encoding="utf-8").strip() == svg(made)
