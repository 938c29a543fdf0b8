"""What is asked of the running server of a deployment: bench() and status()."""
