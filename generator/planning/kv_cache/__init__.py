"""KV cache of one layout, exactly as vLLM's allocator would lay it out."""

from generator.planning.kv_cache.layout import CacheGroup, CacheLayout, cache_layout
from generator.planning.kv_cache.settings import CacheSettings

__all__ = ["CacheGroup", "CacheLayout", "CacheSettings", "cache_layout"]
