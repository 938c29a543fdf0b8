"""What a program of this machine prints, where it is there and answers in time."""

import json
import shutil
import subprocess
from typing import Any

from generator.sources.machine.facts import Unseen

_WAITS_S = 15


def said(*words: str, limit_s: float = _WAITS_S) -> str | Unseen:
    """Standard output of a command; why there is none where it is absent, fails, or does not end in time."""
    program = shutil.which(words[0])
    if program is None:
        return Unseen(why=f"{words[0]} is not on the PATH")
    try:
        done = subprocess.run(  # noqa: S603 - words of our own
            [program, *words[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Unseen(why=f"`{' '.join(words[:3])}` did not answer within {limit_s:.0f} s", broken=True)
    except OSError as error:
        return Unseen(why=f"`{words[0]}` cannot be started: {error.strerror}", broken=True)
    if done.returncode:
        return Unseen(why=_last(done.stderr) or f"`{' '.join(words[:3])}` failed", broken=True)
    return done.stdout


def answered(*words: str, limit_s: float = _WAITS_S) -> Any | Unseen:
    """The JSON that a command prints."""
    text = said(*words, limit_s=limit_s)
    if isinstance(text, Unseen):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return Unseen(why=f"`{' '.join(words[:3])}` printed no JSON", broken=True)


def _last(text: str) -> str:
    """The last line that says something: what a program ends with is what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
