"""Prove a vLLM configuration on paper, generate its deployment repository, update it in place."""
