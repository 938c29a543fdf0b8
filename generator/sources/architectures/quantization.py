"""quantization_config -> Quantization: which modules a checkpoint stores in which format."""

from collections.abc import Callable

from generator.catalogue.quantizations import all_quantizations
from generator.errors import UnknownFactError
from generator.models.quantization import (
    GPT_OSS_EXPERTS,
    MXFP4_EXPERTS,
    NVFP4,
    Format,
    Quantization,
    QuantRule,
    fp8,
    gptq_integers,
    packed_integers,
)
from generator.presenting.text import some
from generator.sources.architectures.auto_round import read_auto_round
from generator.sources.architectures.bailing import is_third_bailing
from generator.sources.architectures.compressed_tensors import read_compressed_tensors
from generator.sources.architectures.fields import Config, text_config
from generator.sources.architectures.modelopt import is_modelopt, read_modelopt
from generator.sources.architectures.patterns import ALL, EXPERT_PATTERNS, HEADS, module_patterns
from generator.sources.architectures.quark import read_quark
from generator.sources.architectures.unread import FROM_A_DUMP


def read_quantization(config: Config, hf_quant_config: Config | None = None) -> Quantization | None:
    """The scheme that config.json or ModelOpt's hf_quant_config.json declares; None where unquantized.

    vLLM reads hf_quant_config.json only where config.json declares nothing and the producer is ModelOpt
    (vLLM 0.32 transformers_utils/model_arch_config_convertor.py:263).

    Raises:
        UnknownFactError: the method is one that no rule here knows.
    """
    declared = _declared(config)
    if declared is None and hf_quant_config is not None and is_modelopt(hf_quant_config):
        return _derived(hf_quant_config)
    method = str((declared or {}).get("quant_method") or "").lower().replace("compressed_tensors", "compressed-tensors")
    if declared is None or not method:
        return None
    if is_modelopt(declared) or method.startswith("modelopt"):
        return read_modelopt(declared)
    if method == "compressed-tensors" and declared.get("format") == "mxfp4-pack-quantized" and _is_kimi(config):
        return Quantization(
            method="mxfp4", bits=4, group_size=32, rules=(QuantRule(targets=EXPERT_PATTERNS, format=MXFP4_EXPERTS),)
        )
    if method == "fp8" and str(text_config(config).get("model_type")) == "deepseek_v4":
        return _deepseek_v4(declared, config)
    if method == "fp8" and is_third_bailing(config):
        raise UnknownFactError(
            "FP8 of BailingMoeV3 is not planned: vLLM pads its networks by rank and may hold its experts in MXFP4 "
            "(bailing_moe_v3.py); choose the 16-bit checkpoint"
        )
    _check_needs(method, declared)
    reader = _READERS.get(method)
    found = reader(declared) if reader else _by_row(method, declared)
    plain = method == "compressed-tensors" and str(config.get("model_type")) in _PLAIN_TOWERS
    return found.model_copy(update={"ignored_modules": (*found.ignored_modules, *_TOWER)}) if plain else found


def _check_needs(method: str, declared: Config) -> None:
    """The config has the keys that vLLM reads without a default (quantization/base_config.py: get_from_keys)."""
    row = next((row for row in all_quantizations() if row.goes_by(method)), None)
    if row is not None and (lacking := row.lacking(declared)):
        raise LookupError(f"{', '.join(lacking)} of {method} is missing")


def names_no_method(config: Config, hf_quant_config: Config | None = None) -> bool:
    """Whether a scheme is declared without its method, so that vLLM loads the weights as if there were none."""
    declared = _declared(config)
    if declared is None:
        declared = hf_quant_config
    return declared is not None and not is_modelopt(declared) and not declared.get("quant_method")


_PLAIN_TOWERS = frozenset({"kimi_k25"})
"""Model types whose encoders vLLM builds without compressed-tensors, whatever it ignores (0.32 kimi_k25.py:387)."""
_TOWER = ("vision_tower*",)
_USUAL = frozenset({"awq", "fp8", "gptq"})
"""Methods that a list names first."""


