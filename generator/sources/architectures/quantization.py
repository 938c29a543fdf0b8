"""quantization_config -> Quantization: which modules a checkpoint stores in which format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.quantization import Quantization


def read_quantization(
    config: Mapping[str, Any], hf_quant_config: Mapping[str, Any] | None = None
) -> Quantization | None:
    """The scheme that config.json or ModelOpt's hf_quant_config.json declares; None where unquantized."""
    del config, hf_quant_config
    return None
