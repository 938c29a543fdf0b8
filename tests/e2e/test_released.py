"""The releases that the package ships: today's code plans, copies and updates every one of them."""

import subprocess
import tomllib

import pytest
import yaml
from packaging.version import Version

from generator import __version__
from generator.models.request import Request
from generator.operations import templates
from generator.operations.generate import generate
from generator.operations.update import update
from generator.rendering import plain, store
from generator.rendering.answers import read
from generator.rendering.template import opened

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_home")]
RELEASED = sorted(store.tags(str(store.PACKAGED)))
REQUEST = Request(model="Qwen/Qwen3-8B", gpu="L4", gpus=2, source="embedded")
ALL = ["command", "profile", "compose", "kubernetes"]
OWNED = ("renovate.json", "requirements-tools.txt")


def tree(root):
    """Every file but the repository's own, by name; the answers without the template's version."""
    paths = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts]
    files = {str(path.relative_to(root)): path.read_text() for path in paths}
    return files | {".copier-answers.yml": files[".copier-answers.yml"].partition("_src_path")[2]}


@pytest.mark.parametrize("version", RELEASED)
def test_every_artefact_of_a_release_is_upgraded_and_none_is_added(version, tmp_path):
    """An old copy becomes a fresh one of the newest release, but for what is the user's after the first render."""
    artefact = next(one for one in templates.questions(version) if one.name == "artefacts")
    known = [value for _, value in artefact.choices]
    made = generate(REQUEST, tmp_path / "made", artefacts=known, template=version)
    owned = {name: text for name, text in tree(made.path).items() if name in OWNED}

    report = update(made.path, upgrade=True)
    assert not report.files.conflicts
    fresh = generate(REQUEST, tmp_path / "fresh" / "made", artefacts=known, commit=False)
    assert report.template_after == fresh.template
    assert tree(made.path) == tree(fresh.path) | owned


@pytest.mark.parametrize("version", RELEASED)
def test_a_changed_model_keeps_the_pin_and_a_second_update_changes_nothing(version, tmp_path):
    made = generate(REQUEST, tmp_path / "made", template=version)

    report = update(made.path, {"model": "Qwen/Qwen3-14B"})
    assert report.template_after == version
    committed(made.path)
    assert not update(made.path).files.any


@pytest.mark.parametrize("version", RELEASED)
@pytest.mark.parametrize(
    ("request_", "naming"),
    [
        (REQUEST, {"artefacts": ALL, "ci": "gitlab"}),
        (REQUEST.model_copy(update={"gpu": "H100-SXM-80GB", "gpus": 8, "nodes": 2}), {"artefacts": ALL}),
        (
            REQUEST.model_copy(update={"overrides": {"served_model_name": ["a 'b'", "é"]}}),
            {"artefacts": [], "ci": "none"},
        ),
    ],
)
def test_a_release_is_rendered_without_copier_as_copier_renders_it(version, request_, naming, tmp_path):
    """`check` compares with the former, and an update with the latter."""
    made = generate(request_, tmp_path / "made", template=version, **naming)
    files = {name: content.encode() for name, content in tree(made.path).items()}
    with opened(store.STORE) as template:
        config = yaml.safe_load(template.config(version))
    managed = {name: content for name, content in files.items() if not plain.matches(name, plain.users_own(config))}
    assert plain.managed(read(made.path), store.PACKAGED) == managed


@pytest.mark.parametrize("edited", [False, True])
def test_jobs_that_are_given_up_leave_the_files_that_are_the_users(edited, tmp_path):
    """renovate.json and requirements-tools.txt are the user's once they exist; the jobs are the template's."""
    made = generate(REQUEST, tmp_path / "made", ci="github")
    if edited:
        (made.path / "renovate.json").write_text("{}\n", encoding="utf-8")
        committed(made.path)
    before = (made.path / "renovate.json").read_bytes()
    report = update(made.path, {"ci": "none"})
    assert ".github/workflows/ci.yaml" in report.files.deleted
    assert not {"renovate.json", "requirements-tools.txt"} & {*report.files.deleted, *report.files.changed}
    assert (made.path / "renovate.json").read_bytes() == before


def test_the_package_carries_the_number_of_the_newest_release():
    """The tools that a repository pins are then those whose bundle has its template."""
    project = tomllib.loads((store.PACKAGED.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    assert max(map(Version, RELEASED)) <= Version(__version__)


def test_the_newest_release_is_the_working_tree():
    """A template change that is not released would never reach a user: `vllm-wizard template release`."""
    assert templates.is_released()


def committed(root):
    subprocess.run(["git", "-C", root, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "t"], check=True)