def _by_row(method: str, declared: Config) -> Quantization:
    """The scheme of a method whose row says how its checkpoints are stored.

    Raises:
        UnknownFactError: there is no such row.
    """
    rows = {name: row for row in all_quantizations() if row.stored for name in (row.name, *row.aliases)}
    row = rows.get(method)
    if row is None or row.stored is None:
        known = some(sorted(_READERS.keys() | rows.keys() | {"modelopt"}, key=lambda one: (one not in _USUAL, one)), 3)
        raise UnknownFactError(
            f"quantization method {str(method)[:80]!r} is not known ({known} are): choose another checkpoint of the "
            f"model or, where vLLM loads this one, {FROM_A_DUMP}"
        )
    ignored = declared.get("modules_to_not_convert") or ()
    experts = (QuantRule(targets=EXPERT_PATTERNS, format=row.stored),)
    return Quantization(
        method=row.name, bits=row.stored.bits, group_size=row.stored.scale_columns or None,
        ignored_modules=module_patterns(ignored), rules=experts if row.covers == "experts" else _everything(row.stored),
    )  # fmt: skip


def _derived(hf_quant_config: Config) -> Quantization | None:
    """ModelOpt's own file, whose method vLLM derives from the algorithm (model_arch_config_convertor.py:270)."""
    found = read_modelopt({"quant_method": "modelopt", **hf_quant_config})
    algorithm = (hf_quant_config.get("quantization") or {}).get("quant_algo")
    if found is None or hf_quant_config.get("quant_method"):
        return found
    return found.model_copy(update={"modelopt_algorithm": algorithm})


def _declared(config: Config) -> Config | None:
    for part in (config, text_config(config)):
        found = part.get("quantization_config") or part.get("compression_config")
        if isinstance(found, dict):
            return found
    return None


def _is_kimi(config: Config) -> bool:
    """Whether vLLM reroutes the checkpoint's MXFP4 experts (vLLM 0.32 model_executor/models/config.py:410)."""
    return str(text_config(config).get("model_type")) == "kimi_linear"


def _everything(form: Format) -> tuple[QuantRule, ...]:
    """All matrices but embeddings and head in one format: methods of linear layers leave the head alone."""
    return (QuantRule(targets=HEADS), QuantRule(targets=ALL, format=form))


def _fp8(declared: Config) -> Quantization:
    """FP8 by tensor or by block (vLLM 0.32 layers/quantization/fp8.py)."""
    form = fp8(declared.get("weight_block_size"), static=declared.get("activation_scheme") == "static")
    ignored = declared.get("ignored_layers") or declared.get("modules_to_not_convert") or ()
    return Quantization(
        method="fp8", bits=8, group_size=form.scale_columns or None,
        ignored_modules=module_patterns(ignored), rules=_everything(form),
    )  # fmt: skip


def _deepseek_v4(declared: Config, config: Config) -> Quantization:
    """DeepSeek-V4: FP8 blocks with power-of-two scales, experts in MXFP4, NVFP4 or FP8.

    vLLM 0.32 models/deepseek_v4/quant_config.py.
    """
    four_bit = str(config.get("expert_dtype", "fp4")) == "fp4"
    nvfp4 = str(declared.get("moe_quant_algo") or "").upper() == "NVFP4"
    blocks = fp8(declared.get("weight_block_size"), power_of_two=four_bit)
    experts = NVFP4 if nvfp4 else (MXFP4_EXPERTS if four_bit else blocks)
    ignored = declared.get("ignored_layers") or declared.get("modules_to_not_convert") or ()
    return Quantization(
        method="deepseek_v4_fp8", bits=8, group_size=128, ignored_modules=module_patterns(ignored),
        rules=(QuantRule(targets=EXPERT_PATTERNS, format=experts), *_everything(blocks)),
    )  # fmt: skip


