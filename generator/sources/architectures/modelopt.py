"""ModelOpt checkpoints: FP8, NVFP4 and mixed precision, with exclusion lists.

Reads vLLM 0.32 layers/quantization/modelopt.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from generator.errors import UnknownFactError
from generator.models.quantization import (
    FP8_CHANNEL,
    FP8_TENSOR,
    MXFP8,
    NVFP4,
    NVFP4_WEIGHTS,
    Format,
    Quantization,
    QuantRule,
    fp8,
)
from generator.sources.architectures.patterns import ALL, HEADS, module_patterns

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

_FORMATS: dict[str, Format] = {
    "FP8": FP8_TENSOR, "FP8_PER_CHANNEL_PER_TOKEN": FP8_CHANNEL, "FP8_PB_WO": fp8([128, 128]),
    "NVFP4": NVFP4, "W4A16_NVFP4": NVFP4_WEIGHTS, "MXFP8": MXFP8,
}  # fmt: skip
_WANTED = {
    "NVFP4": ("group_size", "kv_cache_quant_algo", "exclude_modules"),
    "MXFP8": ("kv_cache_quant_algo", "exclude_modules"),
}
"""Keys by a word of the algorithm."""
_METHODS = {"FP8": "modelopt", "NVFP4": "modelopt_fp4", "MXFP8": "modelopt_mxfp8", "MIXED_PRECISION": "modelopt_mixed"}


def is_modelopt(declared: Config) -> bool:
    """Whether ModelOpt wrote the config and vLLM can tell: by the producer's name, or by a key of its older files."""
    producer, inner = declared.get("producer"), declared.get("quantization")
    named = isinstance(producer, dict) and producer.get("name") == "modelopt"
    older = isinstance(inner, dict) and "modelopt_quant_config" in inner
    return (named or older) and str(declared.get("quant_method") or "") in {"", "modelopt"}


def read_modelopt(declared: Config) -> Quantization | None:
    """The scheme of a ModelOpt config, its own `quantization` part or the flat form of config.json.

    Raises:
        UnknownFactError: the algorithm is one that vLLM does not load.
    """
    inner = declared.get("quantization")
    part = inner if isinstance(inner, dict) else declared
    algorithm = str(part.get("quant_algo") or "").upper()
    if not declared.get("quant_method") and not isinstance(inner, dict):
        return None
    _check_keys(algorithm, inner)
    if algorithm == "MIXED_PRECISION":
        if not part.get("quantized_layers"):
            raise LookupError("quantized_layers of ModelOpt's MIXED_PRECISION is missing")
        rules = _mixed(part.get("quantized_layers") or {})
    elif algorithm in _FORMATS:
        rules = (QuantRule(targets=HEADS), QuantRule(targets=ALL, format=_FORMATS[algorithm]))
    else:
        raise UnknownFactError(
            f"ModelOpt algorithm {algorithm!r} is not known; known: {', '.join(_FORMATS)}, MIXED_PRECISION"
        )
    eight = algorithm.startswith(("FP8", "MXFP8"))
    return Quantization(
        method=_METHODS.get(algorithm, "modelopt"), bits=8 if eight else 4, group_size=None if eight else 16,
        ignored_modules=excluded(part.get("exclude_modules") or part.get("ignore") or ()), rules=rules,
        kv_cache_dtype=_kv_cache_dtype(part, declared),
    )  # fmt: skip


def _check_keys(algorithm: str, inner: Any) -> None:
    """ModelOpt's own file has the keys that vLLM wants there (0.20.2 to 0.33.0 modelopt.py: required_fields)."""
    wanted = next((keys for word, keys in _WANTED.items() if word in algorithm), ())
    lacking = [key for key in wanted if isinstance(inner, dict) and key not in inner]
    if lacking:
        raise LookupError(f"{', '.join(lacking)} of ModelOpt's {algorithm} is missing")


def excluded(names: Iterable[str]) -> tuple[str, ...]:
    """Exclusions: exact names, globs, and names found inside a module's own (modelopt.py:187)."""
    return module_patterns(name if "*" in name or name == "lm_head" else f"{name}*" for name in names)


def _mixed(layers: Mapping[str, Mapping[str, Any]]) -> tuple[QuantRule, ...]:
    """One rule a format over the modules that `quantized_layers` names; a block means its experts too."""
    named: dict[Format, list[str]] = defaultdict(list)
    for name, own in layers.items():
        algorithm = str(own.get("quant_algo") or "").upper()
        if algorithm not in _FORMATS:
            raise UnknownFactError(f"ModelOpt algorithm {algorithm!r} of {name} is not known")
        named[_FORMATS[algorithm]].append(name)
    return tuple(QuantRule(targets=module_patterns(names), format=form) for form, names in named.items())


def _kv_cache_dtype(inner: Config, outer: Config) -> str | None:
    """The cache dtype that ModelOpt asks for, by vLLM's name (vLLM 0.32 utils/torch_utils.py).

    A scheme goes before an algorithm; an FP8 scheme counts only with static scales.
    """
    keys = ("kv_cache_scheme", "kv_cache_quant_algo")
    asked = next((part[key] for key in keys for part in (inner, outer) if part.get(key)), None)
    if not isinstance(asked, dict):
        return {"fp8": "fp8_e4m3", "nvfp4": "nvfp4"}.get(str(asked).lower())
    if asked.get("type") != "float":
        return None
    if asked.get("num_bits") == 8:  # noqa: PLR2004 - FP8
        return "fp8_e4m3" if asked.get("dynamic") is False else None
    return "nvfp4" if asked.get("num_bits") == 4 else None  # noqa: PLR2004 - FP4
