"""Measurements as lines for people, and as anonymous rows in the formats of the accuracy data."""

import csv
import io
from collections.abc import Iterator

from generator.models.measured import Measurement
from generator.units import GIB

_TERMS = {
    "weights": "weights",
    "non_torch": "outside PyTorch",
    "activation": "activation peak",
    "graphs": "CUDA graphs, estimate",
    "overhead": "all beside the weights",
    "tpot_ms": "time per output token",
    "ttft_ms": "time to first token",
    "output_tokens_per_s": "output tokens/s",
}
_START = (
    "model", "vllm_version", "gpu", "tp", "pp", "dp", "ep", "quantization", "max_num_seqs", "max_num_batched_tokens",
    "enforce_eager", "model_load_gib", "non_torch_gib", "peak_activation_gib", "cudagraph_est_gib", "log_date",
    "source_type", "notes",
)  # fmt: skip
"""Columns of startup_logs.csv that a measurement has something for."""
_BENCH = (
    "model_id", "gpu", "tp", "pp", "dp", "ep", "vllm_version", "input_len", "output_len", "concurrency",
    "output_tok_s", "mean_ttft_ms", "mean_tpot_ms", "date",
)  # fmt: skip
"""Columns of bench.csv that a measurement has something for."""


def measurement_lines(one: Measurement) -> Iterator[str]:
    """A measurement for people: its key, where it comes from, each figure beside the plan's."""
    what = "boot log" if one.kind == "boot" else "benchmark"
    yield f"{one.key}: {what} of {one.model} on {one.day}, planned by {one.planner}"
    for name, value in one.measured.items():
        yield f"  {_TERMS.get(name, name):26s} {_figure(name, value)}, planned {_figure(name, one.planned.get(name))}"


def accuracy_rows(held: tuple[Measurement, ...]) -> Iterator[str]:
    """Rows of startup_logs.csv, then of bench.csv, each kind under its header; no path, host or account is in them."""
    for kind, columns, row in (("boot", _START, _start), ("bench", _BENCH, _bench)):
        rows = [row(one) for one in held if one.kind == kind]
        if rows:
            text = io.StringIO()
            writer = csv.DictWriter(text, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            yield from text.getvalue().splitlines()


def _start(one: Measurement) -> dict[str, object]:
    terms = {"model_load_gib": "weights", "non_torch_gib": "non_torch", "peak_activation_gib": "activation",
             "cudagraph_est_gib": "graphs"}  # fmt: skip
    sizes = {column: f"{one.measured[term] / GIB:.2f}" for column, term in terms.items() if term in one.measured}
    beside = one.measured.get("overhead")
    settings = {name: one.settings.get(name, "") for name in _START if name in one.settings}
    return settings | sizes | _layout(one) | {
        "model": _public(one.model), "vllm_version": one.release, "gpu": one.gpu, "log_date": one.day,
        "source_type": "calibrate export",
        "notes": "" if beside is None else f"all beside the weights {beside / GIB:.2f} GiB",
    }  # fmt: skip


def _bench(one: Measurement) -> dict[str, object]:
    figures = {"output_tok_s": "output_tokens_per_s", "mean_ttft_ms": "ttft_ms", "mean_tpot_ms": "tpot_ms"}
    load = {"input_len": "prompt_tokens", "output_len": "gen_tokens", "concurrency": "concurrency"}
    return {
        **{column: round(one.measured[term], 2) for column, term in figures.items() if term in one.measured},
        **{column: one.settings.get(name, "") for column, name in load.items()},
        **_layout(one), "model_id": _public(one.model), "gpu": one.gpu, "vllm_version": one.release, "date": one.day,
    }  # fmt: skip


def _layout(one: Measurement) -> dict[str, object]:
    sizes: dict[str, object] = {"tp": "1", "pp": "1", "dp": "1", "ep": "ep" in one.layout.split()}
    for word in one.layout.split():
        name, size = word[:2], word[2:]
        if name in sizes and size:
            sizes[name] = size
    return sizes


def _public(model: str) -> str:
    """A model's id; of a local directory only that it is one."""
    return "local" if model.startswith(("/", ".", "~")) else model


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "nothing"
    if name.endswith("_ms"):
        return f"{value:,.1f} ms"
    return f"{value:,.0f}" if name.endswith("_per_s") else f"{value / GIB:,.2f} GiB"
