"""What `doctor` asks of Docker, and of a vLLM that runs without it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from generator.operations.doctor.examination import (
    MachineCase,
    Said,
    blocker,
    examines,
    in_containers,
    ok,
    on_host,
    unseen,
    warning,
)
from generator.presenting.text import plural
from generator.sources.machine.facts import Docker, Unseen

if TYPE_CHECKING:
    from generator.operations.doctor.needs import NodeNeeds

_DEVICE = "v1/worker/* init_device"
_PACKAGES = "model_executor/models/* install"
_COMPOSE = (2, 20)
"""Compose that reads every key of the rendered file; merging overlays with `!override` needs 2.24."""
_INSTALL = "install Docker Engine: https://docs.docker.com/engine/install/"


@examines(concerns=in_containers)
def _docker(case: MachineCase) -> Said:
    """Docker Engine answers this user."""
    docker = case.machine.docker
    if not isinstance(docker, Unseen):
        return ok(f"Docker Engine {docker.version}")
    denied = "permission denied" in docker.why.lower()
    serves = case.serves_here or not isinstance(case.machine.driver, Unseen)
    if not serves and not denied:
        return unseen(f"Docker: {docker.why}", "run `vllm-wizard doctor` on the host that is to serve")
    return blocker(
        f"Docker does not answer: {docker.why}",
        "`sudo usermod -aG docker $USER`, then log in again" if denied else f"{_INSTALL}, and start it",
    )


@examines(concerns=in_containers)
def _compose(case: MachineCase) -> Said:
    """The Compose plugin reads the rendered file."""
    docker = case.machine.docker
    if isinstance(docker, Unseen):
        return unseen("Compose: Docker does not answer")
    if docker.compose is None:
        return blocker(
            "Docker has no Compose plugin",
            "install docker-compose-plugin, or `make up DOCKER_COMPOSE=docker-compose` with a Compose of version 2",
        )
    numbers = tuple(int(one) for one in re.findall(r"\d+", docker.compose)[:2])
    if numbers and numbers < _COMPOSE:
        least = ".".join(map(str, _COMPOSE))
        return blocker(f"Compose {docker.compose} is older than {least}", "upgrade docker-compose-plugin")
    return ok(f"Compose {docker.compose}")


@examines(concerns=lambda needs: needs.containers and not needs.rocm, answers=_DEVICE)
def _container_toolkit(case: MachineCase) -> Said:
    """Containers are given GPUs."""
    docker = case.machine.docker
    if isinstance(docker, Unseen):
        return unseen("NVIDIA's container toolkit: Docker does not answer")
    if docker.toolkit:
        return ok("NVIDIA's container toolkit is there")
    return blocker(
        "NVIDIA's container toolkit is not there, so that no container gets a GPU",
        "install nvidia-container-toolkit, `sudo nvidia-ctk runtime configure --runtime=docker`, and restart Docker",
    )


@examines(concerns=in_containers)
def _image(case: MachineCase) -> Said:
    """The image is there, or what will be fetched."""
    docker = case.machine.docker
    if isinstance(docker, Unseen):
        return unseen("the image: Docker does not answer")
    if docker.image:
        return ok(f"{case.needs.image} is here")
    return warning(
        f"{case.needs.image} is not here: the first start fetches it",
        f"`docker pull {case.needs.image}` before, or load it from a mirror",
    )


@examines(concerns=on_host)
def _port(case: MachineCase) -> Said:
    """Nobody else answers where clients will ask."""
    needs, docker = case.needs, case.machine.docker
    if needs.port is None:
        return blocker("the port in .env is no number", "write PORT=8080, or another number, into .env")
    containers = () if isinstance(docker, Unseen) else docker.containers
    owners = [one for one in containers if needs.port in one.ports]
    if any(needs.service in {one.project, one.name} for one in owners):
        return ok(f"port {needs.port} is this deployment's own")
    if owners or case.machine.linux.port_taken:
        name = "PORT" if needs.containers else "SCRIPT_PORT"
        whose = f" by {owners[0].name}" if owners else ""
        return blocker(
            f"port {needs.port} is taken{whose}", f"{name}={needs.port + 1} in .env, or stop what listens there"
        )
    return ok(f"{needs.address}:{needs.port} is free")


@examines(concerns=in_containers)
def _other_deployments(case: MachineCase) -> Said:
    """No other container has the same GPUs."""
    docker, asked = case.machine.docker, case.needs.gpu_ids
    if isinstance(docker, Unseen):
        return unseen("other deployments: Docker does not answer")
    own = case.needs.service
    others = [one for one in docker.containers if one.gpus and own not in {one.project, one.name}]
    for other in others:
        both = [one for one in asked if one in other.gpus or "all" in other.gpus]
        if both:
            return blocker(
                f"{other.name} has GPU {', '.join(both)} as well",
                f"give this one others in .env: {_free(case.needs, docker)}",
            )
    return ok(f"{plural(len(others), 'other container')} with a GPU, none shared" if others else "none has a GPU")


def _free(needs: NodeNeeds, docker: Docker) -> str:
    """How `.env` names GPUs that no container has."""
    held = {gpu for one in docker.containers for gpu in one.gpus}
    numbers = (number for number in map(str, range(64)) if number not in held)
    return " ".join(f"GPU_{place}={next(numbers)}" for place, _ in enumerate(needs.gpu_ids))


@examines(concerns=lambda needs: needs.here and not needs.containers, answers=_PACKAGES)
def _installed_vllm(case: MachineCase) -> Said:
    """Without containers, this environment has the planned vLLM and what the model's class imports."""
    found, planned = case.machine.linux.vllm, case.needs.release
    if found is None:
        return unseen("no `vllm` is on the PATH", f"`pip install vllm=={planned}`, or use scripts/docker-run.sh")
    if found.partition("+")[0] == planned:
        return ok(f"vLLM {found}; `make preflight` imports the model's class with all that it needs")
    return warning(
        f"vLLM {found} is installed, {planned} is planned",
        f"`pip install vllm=={planned}`, or `vllm-wizard update --vllm {found.partition('+')[0]}`",
    )


@examines(concerns=in_containers, answers=_PACKAGES)
def _packages(case: MachineCase) -> Said:
    """Whether the image has what the model's class imports is the image's to say."""
    return unseen(
        f"what {case.needs.architecture or 'the model'} imports beside vLLM lies in the image",
        "`make preflight` asks it, without a GPU and without weights",
    )


ENGINE = (_docker, _compose, _container_toolkit, _image, _packages, _installed_vllm, _port, _other_deployments)
