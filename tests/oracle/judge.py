"""The judge: vLLM's own start-up code, asked about commands; one warm process a release."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_HAS_FLASHINFER_CUBIN": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "OMP_NUM_THREADS": "1",
}
_LIMITS = ("'StandIn'", "'MagicMock'", "Cannot access accelerator device when none is available")
"""What Python and torch say where a kernel is built at start-up, which no stand-in can be."""
DIED = {"verdict": "unanswered", "level": "import", "error": {"type": "Died", "text": "the worker died", "where": ""}}


class Judge:
    """VLLM of the releases that lie under `home`, which `.ci/install-oracle` made."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._release = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def releases(self) -> tuple[str, ...]:
        """Releases that can be asked."""
        return tuple(sorted(one.name.removeprefix("tree-") for one in (self.home / "trees").glob("tree-*")))

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """VLLM's answer; questions of one release come best one after the other."""
        process = self._of(question["release"])
        if process is None or process.stdin is None or process.stdout is None:
            return {"id": question["id"]} | DIED
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            return {"id": question["id"]} | DIED
        return _told(json.loads(line))

    def close(self) -> None:
        """End the warm process."""
        if self._process is not None:
            with self._process as ending:  # closes both pipes, and waits
                if ending.stdin is not None:
                    ending.stdin.close()
        self._process, self._release = None, ""

    def _of(self, release: str) -> subprocess.Popen[str] | None:
        if self._release != release:
            self.close()
            self._process, self._release = self._started(release), release
        return self._process

    def _started(self, release: str) -> subprocess.Popen[str] | None:
        with Path(os.environ.get("ORACLE_LOG", os.devnull)).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [self.home / "venv" / "bin" / "python", "-m", "vllm_judge"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment(release),
            )  # fmt: skip
        ready = process.stdout.readline() if process.stdout is not None else ""
        return process if ready else None

    def _environment(self, release: str) -> dict[str, str]:
        tree, beside = self.home / "trees" / f"tree-{release}", self.home / "beside" / release
        paths = (_HERE, beside, self.home / "extra", tree)
        return {
            **os.environ,
            **_OFFLINE,
            "HOME": str(self.home / "home"),
            "PYTHONPATH": ":".join(map(str, paths)),
            "PYTHONPYCACHEPREFIX": str(self.home / "home" / "bytecode"),
        }


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer; where a stand-in for a device or a compiled kernel ended the start, vLLM has said nothing."""
    text = (answer.get("error") or {}).get("text", "")
    return answer | {"verdict": "unanswered"} if any(words in text for words in _LIMITS) else answer


def oracle_home() -> Path | None:
    """Where the judge's environment lies, by VLLM_WIZARD_ORACLE; None where it is not installed."""
    place = os.environ.get("VLLM_WIZARD_ORACLE")
    return Path(place) if place else None
