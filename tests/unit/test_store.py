"""The bundle of released templates: appended to, copied to the machine's store, never rewritten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generator.errors import RenderError, RequestError
from generator.operations import templates
from generator.rendering import store

CONFIG = "_subdirectory: templates\n_jinja_extensions: [generator.copier_ext.PlannerV1]\n"


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def checkout(tmp_path):
    place = tmp_path / "checkout"
    (place / "templates" / "__pycache__").mkdir(parents=True)
    (place / "templates/__pycache__/a.pyc").touch()
    (place / "copier.yml").write_text(CONFIG)
    (place / "templates/.gitignore").write_text("*.txt\n")
    (place / "templates/ignored.txt").write_text("1\n")
    return place


@pytest.fixture
def bundle(tmp_path):
    return tmp_path / "packaged" / "templates.bundle"


def release(version, checkout, bundle, *, content=None, **options):
    (checkout / "templates/ignored.txt").write_text(content or version)
    return templates.release(version, checkout=checkout, bundle=bundle, **({"when": "2026-01-05"} | options))


def test_the_same_input_gives_the_same_commits(checkout, bundle, tmp_path):
    other = tmp_path / "other.bundle"
    for place in (bundle, other):
        release("1.0.0", checkout, place)
        release("1.1.0", checkout, place, when="2026-02-02")
    assert store.tags(str(bundle)) == store.tags(str(other))
    assert bundle.read_bytes() == other.read_bytes()


def test_a_releases_history_is_listed(checkout, bundle):
    first = release("1.0.0", checkout, bundle, notes="The first.\n\nWith a body.")
    second = release("1.10.0", checkout, bundle, when="2026-02-02")
    release("1.11.0rc1", checkout, bundle, when="2026-02-03")
    listed = templates.released(bundle)
    assert [one.version for one in listed] == ["1.0.0", "1.10.0", "1.11.0rc1"]
    assert listed[:2] == (first, second)
    assert store.newest(str(bundle)) == "1.10.0"


@pytest.mark.parametrize(
    ("version", "options", "said"),
    [
        ("1.1.0", {}, "stays as it is"),
        ("1.0.0", {"recut": True}, "1.1.0 is already released"),
        ("1.0.5", {}, "1.1.0 is already released"),
        ("next", {}, "no version"),
        ("1.2.0", {"when": "someday"}, "no day"),
        ("1.2.0", {"content": "1.1.0"}, "nothing in the template changed"),
    ],
)
def test_a_release_only_appends(checkout, bundle, version, options, said):
    release("1.0.0", checkout, bundle)
    release("1.1.0", checkout, bundle)
    before = bundle.read_bytes()
    with pytest.raises(RequestError, match=said):
        release(version, checkout, bundle, **options)
    assert bundle.read_bytes() == before


def test_a_change_that_was_not_released_is_seen(checkout, bundle):
    assert not templates.is_released(checkout, bundle)
    release("1.0.0", checkout, bundle)
    assert templates.is_released(checkout, bundle)
    (checkout / "templates/new.md").touch()
    assert not templates.is_released(checkout, bundle)


@pytest.mark.parametrize("earlier", [(), ("0.9.0",)])
def test_recut_replaces_the_newest_release(checkout, bundle, earlier):
    for version in earlier:
        release(version, checkout, bundle)
    first = release("1.0.0", checkout, bundle)
    second = release("1.0.0", checkout, bundle, content="better", recut=True)
    assert store.tags(str(bundle))["1.0.0"] == second.commit != first.commit
    assert release("1.0.0", checkout, bundle, recut=True) == first


def test_a_template_that_would_run_code_is_not_released(checkout, bundle):
    (checkout / "copier.yml").write_text(CONFIG + "_tasks: [x]\n")
    with pytest.raises(RenderError, match="_tasks"):
        release("1.0.0", checkout, bundle)
    assert not bundle.exists()


def test_a_checkout_without_a_template_is_refused(bundle, tmp_path):
    with pytest.raises(RequestError, match="development checkout"):
        templates.release("1.0.0", when="2026-01-05", checkout=tmp_path, bundle=bundle)


def test_a_copy_leaves_build_products_behind(checkout, tmp_path):
    store.copy_template(checkout, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy/templates").iterdir()) == [
        ".gitignore",
        "ignored.txt",
    ]


def test_the_store_gets_what_it_lacks_and_keeps_what_is_newer(checkout, bundle, tmp_path):
    release("1.0.0", checkout, bundle)
    older = bundle.read_bytes()
    assert store.ensure(bundle) == store.STORE
    place = Path(store.STORE).expanduser()
    assert place.read_bytes() == older
    release("1.1.0", checkout, bundle)
    store.ensure(bundle)
    assert place.read_bytes() == bundle.read_bytes()
    previous = tmp_path / "older.bundle"
    previous.write_bytes(older)
    store.ensure(previous)
    assert place.read_bytes() == bundle.read_bytes()
    assert [path.name for path in place.parent.iterdir()] == ["templates.bundle"]


def test_a_moved_tag_is_an_error(checkout, bundle):
    release("1.0.0", checkout, bundle)
    store.ensure(bundle)
    release("1.0.0", checkout, bundle, content="other", recut=True)
    with pytest.raises(RenderError, match=r"1\.0\.0 in ~"):
        store.ensure(bundle)


def test_an_unreadable_store_is_replaced(checkout, bundle):
    release("1.0.0", checkout, bundle)
    place = Path(store.STORE).expanduser()
    place.parent.mkdir(parents=True)
    place.write_bytes(b"no bundle")
    store.ensure(bundle)
    assert place.read_bytes() == bundle.read_bytes()


def test_a_home_that_cannot_be_written_is_named(checkout, bundle, tmp_path):
    release("1.0.0", checkout, bundle)
    (tmp_path / "home").write_text("a file where HOME should be\n")
    with pytest.raises(RenderError, match="cannot be written"):
        store.ensure(bundle)


def test_a_package_without_a_release_says_so(tmp_path):
    with pytest.raises(RenderError, match="does not exist"):
        store.ensure(tmp_path / "none.bundle")


def test_versions_of_a_remote_are_its_tags(checkout, bundle, tmp_path):
    """Annotated tags count by the commit that they name."""
    release("1.0.0", checkout, bundle)
    remote = tmp_path / "team.git"
    os.system(
        f"git clone -q --bare {bundle} {remote} && cd {remote}"
        " && git -c user.name=a -c user.email=a@b.invalid tag -a -m team 1.0.0.post1 1.0.0"
    )
    found = store.tags(str(remote))
    assert found["1.0.0.post1"] == found["1.0.0"] == store.tags(str(bundle))["1.0.0"]
    assert store.newest(str(remote)) == "1.0.0.post1"
