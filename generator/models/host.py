"""What a node gives beside its GPUs, what starting a container asks of it, and the figures that monitoring compares."""

from generator.models.value import Value


class Host(Value):
    """Requests and limits of one node's part of a replica."""

    memory_request_mib: int
    memory_limit_mib: int
    """The request, and every file of the checkpoint: the kernel counts pages of read files too."""
    cpu_request: int
    cpu_limit: int
    cache_gib: int
    """Disk for the weights as they are downloaded, and for compiled kernels."""
    disk_limit_gib: int
    """Twice that: a repository may hold the weights in a second format."""
    download_s: int
    """Time that a download may take before it counts as failed, in s."""
    rollout_s: int
    """Time from a rollout's first step until it counts as failed: image, download and start, in s."""
    cooldown_s: int
    """Time that a replica which is not needed stays, in s: at least as long as it takes to start one again."""


class Mount(Value):
    """A file or directory of the host that engine values name; launchers have it at the same path."""

    path: str
    writable: bool = False


class Watch(Value):
    """What the running deployment is measured against; each threshold in s, None where nothing is known."""

    requests: int
    """Requests that one replica runs at once as planned."""
    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    """Of a model that pools: its only latency."""
    stated: bool = False
    """True where the thresholds are the user's targets, and not the high end of the plan's own estimate."""


class Launcher(Value):
    """What a container and a pod name beside the image; the defaults are NVIDIA's."""

    devices: tuple[str, ...] = ()
    """Files of the host: AMD's driver; none for NVIDIA, whose container toolkit brings its own."""
    groups: tuple[str, ...] = ()
    """Groups of the host that own them."""
    gpu_resource: str = "nvidia.com/gpu"
    """What Kubernetes calls one GPU."""


ROCM = Launcher(devices=("/dev/kfd", "/dev/dri"), groups=("video", "render"), gpu_resource="amd.com/gpu")
"""AMD's (https://docs.vllm.ai/en/latest/getting_started/installation/gpu/, AMD ROCm; render:
https://rocm.docs.amd.com/projects/install-on-linux/en/latest/how-to/docker.html)."""
