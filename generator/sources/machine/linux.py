"""linux(): memory, disk, limits, clock, ports and files of this host, as its kernel tells them."""

import os
import resource
import shutil
import socket
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from generator.models.value import Value
from generator.sources.machine.facts import Disk, Linux, Unseen, UsedPath
from generator.sources.machine.programs import said

_KIB, _LONGEST_LINE = 1024, 1000
_ASK_RELEASE = "from importlib.metadata import version; print(version('vllm'))"
_MEMINFO = Path("/proc/meminfo")
_SHM = Path("/dev/shm")  # noqa: S108 - shared memory itself


class Subject(Value):
    """What of this host a deployment is about."""

    newest: str
    """A file of the deployment, whose time the clock cannot lie before."""
    address: str = "127.0.0.1"
    port: int | None = None
    disks: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    """Files that a container reads as a user of its own."""
    written: tuple[str, ...] = ()


def linux(asked: Subject) -> Linux:
    """This host as far as a deployment is about it."""
    memory = _meminfo()
    return Linux(
        memory_bytes=memory.get("MemTotal"),
        available_bytes=memory.get("MemAvailable"),
        shm_bytes=_total(_SHM),
        cores=os.cpu_count(),
        locked_bytes=_most(resource.RLIMIT_MEMLOCK),
        open_files=_most(resource.RLIMIT_NOFILE),
        synchronized=_synchronized(),
        behind_s=_behind(Path(asked.newest)),
        loopback=_loopback(),
        port_taken=None if asked.port is None else _taken(asked.address, asked.port),
        disks=tuple(_disk(path) for path in dict.fromkeys(asked.disks)),
        held=(*(_read(path) for path in asked.read), *(_written(path) for path in asked.written)),
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        vllm=_vllm(),
        hub_token=_hub_token(),
    )


def _meminfo() -> dict[str, int]:
    """Bytes by the kernel's names; empty where it is another kernel."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {words[0].removesuffix(":"): int(words[1]) * _KIB for words in pairs if len(words) > 2}  # noqa: PLR2004 - a name, a number, kB


def _total(place: Path) -> int | None:
    try:
        return shutil.disk_usage(place).total
    except OSError:
        return None


def _disk(path: str) -> Disk:
    """The file system that `path` will lie on: that of the nearest directory which is there."""
    place = Path(path)
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return Disk(path=path, free_bytes=shutil.disk_usage(place).free)
    except OSError:
        return Disk(path=path, free_bytes=0)


def _most(kind: int) -> int | None:
    """The hard limit, up to which a process raises its own; None without one."""
    _, hard = resource.getrlimit(kind)
    return None if hard == resource.RLIM_INFINITY else hard


def _synchronized() -> bool | None:
    told = said("timedatectl", "show", "--property=NTPSynchronized", "--value", limit_s=5)
    return None if isinstance(told, Unseen) or told.strip() not in {"yes", "no"} else told.strip() == "yes"


def _behind(newest: Path) -> float:
    try:
        return max(0.0, newest.stat().st_mtime - time.time())
    except OSError:
        return 0.0


def _loopback() -> bool:
    """Whether one process connects to another here, as the parts of the engine do."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(2)
            with socket.create_connection(server.getsockname(), timeout=2):
                return True
    except OSError:
        return False


def _taken(address: str, port: int) -> bool:
    """Whether somebody listens there; an address that this host has not counts as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104 - compared, not bound
        try:
            return probe.connect_ex((host, port)) == 0
        except OSError:
            return False


def _read(path: str) -> UsedPath:
    """A file with everything below it: readable where every user may read all of it."""
    place = Path(path)
    if not place.exists():
        return UsedPath(path=path, exists=False)
    return UsedPath(path=path, exists=True, readable=all(_open_to_all(one) for one in _below(place)))


def _written(path: str) -> UsedPath:
    place = Path(path)
    if not place.exists():
        return UsedPath(path=path, exists=False)
    found = place.stat()
    own = found.st_gid == 0 and bool(found.st_mode & stat.S_IWGRP)
    return UsedPath(path=path, exists=True, writable=own or bool(found.st_mode & stat.S_IWOTH))


def _below(place: Path) -> Iterable[Path]:
    """The path, and of a directory what lies in it and one level deeper: a model's files are no tree."""
    if not place.is_dir():
        return (place,)
    with suppress(OSError):
        return (place, *place.glob("*"), *place.glob("*/*"))
    return (place,)


def _open_to_all(place: Path) -> bool:
    try:
        mode = place.stat().st_mode
    except OSError:
        return False
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return mode & wanted == wanted


def _vllm() -> str | None:
    """The release of the `vllm` that this shell finds: its interpreter is asked, which imports nothing of it."""
    program = shutil.which("vllm")
    if program is None:
        return None
    try:
        with Path(program).open("rb") as script:
            first = script.readline(_LONGEST_LINE).decode(errors="replace")
    except OSError:
        return None
    words = first.removeprefix("#!").split()
    told = said(*words[:1], "-c", _ASK_RELEASE) if first.startswith("#!") and words else None
    return None if not isinstance(told, str) or not told.split() else told.split()[-1]


def _hub_token() -> bool:
    from huggingface_hub import get_token  # noqa: PLC0415 - start-up time

    return bool(get_token())


def weights_place() -> str:
    """Where the Hub's client of this user keeps weights."""
    from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415 - start-up time

    return str(HF_HUB_CACHE)
