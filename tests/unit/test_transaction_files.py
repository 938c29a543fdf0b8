"""One file takes another's place, and nothing that somebody saved in between is lost."""

from __future__ import annotations

import pytest

from generator.operations.transaction import files


@pytest.fixture
def place(tmp_path):
    (tmp_path / "new").write_text("new\n")
    (tmp_path / "target").write_text("old\n")
    return tmp_path


def put(place, source="new", expected="old"):
    path = place / "target"
    known = files.mark(path) if expected == "old" else expected
    return files.put(place / source if source else None, path, known, place / "aside")


@pytest.mark.parametrize(("mode", "source_mode", "result"), [
    (0o644, 0o644, 0o644), (0o600, 0o644, 0o600), (0o755, 0o644, 0o644), (0o644, 0o755, 0o755), (0o700, 0o755, 0o700),
])  # fmt: skip
def test_a_file_is_replaced_and_keeps_who_may_read_it(place, mode, source_mode, result):
    (place / "target").chmod(mode)
    (place / "new").chmod(source_mode)
    assert put(place)
    assert (place / "target").read_text() == "new\n"
    assert (place / "target").stat().st_mode & 0o777 == result
    assert (place / "aside").read_text() == "old\n"


def test_a_new_file_is_as_executable_as_its_source(place):
    (place / "target").unlink()
    (place / "new").chmod(0o755)
    assert put(place, expected=None)
    assert files.mark(place / "target") == files.mark(place / "new")


@pytest.mark.parametrize("source", ["new", None])
def test_a_file_that_changed_stays(place, source):
    before = files.mark(place / "target")
    (place / "target").write_text("mine\n")
    assert not put(place, source, before)
    assert (place / "target").read_text() == "mine\n"
    assert not (place / "aside").exists()


def test_a_file_that_appeared_stays(place):
    assert not put(place, expected=None)
    assert (place / "target").read_text() == "old\n"


def test_a_file_that_is_saved_between_the_look_and_the_exchange_stays(place, monkeypatch):
    exchange = files._exchange  # noqa: SLF001 - the moment in between is inside

    def saved_first(one, other):
        monkeypatch.setattr(files, "_exchange", exchange)
        (place / "target").write_text("mine\n")
        exchange(one, other)

    monkeypatch.setattr(files, "_exchange", saved_first)
    assert not put(place)
    assert (place / "target").read_text() == "mine\n"
    assert not (place / "aside").exists()


def test_what_is_written_late_into_the_old_file_is_put_back(place):
    before = files.mark(place / "target")
    with (place / "target").open("a") as editor:
        assert put(place)
        editor.write("mine\n")
    assert files.late(place / "aside", place / "target", before, files.mark(place / "new"))
    assert (place / "target").read_text() == "old\nmine\n"


def test_a_system_without_an_exchange_does_the_same(place, monkeypatch):
    def unsupported(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(files, "_rename", unsupported)
    assert put(place)
    assert ((place / "target").read_text(), (place / "aside").read_text()) == ("new\n", "old\n")


def test_links_are_marked_by_where_they_lead(place):
    (place / "link").symlink_to("target")
    assert files.mark(place / "link") != files.mark(place / "target")
    assert files.mark(place / "nothing") is None
    assert files.mark(place) == "other:"


@pytest.mark.parametrize("step", [1, 2])
def test_an_exchange_that_dies_between_its_steps_is_ended(place, monkeypatch, step):
    """On a system without a single step; a kill after the first leaves nothing in the file's place."""
    (place / "target").rename(place / "aside-")
    (place / "new").rename(place / ("aside" if step == 1 else "target"))
    files.end_exchange(place / "aside", place / "target")
    found = {path.name: path.read_text() for path in place.iterdir()}
    assert found == ({"target": "old\n", "aside": "new\n"} if step == 1 else {"target": "new\n", "aside": "old\n"})
