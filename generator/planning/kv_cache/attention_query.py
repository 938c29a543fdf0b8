"""AttentionQuery: what one kind of layer asks of an attention backend."""

from generator.models.capability import Capability
from generator.models.release import Release
from generator.models.value import Made

_FEW_HEADS, _ROPE_FREE = 16, 512
_PLAIN = frozenset({"auto", "float16", "bfloat16", "float32"})


class AttentionQuery(Made):
    """What one kind of layer asks of a backend."""

    release: Release
    capability: Capability
    dtype: str
    kv_cache_dtype: str
    head_size: int
    num_heads: int
    """Query heads of one rank."""
    num_kv_heads: int
    """Key and value heads of one rank."""
    block_size: int | None = None
    """`--block-size`, or None where vLLM chooses."""
    named: str | None = None
    """`--attention-backend`, or None where vLLM chooses."""
    mla: bool = False
    sparse: bool = False
    sink: bool = False
    sliding_window: bool = False
    mm_prefix: bool = False
    """Image tokens attend both ways."""
    non_causal: bool = False
    """Drafted tokens attend each other both ways (DFlash)."""
    softcap: bool = False
    dcp: bool = False
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    kv_lora_rank: int = 0
    v_head_dim: int = 0
    index_topk: int | None = None

    @property
    def family(self) -> Capability:
        """The GPU's family."""
        return self.capability.family

    def has(self, name: str) -> bool:
        """Whether the release behaves so on this GPU."""
        return self.release.has(name, capability=self.capability)

    @property
    def quantized(self) -> bool:
        """Whether the cache is quantized."""
        return self.kv_cache_dtype not in _PLAIN

    @property
    def few_heads(self) -> bool:
        """Whether a rank has few query heads, as the orders of backends count them."""
        return self.num_heads <= _FEW_HEADS

    @property
    def rope_free(self) -> bool:
        """Whether heads are as wide as those of latents without a rotary part."""
        return self.head_size == _ROPE_FREE
