"""calibrate: what starts and benchmarks of a deployment measured, as its answer `measured`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from generator import __version__, recording, workflow
from generator.cluster import cluster_for
from generator.errors import RequestError
from generator.models.boot import Boot
from generator.models.measured import Measurement, kept, layout_key
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.models.value import Value
from generator.operations.loads import under_load
from generator.planning.memory.budget import requested_bytes
from generator.planning.memory.measured import boot_settings, logged_terms, planned_terms
from generator.planning.memory.overhead import device_total
from generator.planning.memory.stages import unmeasured_needs
from generator.planning.planner import choose
from generator.rendering.answers import Answers, read
from generator.sources.report_file import read_written

if TYPE_CHECKING:
    from generator.operations.update import UpdateReport
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case

_BENCH = "`vllm bench serve --save-result` writes it: make bench"


class BenchResult(Value):
    """What `vllm bench serve --save-result` writes, as far as a plan can be compared with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    completed: int = Field(gt=0)
    mean_tpot_ms: float = Field(gt=0)
    mean_ttft_ms: float = Field(gt=0)
    output_throughput: float = Field(gt=0)
    total_input_tokens: int = Field(gt=0)
    total_output_tokens: int = Field(gt=0)
    max_concurrency: int | None = None

    @property
    def load(self) -> dict[str, int]:
        """The load that was measured: means over the requests; all at once where no limit is stated."""
        return {
            "concurrency": min(self.max_concurrency or self.completed, self.completed),
            "prompt_tokens": max(1, round(self.total_input_tokens / self.completed)),
            "gen_tokens": max(1, round(self.total_output_tokens / self.completed)),
        }


def measurement_of(root: Path, boot: Boot, day: date | None = None) -> Measurement:
    """What a start measured of the deployment at `root`, beside what is planned for the same without measurements.

    Raises:
        RequestError: `root` is no deployment, or the log is of something else than its plan.
    """
    answers = read(root)
    layout, case = answers.plan.layout, _case(answers)
    _refuse_others(boot, layout, case)
    found = choose(case, layout).candidate
    terms = _terms(boot, found, case)
    if not terms:
        raise RequestError("the log tells no figure that a plan has: give the log of a start that loaded its weights")
    replica = found.replica.with_settings(**_limits(boot, answers.plan.engine, found))
    before = bool(boot.compiled_before)
    planned = planned_terms(*unmeasured_needs(case, replica, found.weights), compiled_before=before)
    return Measurement(
        day=_today(day), kind="boot", gpu=case.gpu.name, release=case.release, layout=layout_key(layout),
        model=case.facts.id, planner=case.tables.planner, settings=boot_settings(replica) | {"compiled_before": before},
        measured=terms, planned={name: value for name, value in planned.items() if name in terms},
    )  # fmt: skip


def benchmark_of(root: Path, file: Path, day: date | None = None) -> Measurement:
    """What a benchmark in `file` measured of the deployment at `root`, beside the estimate of the same load.

    Raises:
        SourceError: the file cannot be read, or is no result of `vllm bench serve`.
        RequestError: `root` is no deployment, or nothing is estimated for it.
    """
    return benchmarked(root, read_written(file, BenchResult, what="result of vllm bench serve", script=_BENCH), day)


def benchmarked(root: Path, result: BenchResult, day: date | None = None) -> Measurement:
    """What a benchmark measured of the deployment at `root`, beside the estimate of the same load.

    Raises:
        RequestError: `root` is no deployment, or nothing is estimated for it.
    """
    answers = read(root)
    plan, case = answers.plan, _case(answers, **result.load)
    found = choose(case, plan.layout)
    if found.estimate is None:
        raise RequestError(f"nothing is estimated for {case.gpu.name}, so that a benchmark has nothing to correct")
    estimate = found.estimate
    return Measurement(
        day=_today(day), kind="bench", gpu=case.gpu.name, release=case.release, layout=layout_key(plan.layout),
        model=case.facts.id, planner=case.tables.planner, settings=dict(result.load),
        measured={
            "tpot_ms": result.mean_tpot_ms, "ttft_ms": result.mean_ttft_ms,
            "output_tokens_per_s": result.output_throughput,
        },
        planned={
            "tpot_ms": round(estimate.tpot_ms.mean, 4), "ttft_ms": round(estimate.ttft_ms.mean, 4),
            "output_tokens_per_s": round(estimate.output_tokens_per_s.mean, 4),
        },
    )  # fmt: skip


def record(root: Path, new: Measurement, **options: Any) -> UpdateReport:
    """Set the answer `measured` with one measurement more, and plan again.

    Raises:
        GeneratorError: as `update`.
    """
    return _set(root, kept(measurements(root), new), **options)


