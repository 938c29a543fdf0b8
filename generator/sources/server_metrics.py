"""A running server's `/metrics`: what its cache came to."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

from generator.errors import SourceError
from generator.models.boot import Boot

_CACHE = re.compile(r"^vllm:cache_config_info\{(?P<labels>.*?)\}", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_MOST_BYTES = 8 << 20
_WAITS_S = 10


def read_metrics(source: str) -> Boot:
    """Blocks, block size and share of the GPU as the server states them; from a file, or from `http://.../metrics`.

    Raises:
        SourceError: nothing answers, the file cannot be read, or vLLM's line about its cache is missing.
    """
    found = _CACHE.search(_text(source))
    if found is None:
        raise SourceError(f"{source} has no vllm:cache_config_info: give /metrics of a vLLM server that has started")
    labels = dict(_LABEL.findall(found["labels"]))
    share = _number(labels.get("gpu_memory_utilization"))
    blocks, size = _number(labels.get("num_gpu_blocks")), _number(labels.get("block_size"))
    return Boot(
        starts=1,
        ready=True,
        utilization=share,
        blocks=None if blocks is None else int(blocks),
        block_size=None if size is None else int(size),
        concurrency=_number(labels.get("kv_cache_max_concurrency")),
    )


def _text(source: str) -> str:
    try:
        if source.startswith(("http://", "https://")):
            with urllib.request.urlopen(source, timeout=_WAITS_S) as answer:  # noqa: S310 - the scheme is checked
                return bytes(answer.read(_MOST_BYTES)).decode("utf-8", errors="replace")
        return Path(source).expanduser().read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SourceError(f"{source} cannot be read: {why}") from error


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
