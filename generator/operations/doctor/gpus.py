"""What `doctor` asks of the driver and its GPUs."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

from generator.catalogue.gpus import gpu_by_nvml
from generator.errors import UnknownFactError
from generator.operations.doctor.examination import MachineCase, Said, blocker, examines, ok, on_nvidia, unseen, warning
from generator.presenting.text import gib_text, plural
from generator.sources.machine.facts import Driver, Unseen

if TYPE_CHECKING:
    from generator.sources.machine.facts import Health
    from generator.sources.nvml import DetectedGPU

_DEVICE = "v1/worker/* init_device"
_VISIBLE = "platforms/*"
_FREE = "v1/worker/utils.py request_memory"
_WORKSTATION = re.compile("GeForce|RTX|TITAN|Quadro")
"""In the names of cards for which NVIDIA gives no forward compatibility."""
_NEAR = 0.01
"""Share by which totals of one model differ between drivers."""


def _seen(case: MachineCase) -> Driver | Said:
    """The driver; what is said where there is none."""
    driver = case.machine.driver
    if not isinstance(driver, Unseen):
        return driver
    why, _, fix = driver.why.partition(": ")
    if driver.broken or case.serves_here:
        return blocker(why, fix or "install NVIDIA's driver")
    return unseen(why, "run `vllm-wizard doctor` on the host that is to serve")


def _chosen(case: MachineCase, driver: Driver) -> tuple[DetectedGPU, ...]:
    """The GPUs that the deployment takes, as far as the driver shows them."""
    asked = case.needs.gpu_ids
    return tuple(gpu for gpu in driver.system.gpus if str(gpu.index) in asked or gpu.uuid in asked)


@examines(concerns=on_nvidia, answers=_DEVICE)
def _driver(case: MachineCase) -> Said:
    """The driver runs the CUDA of the image."""
    driver = _seen(case)
    if isinstance(driver, Said):
        return driver
    system, asks = driver.system, case.needs.asks
    major = system.driver_version.partition(".")[0]
    branch = int(major) if major.isdigit() else 0
    said = f"driver {system.driver_version} (CUDA {system.cuda_version}); the image has CUDA {asks.cuda}"
    if branch >= asks.driver:
        return ok(said)
    fix = f"install a driver of branch {asks.driver} or newer"
    if branch >= asks.compatible and not any(_WORKSTATION.search(gpu.name) for gpu in system.gpus):
        return warning(
            f"{said}: older than {asks.driver}, it runs by CUDA's forward compatibility alone",
            f"{fix}, or see that the container toolkit is 1.17 or newer",
        )
    return blocker(f"{said}, which needs {asks.driver} or newer", fix)


@examines(concerns=on_nvidia, answers=_VISIBLE)
def _gpu_count(case: MachineCase) -> Said:
    """Every GPU that the launchers name is there."""
    driver = _seen(case)
    if isinstance(driver, Said):
        return unseen("the GPUs: no driver answers")
    shown, asked = driver.system.gpus, case.needs.gpu_ids
    there = {str(gpu.index) for gpu in shown} | {gpu.uuid for gpu in shown}
    absent = [one for one in asked if one not in there]
    if not absent:
        return ok(f"GPU {', '.join(asked)} of {plural(len(shown), 'GPU')}")
    if len(shown) < len(asked):
        return blocker(
            f"{plural(len(asked), 'GPU')} planned, {len(shown)} here",
            f"`vllm-wizard update --gpus {len(shown)}` plans for what is here",
        )
    free = [str(gpu.index) for gpu in shown if str(gpu.index) not in asked]
    return blocker(
        f"GPU {', '.join(absent)} is not here; there are {', '.join(str(gpu.index) for gpu in shown)}",
        f"name others in .env, like GPU_{absent[0] if absent[0].isdigit() else 0}={free[0] if free else 0}",
    )


@examines(concerns=on_nvidia, answers=_VISIBLE)
def _gpu_names(case: MachineCase) -> Said:
    """They are the planned kind, all of one kind."""
    driver = _seen(case)
    if isinstance(driver, Said):
        return unseen("the GPUs' names: no driver answers")
    names = sorted({gpu.name for gpu in _chosen(case, driver) or driver.system.gpus})
    if len(names) > 1:
        return blocker(
            f"the GPUs differ ({', '.join(names)}), and one replica needs one kind",
            "choose GPUs of one kind in .env (GPU_0=...), and plan for those: `vllm-wizard update --gpu NAME`",
        )
    planned, known = case.needs.gpu_names, _known(driver)
    if not planned or names[0] in planned or known == case.needs.gpu:
        return ok(names[0])
    return blocker(
        f"{names[0]} is here, the plan is for {case.needs.gpu}",
        f"`vllm-wizard update --gpu {known or 'auto'}` plans for it",
    )


def _known(driver: Driver) -> str:
    """The table's name of the GPU that is here; empty where it has none."""
    gpu = driver.system.gpus[0]
    try:
        return gpu_by_nvml(gpu.name, gpu.memory_total_bytes or 0).name
    except UnknownFactError:
        return ""


