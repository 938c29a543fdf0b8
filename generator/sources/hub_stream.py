"""read(): the body of one answer of the Hub, within bounds of size, speed and time."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from huggingface_hub.utils import (  # type: ignore[attr-defined] # its documented names
    build_hf_headers,
    hf_raise_for_status,
    http_stream_backoff,
)

from generator.errors import HubUnreachableError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SLOW_S = 30.0
_SLOW_BYTES = 1000 * 30
TOTAL_S = 900.0
"""All metadata of one model: a slow line is no reason to give up, an endless answer is."""
_RETRIES = 1


class Budget:
    """What one model's metadata may still cost; one that failed ends all its other readers."""

    def __init__(self, host: str, model: str) -> None:
        self._host = host
        self._model = model
        self._end = time.monotonic() + TOTAL_S
        self.stopped = False

    def reader(self, name: str, most_bytes: int) -> Callable[[int], None]:
        """A function that is told of bytes read so far, and raises where one more is too many or too late."""
        start, before = time.monotonic(), 0

        def check(count: int) -> None:
            nonlocal start, before
            now = time.monotonic()
            if self.stopped or now > self._end:
                raise HubUnreachableError(f"{self._host} did not deliver {self._model}'s metadata in time: {_RETRY}")
            if count > most_bytes:
                raise SourceError(
                    f"{self._model}/{name} is longer than {most_bytes:,} bytes: no metadata is; choose another model."
                )
            if now - start >= SLOW_S:
                if count - before < _SLOW_BYTES * (now - start) / SLOW_S:
                    raise HubUnreachableError(f"{self._host} sends {name} at less than 1 kB/s: {_RETRY}")
                start, before = now, count

        return check


_RETRY = "check the network and HF_ENDPOINT, or plan an embedded model with --offline."


def read(
    url: str,
    check: Callable[[int], None],
    *,
    timeout_s: float,
    count: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The body of one answer, its first `count` bytes where that is stated; never more, whatever the server sends.

    Raises:
        GeneratorError: what `check` raises.
        Exception: what the Hub's client raises.
    """
    asked = {**build_hf_headers(), **(headers or {})}
    request = partial(http_stream_backoff, max_retries=_RETRIES, base_wait_time=0.5, timeout=timeout_s)
    body = bytearray()
    with request("GET", url, headers=asked) as response:
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            body += chunk
            check(len(body))
            if count is not None and len(body) >= count:
                break
    return bytes(body if count is None else body[:count])
