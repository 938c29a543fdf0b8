"""Quark -> Quantization: AMD's checkpoints in FP8 by tensor or by channel, all layers alike."""

from generator.errors import UnknownFactError
from generator.models.quantization import FP8_CHANNEL, Quantization, QuantRule, fp8
from generator.models.scheme import Numbers, Scheme
from generator.sources.architectures.fields import Config
from generator.sources.architectures.patterns import ALL, HEADS, module_patterns
from generator.sources.architectures.unread import FROM_A_DUMP

_FP8 = "fp8_e4m3"
_BITS = 8


def read_quark(declared: Config) -> Quantization:
    """The one format of the checkpoint (vLLM 0.33 quark/quark.py: _is_fp8_w8a8).

    Raises:
        UnknownFactError: it is another than FP8 by tensor or by channel, or layers differ.
    """
    everywhere = declared.get("global_quant_config") or {}
    weights, inputs = (_one(everywhere.get(name)) for name in ("weight", "input_tensors"))
    others = [*(declared.get("layer_quant_config") or {}).values()]
    by = str(weights.get("qscheme"))
    if {weights.get("dtype"), inputs.get("dtype")} != {_FP8} or by not in ("per_tensor", "per_channel"):
        _refuse(
            f"weights in {weights.get('dtype') or 'no format'} ({by}), inputs in {inputs.get('dtype') or '16 bits'}"
        )
    if declared.get("layer_type_quant_config") or any(_one(one.get("weight")) != weights for one in others):
        _refuse("layers that are stored in several ways")
    form = FP8_CHANNEL if by == "per_channel" else fp8(static=not inputs.get("is_dynamic"))
    scheme = Scheme(weights=_numbers(weights), inputs=_numbers(inputs))
    return Quantization(
        method="quark", bits=_BITS, ignored_modules=module_patterns(declared.get("exclude") or ()),
        rules=(QuantRule(targets=HEADS), QuantRule(targets=ALL, format=form)), schemes=(None, scheme),
    )  # fmt: skip


def _one(declared: object) -> Config:
    """The spec of a tensor; empty for none, and for several that are applied one after the other."""
    if isinstance(declared, list) and len(declared) == 1:
        declared = declared[0]
    return declared if isinstance(declared, dict) else {}


def _numbers(spec: Config) -> Numbers:
    strategy = str(spec.get("qscheme")).removeprefix("per_")
    return Numbers(kind="float", bits=_BITS, strategy=strategy, dynamic=bool(spec.get("is_dynamic")))


def _refuse(what: str) -> None:
    raise UnknownFactError(
        f"Quark's {what} are not planned, FP8 by tensor or by channel is: choose such a checkpoint, another method's "
        f"or, where vLLM loads this one, {FROM_A_DUMP}"
    )
