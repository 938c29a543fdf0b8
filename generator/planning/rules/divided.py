"""What vLLM does on a MIG slice: it starts on one, since CUDA shows a process no second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError

if TYPE_CHECKING:
    from generator.planning.replica import Replica


def slices_stand_alone(start: Replica) -> None:
    """A slice holds all ranks, so one: CUDA counts one instance a process, and slices have no peer-to-peer access.

    https://docs.nvidia.com/datacenter/tesla/mig-user-guide (CUDA device enumeration, application considerations);
    vLLM 0.32 config/parallel.py:1053.
    """
    gpu, ranks = start.gpu, start.layout.ranks
    if gpu.slice_of and ranks > 1:
        raise RequestError(
            f"world size {ranks} is larger than the number of available GPUs (1): {gpu.name} is a MIG slice, CUDA "
            f"shows a process one slice, and slices have no link; serve a copy on each, or plan a whole {gpu.slice_of}"
        )
