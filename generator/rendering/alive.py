"""is_alive(): whether a process of this machine still runs."""

from __future__ import annotations

import os


def is_alive(number: int) -> bool:
    """True where a process with this number runs, whoever's it is."""
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
