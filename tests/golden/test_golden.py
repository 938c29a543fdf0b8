"""Every example's rendered tree is committed here: a change of planner or template shows as a diff."""

import shutil
from pathlib import Path

import pytest

from generator.cli.options import request_from
from generator.models.request import Request
from generator.operations.generate import generate
from generator.sources.profile import load_profile

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*.yaml"))


def rendered(example, place):
    """The tree of one example, from the working tree's template and embedded facts, without `.git`."""
    answers = load_profile(example).answers
    request = request_from({name: value for name, value in answers.items() if name in Request.model_fields})
    chosen = {name: answers.get(name) for name in ("artefacts", "service", "ci")}
    generate(request, place, **chosen, template="worktree", offline=True, commit=False)
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_renders_as_committed(example, tmp_path, monkeypatch, request):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = rendered(example, tmp_path / "made")
    golden = HERE / example.stem
    if request.config.getoption("--update-golden"):
        shutil.rmtree(golden, ignore_errors=True)
        shutil.copytree(tmp_path / "made", golden)

    committed = {str(path.relative_to(golden)): path.read_bytes() for path in golden.rglob("*") if path.is_file()}
    assert sorted(made) == sorted(committed)
    assert [name for name in made if made[name] != committed[name]] == []


def test_every_golden_tree_has_its_example():
    assert {path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"} == {
        path.stem for path in EXAMPLES
    }
