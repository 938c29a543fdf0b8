"""What `doctor` asks of the host: memory, disk, limits, clock, files, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.operations.doctor.examination import (
    MachineCase,
    Said,
    blocker,
    examines,
    in_containers,
    ok,
    on_host,
    on_nvidia,
    unseen,
    warning,
)
from generator.presenting.text import gib_text
from generator.sources.machine.facts import Unseen
from generator.units import ceil_div, gib

if TYPE_CHECKING:
    from generator.sources.machine.facts import UsedPath

_HANDSHAKE = "v1/engine/core.py startup_handshake"
_VISIBLE = "platforms/*"
_OPEN_FILES = 65535
"""Connections and files to which vLLM raises its own limit (vLLM 0.33 utils/system_utils.py: set_ulimit)."""
_LATE_S = 60.0


@examines(concerns=on_host)
def _host_memory(case: MachineCase) -> Said:
    """Memory for the server, its ranks and what they share."""
    linux, needed = case.machine.linux, case.needs.memory_bytes
    if linux.available_bytes is None or not needed:
        return unseen("host memory: the kernel does not tell" if needed else "host memory: the plan records no need")
    said = f"{gib_text(linux.available_bytes)} free, {gib_text(needed)} asked for"
    if linux.available_bytes >= needed:
        return ok(said)
    if (linux.memory_bytes or 0) >= needed:
        return warning(f"{said}, of {gib_text(linux.memory_bytes or 0)}", "stop what holds the rest")
    return blocker(said, "more memory, or fewer ranks on this host")


@examines(concerns=lambda needs: needs.here and not needs.containers, answers=_HANDSHAKE)
def _shared_memory(case: MachineCase) -> Said:
    """What the ranks exchange finds room; Compose gives its containers shared memory of their own."""
    size, needed = case.machine.linux.shm_bytes, case.needs.shm_bytes
    if size is None:
        return unseen("shared memory: there is no /dev/shm")
    said = f"{gib_text(size)} of shared memory, {gib_text(needed)} asked for"
    if size >= needed:
        return ok(said)
    return blocker(said, f"`sudo mount -o remount,size={ceil_div(needed, gib(1))}G /dev/shm`")


@examines(concerns=on_host)
def _disk(case: MachineCase) -> Said:
    """Room for weights, compiled kernels and the image."""
    needs, docker = case.needs, case.machine.docker
    disks = case.machine.linux.disks
    if not disks or not needs.weights_bytes:
        return unseen("disk: the place of the weights is not known")
    image = 0
    if needs.containers and not isinstance(docker, Unseen) and not docker.image:
        image = gib(needs.asks.unpacked_gib)
    needed = image + (0 if needs.local_model else needs.weights_bytes)
    free, place = disks[0].free_bytes, disks[0].path
    said = f"{gib_text(free)} free at {place}, {gib_text(needed)} for {'weights and image' if image else 'weights'}"
    if free >= needed:
        return ok(said)
    if image:  # nothing was fetched here yet
        return blocker(said, "free some, or let Docker keep its data on a larger disk (data-root in daemon.json)")
    return warning(said, "free some, unless the weights are there already")


@examines(concerns=in_containers)
def _readable(case: MachineCase) -> Said:
    """Containers have users of their own, who must read what is mounted."""
    held = [one for one in case.machine.linux.held if one.path in case.needs.shared]
    closed = [one.path for one in held if one.exists and not one.readable]
    if closed:
        return warning(
            f"containers cannot read {', '.join(closed)}", f"`chmod -R o+rX {' '.join(closed)}`; `make up` does it too"
        )
    return ok(f"{', '.join(one.path for one in held)}" if held else "nothing of the repository is mounted")


@examines(concerns=on_host, answers=_VISIBLE)
def _mounted(case: MachineCase) -> Said:
    """What the plan names on this disk is there, open to the engine's user."""
    held = [one for one in case.machine.linux.held if one.path not in case.needs.shared]
    absent = [one.path for one in held if not one.exists]
    if absent:
        return blocker(f"not on this host: {', '.join(absent)}", "copy or mount it there: the plan names this path")
    return _open(held, containers=case.needs.containers)


