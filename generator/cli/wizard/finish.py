"""What a conversation ends with: the command that gives the same repository without one."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.models.request import ASKED, Request


def command(request: Request, naming: Mapping[str, Any], directory: Path | str, *, more: tuple[str, ...] = ()) -> str:
    """The command line that generates the same files: what differs from the defaults, each as its own option."""
    words = ["vllm-wizard", "generate", *_of_request(request), *_of_naming(naming)]
    return shlex.join([*words, *more, "--output-dir", str(directory), "--yes"])


def _of_request(request: Request) -> Iterator[str]:
    for name, field in Request.model_fields.items():
        value = getattr(request, name)
        if value == field.get_default(call_default_factory=True) or ASKED[name].panel is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        yield from (flag,) if value is True else (flag, str(value))
    for name, value in request.overrides.items():
        yield from ("--set", f"{name}={json.dumps(value)}")


def _of_naming(naming: Mapping[str, Any]) -> Iterator[str]:
    for name, flag in (("service", "--service"), ("ci", "--ci")):
        if naming.get(name):
            yield from (flag, str(naming[name]))
    if naming.get("artefacts"):
        yield from ("--emit", ",".join(naming["artefacts"]))
