"""What runs beside vLLM, in the environment of `.ci/install-oracle`: questions as JSON lines in, answers out."""
