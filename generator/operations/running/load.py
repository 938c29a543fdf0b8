"""How `vllm bench serve` is started for one load, and how its result is read."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError

from generator.errors import SourceError
from generator.models.measured import BenchRun
from generator.models.value import Value, problem
from generator.models.workload import Workload
from generator.operations.running.reach import why_not

if TYPE_CHECKING:
    from generator.operations.running.reach import Reach
    from generator.rendering.answers import Answers

_CONTAINER_DIR = "/tmp/vllm-wizard-bench"  # noqa: S108 - in vLLM's container, of one user
_KEYED = 'OPENAI_API_KEY="$VLLM_API_KEY" exec vllm "$@"'
"""In a container the key is its own variable: it never stands among the words of a process."""
_SHOWN = 400
_KLOG = re.compile(r"[EWI]\d{4} \d\d:")
_MENDS = "; start the server, or name its address with --url"
_SLOWEST_S = 3600


class Result(Value):
    """What `vllm bench serve --save-result` writes, as far as it is compared."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    completed: int
    failed: int = 0
    duration: float
    mean_ttft_ms: float
    mean_tpot_ms: float
    output_throughput: float
    request_throughput: float
    max_concurrency: int | None = Field(None, ge=1)

    def run(self, concurrency: int) -> BenchRun:
        """The figures that are compared with the plan."""
        return BenchRun(
            concurrency=self.max_concurrency or concurrency,
            completed=self.completed,
            failed=self.failed,
            duration_s=self.duration,
            ttft_ms=self.mean_ttft_ms,
            tpot_ms=self.mean_tpot_ms,
            output_tokens_per_s=self.output_throughput,
            requests_per_s=self.request_throughput,
        )


def round_of(
    reach: Reach, answers: Answers, load: Workload, *, requests: int, vllm: Sequence[str], seed: int
) -> dict[str, Any]:
    """The result of so many requests of one load, as vLLM wrote it: the load's at once, each of its lengths.

    The seed says which prompts they are.

    Raises:
        SourceError: as `measure`.
    """
    facts = {
        "gpu": str(answers.values.get("gpu")),
        "vllm_release": str(answers.values.get("vllm")),
        "plan": answers.plan.digest[:12],
        "input_len": str(load.prompt_tokens),
        "output_len": str(load.gen_tokens),
    }
    words = [
        "bench", "serve", "--backend", "openai", "--endpoint", "/v1/completions", "--base-url", reach.url,
        "--model", reach.model, "--served-model-name", reach.served, "--dataset-name", "random",
        "--random-input-len", str(load.prompt_tokens), "--random-output-len", str(load.gen_tokens),
        "--num-prompts", str(requests), "--max-concurrency", str(load.concurrency), "--num-warmups", "1",
        "--ignore-eos", "--seed", str(seed), "--disable-tqdm", "--percentile-metrics", "ttft,tpot,itl,e2el",
        "--metric-percentiles", "50,95,99", "--save-result", "--metadata",
        *(f"{name}={value}" for name, value in facts.items()),
    ]  # fmt: skip
    return measure(reach, words, vllm, limit_s=_SLOWEST_S)


def measure(reach: Reach, words: Sequence[str], vllm: Sequence[str], *, limit_s: float) -> dict[str, Any]:
    """The result of one run as vLLM wrote it.

    Raises:
        SourceError: the command is absent, fails, does not end in time, or writes no result.
    """
    if not reach.inside:
        with TemporaryDirectory() as folder:
            own = ["--result-dir", folder, "--result-filename", "result.json"]
            _run([*vllm, *words, *own], limit_s=limit_s, key=reach.key)
            file = Path(folder) / "result.json"
            return _parsed(file.read_text(encoding="utf-8") if file.exists() else "")
    own = ["--result-dir", _CONTAINER_DIR, "--result-filename", "result.json"]
    _run([*reach.prefix, "sh", "-c", _KEYED, "sh", *words, *own], limit_s=limit_s, mends=_MENDS)
    return _parsed(_run([*reach.prefix, "cat", f"{_CONTAINER_DIR}/result.json"], limit_s=60))


def checked(content: Mapping[str, Any]) -> Result:
    """The figures of a result.

    Raises:
        SourceError: it lacks one, or no request was answered.
    """
    try:
        result = Result.model_validate(content)
    except ValidationError as error:
        where, why = problem(error)
        raise SourceError(
            f"the result of `vllm bench serve` has no {where} ({why}): is it of another release?"
        ) from error
    if not result.completed:
        raise SourceError("no request of the benchmark was answered: `make smoke` says what is wrong with the server")
    return result


def _run(command: Sequence[str], *, limit_s: float, key: str = "", mends: str = "") -> str:
    """Standard output of a command that ends well."""
    shown = " ".join(command[:6])
    environment = os.environ | ({"OPENAI_API_KEY": key} if key else {})
    try:
        done = subprocess.run(  # noqa: S603 - words of our own, and the user's command
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=limit_s,
            env=environment, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise SourceError(f"{command[0]} is not on the PATH: name vLLM's with --vllm PATH") from error
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"`{shown} ...` did not end within {limit_s:.0f} s: a shorter load, --short?") from error
    except OSError as error:
        raise SourceError(f"`{shown} ...` cannot be started: {error.strerror}") from error
    if done.returncode:
        said = why_not(_end_of(done.stderr.strip() or done.stdout.strip()))
        raise SourceError(f"`{shown} ...` failed: {said or f'status {done.returncode}'}{mends}")
    return done.stdout


def _end_of(text: str) -> str:
    """The end of what a program said, on one line; kubectl's own log before it is left out."""
    return " ".join(" ".join(line for line in text.splitlines() if not _KLOG.match(line))[-_SHOWN:].split())


def _parsed(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SourceError("`vllm bench serve` wrote no result: run it by hand, with --save-result") from error
    if not isinstance(content, dict):
        raise SourceError("`vllm bench serve` wrote no result that is one object")
    return content
