"""The facts of one machine, as values; each part that could not be asked says why."""

from generator.models.value import Value
from generator.sources.nvml import DetectedSystem


class Unseen(Value):
    """What could not be asked, and why."""

    why: str
    broken: bool = False
    """True where it is there and fails, rather than absent."""


class Holder(Value):
    """One process that holds memory of a GPU."""

    pid: int | None
    name: str | None
    memory_bytes: int | None


class Health(Value):
    """What a GPU reports beside its name and memory; None where it does not say."""

    index: int
    holders: tuple[Holder, ...] = ()
    persistence: bool | None = None
    ecc: bool | None = None
    uncorrected_errors: int | None = None
    """ECC errors since the last reset that could not be corrected."""


class Driver(Value):
    """NVIDIA's driver with every GPU that it shows."""

    system: DetectedSystem
    health: tuple[Health, ...]
    nvlinked: tuple[tuple[int, int], ...] | None
    """Pairs of indices that NVLink connects, the smaller first; None where the driver does not say."""


class Container(Value):
    """One running container of this host."""

    name: str
    project: str
    """Its Compose project; empty without one."""
    ports: tuple[int, ...] = ()
    gpus: tuple[str, ...] = ()
    """Indices or UUIDs of its GPUs; `all` for every one."""


class Docker(Value):
    """Docker Engine as it answers."""

    version: str
    compose: str | None
    """Version of the Compose plugin; None without one."""
    toolkit: bool
    """Whether NVIDIA's container toolkit can be found."""
    root: str
    """Directory of its images and volumes."""
    image: bool
    """Whether the plan's image is there."""
    containers: tuple[Container, ...] = ()


class Disk(Value):
    """Free bytes of the file system that holds `path`."""

    path: str
    free_bytes: int


class UsedPath(Value):
    """One file or directory that the deployment reads or writes."""

    path: str
    exists: bool
    readable: bool = True
    """For every user of this host, where a container reads it as another user."""
    writable: bool = True
    """For group 0 or everybody, where a container writes to it."""


class Linux(Value):
    """The operating system's side of the host; None where it does not say."""

    memory_bytes: int | None = None
    available_bytes: int | None = None
    shm_bytes: int | None = None
    cores: int | None = None
    locked_bytes: int | None = None
    """Memory that a process may lock; None without a limit."""
    open_files: int | None = None
    """Files that a process may open; None without a limit."""
    synchronized: bool | None = None
    """Whether a time service keeps the clock."""
    behind_s: float = 0
    """Seconds by which the clock lies before the newest file of the deployment."""
    loopback: bool = True
    """Whether a process reaches another over 127.0.0.1."""
    port_taken: bool | None = None
    disks: tuple[Disk, ...] = ()
    held: tuple[UsedPath, ...] = ()
    visible_devices: str | None = None
    """CUDA_VISIBLE_DEVICES of this shell."""
    vllm: str | None = None
    """Release of the `vllm` that this shell would start; None without one."""
    hub_token: bool = False
    """Whether the Hub's client has a token of this user."""


class Node(Value):
    """One node of a cluster."""

    name: str
    gpus: int
    product: str
    """Label nvidia.com/gpu.product; empty without one."""
    ready: bool = True


class Quota(Value):
    """What a ResourceQuota of the namespace leaves of GPUs."""

    name: str
    free: int


class Kubernetes(Value):
    """The cluster and namespace that kubectl talks to."""

    context: str
    namespace: str
    nodes: tuple[Node, ...] | None
    """None where this account may not list them."""
    quotas: tuple[Quota, ...] = ()
    groups: frozenset[str] = frozenset()
    """API groups that the cluster serves."""
    storage_classes: tuple[str, ...] = ()
    default_storage: str = ""
    secret: bool | None = None
    """Whether the deployment's Secret is there."""


class Machine(Value):
    """Everything that `doctor` looks at."""

    driver: Driver | Unseen
    docker: Docker | Unseen
    linux: Linux
    kubernetes: Kubernetes | Unseen
