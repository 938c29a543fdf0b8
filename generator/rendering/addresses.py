"""Addresses of templates: without a password, whoever writes them down and whoever prints them."""

import re

from generator.errors import RequestError

_SECRET = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/?#\s]*)@")
_QUERY = re.compile(r"(?i)([?&](?:[a-z_-]*(?:token|password|passwd|secret|api[_-]?key))=)[^&#\s]+")
_SSH = ("ssh://", "git+ssh://", "ssh+git://")


def has_secret(address: str) -> bool:
    """True where the address holds a password or a token; the bare user name of an SSH address is none."""
    found = _SECRET.search(address)
    if found and not (found["scheme"].lower() in _SSH and ":" not in found["user"]):
        return True
    return bool(_QUERY.search(address))


def shown(address: str) -> str:
    """The address as it may be printed."""
    if not has_secret(address):
        return address
    return _QUERY.sub(r"\1***", _SECRET.sub(r"\g<scheme>***@", address))


def refuse_secret(address: str) -> None:
    """Return only where the address may be written into a file that is committed.

    Raises:
        RequestError: it holds a password or a token.
    """
    if has_secret(address):
        raise RequestError(
            f"{shown(address)} holds a password or a token, which would be committed: leave it out, and let git keep"
            " it (git config credential.helper store, or a deploy key over SSH)"
        )
