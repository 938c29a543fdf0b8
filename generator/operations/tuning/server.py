"""The server of a search: started and stopped by what the repository itself has for that."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.request import ProxyHandler, build_opener

from generator.errors import GeneratorError, RequestError, SourceError
from generator.operations.doctor.env import read_env
from generator.sources.boot_log import read_boot

if TYPE_CHECKING:
    from generator.rendering.answers import Answers

_GUARD = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{
  cat <&3 >/dev/null
  kill -TERM "$server" || exit
  for _ in {1..90}; do kill -0 "$server" || exit; sleep 1; done
  kill -KILL 0
} 2>/dev/null &
exec 3<&-
wait "$server"
"""
"""Ends the server as soon as its standard input ends, which it does with the search, whatever ends that."""
_ENDS_WITHIN_S = 120
_SHOWN = 300


class TunedServer(Protocol):
    """A server that can be started with what the tree holds."""

    def start(self) -> str:
        """Start it and wait until it answers; why it does not, empty where it does."""

    def stop(self) -> None:
        """Stop it, if it runs; return when it is gone."""

    def leave(self) -> str:
        """After the search: start what was found, where it is this class's to start; why it does not, else empty."""


def server_of(place: Path, answers: Answers, log: Path, *, script: bool, docker: str) -> TunedServer:
    """The way in which the deployment at `place` is started.

    Raises:
        RequestError: it renders nothing that this host could start, or its server spans hosts.
    """
    artefacts = answers.values.get("artefacts") or ()
    if not script and "compose" in artefacts:
        if answers.plan.runtime.nodes > 1:
            raise RequestError("the server spans hosts, each started by hand: measure with `vllm-wizard bench`")
        return MadeServer(place, log, up="up", down="down", docker=docker)
    if not script and "kubernetes" in artefacts and "command" not in artefacts:
        return MadeServer(place, log, up="deploy", down="", docker=docker)
    if "command" not in artefacts or answers.plan.runtime.nodes > 1:
        raise RequestError("scripts/serve.sh of one host is not rendered here: add the artefact `command`")
    runtime = answers.plan.runtime
    return ScriptServer(
        place, log, port=port_of(place), limit_s=runtime.host.rollout_s if runtime.host else runtime.startup_s
    )


def port_of(place: Path) -> int:
    """The port that `scripts/serve.sh` listens on."""
    return int(read_env(place / ".env").get("SCRIPT_PORT") or os.environ.get("SCRIPT_PORT") or 8000)


class MadeServer:
    """A server that targets of the repository's Makefile start and stop."""

    def __init__(self, place: Path, log: Path, *, up: str, down: str, docker: str) -> None:
        self._place, self._log, self._up, self._down, self._docker = place, log, up, down, docker

    def start(self) -> str:
        """Start it and wait until it answers; why it does not, empty where it does."""
        if self._make(self._up):
            return ""
        return f"make {self._up} failed: {_end_of(self._log)}"

    def stop(self) -> None:
        """Stop it, if it runs; return when it is gone.

        Raises:
            SourceError: its script says that it does not stop.
        """
        if self._down and not self._make(self._down):
            raise SourceError(f"make {self._down} failed: {_end_of(self._log)}")

    def leave(self) -> str:
        """Start it with what the user's branch holds; why it does not start, else empty."""
        return self.start()

    def _make(self, target: str) -> bool:
        words = ("make", "--no-print-directory", target)
        with self._log.open("wb") as log:
            return not _called(
                words, place=self._place, log=log, env=os.environ | {"DOCKER_COMPOSE": self._docker}
            ).wait()


class ScriptServer:
    """A server that `scripts/serve.sh` starts on this host; it never outlives the search."""

    def __init__(self, place: Path, log: Path, *, port: int, limit_s: int) -> None:
        self._place, self._log, self._port, self._limit_s = place, log, port, limit_s
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it and wait until it answers; why it does not, empty where it does."""
        self._await_port()
        with self._log.open("wb") as log:
            self._guard = _called(
                ("bash", "-c", _GUARD, "guard", "scripts/serve.sh"), place=self._place, log=log, guarded=True
            )
        end = time.monotonic() + self._limit_s
        while self._guard.poll() is None and time.monotonic() < end:
            if self._answers():
                return ""
            time.sleep(0.1)
        late = self._guard.poll() is None
        self.stop()
        return f"it does not answer after {self._limit_s} s" if late else _why(self._log)

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self._port}/health"
        try:
            with build_opener(ProxyHandler({})).open(url, timeout=5) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except (OSError, HTTPException):
            return False

    def stop(self) -> None:
        """Stop it, if it runs; return when it is gone."""
        if self._guard is None:
            return
        guard, self._guard = self._guard, None
        if guard.stdin is not None:
            guard.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            guard.wait(timeout=_ENDS_WITHIN_S)
        with suppress(ProcessLookupError):
            os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()

    def leave(self) -> str:
        """Nothing: it was never started for anybody else."""
        return ""

    def _await_port(self) -> None:
        """Return once nobody listens on the port: a server whose search was killed takes a moment to end."""
        end = time.monotonic() + _ENDS_WITHIN_S
        while time.monotonic() < end:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", self._port)):
                    return
            time.sleep(0.2)
        raise SourceError(f"something listens on port {self._port}: stop it, or set SCRIPT_PORT in .env")


def _called(
    words: Sequence[str], *, place: Path, log: IO[bytes] | int, guarded: bool = False, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A process whose words go to `log`; a guarded one leads a group of its own, and reads what we never write."""
    try:
        return subprocess.Popen(  # noqa: S603 - words of the repository
            words, cwd=place, stdin=subprocess.PIPE if guarded else subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=guarded, env=env,
        )  # fmt: skip
    except OSError as error:
        raise SourceError(
            f"{words[0]} cannot be started ({error.strerror}): it is needed to start the server"
        ) from error


def _why(log: Path) -> str:
    """Why a start ended, by its log."""
    try:
        failure = read_boot(log).failure
    except GeneratorError:
        failure = None
    return failure.says if failure else f"the server ended: {_end_of(log)}"


def _end_of(log: Path) -> str:
    """The last line of a log that says something; make's own last one says only that there was one."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").split("\n")]
    told = (line[:_SHOWN] for line in reversed(lines) if line and not line.startswith("make"))
    return next(told, "without a word")
