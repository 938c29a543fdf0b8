"""Weights as they are stored: what the release loads of them, and what may be named over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.quantization import NVFP4_WEIGHTS, Quantization
from generator.models.quantization_method import QuantizationMethod
from generator.planning.own_values import stored_so
from generator.planning.weights.expansion import modules
from generator.planning.weights.formats import parted_format, parted_layer, quantizes_head

if TYPE_CHECKING:
    from generator.planning.case import Case

_MODELOPT = frozenset({"modelopt", "modelopt_fp4", "modelopt_mxfp8"})
_PARTS_ALIKE = frozenset({"awq", "fp8"}) | _MODELOPT
"""Methods whose lists vLLM asks about each projection of a merged layer."""


def check_quantization(case: Case) -> None:
    """Return only where the checkpoint's own method runs here, and one that is asked for can be applied to it.

    Raises:
        RequestError: vLLM refuses it; the reason, and what to choose.
    """
    _check_stored(case)
    if case.gpu.capability.is_rocm and case.method is not None and not case.method.rocm:
        raise RequestError(
            f"{case.method_name} quantization is currently not supported in rocm: choose another checkpoint for "
            f"{case.gpu.name}, unquantized, FP8, AWQ, GPTQ or compressed-tensors among them"
        )
    if (asked := case.fixed.get("quantization")) is not None:
        _check_asked(case, asked)


def _check_stored(case: Case) -> None:
    """The release loads weights that are stored so."""
    own, method = case.quantization, case.method
    if own is None or method is None:
        return
    engine = case.tables.engine
    have = {*engine.quantization_methods, *engine.by_name["quantization"].choices}
    if have and not have & {own.method, method.name, *method.aliases}:
        raise RequestError(
            f"vLLM {case.release} has no quantization {own.method}, which the checkpoint is stored in: pin a release "
            "that has it (--vllm), or choose another checkpoint"
        )
    for check in _CHECKS:
        check(case, own)
    for bits, group in sorted(own.packed):
        if not method.loads(case.release, bits=bits, group=group, symmetric=own.symmetric):
            zeros = "" if own.symmetric else " with zero points"
            groups = f" by groups of {group}" if group > 0 and group not in method.groups and method.only_groups else ""
            raise RequestError(
                f"vLLM {case.release} loads no {own.method} of {bits} bits{zeros}{groups}: choose a checkpoint of "
                f"{method.able}"
            )


def _check_parts(case: Case, own: Quantization) -> None:
    """A list leaves projections that vLLM merges alone together (utils/quant_utils.py: is_layer_skipped)."""
    if own.method not in _PARTS_ALIKE or not own.ignored_modules:
        return
    by_name = own.method in _MODELOPT or case.vllm.has("asks_lists_about_merged_layers")
    if name := parted_layer(modules(case.architecture), own, by_name=by_name):
        raise RequestError(
            f"vLLM {case.release} merges the projections of {name}, of which the checkpoint's {_list_of(own)} "
            "names some: choose another checkpoint, or name all or none of them in its config.json"
        )


def _check_dynamic(case: Case, own: Quantization) -> None:
    """`dynamic` of GPTQ is asked about merged layers alone (0.33.0 utils/gptq_utils.py: get_dynamic_override)."""
    if own.method == "gptq" and (name := _parted(case.architecture, own)):
        raise RequestError(
            f"vLLM {case.release} merges the projections of {name}, and reads the checkpoint's dynamic for that name "
            "alone, where it says something else of a projection: choose a checkpoint whose merged projections are "
            "quantized alike"
        )


@lru_cache(maxsize=64)
def _parted(architecture: Architecture, own: Quantization) -> str:
    return parted_format(modules(architecture), own)


def _check_awq(case: Case, own: Quantization) -> None:
    """A quantized head, and experts without zero points (awq_marlin.py, auto_awq.py; utils/marlin_utils.py)."""
    if own.method != "awq":
        return
    heads, experts = "reads_heads_of_awq", "runs_experts_of_awq_without_zero_points"
    if quantizes_head(own) and not case.vllm.has(heads):
        raise RequestError(
            f"vLLM {case.release} reads no quantized lm_head of AWQ: pin vLLM {case.vllm.since[heads]} or newer "
            "(--vllm), or choose another checkpoint"
        )
    if own.lacks_zero_points and case.architecture.is_moe and not case.vllm.has(experts):
        raise RequestError(
            f"vLLM {case.release} runs no experts of AWQ without zero points: pin vLLM {case.vllm.since[experts]} or "
            "newer (--vllm), or choose another checkpoint"
        )


def _check_embedding(case: Case, own: Quantization) -> None:
    """A quantized embedding is built so (0.23.0 compressed_tensors_embedding.py); before, it is built in 16 bits."""
    name = "reads_embeddings_of_compressed_tensors"
    if own.embeds and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} reads no quantized embedding of compressed-tensors: pin vLLM {case.vllm.since[name]} "
            "or newer (--vllm), or choose another checkpoint"
        )


def _list_of(own: Quantization) -> str:
    """The key of the modules that a checkpoint leaves alone."""
    return "exclude_modules" if own.method in _MODELOPT else "modules_to_not_convert"


def _check_order(case: Case, own: Quantization) -> None:
    """Groups lie in the order of the columns where the release reads no other (utils/gptq_utils.py, 0.33)."""
    name = "reads_groups_in_another_order"
    ordered = any(rule.format is not None and rule.format.group_index for rule in own.rules)
    if ordered and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} no longer loads groups in the order of activations (desc_act of GPTQ, actorder group "
            f"of compressed-tensors): choose a checkpoint without it, or pin vLLM {case.vllm.until[name]} or older"
        )


def _check_modelopt(case: Case, own: Quantization) -> None:
    """The release knows ModelOpt's algorithm of NVFP4 weights alone, and heads that are quantized (modelopt.py)."""
    heads = [rule for rule in own.rules if rule.format is not None and "lm_head" in rule.targets]
    name = "reads_heads_of_modelopt"
    if heads and own.method.startswith("modelopt") and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} reads no quantized lm_head of ModelOpt: pin vLLM {case.vllm.since[name]} or newer "
            "(--vllm), or choose another checkpoint"
        )
    mixed = own.method == "modelopt_mixed"
    name = "mixes_nvfp4_weights_alone" if mixed else "reads_nvfp4_weights_alone"
    if any(rule.format == NVFP4_WEIGHTS for rule in own.rules) and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} does not know ModelOpt's W4A16_NVFP4: pin vLLM {case.vllm.since[name]} or newer "
            "(--vllm), or choose another checkpoint"
        )