@examines(concerns=on_nvidia, answers=_DEVICE)
def _gpu_capability(case: MachineCase) -> Said:
    """Kernels were planned for this compute capability."""
    driver, planned = _seen(case), case.needs.capability
    if isinstance(driver, Said) or planned is None:
        return unseen("the GPUs' compute capability" + ("" if planned is None else ": no driver answers"))
    other = sorted({gpu.capability.words for gpu in _chosen(case, driver) if gpu.capability != planned})
    if not other:
        return ok(f"compute capability {planned.words}")
    return blocker(
        f"compute capability {', '.join(other)} here, {planned.words} planned",
        "plan for these GPUs: `vllm-wizard update --gpu NAME`",
    )


@examines(concerns=on_nvidia, answers=_DEVICE)
def _gpu_memory(case: MachineCase) -> Said:
    """Each has the memory that the plan divided."""
    driver, planned = _seen(case), case.needs.gpu_bytes
    if isinstance(driver, Said) or planned is None:
        return unseen("the GPUs' memory" + ("" if planned is None else ": no driver answers"))
    totals = [gpu.memory_total_bytes for gpu in _chosen(case, driver) if gpu.memory_total_bytes]
    if not totals:
        return unseen("the GPUs' memory: NVML reports none (one memory for GPU and CPU)")
    said = f"{gib_text(min(totals))} each, {gib_text(planned)} planned"
    if min(totals) >= planned * (1 - _NEAR):
        return ok(said)
    gigabytes = f"{min(totals) / 1024**3:.1f}"
    return blocker(said, f"plan for what is here: `vllm-wizard update --gpu custom --vram-gb {gigabytes}`")


@examines(concerns=on_nvidia, answers=_FREE)
def _gpu_free(case: MachineCase) -> Said:
    """Enough of it is free before vLLM looks; others that hold some are named."""
    driver, needed = _seen(case), case.needs.needed_bytes
    if isinstance(driver, Said) or needed is None:
        return unseen("free memory of the GPUs" + ("" if needed is None else ": no driver answers"))
    if _runs_already(case):
        return ok("this deployment holds its GPUs already")
    health = {one.index: one for one in driver.health}
    short = [gpu for gpu in _chosen(case, driver) if gpu.memory_total_bytes and _free(gpu) < needed]
    if not short:
        return ok(f"{gib_text(needed)} asked for on each, free everywhere")
    worst = min(short, key=_free)
    used = (worst.memory_used_bytes or 0) / 1024**3
    return blocker(
        f"GPU {worst.index} has {gib_text(_free(worst))} free, vLLM asks for {gib_text(needed)}"
        f"{_held_by(health.get(worst.index))}",
        f"stop what holds it, or plan beside it: `vllm-wizard update --reserve-gb {used + 0.05:.1f}`",
    )


