"""Weights of the worst rank against vLLM's own: `weights.within_0.5pct`, `weights.max_error`, the worst rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.errors import GeneratorError
from generator.models.capability import Capability
from generator.models.parallelism import Layout
from generator.planning.weights.rank import RankWeights, rank_weights
from generator.sources.architectures import read_architecture, read_quantization

if TYPE_CHECKING:
    from pathlib import Path

CAPABILITIES = {"T4": 75, "A100-80": 80, "L4": 89, "L40S": 89, "H100": 90, "B200": 100, "RTX5090": 120}
"""Compute capability of the GPUs that records name."""

TIGHT = 0.005
"""The error that 95 % of the records must stay within."""


class Row(NamedTuple):
    """One record and our error on its worst rank; `error` is infinite where our reader refuses the model."""

    model: str
    layout: str
    gpu: str
    quantization: str
    expected_bytes: int
    planned_bytes: int
    error: float
    note: str = ""

    def __str__(self) -> str:
        figures = f"{self.planned_bytes:>14d} of {self.expected_bytes:>14d}"
        return f"{self.error:9.5f} {figures}  {self.model} {self.layout} {self.gpu} {self.quantization} {self.note}"


def read_json(path: Path) -> Any:
    """The file's content, None where it does not exist."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def planned(record: dict[str, Any], directory: Path) -> RankWeights:
    """Our weights of the record's model at its layout, from config.json alone."""
    config = read_json(directory / "config.json")
    other = read_json(directory / "hf_quant_config.json")
    speculative = record["engine_args"].get("speculative_config") or {}
    architecture = read_architecture(config, other)
    return rank_weights(
        architecture,
        read_quantization(config, other),
        Layout(
            tensor_parallel_size=record["tp"],
            pipeline_parallel_size=record["pp"],
            data_parallel_size=record["dp"],
            enable_expert_parallel=record["ep"],
        ),
        dtype=record["dtype"].removeprefix("torch."),
        capability=Capability(CAPABILITIES[record["gpu"]]),
        drafts=len(architecture.drafts) if speculative.get("method") == "mtp" else 0,
        language_model_only=bool(record["engine_args"].get("language_model_only")),
    )


def score(record: dict[str, Any], configs: Path) -> Row:
    """Our error on one record."""
    expected = record["max_rank_param_bytes"]
    layout = f"tp{record['tp']} pp{record['pp']} dp{record['dp']}" + (" ep" if record["ep"] else "")
    fields = (record["model"], layout, record["gpu"], str(record.get("quantization") or ""), expected)
    try:
        ours = planned(record, configs / record["model"]).worst.total_bytes
    except GeneratorError as error:
        return Row(*fields, 0, float("inf"), str(error))
    return Row(*fields, ours, abs(ours - expected) / expected)


def scores(truth: Path, configs: Path) -> tuple[list[Row], int]:
    """Rows of every record whose model has a config, and how many have none."""
    records = json.loads(truth.read_text(encoding="utf-8"))
    known = [record for record in records if (configs / record["model"] / "config.json").exists()]
    return [score(record, configs) for record in known], len(records) - len(known)


def report(truth: Path, configs: Path, *, worst: int = 20) -> list[str]:
    """Lines of the report: one metric each, then the worst rows."""
    rows, missing = scores(truth, configs)
    rows.sort(key=lambda row: -row.error)
    within = sum(row.error <= TIGHT for row in rows) / len(rows) if rows else 0.0
    largest = rows[0].error if rows else 0.0
    return [
        f"weights.within_0.5pct {within:.4f} rows={len(rows)} without_config={missing}",
        f"weights.max_error {largest:.5f} rows={len(rows)}",
        *(str(row) for row in rows[:worst]),
    ]
