"""Checks of a case against what vLLM refuses, before memory is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.capability import BLACKWELL
from generator.models.parallelism import Layout
from generator.models.quantization import NVFP4_WEIGHTS, Quantization
from generator.models.quantization_method import QuantizationMethod
from generator.planning.defaults import scheduler_defaults, whole_item_tokens
from generator.planning.drafts.checks import check_draft_layout, check_speculation
from generator.planning.limits import Least
from generator.planning.memory.lora import check_lora
from generator.planning.own_values import stored_so
from generator.planning.rules.balance import check_balance
from generator.planning.rules.classes import class_is_served
from generator.planning.rules.code import check_code
from generator.planning.rules.experts import check_expert_kernel
from generator.planning.rules.owned import check_owners
from generator.planning.rules.paths import check_paths
from generator.planning.rules.schemes import check_schemes
from generator.planning.rules.start import batch_holds_a_block_of_states, block_of_states, check_start
from generator.planning.rules.stated import check_ranks, check_stated
from generator.planning.rules.tasks import check_task
from generator.planning.serving.features import check_serving
from generator.planning.weights.expansion import modules
from generator.planning.weights.formats import parted_layer

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.defaults import BatchLimits

_MODELOPT = frozenset({"modelopt", "modelopt_fp4", "modelopt_mxfp8"})
_PARTS_ALIKE = frozenset({"awq", "fp8"}) | _MODELOPT
"""Methods whose lists vLLM asks about each projection of a merged layer."""
_AS_MANY_AS_WANTED = 999
"""VLLM's own limit of images, videos or sounds in a request (vLLM 0.32 config/multimodal.py: BaseDummyOptions)."""


def check_request(case: Case) -> None:
    """Return only where no value of the request is refused whatever the layout.

    Raises:
        RequestError: vLLM would refuse one; names it and the next step.
        UnsupportedArchitectureError: the model generates no text.
    """
    check_task(case)
    class_is_served(case)
    check_owners(case.fixed)
    check_paths(case.fixed, case.tables.path_kinds)
    check_stated(case)
    check_speculation(case)
    _check_context(case)
    _check_item_limits(case)
    _check_items(case)
    _check_quantization(case)
    check_schemes(case)
    check_expert_kernel(case)
    _check_indexer(case)
    check_serving(case)
    check_lora(case)
    check_code(case)


def check_layout(case: Case, layout: Layout) -> None:
    """Return only where vLLM starts the layout for this model on these GPUs, memory aside.

    Raises:
        RequestError: it does not; the reason is vLLM's.
    """
    check_draft_layout(case, layout)
    check_balance(case, layout)
    check_ranks(case, layout)
    start = case.replica(layout, default_limits(case))
    check_start(start)
    if not case.chooses("max_num_batched_tokens"):
        batch_holds_a_block_of_states(start)


def default_limits(case: Case, max_model_len: int | None = None) -> BatchLimits:
    """VLLM's own batch limits for this case at a context, the user's values kept."""
    known, context = case.common.limits, max_model_len or case.asked_context or case.model_context
    if context not in known:
        known[context] = _default_limits(case, context)
    return known[context]


def _default_limits(case: Case, context: int) -> BatchLimits:
    return scheduler_defaults(
        case.gpu,
        release=case.vllm,
        max_model_len=context,
        max_num_batched_tokens=case.fixed.get("max_num_batched_tokens"),
        max_num_seqs=case.fixed.get("max_num_seqs"),
        performance_mode=case.fixed.get("performance_mode"),
        chunked_prefill=case.chunked_prefill,
        whole_item_tokens=_whole_items(case),
    )


def least_step(case: Case, layout: Layout) -> Least:
    """What a step must hold whole: an image or video that is never cut, or a block of states."""
    states = block_of_states(case.replica(layout, default_limits(case)))
    return max(_largest_item(case), Least(states, "a block at whose ends vLLM keeps this model's states"))


def _largest_item(case: Case) -> Least:
    """Where the user limits videos (`limit_mm_per_prompt`) nothing is known of what is left."""
    limited = case.fixed.get("limit_mm_per_prompt")
    whole = 0 if isinstance(limited, dict) and "video" in limited else _whole_items(case)
    return Least(whole, "the largest video, which vLLM never cuts of this model")


