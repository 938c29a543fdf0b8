"""tool_requirement(): where this installation of vllm-wizard came from, as pip writes it down (PEP 610)."""

import json
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit, urlunsplit

NAME = "vllm-wizard"
_REMOTE = ("https", "http", "ssh", "git")


def tool_requirement(distribution: str = NAME) -> str:
    """What pip is to install to get this very program elsewhere; empty where it came from this machine alone.

    A git address at its commit, a file's address with its hash, or the number on an index.
    """
    try:
        found = metadata.distribution(distribution)
        origin = found.read_text("direct_url.json")
    except (metadata.PackageNotFoundError, OSError, UnicodeError):
        return ""
    if origin is None:
        return f"{NAME}=={found.version}"
    try:
        return _direct(json.loads(origin))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _direct(origin: dict[str, Any]) -> str:
    """The requirement that an origin makes; empty for a directory, and for a file of this machine."""
    parts = urlsplit(str(origin["url"]))
    if parts.scheme not in _REMOTE or "dir_info" in origin:
        return ""
    user = parts.netloc.rpartition("@")[0]
    host = parts.netloc.rpartition("@")[2]
    keeps = parts.scheme == "ssh" and user and ":" not in user
    url = urlunsplit(parts._replace(netloc=f"{user}@{host}" if keeps else host, fragment=""))
    below = f"#subdirectory={origin['subdirectory']}" if origin.get("subdirectory") else ""
    if "vcs_info" in origin:
        version = origin["vcs_info"]
        return f"{NAME} @ {version['vcs']}+{url}@{version['commit_id']}{below}"
    hashes = origin["archive_info"].get("hashes") or {}
    if "sha256" not in hashes and "=" in str(origin["archive_info"].get("hash")):
        kind, _, value = origin["archive_info"]["hash"].partition("=")
        hashes = {kind: value}
    return f"{NAME} @ {url}#sha256={hashes['sha256']}" if hashes.get("sha256") else ""
