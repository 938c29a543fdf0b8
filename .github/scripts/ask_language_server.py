"""Ask the language server that editors use for YAML about a right profile and a wrong one.

python .github/scripts/ask_language_server.py PROGRAM

The profile names the schema in its first line, as every generated one does. Nothing is fetched.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = (ROOT / "docs" / "reference" / "profile.schema.json").as_uri()
RIGHT = "model: {id: Qwen/Qwen3-8B}\nhardware: {gpu: L4, gpus: 2}\nworkload: {preset: chat}\n"
WRONG = {
    "modell: {id: Qwen/Qwen3-8B}\n": "modell",
    "hardware: {gpus: two}\n": "integer",
    "workload: {preset: chatt}\n": "chat",
}
"""A profile each, and a word of what is said of it."""


class Server:
    """The language server, spoken to over its standard streams."""

    def __init__(self, program: str) -> None:
        words = ["node", program, "--stdio"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        self._sent = 0
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self._tell("initialized", {})

    def complaints(self, text: str) -> list[str]:
        """What it says of a file with this text."""
        self._sent += 1
        place = f"file:///profile-{self._sent}.yaml"
        whole = f"# yaml-language-server: $schema={SCHEMA}\n{text}"
        document = {"uri": place, "languageId": "yaml", "version": 1, "text": whole}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while True:
            said = self._read()
            if said.get("method") == "textDocument/publishDiagnostics" and said["params"]["uri"] == place:
                return [one["message"] for one in said["params"]["diagnostics"]]

    def close(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    def _ask(self, method: str, params: dict[str, Any]) -> None:
        self._write({"id": 0, "method": method, "params": params})
        while self._read().get("id") != 0:
            pass

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._write({"method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin  # noqa: S101 - a pipe was asked for
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout  # noqa: S101 - likewise
        length = 0
        while (line := self._process.stdout.readline()) != b"\r\n":
            if not line:
                raise SystemExit("the language server ended")
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        found: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "method" in found and "id" in found:  # it asks the editor for settings: there are none
            self._write({"id": found["id"], "result": [{}, {}, {}, {}, {}]})
        return found


def main() -> None:
    """Ask; end with status 1 where a right profile is complained of, or a wrong one is not."""
    server = Server(sys.argv[1])
    try:
        said = {text: server.complaints(text) for text in (RIGHT, *WRONG)}
    finally:
        server.close()
    amiss = [f"of a right profile: {said[RIGHT]}"] if said[RIGHT] else []
    amiss += [f"of {text!r}: {said[text]}" for text, word in WRONG.items() if word not in " ".join(said[text])]
    print(*amiss, f"1 right and {len(WRONG)} wrong profiles: {len(amiss)} answers amiss", sep="\n")
    sys.exit(bool(amiss))


if __name__ == "__main__":
    main()
