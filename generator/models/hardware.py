"""GPUs and how they are connected."""

from typing import Literal

from generator.models.capability import AMPERE, Capability
from generator.models.value import Value

Interconnect = Literal["auto", "nvlink", "pcie"]
MemoryKind = Literal["hbm", "gddr", "unified"]


class Flops(Value):
    """Dense FLOP/s of one GPU by compute dtype; None where no source states it.

    `fp16` is stated only where a source gives it apart from `bf16`.
    """

    bf16: int | None = None
    fp16: int | None = None
    fp8: int | None = None
    int8: int | None = None
    fp4: int | None = None


class GPU(Value):
    """One GPU model, or one of our own description (`--vram-gb`)."""

    name: str
    nvml_names: tuple[str, ...] = ()
    memory_bytes: int
    """Total memory as NVML reports it."""
    cuda_total_bytes: int | None = None
    """Total memory as CUDA reports it, where a start on this machine logged it; None to derive it."""
    capability: Capability
    bandwidth_bytes_per_s: int | None = None
    flops: Flops = Flops()
    nvlink_bytes_per_s: int | None = None
    """NVLink bandwidth of one GPU in one direction; on a card with a bridge, to its one partner."""
    nvlink_bridge: bool = False
    """True where NVLink needs a bridge between a pair of cards, which a plan does not assume."""
    pcie_generation: int | None = None
    board_power_w: int | None = None
    """Power of the whole board in watts, its maker's limit; None where no source states it."""
    batched_tokens: int = 0
    """Tokens of one step that published deployments of it set; 0 where none was read, and vLLM's default stands."""
    memory_kind: MemoryKind | None = None
    """What its memory is built of, by which it is timed; None where no source states it."""
    unified_memory: bool = False
    """True where GPU and CPU share one memory (GB10, GH200's page migration excluded)."""
    slice_of: str = ""
    """The whole GPU of the table of which this is a MIG slice; empty where it is none."""
    vgpu_of: str = ""
    """The product that a vGPU has turns on; empty where it is none."""
    source: str = ""

    @property
    def supports_bf16(self) -> bool:
        """Native bfloat16 (vLLM 0.32 platforms/cuda.py: SM80 or newer)."""
        return self.capability >= AMPERE


def by_memory(gpu: GPU) -> tuple[int, str]:
    """What GPUs are listed by: their memory, then their name."""
    return gpu.memory_bytes, gpu.name


class Cluster(Value):
    """Equal nodes of equal GPUs."""

    gpu: GPU
    gpus_per_node: int
    nodes: int = 1
    interconnect: Interconnect = "auto"
    reserved_bytes: int = 0
    """Memory of each GPU that other processes hold, measured by NVML or declared."""

    @property
    def total_gpus(self) -> int:
        """GPUs of all nodes."""
        return self.gpus_per_node * self.nodes

    @property
    def link(self) -> Literal["nvlink", "pcie"]:
        """The link that collectives of one node use."""
        if self.interconnect != "auto":
            return self.interconnect
        return "nvlink" if self.gpu.nvlink_bytes_per_s and not self.gpu.nvlink_bridge else "pcie"
