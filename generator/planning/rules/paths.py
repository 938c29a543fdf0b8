"""Files and directories that engine values name: what the launchers mount, and what no launcher could."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from generator.errors import RequestError
from generator.models.host import Mount

_IMAGE = (
    "/vllm-workspace/",
    "/usr/local/lib/python",
    "/proc/",
    "/dev/",
    "/sys/",
    "/home/vllm/.cache/",
    "/root/.cache/",
)
"""What the image or the cache volume holds: nothing of the host's is to cover it."""
_SCRATCH = "/tmp/"  # noqa: S108 - the container's own
_NAMED = re.compile(r"^[^=/\s]+=(?=[/.~])")
"""The name before an adapter's path (`--lora-modules NAME=PATH`)."""
_RELATIVE = ("./", "../", "~")


def mounts_of(fixed: Mapping[str, Any], kinds: Mapping[str, str]) -> tuple[Mount, ...]:
    """Every path on this disk that the user's values name, once, without those beneath another of them."""
    written: dict[str, bool] = {}
    for name, path in _leaves(fixed, kinds):
        plain, writes = path.rstrip("/"), kinds.get(name) == "written"
        if plain.startswith("/") and not path.startswith(_IMAGE) and not (writes and path.startswith(_SCRATCH)):
            written[plain] = written.get(plain, False) or writes
    return tuple(Mount(path=path, writable=written[path]) for path in sorted(written) if not _covered(path, written))


def check_paths(fixed: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Return only where every path among the user's values means the same in each launcher.

    Raises:
        RequestError: one is relative, or holds a sign that no mount can name; says what to write.
    """
    for name, path in _leaves(fixed, kinds):
        if path.startswith(_RELATIVE) or (kinds.get(name) == "file" and not path.startswith("/")):
            raise RequestError(
                f"{name} {path!r} is relative, and containers start elsewhere: write the absolute path, which every "
                "launcher mounts"
            )
        if path.startswith("/") and ("/../" in f"{path}/" or any(ord(sign) < ord(" ") for sign in path)):
            raise RequestError(
                f"{name} {path!r} is no plain path: write the absolute path without .. and control signs"
            )


def _covered(path: str, written: Mapping[str, bool]) -> bool:
    """Whether another path holds this one, which is then mounted with it; a written one keeps its own mount."""
    above = (other for other in written if path.startswith(f"{other}/"))
    return any(written[other] or not written[path] for other in above)


def _leaves(fixed: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Argument and text of every value, however deep, that may be a path."""
    for name, value in fixed.items():
        if kinds.get(name) == "none":
            continue
        for text in _texts(value):
            plain = _NAMED.sub("", text)
            if "\n" not in plain and not {"{", "}"} & set(plain) and (name in kinds or plain.startswith("/")):
                yield name, plain


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _texts_of_json(value)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _texts_of_json(text: str) -> Iterator[str]:
    """An adapter may be an object in text (`{"name": ..., "path": ...}`); anything else is itself."""
    if not text.lstrip().startswith("{"):
        yield text
        return
    try:
        yield from _texts(json.loads(text))
    except ValueError:
        yield text
