"""bench(): the planned load measured on the running server, kept in the repository, beside estimate and targets."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from generator import recording
from generator.errors import RequestError
from generator.models.estimate import Estimate, Latency, Throughput
from generator.models.measured import BenchRun, Comparison, Outcome, RunCompared
from generator.models.value import Value
from generator.models.workload import Targets
from generator.operations.loads import under_load
from generator.operations.running.load import checked, round_of
from generator.operations.running.reach import reach_of
from generator.presenting.bench import bench_picture, bench_text
from generator.rendering.answers import Answers, read

FOLDER = "measurements"
_ROUNDS, _SHORT_ROUNDS = 4, 1


class Bench(Value):
    """What was measured, and what it was compared with."""

    path: Path
    prompt_tokens: int
    gen_tokens: int
    runs: tuple[RunCompared, ...]
    files: tuple[str, ...]
    """Files that were written, from the repository's root."""

    @property
    def failures(self) -> tuple[str, ...]:
        """Figures that are worse than promised, at the concurrency that was measured."""
        return tuple(
            f"{one.figure} at {run.run.concurrency} {one.outcome}"
            for run in self.runs
            for one in run.figures
            if one.fails
        )


def bench(
    root: Path,
    *,
    url: str = "",
    concurrencies: Sequence[int] = (),
    short: bool = False,
    vllm: Sequence[str] = ("vllm",),
    docker: str = "docker compose",
    told: Callable[[str], None] = lambda _: None,
    learn: Callable[[Path, Path], None] | None = None,
) -> Bench:
    """Measure the running server of the deployment at `root` under its planned load, and a few beside it.

    `learn` is handed the deployment and vLLM's result of the largest load, while the tree is as it was.

    Raises:
        RequestError: `root` is no deployment, or its model generates no text.
        SourceError: `vllm bench serve` cannot be run, fails, or no request was answered.
    """
    place = root.expanduser().absolute()
    answers = read(place, updated=False)
    if answers.plan.pooling is not None:
        raise RequestError("a model that pools has no tokens to time: `vllm bench serve --backend openai-embeddings`")
    request = recording.request_of(answers.values)
    reach = reach_of(place, answers, url=url, docker=docker)
    load = request.load_in(answers.plan.engine["max_model_len"])
    chosen = tuple(concurrencies) or _sweep(load.concurrency, short=short)
    made = []
    for count in chosen:
        requests = max(2, count * (_SHORT_ROUNDS if short else _ROUNDS))
        told(f"{requests} requests of {load.prompt_tokens:,} + {load.gen_tokens:,} tokens, {count} at once")
        asked = load.model_copy(update={"concurrency": count})
        made.append(round_of(reach, answers, asked, requests=requests, vllm=vllm, seed=count))
    runs = tuple(compared(checked(one).run(count), _estimate(answers, count), request.targets)
                 for count, one in zip(chosen, made, strict=True))  # fmt: skip
    if learn is not None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "bench.json"
            file.write_text(json.dumps(made[-1]), encoding="utf-8")
            learn(place, file)
    files = _kept(place, chosen, made, runs)
    return Bench(path=place, prompt_tokens=load.prompt_tokens, gen_tokens=load.gen_tokens, runs=runs, files=files)


def _sweep(planned: int, *, short: bool) -> tuple[int, ...]:
    """One request, a quarter of the planned load, and the planned load; shortly, the planned load alone."""
    return (planned,) if short else tuple(sorted({1, max(1, planned // 4), planned}))


def _estimate(answers: Answers, concurrency: int) -> Estimate | None:
    """The estimate of the recorded configuration under another concurrency; None where speed is not modelled."""
    facts = recording.facts_of(answers.values.get(recording.FACTS) or {})
    return recording.prove(under_load(answers, concurrency=concurrency), facts, compared=False).plan.estimate


def _kept(
    place: Path, chosen: Sequence[int], made: Sequence[dict[str, Any]], runs: tuple[RunCompared, ...]
) -> tuple[str, ...]:
    """Files of the repository that keep the results: vLLM's own, the table and the picture."""
    folder = place / FOLDER
    folder.mkdir(exist_ok=True)
    texts = {f"bench-{count}.json": json.dumps(one, indent=1) for count, one in zip(chosen, made, strict=True)}
    texts |= {"bench.md": bench_text(runs), "bench.svg": bench_picture(runs)}
    for name, text in texts.items():
        (folder / name).write_text(text.rstrip() + "\n", encoding="utf-8")
    return tuple(f"{FOLDER}/{name}" for name in texts)


def compared(run: BenchRun, estimate: Estimate | None, targets: Targets) -> RunCompared:
    """The run's latencies and throughput, each with its outcome."""
    rows = (
        ("first token", "ms", run.ttft_ms, estimate and estimate.ttft_ms, targets.ttft_ms),
        ("each further token", "ms", run.tpot_ms, estimate and estimate.tpot_ms, targets.tpot_ms),
        ("output", "tokens/s", run.output_tokens_per_s, estimate and estimate.output_tokens_per_s, None),
        ("requests", "1/s", run.requests_per_s, estimate and estimate.requests_per_s, targets.requests_per_s),
    )
    return RunCompared(run=run, figures=tuple(_row(*row) for row in rows))


def _row(
    figure: str, unit: str, measured: float, expected: Latency | Throughput | None, target: float | None
) -> Comparison:
    lower_is_better = unit == "ms"
    return Comparison(
        figure=figure,
        unit=unit,
        measured=measured,
        expected=expected.mean if expected else None,
        low=expected.low if expected else None,
        high=expected.high if expected else None,
        target=target,
        outcome=_outcome(measured, expected, target, lower_is_better=lower_is_better),
    )


def _outcome(
    measured: float, expected: Latency | Throughput | None, target: float | None, *, lower_is_better: bool
) -> Outcome:
    if target is not None:
        return "met" if (measured <= target) is lower_is_better or measured == target else "missed"
    if expected is None:
        return "no estimate"
    if expected.low <= measured <= expected.high:
        return "as estimated"
    return "better than estimated" if (measured < expected.low) is lower_is_better else "worse than estimated"
