"""Scores of the planner against what vLLM itself says and measures: `python -m tests.accuracy NAME`."""
