"""docker(): Docker Engine, its Compose plugin, NVIDIA's toolkit, the image, and what else runs on this host."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.sources.machine.facts import Container, Docker, Unseen
from generator.sources.machine.programs import answered, said

_TOOLS = ("nvidia-ctk", "nvidia-container-runtime-hook", "nvidia-container-runtime", "nvidia-container-cli")
_CDI = (Path("/etc/cdi"), Path("/var/run/cdi"))


def docker(image: str) -> Docker | Unseen:
    """What Docker Engine says; the part of it that cannot be asked counts as absent."""
    info = answered("docker", "info", "--format", "{{json .}}")
    if isinstance(info, Unseen):
        return info
    if not isinstance(info, dict) or info.get("ServerErrors"):
        errors = info.get("ServerErrors") if isinstance(info, dict) else None
        return Unseen(why=str((errors or ["Docker Engine does not answer"])[0]), broken=True)
    compose = said("docker", "compose", "version", "--short")
    return Docker(
        version=str(info.get("ServerVersion") or "?"),
        compose=None if isinstance(compose, Unseen) else compose.strip().removeprefix("v"),
        toolkit=_toolkit(info),
        root=str(info.get("DockerRootDir") or "/var/lib/docker"),
        image=not isinstance(said("docker", "image", "inspect", "--format", "{{.Id}}", image), Unseen),
        containers=tuple(_containers()),
    )


def _toolkit(info: Mapping[str, Any]) -> bool:
    """Whether Docker has the runtime, a CDI description of the GPUs, or finds the toolkit's programs."""
    runtimes = info.get("Runtimes") or {}
    described = any(list(place.glob("*nvidia*")) for place in _CDI if place.is_dir())
    return "nvidia" in runtimes or described or any(shutil.which(name) for name in _TOOLS)


def _containers() -> Iterator[Container]:
    """Every running container; none where they cannot be listed."""
    listed = said("docker", "ps", "--quiet", "--no-trunc")
    if isinstance(listed, Unseen) or not listed.split():
        return
    described = answered("docker", "inspect", *listed.split())
    for one in described if isinstance(described, list) else []:
        yield _container(one)


def _container(one: Mapping[str, Any]) -> Container:
    host = one.get("HostConfig") or {}
    bindings = (host.get("PortBindings") or {}).values()
    ports = [str(bound.get("HostPort")) for listed in bindings for bound in listed or []]
    labels = (one.get("Config") or {}).get("Labels") or {}
    return Container(
        name=str(one.get("Name", "?")).removeprefix("/"),
        project=str(labels.get("com.docker.compose.project", "")),
        ports=tuple(int(port) for port in ports if re.fullmatch(r"\d+", port)),
        gpus=tuple(_gpus(host)),
    )


def _gpus(host: Mapping[str, Any]) -> Iterator[str]:
    for request in host.get("DeviceRequests") or []:
        named = request.get("DeviceIDs") or []
        if "gpu" in {word for group in request.get("Capabilities") or [] for word in group}:
            yield from map(str, named)
            if not named:
                yield "all"
