"""Server: one of several equal ones on a node."""

from __future__ import annotations

from generator.models.value import Value


class Server(Value):
    """One of several equal servers on a node."""

    name: str
    """Of its container; the first is `vllm`."""
    gpu_ids: tuple[str, ...]
    """The driver's indices of its GPUs, where no other deployment is on the node."""
