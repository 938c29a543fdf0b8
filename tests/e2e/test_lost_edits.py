"""Edits that Copier alone would lose without a word: each is kept, or reported as a conflict."""

from __future__ import annotations

import pytest
from fixtures.deployments import OTHER, commit, git, request_for, tree
from fixtures.walk import four_releases

from generator.errors import ConflictError, RenderError
from generator.operations.generate import generate
from generator.operations.update import update
from generator.presenting.update_report import update_markdown
from generator.rendering.answers import read

RUN = "scripts/run.sh"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return four_releases(tmp_path_factory.mktemp("lost"))


@pytest.fixture
def place(bundle, tmp_path, monkeypatch):
    """A deployment of 1.0.0 on a machine of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return generate(request_for(), tmp_path / "place [1] *", template="1.0.0", packaged=bundle).path


def edit(place, name):
    (place / name).write_text((place / name).read_text() + "# mine\n")
    commit(place)


@pytest.mark.parametrize(
    ("name", "change"),
    [(RUN, {"ref": "2.0.0"}), ("compose.yaml", {"changes": {"artefacts": ["command"]}})],
    ids=["by the template", "by an answer"],
)
@pytest.mark.parametrize("edited", [True, False])
def test_an_edited_file_that_is_no_longer_rendered_is_a_conflict(place, bundle, name, change, edited):
    """The template renames one, an answer drops the other; what nobody edited goes as it came."""
    if not edited:
        assert update(place, packaged=bundle, **change).files.deleted == (name,)
        return
    edit(place, name)
    with pytest.raises(ConflictError) as conflict:
        update(place, packaged=bundle, **change)
    assert conflict.value.files == (name,)
    assert (place / name).read_text().endswith("# mine\n")
    assert git(place, "status", "--porcelain", "--", name) == f"UD {name}\n"
    with pytest.raises(RenderError, match="unresolved conflicts"):
        update(place, {}, packaged=bundle)
    git(place, "checkout", "--ours", "--", name)
    commit(place)
    assert not update(place, {}, packaged=bundle).files.any


def test_an_ignored_file_that_a_template_begins_to_render_stays_the_users(place, bundle):
    """Git holds no copy of it: written over, it would be gone."""
    names = ["SECURITY.md", "docs/guide.md"]
    (place / ".gitignore").write_text(".env\nSECURITY.md\ndocs/\n")
    commit(place)
    (place / "docs").mkdir()
    for name in names:
        (place / name).write_text("mine\n")
    update(place, {"model": OTHER}, packaged=bundle, ref="1.2.0")
    assert [(place / name).read_text() for name in names] == ["mine\n", "mine\n"]
    assert read(place).template == "1.2.0"


def test_a_rendered_file_that_was_taken_out_of_git_stays_the_users(place, bundle):
    (place / RUN).write_text("#!/bin/sh\n# mine\n")
    (place / ".gitignore").write_text(".env\n/scripts/\n")
    git(place, "rm", "--quiet", "--cached", RUN)
    commit(place)
    report = update(place, {"model": OTHER}, packaged=bundle, ref="1.2.0", compare=True)
    assert (place / RUN).read_text() == "#!/bin/sh\n# mine\n"
    assert report.left == (RUN,)


@pytest.mark.parametrize("name", ["README.md", RUN])
def test_an_edit_that_made_a_file_binary_is_kept(place, bundle, name):
    """As a Windows editor saves UTF-16; git's patches carry no such edit."""
    content = ((place / name).read_text() + "mine\n").encode("utf-16")
    (place / name).write_bytes(content)
    commit(place)
    report = update(place, {"model": OTHER}, packaged=bundle, ref="1.2.0", compare=True)
    assert (place / name).read_bytes() == content
    assert name in report.left
    assert name not in report.kept
    assert f"Left alone, being ignored by git or binary: `{name}`" in update_markdown(report)


def test_an_emptied_file_is_no_binary_one(place, bundle):
    """It is merged like every edit: here the new release changes the very lines."""
    (place / RUN).write_text("")
    commit(place)
    with pytest.raises(ConflictError) as conflict:
        update(place, {}, packaged=bundle, ref="1.2.0")
    assert conflict.value.files == (RUN,)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what Copier leaves open when it fails
def test_a_directory_in_the_place_of_a_rendered_file_is_refused_in_one_line(place, bundle):
    (place / "SECURITY.md").mkdir()
    (place / "SECURITY.md" / "mine").write_text("mine\n")
    commit(place)
    before = tree(place)
    with pytest.raises(RenderError, match=r"SECURITY\.md") as refused:
        update(place, {}, packaged=bundle, ref="1.1.0")
    assert len(str(refused.value).splitlines()) == 1
    assert tree(place) == before
    assert git(place, "status", "--porcelain") == ""


def test_a_symbolic_link_in_the_place_of_a_rendered_file_is_kept_and_not_written_through(place, bundle):
    (place / RUN).unlink()
    (place / RUN).symlink_to("../mine.sh")
    (place / "mine.sh").write_text("mine\n")
    commit(place)
    update(place, {}, packaged=bundle, ref="1.2.0")
    assert (place / RUN).is_symlink()
    assert (place / "mine.sh").read_text() == "mine\n"
