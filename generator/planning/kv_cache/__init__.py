"""KV cache of one layout, exactly as vLLM's allocator would lay it out."""
