"""VLLM's own start-up code as the judge of a plan: see README.md of this directory."""