def _whole_items(case: Case) -> int:
    return whole_item_tokens(case.architecture, case.tables.model_type, language_model_only=case.language_model_only)


def _check_items(case: Case) -> None:
    """The largest image or video fits the step that the user sets, or vLLM's own where it is left to vLLM."""
    field, least = "max_num_batched_tokens", _largest_item(case).tokens
    if case.chooses(field):
        return
    tokens = default_limits(case).max_num_batched_tokens
    if tokens < least:
        raise RequestError(
            f"{field} {tokens:,} is less than the {least:,} tokens of the largest video, which this model reads in one "
            f"step: raise it, or serve text alone with --set language_model_only=true"
        )


def _check_item_limits(case: Case) -> None:
    """No request holds more images, videos or sounds than tokens: each is one at least."""
    context, limits = case.asked_context or case.model_context, case.fixed.get("limit_mm_per_prompt")
    for kind, limit in limits.items() if isinstance(limits, dict) else ():
        count = limit.get("count", 0) if isinstance(limit, dict) else limit
        if isinstance(count, int) and count > max(context, _AS_MANY_AS_WANTED):
            raise RequestError(
                f"limit_mm_per_prompt.{kind} must be at most {context:,}, the tokens of a request, got {count}"
            )


def _check_context(case: Case) -> None:
    """A request of the workload must fit the context, the user's or the model's own."""
    load = case.load
    if case.fixed.get("max_model_len") == 0:
        raise RequestError("max_model_len must be at least 1, got 0")
    limit = case.asked_context or case.model_context
    if load.request_tokens > limit:
        whose = "max_model_len" if case.asked_context else "the model's own context"
        raise RequestError(
            f"prompt and answer take {load.request_tokens:,} tokens, {whose} is {limit:,}: "
            f"lower --prompt-tokens or --gen-tokens"
        )


def _check_quantization(case: Case) -> None:
    """The checkpoint's own method runs here; one is asked for where the checkpoint has none and vLLM can apply it."""
    _check_stored(case)
    if case.gpu.capability.is_rocm and case.method is not None and not case.method.rocm:
        raise RequestError(
            f"{case.method_name} quantization is currently not supported in rocm: choose another checkpoint for "
            f"{case.gpu.name}, unquantized, FP8, AWQ, GPTQ or compressed-tensors among them"
        )
    if (asked := case.fixed.get("quantization")) is not None:
        _check_asked(case, asked)


def _check_indexer(case: Case) -> None:
    """Keys that pick blocks are kept in MXFP4 where the GPU multiplies it (v1/attention/backends/mla/indexer.py)."""
    given = case.fixed.get("attention_config")
    asked = given.get("indexer_kv_dtype") if isinstance(given, dict) else None
    if asked == "mxfp4" and not case.gpu.capability.is_rocm and case.gpu.capability.family != BLACKWELL:
        raise RequestError(
            f"attention_config.indexer_kv_dtype mxfp4 needs a datacenter GPU of Blackwell, {case.gpu.name} is none: "
            "leave it out"
        )


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
    _check_parts(case, own)
    _check_order(case, own)
    _check_modelopt(case, own)
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
    name = "reads_nvfp4_weights_alone"
    if any(rule.format == NVFP4_WEIGHTS for rule in own.rules) and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} does not know ModelOpt's W4A16_NVFP4: pin vLLM {case.vllm.since[name]} or newer "
            "(--vllm), or choose another checkpoint"
        )
    heads = [rule for rule in own.rules if rule.format is not None and "lm_head" in rule.targets]
    name = "reads_heads_of_modelopt"
    if heads and own.method.startswith("modelopt") and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.release} reads no quantized lm_head of ModelOpt: pin vLLM {case.vllm.since[name]} or newer "
            "(--vllm), or choose another checkpoint"
        )


def _is_detected(own: Quantization, method: QuantizationMethod) -> bool:
    """Whether vLLM takes the checkpoint's method in place of any that is named (config/model.py: the overrides)."""
    kernels = {rule.format.kernel for rule in own.rules if rule.format is not None}
    return method.detects == "all" or method.detects in kernels - {""}


def _check_asked(case: Case, asked: str) -> None:
    """The checkpoint has no scheme, and vLLM can apply this one while loading."""
    own, method = case.quantization, case.method
    if own is not None:
        if method is not None and (method == case.tables.method(asked) or _is_detected(own, method)):
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
