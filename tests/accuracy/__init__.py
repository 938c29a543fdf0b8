"""Scores of the planner against what vLLM itself says: `python -m tests.accuracy kv|weights|bootlogs|benchmarks`."""
