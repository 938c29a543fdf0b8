"""What every step towards the cache needs: the model, its layout, the engine's values, and what they resolve to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.architecture import Architecture
from generator.models.parallelism import Layout

if TYPE_CHECKING:
    from generator.planning.kv_cache.settings import CacheSettings


class Context(NamedTuple):
    """The model, its layout, the engine's values, and both dtypes."""

    architecture: Architecture
    layout: Layout
    settings: CacheSettings
    dtype: str
    """The model's computing dtype."""
    kv_cache_dtype: str
    """vLLM's name of the cache dtype, the backend's renaming included."""
    skipped: frozenset[int]
    """Decoder layers whose cache stays in the model's dtype."""
    aligned: bool
    """True where states are kept at block boundaries for prefix caching."""
    non_causal: bool = False
    """True where backends are asked for tokens that attend each other both ways (DFlash)."""

    @property
    def tp(self) -> int:
        """Tensor parallel size."""
        return self.layout.tensor_parallel_size


class Blocks(NamedTuple):
    """Block sizes of a model."""

    attention: int
    """Tokens of a block of full attention."""
    state_page: int | None = None
    """Bytes that a state is padded to, None where there is none or it fits exactly."""
