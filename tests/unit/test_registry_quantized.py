"""Quantized layouts over four made-up models against the parameters that vLLM 0.32.0's own classes create.

Built on the meta device as an H100 would see them, before any kernel repacks them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.models.capability import HOPPER
from generator.models.parallelism import Layout
from generator.planning.weights.rank import rank_weights
from generator.sources.architectures import read_architecture, read_quantization

FIXTURE = Path(__file__).parents[1] / "fixtures" / "registry" / "quantized.json"
DATA: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['method']}-{row['model']}") for row in DATA["rows"]])
def test_weights_of_one_rank_are_those_that_the_method_creates(row: dict[str, Any]) -> None:
    config = {**DATA["models"][row["model"]], "quantization_config": row["quantization_config"]}
    architecture, quantization = read_architecture(config), read_quantization(config)
    for tp, expected in row["param_bytes"].items():
        layout = Layout(tensor_parallel_size=int(tp))
        ours = rank_weights(architecture, quantization, layout, capability=HOPPER).worst.total_bytes
        assert ours == pytest.approx(expected, rel=0.001)
