"""Quantization that vLLM applies while it loads an unquantized checkpoint: what stays on the GPU afterwards."""

from difflib import get_close_matches
from typing import NamedTuple

from generator.errors import UnknownFactError
from generator.models.quantization import (
    FP8_CHANNEL,
    GPT_OSS_EXPERTS,
    INT8_CHANNEL,
    MXFP4,
    MXFP8,
    NVFP4,
    Format,
    Quantization,
    QuantRule,
    fp8,
)


class Online(NamedTuple):
    """One method: the formats that it makes of linear layers, which None leaves alone, and of experts."""

    linear: Format | None
    experts: Format


def _alike(form: Format) -> Online:
    return Online(form, form)


ONLINE: dict[str, Online] = {
    "fp8": _alike(fp8()),
    "fp8_per_tensor": _alike(fp8()),
    "fp8_per_block": _alike(fp8([128, 128])),
    "fp8_per_channel": _alike(FP8_CHANNEL),
    "int8_per_channel_weight_only": Online(None, INT8_CHANNEL),
    "experts_int8": Online(None, INT8_CHANNEL),
    "nvfp4_per_token": Online(None, NVFP4),
    "mxfp8": _alike(MXFP8),
    "mxfp4": Online(MXFP4, GPT_OSS_EXPERTS),
}
"""Values of `--quantization` that need no quantized checkpoint (vLLM 0.33 layers/quantization/online).

Experts of MXFP4 run in what gpt-oss's choice among kernels finds (online/mxfp4.py: select_mxfp4_moe_backend).
"""


def online_quantization(method: str) -> Quantization:
    """The scheme of an unquantized checkpoint once `--quantization method` has loaded it.

    Raises:
        UnknownFactError: vLLM quantizes online by no such method; the nearest are named.
    """
    if method not in ONLINE:
        nearest = ", ".join(get_close_matches(method, ONLINE, n=3, cutoff=0.0))
        raise UnknownFactError(f"vLLM has no online quantization {method!r}; nearest: {nearest}")
    linear, experts = ONLINE[method]
    head = QuantRule(targets=("lm_head", "*.lm_head", "*embed_tokens*"))
    layers = (QuantRule(targets=("*",), format=linear),) if linear else ()
    return Quantization(
        method=method, bits=experts.bits, group_size=experts.scale_columns or None,
        rules=(head, QuantRule(targets=("*.experts*",), format=experts), *layers),
    )  # fmt: skip
