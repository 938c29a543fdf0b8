"""confined(): a template that this package does not ship, rendered by a process with limits of time and memory.

A loop in a file, or a number with a million digits, is the end of that process and one line to the user.
"""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from generator import errors
from generator.errors import GeneratorError, RenderError
from generator.rendering import copier_driver, trust
from generator.rendering.answers import ANSWERS_FILE
from generator.sources.plain_yaml import LOADER

_CPU_S, _WALL_S, _MEMORY_BYTES = 6, 120, 4 * 1024**3
"""An update of our own template takes 1 to 2 s of this process, and 0.2 GB."""


def confined(verb: str, history: Path, commits: Sequence[str], arguments: Mapping[str, Any]) -> None:
    """Call `copier_driver.copy` or `.update` in a process of its own; nothing is rendered into a git directory.

    Raises:
        GeneratorError: what the call raised.
        RenderError: it took more than the limits, or the template renders a file of git's own.
    """
    job = {"verb": verb, "history": str(history), "commits": list(commits), "arguments": arguments}
    words = [sys.executable, "-c", f"from {__name__} import main; main()"]
    try:
        done = subprocess.run(  # noqa: S603 - this very interpreter
            words, input=json.dumps(job), capture_output=True, check=False, encoding="utf-8", timeout=_WALL_S
        )
    except subprocess.TimeoutExpired as error:
        raise RenderError(f"the template was not rendered within {_WALL_S} s: it is no use as it stands") from error
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise RenderError(f"the template takes more than {_CPU_S} s of computing: it is no use as it stands")
    try:
        said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise RenderError("the template was not rendered: the process that renders it ended early") from error
    if said:
        kind = getattr(errors, said["error"], RenderError)
        raise kind(said["message"])


def main() -> None:
    """The other process: a job from standard input, what it raised as JSON on standard output."""
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 2))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    said: dict[str, str] = {}
    try:
        perform(job["verb"], Path(job["history"]), job["commits"], job["arguments"])
    except GeneratorError as error:
        said = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        said = {"error": "RenderError", "message": "the template asks for more memory than there is"}
    sys.stdout.write(f"{json.dumps(said)}\n")


def perform(verb: str, history: Path, commits: Sequence[str], arguments: dict[str, Any]) -> None:
    """Do the job, and look at the names that it rendered.

    Raises:
        GeneratorError: what Copier or the planner refused.
        RenderError: the template names a file of git's own; it was not rendered.
    """
    root = Path(arguments.pop("root"))
    found = _inside(root, history, commits)
    getattr(copier_driver, verb)(**{"root" if verb == "update" else "destination": root}, **arguments)
    found = found or _inside(root, history, commits)
    if found:
        raise RenderError(f"the template renders {found[0]} into a directory of git's own, which could run code")


def _inside(root: Path, history: Path, commits: Sequence[str]) -> tuple[str, ...]:
    """Paths of the template that the answers at `root` render into a git directory."""
    try:
        values = yaml.load((root / ANSWERS_FILE).read_bytes(), Loader=LOADER)  # noqa: S506 - both loaders are safe ones
    except (OSError, yaml.YAMLError):
        values = {}
    known = values if isinstance(values, dict) else {}
    context = {str(name): value for name, value in known.items()}
    return tuple(name for commit in commits for name in trust.rendered_into_git(history, commit, context))
