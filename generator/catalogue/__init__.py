"""Tables of published facts (GPUs, quantizations, vLLM releases) and their look-ups; no arithmetic."""