def _is_detected(own: Quantization, method: QuantizationMethod) -> bool:
    """Whether vLLM takes the checkpoint's method in place of any that is named (config/model.py: the overrides)."""
    kernels = {rule.format.kernel for rule in own.rules if rule.format is not None}
    return method.detects == "all" or method.detects in kernels - {""}


def _check_asked(case: Case, asked: str) -> None:
    """The checkpoint has no scheme, and vLLM can apply this one while loading."""
    own, method, named = case.quantization, case.method, case.tables.method(asked)
    if own is not None:
        if named is not None and named.loads_others:
            _check_own_kernels(own, asked)
            return
        if method is not None and (method == named or _is_detected(own, method)):
            return
        raise RequestError(f"the checkpoint is quantized with {own.method} already: drop --quantization {asked}")
    if case.facts.checkpoint.nameless:
        raise RequestError(
            "the checkpoint declares a quantization without its quant_method, and vLLM takes no other beside it: "
            f"drop --quantization {asked}, or name the method in its config.json"
        )
    if method is not None and not method.is_online_in(case.release):
        able = ", ".join(row.name for row in case.tables.methods if row.is_online_in(case.release))
        raise RequestError(
            f"vLLM {case.release} cannot quantize an unquantized checkpoint with {asked}: name one that is stored "
            f"quantized, {stored_so(asked, case.tables) or 'as the model'}; at load it can with {able}"
        )
    name = "quantizes_experts_to_mxfp4"
    if asked == "mxfp4" and case.architecture.is_moe and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} has no kernel for experts that are quantized to MXFP4 while loading: pin vLLM "
            f"{case.vllm.since[name]} or newer (--vllm), or leave --quantization mxfp4 out"
        )


def _check_own_kernels(own: Quantization, asked: str) -> None:
    """Any checkpoint but gpt-oss's (0.22.1 to 0.33.0 humming.py: override_quantization_method)."""
    if any(rule.format is not None and rule.format.kernel == "gpt_oss_mxfp4" for rule in own.rules):
        raise RequestError(
            f"--quantization {asked} does not load gpt-oss's experts: leave it out, or name the kernel with "
            f"--moe-backend {asked}"
        )


_CHECKS: tuple[Callable[[Case, Quantization], None], ...] = (
    _check_parts, _check_dynamic, _check_order, _check_modelopt, _check_awq, _check_embedding,
)  # fmt: skip
