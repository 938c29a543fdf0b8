"""An update that dies at any of its steps is taken back, or brought to its end, whole: tree and index."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import pytest
from fixtures.deployments import commit, git
from fixtures.processes import forked

from generator.errors import RenderError
from generator.operations.transaction import apply as applying
from generator.operations.transaction import files, index_lock, is_interrupted, journal, recover, undo
from generator.operations.transaction.apply import FileChange, apply
from generator.operations.transaction.journal import head_of
from generator.operations.transaction.lock import locked


class KilledError(BaseException):
    """The process is gone: nothing of it runs after this."""


@pytest.fixture
def place(tmp_path):
    """A repository with a script of the user's, and a file to be changed."""
    root = tmp_path / "place"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "script").write_text("mine\n")
    (root / "script").chmod(0o755)
    (root / "text").write_text("old\n")
    commit(root)
    (tmp_path / "script").write_text("mine\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "text").write_text("new\n")
    (tmp_path / "added").write_text("added\n")
    return root


def changes(place):
    """A conflict that only the index is told of, a changed file, and a new one that is staged."""
    blob = git(place, "hash-object", "-w", "--", str(place.parent / "added")).strip()
    mine = git(place, "rev-parse", "HEAD:script").strip()
    marks = {name: files.mark(place / name) for name in ("script", "text", "added")}
    stages = {"script": (f"100755 {mine} 1", f"100755 {mine} 2"), "added": (f"100644 {blob} 0",)}
    return [FileChange(name, place.parent / name, marks[name], stages.get(name)) for name in marks]


def state(place):
    found = {path.name: (path.read_bytes(), path.stat().st_mode) for path in place.iterdir() if path.is_file()}
    return found, git(place, "ls-files", "--stage")


@pytest.fixture
def died(place, monkeypatch):
    """The states before an update and after it, once it has died at a step."""

    def at(step):
        before = state(place)
        apply(place, "update", head_of(place), changes(place))
        after = state(place)
        undo(place, journal.last(place))
        assert state(place) == before

        def gone(*_):
            raise KilledError

        again = changes(place)
        with monkeypatch.context() as patch:
            patch.setattr(*step, gone)
            with pytest.raises(KilledError):
                apply(place, "update", head_of(place), again)
        assert is_interrupted(place)
        return before, after

    return at


STEPS = [(applying.files, "put"), (applying.files, "late"), (applying.index, "update")]


@pytest.mark.parametrize("finish", [True, False])
@pytest.mark.parametrize("step", STEPS, ids=["first file", "last file", "index"])
def test_what_died_is_whole_afterwards(place, died, step, finish):
    """A conflict that git alone is told of is one after `--continue`, too."""
    before, after = died(step)
    assert recover(place, finish=finish).kept == ()
    assert state(place) == (after if finish else before)


def test_a_copy_that_died_halfway_takes_no_files_place(place, died):
    """Of a file that stays as it is: what lies beside it is no late write of the user's."""
    before, _ = died((applying.files, "late"))
    entry = journal.last(place)
    entry.aside(place, "script").write_text("mi")
    recover(place)
    assert state(place) == before


def test_a_lock_of_the_index_that_died_with_its_process_is_no_lock(place, died, monkeypatch):
    """That of another git command is, and it says so."""
    before, _ = died((applying.index, "update"))
    with index_lock.held(place):
        lock = place / ".git/index.lock"
        lock.rename(place / ".git/left")
    (place / ".git/left").rename(lock)
    recover(place)
    assert not lock.exists()
    assert state(place) == before
    lock.touch()
    monkeypatch.setattr(index_lock, "_ATTEMPTS", 1)
    with pytest.raises(RenderError, match=r"index\.lock is held by another git command"):
        apply(place, "update", head_of(place), changes(place))
    assert state(place) == before


@pytest.fixture
def holder(place):
    """A process that holds the working tree, and a child of its own that has the descriptor for half a second more."""
    reader, writer = os.pipe()

    def hold():
        with locked(place, "update"):
            if not os.fork():
                os.write(writer, b"held")
                time.sleep(0.5)
                os._exit(0)
            time.sleep(60)

    pid = forked(hold)
    os.read(reader, 4)
    yield pid
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def test_what_a_dead_holder_was_starting_is_waited_for(place, holder):
    """Between its start and its first step a git has all descriptors of the update that was killed."""
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    with locked(place, "recovery"):
        assert f'"pid": {os.getpid()}' in (place / ".git/vllm-wizard/lock").read_text()


def test_a_holder_that_lives_is_not_waited_for(place, holder):
    """The second update says at once who holds the tree and since when."""
    began = time.monotonic()
    with (
        pytest.raises(RenderError, match=rf"`vllm-wizard update`, process {holder}, since \d\d:"),
        locked(place, "other"),
    ):
        pass
    assert time.monotonic() - began < 1
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