def _awq(declared: Config) -> Quantization:
    """AWQ: packed integers with a zero point a group; skipped modules are matched anywhere in the name."""
    bits = int(declared.get("bits") or declared.get("w_bit") or 4)
    group = int(declared.get("group_size") or declared.get("q_group_size") or 128)
    skipped = tuple(f"*{name}*" for name in declared.get("modules_to_not_convert") or ())
    form = packed_integers(bits, group, zero_points=True)
    return Quantization(
        method="awq", bits=bits, group_size=group, ignored_modules=module_patterns(skipped),
        rules=_everything(form)[1:] if declared.get("lm_head") else _everything(form),
        lacks_zero_points=declared.get("zero_point") is False,
    )  # fmt: skip


def _gptq(declared: Config) -> Quantization:
    """GPTQ: packed integers; `dynamic` names modules by expression, a leading `-:` leaves them alone."""
    bits, group, ordered = int(declared.get("bits", 4)), int(declared.get("group_size", 128)), declared.get("desc_act")
    form = gptq_integers(bits, group, group_index=bool(ordered))
    rules: list[QuantRule] = []
    for pattern, override in (declared.get("dynamic") or {}).items():
        target = (f"re:.*{pattern.removeprefix('-:').removeprefix('+:')}",)
        if pattern.startswith("-:"):
            rules.append(QuantRule(targets=target))
        elif override:
            own = gptq_integers(
                int(override.get("bits", bits)), int(override.get("group_size", group)),
                group_index=bool(override.get("desc_act", ordered)),
            )  # fmt: skip
            rules.append(QuantRule(targets=target, format=own))
    everything = _everything(form)
    return Quantization(
        method="gptq", bits=bits, symmetric=bool(declared.get("sym")), group_size=group if group > 0 else None,
        rules=(*rules, *(everything[1:] if declared.get("lm_head") else everything)),
    )  # fmt: skip


def _mxfp4(declared: Config) -> Quantization:
    """MXFP4 as gpt-oss declares it: routed experts only (vLLM 0.32 layers/quantization/mxfp4.py)."""
    ignored = module_patterns(declared.get("modules_to_not_convert") or ())
    return Quantization(
        method="mxfp4", bits=4, group_size=32, ignored_modules=tuple(name for name in ignored if "expert" in name),
        rules=(QuantRule(targets=EXPERT_PATTERNS, format=GPT_OSS_EXPERTS),),
    )  # fmt: skip


def _bitsandbytes(declared: Config) -> Quantization:
    """bitsandbytes: 4 or 8 bits without stored scales; releases after 0.27.1 no longer load it.

    A skipped name is words of a module's name, or what it begins with (vLLM 0.26 bitsandbytes.py:178).
    """
    bits = 8 if declared.get("load_in_8bit") else 4
    form = packed_integers(bits, 64, scales_bits=8)
    named = tuple(declared.get("llm_int8_skip_modules") or ())
    skipped = (*named, *(f"{name}.*" for name in named), *(f"*.{name}" for name in named))
    skipped = (*skipped, *(f"*.{name}.*" for name in named))
    return Quantization(
        method="bitsandbytes", bits=bits, group_size=64, ignored_modules=module_patterns(skipped),
        rules=_everything(form),
    )  # fmt: skip


_READERS: dict[str, Callable[[Config], Quantization]] = {
    "fp8": _fp8, "awq": _awq, "awq_marlin": _awq, "auto_awq": _awq, "gptq": _gptq, "gptq_marlin": _gptq,
    "auto_gptq": _gptq, "auto-round": read_auto_round, "inc": read_auto_round, "mxfp4": _mxfp4, "gpt_oss_mxfp4": _mxfp4,
    "bitsandbytes": _bitsandbytes, "quark": read_quark,
    "compressed-tensors": read_compressed_tensors,
}  # fmt: skip
"""Readers of methods that say more of their format than its name, by `quant_method`."""
