"""Weights: parameter bytes of the worst rank of every pipeline stage, as vLLM 0.32 creates them."""