def forget(root: Path, key: str = "", **options: Any) -> UpdateReport:
    """Plan again without one measurement, or without any.

    Raises:
        RequestError: there is none of that key.
    """
    held = measurements(root)
    if key and key not in held:
        raise RequestError(f"{key!r} was never measured here; `vllm-wizard calibrate list` names what was")
    return _set(root, {name: one for name, one in held.items() if key and name != key}, **options)


def measurements(root: Path) -> dict[str, Measurement]:
    """What is recorded of the deployment at `root`.

    Raises:
        RequestError: `root` is no deployment, or what is recorded cannot be read.
    """
    return dict(recording.request_of(read(root.expanduser().absolute()).values).measured)


def idle(answers: Answers) -> tuple[str, ...]:
    """Measurements that the recorded plan cannot rest on, each with the reason."""
    plan, request = answers.plan, recording.request_of(answers.values)
    wanted = {"gpu": cluster_for(request).gpu.name, "release": str(plan.inputs.get("vllm"))}
    wanted |= {"layout": layout_key(plan.layout), "planner": __version__}
    return tuple(
        f"{key}: {name} is {now} now" if name != "planner" else f"{key}: planned by {one.planner}"
        for key, one in request.measured.items()
        for name, now in wanted.items()
        if getattr(one, name) != now
    )


def _set(root: Path, held: dict[str, Measurement], **options: Any) -> UpdateReport:
    from generator.operations.update import update  # noqa: PLC0415 - start-up time of `check`

    return update(root, {"measured": {key: one.model_dump(mode="json") for key, one in held.items()}}, **options)


def _case(answers: Answers, **load: int) -> Case:
    """The deployment's case without measurements; under another load with the engine values that its server has."""
    asked = under_load(answers, **load) if load else recording.request_of(answers.values)
    request: Request = asked.model_copy(update={"measured": {}})
    facts = recording.facts_of(answers.values.get(recording.FACTS) or {})
    return workflow.case_for(request, facts)


def _refuse_others(boot: Boot, layout: Layout, case: Case) -> None:
    """Return only where the log is of the plan's release and layout."""
    if boot.version is not None and boot.version.split("+")[0] != case.release:
        raise RequestError(
            f"the log is of vLLM {boot.version}, the plan of {case.release}: start the planned image, or plan for the "
            "other with `vllm-wizard update --vllm`"
        )
    size = boot.config.get("tensor_parallel_size")
    if size is not None and int(size) != layout.tensor_parallel_size:
        raise RequestError(
            f"the log is of tensor_parallel_size {size}, the plan of {layout.tensor_parallel_size}: start the plan's"
        )


def _terms(boot: Boot, found: Candidate, case: Case) -> dict[str, float]:
    """Terms that the log tells: of the stages of a pipeline, and of a CPU, fewer than of one GPU."""
    alike = found.layout.pipeline_parallel_size == 1
    weights = boot.weights_bytes.high if boot.weights_bytes and alike else None
    if boot.device == "CPU":
        return logged_terms(
            requested=None, weights=weights, available=None, non_torch=None, activation=None, graphs=None
        )
    fixed = {"kv_cache_memory_bytes", "num_gpu_blocks_override"} & (boot.arguments.keys() | case.fixed.keys())
    available = boot.cache_bytes.low if boot.cache_bytes and alike and not fixed else None
    return logged_terms(
        requested=boot.requested_bytes or _requested(boot, found, case),
        weights=weights,
        available=available,
        non_torch=boot.non_torch_bytes,
        activation=boot.activation_bytes,
        graphs=boot.graph_estimate_bytes,
    )


def _requested(boot: Boot, found: Candidate, case: Case) -> int:
    """What vLLM asked for: the logged share, else the plan's, of the GPU's memory as CUDA sees it."""
    total = device_total(case.gpu, case.tables.overheads)
    share = boot.utilization or boot.arguments.get("gpu_memory_utilization") or float(found.utilization.value)
    return requested_bytes(total, float(share)).expected


def _limits(boot: Boot, engine: dict[str, Any], found: Candidate) -> dict[str, Any]:
    """Batch limits of the start: logged, else the plan's."""
    settings = found.replica.settings
    tokens = boot.arguments.get("max_num_batched_tokens") or boot.batched_tokens or engine.get("max_num_batched_tokens")
    sequences = boot.arguments.get("max_num_seqs") or engine.get("max_num_seqs")
    return {
        "max_num_seqs": int(sequences or settings.max_num_seqs),
        "max_num_batched_tokens": int(tokens or settings.max_num_batched_tokens),
        "enforce_eager": boot.eager or settings.enforce_eager,
    }


def _today(day: date | None) -> str:
    return (day or datetime.now(UTC).date()).isoformat()
