"""Launcher: what starting a container asks of the host, by the maker of its GPUs."""

from __future__ import annotations

from generator.models.value import Value


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
