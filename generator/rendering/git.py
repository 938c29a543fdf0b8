"""git(): one git process at a time, in an environment that the caller's own git cannot bend."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from generator.errors import RenderError

_BENDS = frozenset(
    f"GIT_{name}"
    for name in (
        "DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES",
        "NAMESPACE", "PREFIX", "CONFIG", "CONFIG_PARAMETERS", "GRAFT_FILE", "IMPLICIT_WORK_TREE",
        "NO_REPLACE_OBJECTS", "REPLACE_REF_BASE", "SHALLOW_FILE", "EXTERNAL_DIFF", "DIFF_OPTS",
        "LITERAL_PATHSPECS", "GLOB_PATHSPECS", "NOGLOB_PATHSPECS", "ICASE_PATHSPECS", "DEFAULT_HASH",
    )
)  # fmt: skip
"""Variables that git exports to hooks or that change what it reads (`git rev-parse --local-env-vars`)."""
_TELLING = ("! [", "fatal:", "error:")
_LONGEST_LINE = 400
"""It quotes what a stranger sent."""
_SLOW_BYTES_PER_S, _SLOW_S = 1000, 30
_LONGEST_S = 900
"""No template takes a quarter of an hour, however slow the line."""
_SETTINGS = {"status.showUntrackedFiles": "all", "core.hooksPath": os.devnull, "advice.detachedHead": "false"}
"""Without the first, Copier overwrites a conflicting edit; with a failing hook, it cannot even copy."""

_NO_LOCKS = {"GIT_OPTIONAL_LOCKS": "0"}
"""A look at a tree writes nothing: one that dies leaves no lock."""


@contextmanager
def fetching() -> Iterator[None]:
    """An environment where git gives up a download that stalls, and reads no address as a command."""
    before = dict(os.environ)
    os.environ.setdefault("GIT_HTTP_LOW_SPEED_LIMIT", str(_SLOW_BYTES_PER_S))
    os.environ.setdefault("GIT_HTTP_LOW_SPEED_TIME", str(_SLOW_S))
    os.environ.setdefault("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def isolated() -> Iterator[None]:
    """An environment where git finds its repository by directory, runs no hook and shows untracked files.

    Credentials, proxies, identities and the caller's own `GIT_CONFIG_COUNT` entries stay.
    """
    before = dict(os.environ)
    for name in _BENDS & before.keys():
        del os.environ[name]
    os.environ.update(_appended(before) | _NO_LOCKS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def git(
    *arguments: str, at: Path, accept: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None, stdin: str = ""
) -> str:
    """What git printed, run in directory `at` with `stdin` to read.

    Raises:
        RenderError: git is missing, or ended with a status outside `accept`; carries its last line.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            ["git", *arguments],  # noqa: S607 - the git that Copier runs too
            cwd=at,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
            env=os.environ | (env or {}),
            input=stdin,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise RenderError(f"git {_verb(arguments)}: no end after {_LONGEST_S // 60} minutes: try again") from error
    except FileNotFoundError as error:
        raise RenderError("git was not found: install git and run this again") from error
    if done.returncode not in accept:
        raise RenderError(f"git {_verb(arguments)}: {telling_line(done.stderr) or done.returncode}")
    return done.stdout


def _verb(arguments: tuple[str, ...]) -> str:
    """The subcommand behind git's own `-c` options."""
    return next(word for before, word in pairwise(("", *arguments)) if "-c" not in {before, word})


def telling_line(text: str) -> str:
    """The line of git's words that says what is wrong, or the last that says anything; advice comes after it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith(_TELLING)), lines[-1] if lines else "")[:_LONGEST_LINE]


def _appended(environment: Mapping[str, str]) -> dict[str, str]:
    """`_SETTINGS` behind the configuration entries that the environment already holds."""
    count = environment.get("GIT_CONFIG_COUNT", "")
    start = int(count) if count.isdecimal() else 0
    entries = {"GIT_CONFIG_COUNT": str(start + len(_SETTINGS))}
    for index, (key, value) in enumerate(_SETTINGS.items(), start):
        entries |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return entries
