"""read(): the body of one answer of the Hub, within bounds of size, speed and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from huggingface_hub import close_session, get_session
from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined] # HTTPError is httpx's or httpx2's
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined] # documented

from generator.errors import HubUnreachableError, SourceError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from httpx2 import Response

SLOW_S = 30.0
_SLOW_BYTES = 1000 * 30
TOTAL_S = 900.0
"""All metadata of one model: a slow line is no reason to give up, an endless answer is."""
_PAUSE_S = 0.5
"""Before the one other try, whatever the server asks for: its word may be a day."""
_OWN_FAULT = 500
_CLIENTS_ERRORS = (HTTPError, HfHubHTTPError, RuntimeError, OSError)
"""What its client raises for a bad answer, a broken connection, and one that was closed meanwhile."""


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


_NO_END = "does not end what it began to answer"
_RETRY = "check the network and HF_ENDPOINT, or plan an embedded model with --offline."


class _Watch:
    """Ends the connections of this process where an answer does not come on: its headers, or its next bytes.

    The client has a time-out for each byte alone, so that one a second would hold it for ever.
    """

    def __init__(self) -> None:
        self._done = Event()
        self._until = time.monotonic() + SLOW_S
        self._thread = Thread(target=self._wait, daemon=True)
        self.ended = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def came_on(self) -> None:
        """The next bytes have as long again."""
        self._until = time.monotonic() + SLOW_S

    def _wait(self) -> None:
        while not self._done.wait(max(0.0, self._until - time.monotonic())):
            if time.monotonic() >= self._until:
                self.ended = True
                close_session()
                return


def read(
    url: str,
    check: Callable[[int], None],
    *,
    timeout_s: float,
    count: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The body of one answer, its first `count` bytes where that is stated; never more, whatever the server sends.

    A server at fault, or a connection that breaks, is asked once more.

    Raises:
        GeneratorError: what `check` raises.
        HubUnreachableError: its headers or its next bytes do not end in time.
        Exception: what the Hub's client raises.
    """
    asked = {**build_hf_headers(), **(headers or {})}

    def request() -> AbstractContextManager[Response]:
        return get_session().stream("GET", url, headers=asked, timeout=timeout_s)

    def attempt() -> bytes:
        with _Watch() as watch:
            try:
                return _body(request, check, watch, count)
            except _CLIENTS_ERRORS as error:
                if watch.ended:
                    raise HubUnreachableError(f"{url.split('/')[2].rpartition('@')[2]} {_NO_END}: {_RETRY}") from error
                raise

    try:
        return attempt()
    except _CLIENTS_ERRORS as error:
        if not _is_passing(error):
            raise
    time.sleep(_PAUSE_S)
    return attempt()


def _body(
    request: Callable[[], AbstractContextManager[Response]],
    check: Callable[[int], None],
    watch: _Watch,
    count: int | None,
) -> bytes:
    body = bytearray()
    with request() as response:
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            watch.came_on()
            body += chunk
            check(len(body))
            if count is not None and len(body) >= count:
                break
    return bytes(body if count is None else body[:count])


def _is_passing(error: Exception) -> bool:
    """True where another try may end otherwise."""
    response = getattr(error, "response", None)
    return response is None or response.status_code >= _OWN_FAULT
