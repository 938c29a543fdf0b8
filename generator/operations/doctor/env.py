"""read_env(): `.env` as Compose, the scripts and kubectl agree to read it."""

from pathlib import Path


def read_env(file: Path) -> dict[str, str]:
    """Each NAME=value of the file; empty where there is none, or nobody may read it."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name: value.strip() for name, sign, value in pairs if sign}
