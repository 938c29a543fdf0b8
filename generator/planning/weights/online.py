"""Quantization that vLLM applies while it loads an unquantized checkpoint: what stays on the GPU afterwards."""

from difflib import get_close_matches
from typing import NamedTuple

from generator.errors import UnknownFactError
from generator.models.quantization import FP8_CHANNEL, INT8_CHANNEL, MXFP8, NVFP4, Format, Quantization, QuantRule, fp8


class Online(NamedTuple):
    """One method: the format it makes, and whether it leaves linear layers alone."""

    form: Format
    experts_only: bool = False


ONLINE: dict[str, Online] = {
    "fp8": Online(fp8()),
    "fp8_per_tensor": Online(fp8()),
    "fp8_per_block": Online(fp8([128, 128])),
    "fp8_per_channel": Online(FP8_CHANNEL),
    "int8_per_channel_weight_only": Online(INT8_CHANNEL, experts_only=True),
    "experts_int8": Online(INT8_CHANNEL, experts_only=True),
    "nvfp4_per_token": Online(NVFP4, experts_only=True),
    "mxfp8": Online(MXFP8),
}
"""Values of `--quantization` that need no quantized checkpoint (vLLM 0.32 layers/quantization/online)."""


def online_quantization(method: str) -> Quantization:
    """The scheme of an unquantized checkpoint once `--quantization method` has loaded it.

    Raises:
        UnknownFactError: vLLM quantizes online by no such method; the nearest are named.
    """
    if method not in ONLINE:
        nearest = ", ".join(get_close_matches(method, ONLINE, n=3, cutoff=0.0))
        raise UnknownFactError(f"vLLM has no online quantization {method!r}; nearest: {nearest}")
    form, experts_only = ONLINE[method]
    head = QuantRule(targets=("lm_head", "*.lm_head", "*embed_tokens*"))
    target = ("*.experts*",) if experts_only else ("*",)
    return Quantization(
        method=method, bits=form.bits, group_size=form.scale_columns or None,
        rules=(head, QuantRule(targets=target, format=form)),
    )  # fmt: skip
