"""Configurations that vLLM refuses: ours must refuse them too, for the same reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from generator.catalogue.classes import classes_of
from generator.catalogue.quantizations import all_quantizations
from generator.errors import GeneratorError
from generator.models.hardware import Cluster
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.replica import Replica
from generator.planning.rules.start import check_start
from tests.accuracy import truth

if TYPE_CHECKING:
    from pathlib import Path

REASONS = (
    (
        r"attention heads .* divisible by tensor parallel size",
        r"attention heads .* divisible by tensor\s+parallel size",
    ),
    (r"FP8 KV cache is not supported by the Triton", r"FP8 KV cache is not supported by the Triton"),
    (r"quantization method .* Minimum capability", r"quantization .* minimum capability"),
    (r"max_model_len .* greater than the derived", r"max_model_len .* greater than the model's"),
    (r"Decode context parallelism for GQA", r"decode context parallelism for GQA"),
    (r"Unknown ModelOpt quant algo", r"knows no ModelOpt quant algo"),
    (r"not divisible by weight quantization block", r"not divisible by the \d+ of a block of scales"),
    (r"Pipeline parallelism is not supported", r"pipeline parallelism is not supported"),
    (r"supported in vLLM until", r"was supported until vLLM"),
    (r"World size .* larger than the number of available", r"world size .* larger than .* available"),
)
"""What vLLM's words and ours have in common: a refusal for another reason does not count."""
METHODS = {word: method for method in all_quantizations() for word in (method.name, *method.aliases)}


def refusal_lines(path: Path, configs: Path) -> list[str]:
    """The share of refusals that ours shares, then the ones it misses; nothing where there is no such file."""
    if not path.is_file():
        return []
    rows = [row for row in truth.records(path) if truth.has_config(row, configs)]
    missed = [(row, why) for row in rows if (why := difference(row, configs))]
    return [
        f"kv.refusals_caught {truth.share(len(rows) - len(missed), len(rows))}",
        f"kv.refusals {len(rows)}",
        *(f"  missed {truth.label(row)}: {why}" for row, why in missed),
    ]


def difference(row: truth.Record, configs: Path) -> str:
    """How ours differs from vLLM's refusal; empty where the reason is the same."""
    try:
        begin = start_of(row, configs)
        check_start(begin)
        cache_layout(begin.architecture, begin.layout, begin.settings)
    except GeneratorError as error:
        ours = str(error)
    else:
        return f"starts; vLLM: {row['error'][:120]}"
    same = any(re.search(theirs, row["error"], re.DOTALL) and re.search(own, ours) for theirs, own in REASONS)
    return "" if same else f"refused for {ours[:80]!r}; vLLM: {row['error'][:120]}"


def start_of(row: truth.Record, configs: Path) -> Replica:
    """The start that a record stands for."""
    found = truth.model(row["model"], configs)
    card = truth.gpu(row)
    method = row["engine_args"].get("quantization") or (found.quantization and found.quantization.method)
    minimum = METHODS[method].minimum_for(row["vllm"]) if method else None
    return Replica(
        architecture=found.architecture,
        layout=truth.layout(row),
        settings=truth.settings(row, found),
        cluster=Cluster(gpu=card, gpus_per_node=truth.GPUS_PER_NODE),
        model_class=classes_of(row["vllm"]).of(found.architecture.architecture),
        asked_context=row["engine_args"].get("max_model_len"),
        quantization=method,
        quantization_minimum_capability=minimum,
        stored=found.quantization,
        modelopt_algorithm=found.quantization.modelopt_algorithm if found.quantization else None,
    )
