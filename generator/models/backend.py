"""Attention backends of a release: what each takes, and in which order they are tried."""

from generator.models.capability import Capability, CapabilitySet
from generator.models.value import Made


class Backend(Made):
    """One attention backend; empty sets mean no limit."""

    name: str
    kv_cache_dtypes: frozenset[str] = frozenset()
    dtypes: frozenset[str] = frozenset()
    capabilities: CapabilitySet = CapabilitySet()
    head_sizes: frozenset[int] = frozenset()
    block_multiple: int | None = None
    """Blocks are any multiple of it."""
    block_sizes: tuple[int, ...] = ()
    """Blocks that kernels take as they are; larger ones are split into the largest."""
    mla: bool = False
    sparse: bool = False
    sink: bool = False
    mm_prefix: bool = False
    non_causal: bool = False
    dcp: bool = True

    def supports_block(self, block_size: int) -> bool:
        """Whether the kernels can walk blocks of `block_size` tokens (v1/attention/backend.py:113)."""
        sizes = self.block_sizes or ((self.block_multiple,) if self.block_multiple else (1,))
        return any(block_size % size == 0 for size in sizes)

    @property
    def smallest_block(self) -> int:
        """Smallest block of its kernels."""
        return min(self.block_sizes, default=self.block_multiple or 1)


class BackendOrder(Made):
    """Backends in the order in which a release tries them for one kind of layer; None where it does not matter."""

    mla: bool
    capabilities: CapabilitySet = CapabilitySet()
    quantized: bool | None = None
    few_heads: bool | None = None
    rope_free: bool | None = None
    mm_prefix: bool | None = None
    non_causal: bool | None = None
    backends: tuple[str, ...]

    def fits(self, capability: Capability, *, mla: bool, **asked: bool) -> bool:
        """Whether it is the order of such a layer on such a GPU."""
        if mla != self.mla or not self.capabilities.has(capability):
            return False
        return all(getattr(self, name) in (None, value) for name, value in asked.items())
