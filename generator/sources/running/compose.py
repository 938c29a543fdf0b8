"""A Compose file: the service that runs vLLM, and everything beside it."""

import shlex
from collections.abc import Mapping
from typing import Any

from generator.errors import SourceError
from generator.models.running import ImportNote, Running
from generator.sources.running.shell import container_words, expanded, published

_OURS = {
    "image": "the plan's release; VLLM_IMAGE in .env takes another",
    "build": "the plan's image; VLLM_IMAGE in .env takes yours",
    "container_name": "Compose names it after the project",
    "runtime": "the GPUs are reserved, which chooses the runtime",
    "ipc": "shm_size holds what the ranks share",
    "shm_size": "the plan's",
    "healthcheck": "the plan's, with the time that a start takes",
    "restart": "unless-stopped",
    "user": "the image's unprivileged user",
    "deploy": "the plan's GPUs",
    "gpus": "the plan's GPUs",
    "privileged": "no privileges are needed",
    "network_mode": "the project's own network: the gateway is what is published",
    "stop_grace_period": "the plan's, long enough for running answers",
    "init": "on",
    "cap_add": "no capability is needed",
    "security_opt": "no-new-privileges is on",
    "logging": "rotated",
}
_READ = frozenset({"command", "entrypoint", "environment", "volumes", "ports", "env_file", "expose", "profiles"})


def compose(content: Mapping[str, Any], variables: Mapping[str, str]) -> Running:
    """The server of a Compose file; `variables` are those of the .env beside it.

    Raises:
        SourceError: no service runs vLLM, or several do.
    """
    services = content.get("services") or {}
    chosen = [name for name, one in services.items() if isinstance(one, dict) and _is_vllm(one)]
    if len(chosen) != 1:
        named = f"several services run vLLM ({', '.join(chosen)}): leave one" if chosen else "no service runs vLLM"
        raise SourceError(f"{named} in this Compose file")
    name = chosen[0]
    service = services[name]
    environment = {key: expanded(value, variables) for key, value in _mapping(service.get("environment")).items()}
    ports = [_port(one, variables) for one in service.get("ports") or ()]
    ids, count = _gpus(service, environment)
    words = container_words(
        _listed(service.get("entrypoint")), _listed(service.get("command")), {**variables, **environment}
    )
    return Running(
        words=words,
        image=expanded(str(service.get("image", "")), variables),
        environment=environment,
        gpu_ids=ids,
        gpus=count,
        mounts=tuple(pair for pair in (_mount(one, variables) for one in service.get("volumes") or ()) if pair),
        published=next(filter(None, ports), None),
        service=name,
        compose=_overlay(content, name),
        notes=_notes(service),
    )


def _is_vllm(service: Mapping[str, Any]) -> bool:
    started = " ".join([*_listed(service.get("entrypoint")), *_listed(service.get("command"))])
    image = str(service.get("image", "")).rsplit("/", 1)[-1]
    return "vllm" in image or "vllm serve" in started or "vllm.entrypoints" in started


def _overlay(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the rendered file has no place for: other services and settings of vLLM's, under its new name."""
    services = {
        other: _waiting_for_vllm(one, name)
        for other, one in content["services"].items()
        if other != name and isinstance(one, dict)
    }
    own = {key: value for key, value in content["services"][name].items() if key not in _OURS.keys() | _READ}
    if "networks" in own or (services and name != "vllm"):
        own["networks"] = _networks(own.get("networks"), name)
    services |= {"vllm": own} if own else {}
    rest = {key: value for key, value in content.items() if key in ("networks", "secrets", "configs") and value}
    volumes = {key: value for key, value in (content.get("volumes") or {}).items() if _used(services, key)}
    return ({"services": services} if services else {}) | rest | ({"volumes": volumes} if volumes else {})


def _networks(given: Any, name: str) -> dict[str, Any]:
    """The networks of the service, the project's own among them: the gateway is there, and asks for `vllm`."""
    stated = given if isinstance(given, dict) else dict.fromkeys(given or ())
    aliases = {"aliases": [name]}
    return {one: {**(how or {}), **aliases} for one, how in {"default": None, **stated}.items()}


def _waiting_for_vllm(service: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Another service, which waits for `vllm` where it waited for the old name."""
    waits = service.get("depends_on")
    if isinstance(waits, list):
        return {**service, "depends_on": ["vllm" if one == name else one for one in waits]}
    if isinstance(waits, dict):
        return {**service, "depends_on": {("vllm" if one == name else one): how for one, how in waits.items()}}
    return dict(service)


def _used(services: Mapping[str, Any], volume: str) -> bool:
    mounts = [str(one) for service in services.values() for one in service.get("volumes") or ()]
    return any(volume in one for one in mounts)


def _notes(service: Mapping[str, Any]) -> tuple[ImportNote, ...]:
    replaced = [ImportNote(kind="changed", what=name, why=why) for name, why in _OURS.items() if name in service]
    kept = [ImportNote(kind="overlay", what=name) for name in service if name not in _OURS.keys() | _READ]
    files = (
        [ImportNote(kind="left out", what="env_file", why="its lines belong into .env")]
        if "env_file" in service
        else []
    )
    return (*replaced, *kept, *files)


def _gpus(service: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[tuple[str, ...], int]:
    resources = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    asked = service.get("gpus")
    devices = [*(resources.get("devices") or ()), *(asked if isinstance(asked, list) else ())]
    for device in devices:
        ids = tuple(map(str, device.get("device_ids") or ()))
        count = device.get("count")
        if ids or isinstance(count, int):
            return ids, len(ids) or int(count or 0)
    seen = environment.get("NVIDIA_VISIBLE_DEVICES") or environment.get("CUDA_VISIBLE_DEVICES") or ""
    ids = tuple(part for part in seen.split(",") if part not in ("", "all", "void", "none"))
    return ids, len(ids)


def _mapping(given: Any) -> dict[str, str]:
    pairs = given.items() if isinstance(given, dict) else (str(one).partition("=")[::2] for one in given or ())
    return {str(key): "" if value is None else str(value) for key, value in pairs}


def _listed(given: Any) -> list[str]:
    if isinstance(given, str):
        return shlex.split(given.replace("\n", " "))
    return [str(one) for one in given or ()]


def _port(port: Any, variables: Mapping[str, str]) -> tuple[str, int] | None:
    if isinstance(port, dict):
        address = str(port.get("host_ip", "0.0.0.0"))  # noqa: S104 - what Compose means by leaving it out
        return published(f"{address}:{port.get('published', port.get('target'))}:{port.get('target')}")
    return published(expanded(str(port), variables))


def _mount(volume: Any, variables: Mapping[str, str]) -> tuple[str, str] | None:
    if isinstance(volume, dict):
        return (str(volume.get("source", "")), str(volume["target"])) if "target" in volume else None
    parts = expanded(str(volume), variables).split(":")
    return (parts[0], parts[1]) if len(parts) > 1 else None