def _open(held: list[UsedPath], *, containers: bool) -> Said:
    """Whether the engine's user, 2000 of group 0 in the image, may read and write there."""
    closed = [one.path for one in held if not one.readable]
    shut = [one.path for one in held if not one.writable]
    if closed and containers:
        return blocker(f"the engine's user cannot read {closed[0]}", f"`chmod -R o+rX '{closed[0]}'`")
    if shut and containers:
        return blocker(
            f"the engine's user (2000, group 0) cannot write to {shut[0]}",
            f"`sudo chgrp -R 0 '{shut[0]}' && sudo chmod -R g+rwX '{shut[0]}'`",
        )
    return ok(", ".join(one.path for one in held) if held else "nothing beside the Hub's cache")


@examines(concerns=lambda needs: needs.here and (not needs.containers or needs.nodes > 1))
def _limits(case: MachineCase) -> Said:
    """A process may open files enough, and lock memory for a fast network; Docker's containers have its own limits."""
    linux = case.machine.linux
    if linux.open_files is not None and linux.open_files < _OPEN_FILES:
        return warning(
            f"a process may open {linux.open_files:,} files at most",
            f"raise nofile in /etc/security/limits.conf to {_OPEN_FILES}",
        )
    if case.needs.nodes > 1 and linux.locked_bytes is not None:
        return warning(
            f"a process may lock {gib_text(linux.locked_bytes)}, which RDMA between nodes exceeds",
            "memlock unlimited in /etc/security/limits.conf, and `ulimits` in the overlay of Compose",
        )
    return ok("files to open and memory to lock")


@examines(concerns=on_host)
def _clock(case: MachineCase) -> Said:
    """Certificates and tokens are judged by it."""
    linux = case.machine.linux
    if linux.behind_s > _LATE_S:
        return blocker(
            f"the clock is {linux.behind_s:,.0f} s before this deployment's newest file",
            "set it: `sudo timedatectl set-ntp true`; certificates are refused otherwise",
        )
    if linux.synchronized is False:
        return warning("no time service keeps the clock", "`sudo timedatectl set-ntp true`")
    return ok("kept by a time service") if linux.synchronized else unseen("whether a time service keeps the clock")


@examines(concerns=on_host, answers=_HANDSHAKE)
def _loopback(case: MachineCase) -> Said:
    """The engine's processes reach each other."""
    if case.machine.linux.loopback:
        return ok("processes of this host reach each other over 127.0.0.1")
    return blocker("nothing answers over 127.0.0.1", "bring the loopback interface up: `sudo ip link set lo up`")


@examines(concerns=on_nvidia, answers=_VISIBLE)
def _visible_devices(case: MachineCase) -> Said:
    """Nothing in the environment hides a planned GPU."""
    shown = case.machine.linux.visible_devices
    if shown is None or case.needs.containers:
        return ok("CUDA_VISIBLE_DEVICES hides no GPU of it")
    named = [one.strip() for one in shown.split(",") if one.strip()]
    if len(named) >= len(case.needs.gpu_ids):
        return ok(f"CUDA_VISIBLE_DEVICES={shown}")
    return blocker(
        f"CUDA_VISIBLE_DEVICES={shown} shows {len(named)} of {len(case.needs.gpu_ids)} GPUs",
        "`unset CUDA_VISIBLE_DEVICES`, or name as many as are planned",
    )


@examines(concerns=lambda _: True)
def _key(case: MachineCase) -> Said:
    """Clients need a key, and an empty one would let everybody in."""
    if case.needs.key:
        return ok("VLLM_API_KEY is set")
    return warning("VLLM_API_KEY is empty" if case.needs.env else "there is no .env yet", "`make env` makes a key")


@examines(concerns=lambda needs: not needs.local_model)
def _hub_access(case: MachineCase) -> Said:
    """A gated model needs a token, and its licence accepted."""
    needs = case.needs
    own = case.machine.linux.hub_token and not needs.containers
    if not needs.gated:
        return ok("a token is there" if needs.token or own else "not gated; no token is needed")
    if not needs.token and not own:
        return blocker(
            "the model is gated, and there is no token", "accept its licence on the Hub, then HF_TOKEN=... in .env"
        )
    return unseen(
        "the model is gated and a token is there; whether its licence was accepted is the Hub's to say",
        "`make preflight` asks the Hub",
    )


HOST = (
    _host_memory,
    _shared_memory,
    _disk,
    _readable,
    _mounted,
    _limits,
    _clock,
    _loopback,
    _visible_devices,
    _key,
    _hub_access,
)
