"""What the user owns outlives every answer, with the program and with bare Copier; managed files go."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from fixtures.deployments import ROOT, bare_copier, commit, git

from generator.models.request import Request
from generator.operations import templates
from generator.operations.generate import generate
from generator.operations.update import update
from generator.rendering import plain, store

CONFIG = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
ALL = ["command", "profile", "compose", "kubernetes"]
FLIPS = [{"ci": "none"}, {"artefacts": ["command"], "ci": "gitlab"}]


def test_the_users_files_are_in_no_rendering_of_the_old_answers():
    """The two lists of copier.yml are one."""
    (computed,) = [one for one in CONFIG["_exclude"] if "old_copy" in one]
    listed = [line.strip() for line in computed.splitlines() if "{%" not in line]
    assert listed == CONFIG["_skip_if_exists"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A deployment of this checkout's templates, with every file of the user's edited."""
    place = tmp_path_factory.mktemp("owned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(place / "home"))
        bundle = place / "templates.bundle"
        templates.release("9.0.0", when="2026-01-05", checkout=ROOT, bundle=bundle)
        request = Request(model="Qwen/Qwen3-8B", gpu="L4", gpus=2, source="embedded")
        generate(request, place / "made", artefacts=ALL, ci="github", packaged=bundle)
        for path in owned(place / "made"):
            path.write_bytes(path.read_bytes() + b"\n# mine\n")
        commit(place / "made")
        yield place


def owned(root):
    """Files that are the user's."""
    names = git(root, "ls-files").splitlines()
    return [root / name for name in names if plain.matches(name, CONFIG["_skip_if_exists"])]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["program", "bare"])
@pytest.mark.parametrize("flip", FLIPS)
def test_what_the_user_owns_outlives_every_answer(made, tmp_path, monkeypatch, how, flip):
    monkeypatch.setenv("HOME", str(made / "home"))
    git(tmp_path, "clone", "--quiet", str(made / "made"), "d")
    place, bundle = tmp_path / "d", made / "templates.bundle"
    before = {path: path.read_bytes() for path in owned(place)}
    assert len(before) >= 4
    if how == "program":
        update(place, flip, packaged=bundle)
    else:
        data = [word for name, value in flip.items() for word in ("-d", f"{name}={value}")]
        bare_copier("update", "--trust", "--defaults", "-r", ":current:", *data, at=place)
    assert {path: path.read_bytes() for path in before} == before
    assert not (place / ".github/workflows/ci.yaml").exists()
    assert store.STORE in Path(place / ".copier-answers.yml").read_text(encoding="utf-8")
