"""Files of sections that start a server: Podman's Quadlet units and supervisord's programs."""

import re
from collections.abc import Mapping

from generator.models.running import Running
from generator.sources.running.shell import docker_run, script, split

_SECTION = re.compile(r"^\[(.+)\]\s*$")
_OPTIONS = {
    "ContainerName": "--name",
    "PublishPort": "-p",
    "Volume": "-v",
    "ShmSize": "--shm-size",
    "AddDevice": "--device",
}
"""Keys of a Quadlet's [Container] and the option of `podman run` that each stands for (podman-systemd.unit)."""
_PAIR = re.compile(r"(\w+)=(\"[^\"]*\"|'[^']*'|[^,]*),?")
"""A variable in supervisord's `environment`."""


def sections(text: str) -> dict[str, list[tuple[str, str]]]:
    """Keys and values of each section, in their order; continued lines are one."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        header = _SECTION.match(line.strip())
        if header:
            name = header[1]
        elif name and "=" in line and line.lstrip()[:1] not in ("#", ";"):
            key, _, value = line.partition("=")
            found.setdefault(name, []).append((key.strip(), value.strip()))
    return found


def of_sections(text: str, variables: Mapping[str, str]) -> Running | None:
    """The server of a Quadlet unit or of a supervisord program; None where the text is neither.

    Raises:
        SourceError: it is one, and starts no vLLM.
    """
    found = sections(text)
    if "Container" in found:
        return _quadlet(found["Container"], variables)
    programs = [keys for name, keys in found.items() if name.startswith("program:") and "vllm" in str(keys)]
    return _program(programs[0], variables) if programs else None


def _quadlet(keys: list[tuple[str, str]], variables: Mapping[str, str]) -> Running:
    words: list[str] = []
    for key, value in keys:
        plain = value.replace("%h", "~")
        words += [_OPTIONS[key], plain] if key in _OPTIONS else []
        words += [word for one in split(value) for word in ("-e", one)] if key == "Environment" else []
    held = dict(keys)
    entrypoint = ["--entrypoint", held["Entrypoint"]] if "Entrypoint" in held else []
    return docker_run([*words, *entrypoint, held.get("Image", ""), *split(held.get("Exec", ""))], variables)


def _program(keys: list[tuple[str, str]], variables: Mapping[str, str]) -> Running:
    held = dict(keys)
    pairs = {name: value.strip("\"'") for name, value in _PAIR.findall(held.get("environment", ""))}
    return script(held.get("command", ""), {**variables, **pairs})
