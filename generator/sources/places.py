"""Whether a model's name is a place on this machine, which is asked before anything is read."""

import os
from pathlib import Path


def is_directory(model: str) -> bool:
    """True where `model` names a directory of this machine; a name that no path can have is none."""
    try:
        return absolute(model).is_dir()
    except (OSError, ValueError):
        return False


def absolute(model: str) -> Path:
    """`model` as an absolute path, `~` expanded; symbolic links stay as the user wrote them."""
    return Path(os.path.abspath(Path(model).expanduser()))  # noqa: PTH100 - resolve() would follow links
