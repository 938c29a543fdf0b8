"""Directories of processes that died: gone with the next command, at whatever step of their making that was."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from generator.rendering import workspace as making
from generator.rendering.workspace import PREFIX, clear, is_dead, workspace


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@pytest.mark.parametrize("hidden", ["", "."])
def test_one_without_a_mark_is_its_makers(tmp_path, gone, hidden):
    """Its process died before it could say whose it is: the name says it."""
    for maker in (gone, os.getpid()):
        (tmp_path / f"{hidden}{PREFIX}{maker}-x").mkdir()
    clear(tmp_path, f"{hidden}{PREFIX}")
    assert [path.name for path in tmp_path.iterdir()] == [f"{hidden}{PREFIX}{os.getpid()}-x"]


def test_one_of_an_older_version_without_a_mark_has_ten_minutes(tmp_path):
    place = tmp_path / f"{PREFIX}abcdefgh"
    place.mkdir()
    assert not is_dead(place)
    os.utime(place, (0, 0))
    assert is_dead(place)


def test_one_in_use_is_not_dead(tmp_path):
    """Its own process holds the mark, whatever another asks."""
    with workspace(tmp_path) as place:
        assert place.name.startswith(f".{PREFIX}{os.getpid()}-")
        assert not is_dead(place)
        clear(tmp_path, f".{PREFIX}")
        assert place.is_dir()
    assert not place.exists()


def test_one_that_died_while_it_was_marked_goes(tmp_path, monkeypatch):
    """The step between the directory and its mark, of a process that ends there."""

    def dies(_):
        os._exit(0)

    monkeypatch.setattr(making, "_mark", dies)
    pid = os.fork()
    if not pid:
        with workspace(tmp_path):
            pass
    os.waitpid(pid, 0)
    assert len(list(tmp_path.iterdir())) == 1
    clear(tmp_path, f".{PREFIX}")
    assert list(tmp_path.iterdir()) == []