def _free(gpu: DetectedGPU) -> int:
    return (gpu.memory_total_bytes or 0) - (gpu.memory_used_bytes or 0)


def _runs_already(case: MachineCase) -> bool:
    docker = case.machine.docker
    return not isinstance(docker, Unseen) and any(
        case.needs.service in {one.project, one.name} for one in docker.containers
    )


def _held_by(health: Health | None) -> str:
    """Who holds memory there, by name where the kernel shows it."""
    holders = health.holders if health else ()
    names = [
        f"{one.name or 'a process'}{f' ({one.pid})' if one.pid else ''}"
        f"{f' with {gib_text(one.memory_bytes)}' if one.memory_bytes else ''}"
        for one in holders
    ]
    return f"; held by {', '.join(names)}" if names else ""


@examines(concerns=on_nvidia, answers=_VISIBLE)
def _mig(case: MachineCase) -> Said:
    """No planned GPU is divided into instances."""
    driver = _seen(case)
    if isinstance(driver, Said):
        return unseen("MIG: no driver answers")
    divided = [str(gpu.index) for gpu in _chosen(case, driver) if gpu.mig_enabled]
    if not divided:
        return ok("off")
    return blocker(
        f"on for GPU {', '.join(divided)}: vLLM would see one instance of each",
        f"`sudo nvidia-smi --id={','.join(divided)} --multi-instance-gpu=0`, or plan for the instance with --vram-gb",
    )


@examines(concerns=on_nvidia)
def _ecc(case: MachineCase) -> Said:
    """Memory has no errors that could not be corrected."""
    driver = _seen(case)
    if isinstance(driver, Said):
        return unseen("ECC: no driver answers")
    broken = [str(one.index) for one in driver.health if one.uncorrected_errors]
    if broken:
        return warning(
            f"uncorrected memory errors on GPU {', '.join(broken)} since its last reset",
            "reset the GPU or restart the host; if they come back, have it replaced",
        )
    modes = {one.ecc for one in driver.health}
    if modes == {None}:
        return unseen("ECC: these GPUs do not say")
    return ok("on" if modes == {True} else "off" if modes == {False} else "on for some GPUs, off for others")


@examines(concerns=on_nvidia)
def _persistence(case: MachineCase) -> Said:
    """The driver stays loaded between processes."""
    driver = _seen(case)
    if isinstance(driver, Said):
        return unseen("persistence mode: no driver answers")
    if any(one.persistence is False for one in driver.health):
        return warning(
            "persistence mode is off: a start waits for the driver, and clocks fall between requests",
            "`sudo systemctl enable --now nvidia-persistenced`, or `sudo nvidia-smi --persistence-mode=1`",
        )
    return ok("on") if any(one.persistence for one in driver.health) else unseen("persistence mode: not reported")


@examines(concerns=on_nvidia)
def _nvlink(case: MachineCase) -> Said:
    """The ranks of one tensor-parallel group reach each other as the plan counts."""
    driver, needs = _seen(case), case.needs
    if isinstance(driver, Said):
        return unseen("NVLink: no driver answers")
    if needs.tensor_parallel == 1:
        return ok("not needed: every rank is on one GPU")
    if not needs.nvlink:
        return ok("not counted on: the plan is for PCIe")
    if driver.nvlinked is None:
        return unseen("NVLink: the driver does not say")
    chosen = [gpu.index for gpu in _chosen(case, driver)]
    apart = [pair for pair in combinations(sorted(chosen), 2) if pair not in driver.nvlinked]
    if not apart:
        return ok(f"connects GPU {', '.join(map(str, chosen))}")
    first = " and ".join(map(str, apart[0]))
    return warning(
        f"none between GPU {first}, which the plan counts on",
        "choose connected GPUs in .env, or plan without: `vllm-wizard update --interconnect pcie`",
    )


GPUS = (
    _driver,
    _gpu_count,
    _gpu_names,
    _gpu_capability,
    _gpu_memory,
    _gpu_free,
    _mig,
    _ecc,
    _persistence,
    _nvlink,
)
