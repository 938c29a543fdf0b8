"""compressed-tensors checkpoints: groups of targets, each with a scheme.

Reads vLLM 0.32 layers/quantization/compressed_tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnknownFactError
from generator.models.quantization import (
    FP8_TENSOR,
    INT8_CHANNEL,
    MXFP4,
    MXFP4_EXPERTS,
    MXFP8,
    NVFP4,
    Format,
    Quantization,
    QuantRule,
    fp8,
    packed_integers,
)
from generator.models.scheme import Numbers, Scheme
from generator.sources.architectures.patterns import ALL, HEADS, module_patterns

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

_SPARSE = frozenset({"marlin-24", "sparse-24-bitmask", "sparse-bitmask"})
"""Formats of sparse weights, for which no release after 0.20 has a scheme (0.33 compressed_tensors.py:946)."""
_BY_ACTIVATION = (True, "group", "dynamic")
"""Values of `actorder` that put groups in another order than the columns'; `weight` and `static` put columns back."""
_ONLINE = frozenset({"input", "output"})
_EVERY_LINEAR = frozenset({"Linear", "LinearBase", "FusedMoE", "RoutedExperts"})


def read_compressed_tensors(declared: Config) -> Quantization:
    """The groups as rules; targets are names, `re:` expressions or the class of every linear layer.

    Raises:
        UnknownFactError: there are none, or the weights are sparse.
    """
    groups = list((declared.get("config_groups") or {}).values())
    _refuse_sparse(declared, groups)
    if not groups:
        raise UnknownFactError("compressed-tensors config without config_groups; its formats cannot be known")
    said = [(rule, group) for group in groups for rule in _rules(group, str(declared.get("format") or ""))]
    rules = tuple(rule for rule, _ in said)
    weights = groups[0].get("weights") or {}
    bits = int(weights.get("num_bits") or 8)
    if str(rules[-1].format and rules[-1].format.kernel) == "mxfp4" and len(groups) == 1:
        method = "mxfp4"
    else:
        method = "compressed-tensors"
    return Quantization(
        method=method, bits=bits, group_size=weights.get("group_size"), embeds=any(map(_embeds, groups)),
        ignored_modules=module_patterns(declared.get("ignore") or ()), rules=rules,
        kv_cache_dtype=_kv_cache_dtype(declared.get("kv_cache_scheme")),
        schemes=tuple(_scheme(group, declared) if rule.format else None for rule, group in said),
        cache=_numbers(declared.get("kv_cache_scheme")), rotates=_rotates(declared.get("transform_config") or {}),
    )  # fmt: skip


def _embeds(group: Config) -> bool:
    """Whether a group names the embedding, by its class or its name."""
    return any("embed" in str(target).lower() for target in group.get("targets") or ())


def _rotates(transforms: Config) -> bool:
    """Whether a transform is applied to inputs or outputs; those of weights are folded in (transform/linear.py)."""
    applied = (
        args for scheme in (transforms.get("config_groups") or {}).values() for args in scheme.get("apply") or ()
    )
    return any(str(args.get("location")).lower() in _ONLINE for args in applied)


def _refuse_sparse(declared: Config, groups: list[Config]) -> None:
    """Return only where the weights are dense: vLLM refuses any target of a `sparsity_config`, whatever its format.

    Raises:
        UnknownFactError: they are not (vLLM 0.33 compressed_tensors.py:296 and :946).
    """
    sparsity = declared.get("sparsity_config")
    named = {str(one.get("format")) for one in (declared, *groups)} & _SPARSE
    if isinstance(sparsity, dict) and sparsity.get("targets"):
        why = "its sparsity_config has targets"
    elif named:
        why = f"its format is {min(named)}"
    else:
        return
    raise UnknownFactError(
        f"sparse weights of compressed-tensors are not planned: {why}, and vLLM no longer loads them; choose a dense "
        "checkpoint of the model, quantized or not"
    )


def _rules(group: Config, outer_format: str) -> tuple[QuantRule, ...]:
    form = _format(group, _packing(group, outer_format))
    names = [name for name in group.get("targets") or () if name not in _EVERY_LINEAR]
    everything = len(names) < len(group.get("targets") or ())
    rules = [QuantRule(targets=module_patterns(names), format=form)] if names else []
    if everything:
        # Only a target that names the head quantizes it: the class targets mean linear layers.
        rules += [QuantRule(targets=HEADS), QuantRule(targets=ALL, format=form)]
    if form == MXFP4:
        experts = QuantRule(targets=("*.experts*",), format=MXFP4_EXPERTS)
        rules.insert(0, experts)
    return tuple(rules)


def _packing(group: Config, outer_format: Any) -> str:
    return str(group.get("format") or outer_format or "")


def _scheme(group: Config, declared: Config) -> Scheme:
    return Scheme(
        weights=_numbers(group.get("weights") or {}) or Numbers(), inputs=_numbers(group.get("input_activations")),
        outputs=_numbers(group.get("output_activations")), packing=_packing(group, declared.get("format")),
    )  # fmt: skip


def _numbers(declared: Config | None) -> Numbers | None:
    """QuantizationArgs of the library: what is left out, and the strategy that a group_size alone means."""
    if not declared and declared != {}:
        return None
    size = declared.get("group_size")
    meant = "tensor" if size is None else ("group" if int(size) > 0 else "channel")
    return Numbers(
        kind=str(declared.get("type") or "int").lower(), bits=int(declared.get("num_bits") or 8),
        strategy=str(declared.get("strategy") or meant).lower(), group_size=None if size is None else int(size),
        symmetric=bool(declared.get("symmetric", True)), dynamic=bool(declared.get("dynamic")),
        scale=str(declared.get("scale_dtype") or ""),
    )  # fmt: skip


def _format(group: Config, name: str) -> Format:
    weights = group.get("weights") or {}
    activations = group.get("input_activations")
    bits, kind = int(weights.get("num_bits") or 8), str(weights.get("type") or "int")
    strategy, size = str(weights.get("strategy") or "tensor"), weights.get("group_size")
    if kind == "float" and bits == 4:  # noqa: PLR2004
        return NVFP4 if size == 16 or name.startswith("nvfp4") else MXFP4  # noqa: PLR2004
    if kind == "float":
        return _float8(strategy, size, sides_of(weights.get("block_structure")), static=_is_static(activations))
    if bits == 8 and activations is not None:  # noqa: PLR2004
        return INT8_CHANNEL
    symmetric = bool(weights.get("symmetric", True))
    group_index = weights.get("actorder") in _BY_ACTIVATION
    return packed_integers(bits, int(size or 0), zero_points=not symmetric, group_index=group_index)


def sides_of(block: Any) -> Any:
    """The rows and columns that a `block_structure` says, which may also be written `128x128`; else what it says."""
    sides = block.split("x") if isinstance(block, str) else ()
    return [int(side) for side in sides] if sides and all(map(str.isdecimal, sides)) else block


def _float8(strategy: str, size: int | None, block: list[int] | None, *, static: bool) -> Format:
    if strategy == "block" and block:
        return fp8(block)
    if strategy == "group" and size == 32:  # noqa: PLR2004
        return MXFP8
    if strategy == "channel":
        return fp8([1, 0])
    return FP8_TENSOR if static else fp8()


def _is_static(activations: Config | None) -> bool:
    return activations is not None and not activations.get("dynamic")


def _kv_cache_dtype(scheme: Config | None) -> str | None:
    """`fp8` for any scheme (vLLM 0.32 model_executor/layers/attention/attention.py:255)."""
    return "fp8" if scheme else None
