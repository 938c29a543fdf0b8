"""A question is one field of `Request` and its entry in copier.yml; all else follows from the field, and is written."""

from __future__ import annotations

import importlib.util
import inspect
import json
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from generator.cli.options import Stated, with_request_options
from generator.models.question import PANELS, Asked, asked
from generator.models.request import ASKED, Request
from generator.models.value import Value
from generator.sources.profile import load_profile

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    """The script that writes what follows from `Request`."""
    spec = importlib.util.spec_from_file_location("write_questions", ROOT / ".github/scripts/write_questions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["copier.yml", "docs/reference/profile.md", "profile.yaml"])
def test_what_follows_from_the_request_is_as_the_script_writes_it(script, name):
    path = next(path for path in script.files() if name in path)
    told = f"{path} lacks what Request has: run .github/scripts/write_questions.py"
    assert script.files()[path] == (ROOT / path).read_text(encoding="utf-8"), told


def test_a_field_that_does_not_say_where_it_is_asked_for_is_named():
    class Incomplete(Value):
        known: Annotated[int, Asked("GPUs", "hardware")] = 1
        forgotten: int = Field(0, description="Something new")

    with pytest.raises(TypeError, match=r"^forgotten of Request does not say"):
        asked(Incomplete.model_fields)


def test_every_field_with_a_panel_is_an_option_there():
    @with_request_options
    def command(*, stated: Stated) -> None:
        """Take options."""

    options = inspect.signature(command).parameters
    panels = {name: one.annotation.__metadata__[0].rich_help_panel for name, one in options.items() if name in ASKED}
    assert panels == {name: one.panel for name, one in ASKED.items() if one.panel}
    assert list(dict.fromkeys(panels.values())) == list(PANELS)


@pytest.mark.parametrize("name", [name for name, one in ASKED.items() if one.section and name != "overrides"])
def test_every_key_of_a_field_states_it_in_a_profile(name, tmp_path):
    kind = Request.model_fields[name].annotation
    value = {int: 3, float: 0.5, bool: True, str: "x"}.get(kind) or Request.model_fields[name].default
    for key in ASKED[name].keys:
        profile = tmp_path / "profile.yaml"
        profile.write_text(f"{ASKED[name].section}: {{{key}: {json.dumps(value)}}}\n", encoding="utf-8")
        assert load_profile(profile).answers == {name: value}
