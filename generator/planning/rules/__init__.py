"""Rules: what vLLM refuses to start, before any memory is counted."""
