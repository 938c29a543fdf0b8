"""Options of the commands that ask a running server."""

URL = "vLLM's own address, asked from this host; else it is asked in its container, or at the port of the scripts."
COMPOSE = "Docker Compose, where the server runs in it."
