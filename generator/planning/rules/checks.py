"""Checks of a case against what vLLM refuses, before memory is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.capability import BLACKWELL
from generator.models.parallelism import Layout
from generator.planning.defaults import scheduler_defaults, whole_item_tokens
from generator.planning.drafts.checks import check_speculation
from generator.planning.drafts.layouts import check_draft_layout
from generator.planning.limits import Least
from generator.planning.memory.lora import check_lora
from generator.planning.rules.balance import check_balance
from generator.planning.rules.classes import class_is_served, image_reads_config
from generator.planning.rules.code import check_code
from generator.planning.rules.experts import check_biases, check_blocks, check_expert_kernel
from generator.planning.rules.loading import check_loading
from generator.planning.rules.owned import check_owners
from generator.planning.rules.paths import check_paths
from generator.planning.rules.schemes import check_schemes
from generator.planning.rules.start import batch_holds_a_block_of_states, block_of_states, check_start
from generator.planning.rules.stated import check_ranks, check_stated
from generator.planning.rules.states import check_replay
from generator.planning.rules.stored import check_quantization
from generator.planning.rules.tasks import check_task
from generator.planning.serving.features import check_serving

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.defaults import BatchLimits
    from generator.planning.replica import Replica

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
    image_reads_config(case)
    check_owners(case.fixed)
    check_paths(case.fixed, case.tables.path_kinds)
    check_stated(case)
    check_loading(case)
    check_speculation(case)
    _check_context(case)
    _check_item_limits(case)
    _check_items(case)
    check_quantization(case)
    check_schemes(case)
    check_replay(case)
    check_expert_kernel(case)
    check_biases(case)
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
    check_blocks(case, layout)
    check_ranks(case, layout)
    start = case.replica(layout, default_limits(case))
    check_start(start)
    _prefixes_match_blocks(case, start)
    if not case.chooses("max_num_batched_tokens"):
        batch_holds_a_block_of_states(start)


def _prefixes_match_blocks(case: Case, start: Replica) -> None:
    """One group of layers matches prefixes by its own blocks (0.33 v1/core/kv_cache_utils.py: line 850)."""
    asked = case.fixed.get("prefix_match_unit")
    if asked is None or len(start.cache.groups) != 1 or case.fixed.get("enable_prefix_caching") is False:
        return
    own = start.cache.block_size_tokens
    if asked not in {own, own * start.layout.decode_context_parallel_size}:
        raise RequestError(
            f"prefix_match_unit ({asked}) is not the block of {own} tokens by which a cache of one group of layers "
            "matches: leave it out"
        )


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
    whole = 0 if "video" in case.mapping("limit_mm_per_prompt") else _whole_items(case)
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
    context = case.asked_context or case.model_context
    for kind, limit in case.mapping("limit_mm_per_prompt").items():
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


def _check_indexer(case: Case) -> None:
    """Keys that pick blocks are kept in MXFP4 where the GPU multiplies it (v1/attention/backends/mla/indexer.py)."""
    asked = case.mapping("attention_config").get("indexer_kv_dtype")
    if asked == "mxfp4" and not case.gpu.capability.is_rocm and case.gpu.capability.family != BLACKWELL:
        raise RequestError(
            f"attention_config.indexer_kv_dtype mxfp4 needs a datacenter GPU of Blackwell, {case.gpu.name} is none: "
            "leave it out"
        )
