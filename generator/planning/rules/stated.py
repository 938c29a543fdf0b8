"""Engine values of the user's that contradict each other, whatever the model and the layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from generator.errors import RequestError
from generator.models.capability import BLACKWELL
from generator.models.parallelism import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.companion import Companion
    from generator.planning.case import Case

_TWICE = {
    "cudagraph_capture_sizes": "compilation_config",
    "max_cudagraph_capture_size": "compilation_config",
    "enable_flashinfer_autotune": "kernel_config",
}
"""Arguments that are keys of another too, which vLLM takes once (engine/arg_utils.py: create_engine_config)."""
_EXECUTORS = frozenset({"ray", "mp", "uni", "external_launcher"})
_ALL_OR_NONE = frozenset({"all", "none"})
_UNBROKEN = ("xgrammar", "guidance")
_OVERLAPPED = ("deepep_low_latency", "deepep_high_throughput", "nixl_ep")


def check_stated(case: Case) -> None:
    """Return only where the user's values go together.

    Raises:
        RequestError: two do not; names both and what to change.
    """
    for check in _CHECKS:
        check(case)


def check_ranks(case: Case, layout: Layout) -> None:
    """Return only where the user's values go with the ranks of a layout.

    Raises:
        RequestError: one does not; names it and what to change.
    """
    for check in _RANK_CHECKS:
        check(case, layout)


def _sampling_is_shared(case: Case, layout: Layout) -> None:
    """A step's requests are dealt to the ranks that share a layer to sample (config/vllm.py)."""
    if case.fixed.get("enable_batch_sharded_sampling") and layout.tensor_parallel_size == 1:
        raise RequestError("enable_batch_sharded_sampling deals requests to ranks: use --tp 2 or more, or leave it out")


def _executor_drives_every_rank(case: Case, layout: Layout) -> None:
    """An executor without workers drives one rank (v1/executor/uniproc_executor.py)."""
    ranks = layout.replica_ranks
    if case.fixed.get("distributed_executor_backend") == "uni" and ranks > 1:
        raise RequestError(f"distributed_executor_backend uni drives one rank, the layout has {ranks}: use mp or ray")


def _routes_are_told_by_one_stage(case: Case, layout: Layout) -> None:
    """Ranks that tell a token's experts share no sequence (0.33 config/vllm.py: _verify_aux_output_compatibility)."""
    divided = layout.pipeline_parallel_size > 1 or layout.decode_context_parallel_size > 1
    if case.fixed.get("enable_return_routed_experts") and divided:
        raise RequestError("enable_return_routed_experts goes with one stage and undivided caches: use --pp 1, --dcp 1")


def _stands_beside_what_it_needs(case: Case) -> None:
    """Arguments that need another one, or none, or experts to be about (companions.toml)."""
    if not case.fixed:
        return
    stated = _spelled(case)
    for name, value in stated.items():
        for companion in case.tables.engine.companions.get(name, ()):
            if companion.is_asked(value):
                _stands_where_it_can(case, companion, value, stated)


def _spelled(case: Case) -> dict[str, Any]:
    """The user's values by name, those inside a mapping by `argument.key` too."""
    inner = {f"{name}.{key}": held for name in case.fixed for key, held in case.mapping(name).items()}
    return {**case.fixed, **inner}


def _stands_where_it_can(case: Case, companion: Companion, value: object, stated: Mapping[str, Any]) -> None:
    name, other = companion.argument, companion.opposed(stated)
    if not companion.is_met(stated):
        wanted = " or ".join(companion.needs)
        raise RequestError(f"{name} needs {wanted} beside it: add it (--set {companion.needs[0]}...), or leave it out")
    if other:
        raise RequestError(f"{name} does not go with {other}: leave one of them out")
    if companion.experts and not case.architecture.is_moe:
        raise RequestError(f"{name} is for models with routed experts, which this one is not: leave it out")
    if companion.rocm and not case.gpu.capability.is_rocm:
        raise RequestError(f"{name} {value} is for AMD's GPUs, which {case.gpu.name} is not: leave it out")


def _said_once(case: Case) -> None:
    for name, config in _TWICE.items():
        if name in case.fixed and name in case.mapping(config):
            raise RequestError(f"{name} and {config}.{name} say the same: drop one of them")


def _prefills_within_the_context(case: Case) -> None:
    """A long prompt's threshold lies within the context (config/scheduler.py: verify_max_model_len)."""
    asked, context = case.fixed.get("long_prefill_token_threshold"), case.asked_context or case.model_context
    if isinstance(asked, int) and asked > context:
        raise RequestError(
            f"long_prefill_token_threshold ({asked:,}) cannot be greater than the context ({context:,}): lower it"
        )


def _connectors_have_roles(case: Case) -> None:
    """A connector is told its role (config/kv_transfer.py, ec_transfer.py)."""
    for config, connector, role in (
        ("kv_transfer_config", "kv_connector", "kv_role"), ("ec_transfer_config", "ec_connector", "ec_role"),
    ):  # fmt: skip
        given = case.mapping(config)
        if given.get(connector) and not given.get(role):
            raise RequestError(f"{config} names a {connector} without its {role}: add {role}, like {_role(role)}")


def _role(name: str) -> str:
    return f"{name.removesuffix('_role')}_both"


def _looks_up_rising_lengths(case: Case) -> None:
    """N-grams of a prompt are looked up from the shortest to the longest (config/speculative.py)."""
    given = case.mapping("speculative_config")
    least, most = given.get("prompt_lookup_min"), given.get("prompt_lookup_max")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise RequestError(f"prompt_lookup_min ({least}) must be at most prompt_lookup_max ({most}): lower it")


def _overlaps_where_kernels_do(case: Case) -> None:
    """Two halves of a batch overlap under some ways to exchange experts alone (config/vllm.py)."""
    asked = case.fixed.get("all2all_backend")
    if case.fixed.get("enable_dbo") and not case.gpu.capability.is_rocm and asked not in _OVERLAPPED:
        raise RequestError(
            f"enable_dbo needs an all2all_backend that overlaps: {', '.join(_OVERLAPPED)}; set one, or leave it out"
        )


def _rounds_states_of_16_bits(case: Case) -> None:
    """Rounding at random is of states in float16 (config/vllm.py)."""
    rounds = case.fixed.get("enable_mamba_cache_stochastic_rounding")
    if rounds and case.fixed.get("mamba_ssm_cache_dtype") != "float16":
        raise RequestError(
            "enable_mamba_cache_stochastic_rounding is for states in float16: set mamba_ssm_cache_dtype to float16"
        )


def _executor_is_known(case: Case) -> None:
    """Another executor is named by its import path (config/parallel.py)."""
    asked = case.fixed.get("distributed_executor_backend")
    if isinstance(asked, str) and asked not in _EXECUTORS and "." not in asked:
        known = ", ".join(sorted(_EXECUTORS))
        raise RequestError(
            f"distributed_executor_backend {asked[:40]!r} is none of {known}, nor an import path: leave it out"
        )


def _no_prefill_context(case: Case) -> None:
    """Ranks that share a prompt's prefill multiply the world; no plan counts them."""
    asked = case.fixed.get("prefill_context_parallel_size")
    if asked not in (None, 1):
        raise RequestError(
            f"prefill context parallelism ({asked}) is not planned, its GPUs and caches would be missing: leave "
            "prefill_context_parallel_size out"
        )


def _answers_keep_their_form(case: Case) -> None:
    """White space is left out by two grammars alone (config/structured_outputs.py)."""
    given = case.mapping("structured_outputs_config")
    if given.get("disable_any_whitespace") and given.get("backend", "auto") not in _UNBROKEN:
        raise RequestError(
            f"structured_outputs_config.disable_any_whitespace needs a backend, {' or '.join(_UNBROKEN)}: add it"
        )
    if given.get("disable_additional_properties") and given.get("backend") != "guidance":
        raise RequestError("structured_outputs_config.disable_additional_properties needs the backend guidance: add it")


def _largest_graph_is_one(case: Case) -> None:
    """The stated largest size of graphs is that of the stated list (config/vllm.py: _set_cudagraph_sizes)."""
    given = case.mapping("compilation_config")
    sizes = case.fixed.get("cudagraph_capture_sizes", given.get("cudagraph_capture_sizes"))
    most = case.fixed.get("max_cudagraph_capture_size", given.get("max_cudagraph_capture_size"))
    counts = isinstance(sizes, list) and all(isinstance(one, int) for one in sizes)
    if counts and sizes and isinstance(most, int) and most != max(sizes):
        raise RequestError(
            f"max_cudagraph_capture_size ({most}) is not the largest of cudagraph_capture_sizes ({max(sizes)}): leave "
            "one of them out"
        )


def _offloads_whole_groups(case: Case) -> None:
    """A group has the layers that lie in the host's memory, and they are fetched ahead (config/offload.py)."""
    group, moved = case.fixed.get("offload_group_size") or 0, case.fixed.get("offload_num_in_group", 1)
    if group and moved > group:
        raise RequestError(f"offload_num_in_group ({moved}) must be at most offload_group_size ({group}): lower it")
    if group and case.fixed.get("offload_prefetch_step") == 0:
        raise RequestError("offload_prefetch_step must be at least 1 where layers are offloaded: leave it out")


def _scores_are_finite(case: Case) -> None:
    """A score is divided by logit_sigma (config/pooler.py)."""
    if case.mapping("pooler_config").get("logit_sigma") == 0:
        raise RequestError("pooler_config.logit_sigma divides each score and cannot be 0: leave it out")


def _operations_are_named(case: Case) -> None:
    """Operations of vLLM's own are switched on and off by a sign, and all by one word (config/compilation.py)."""
    named = case.mapping("compilation_config").get("custom_ops")
    words = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    for word in words:
        if word not in _ALL_OR_NONE and not (len(word) > 1 and word[0] in "+-"):
            raise RequestError(
                f"compilation_config.custom_ops has {word[:40]!r}, which is none of all, none, +NAME and -NAME: write "
                "it with its sign"
            )
    if sum(word in _ALL_OR_NONE for word in words) > 1:
        raise RequestError("compilation_config.custom_ops says all or none once: drop one of them")


def _adapters_of_images_have_some(case: Case) -> None:
    """Adapters for images or sounds are for a model that takes them (engine/arg_utils.py: create_engine_config)."""
    if case.fixed.get("default_mm_loras") and not case.architecture.towers:
        raise RequestError(
            "default_mm_loras is for a model that takes images or sounds, this one does not: leave it out"
        )


def _encoders_attend_in_fp8(case: Case) -> None:
    """Encoders attend in FP8 by cuDNN alone, since 0.26 on Blackwell (layers/attention/mm_encoder_attention.py)."""
    asked = case.fixed.get("mm_encoder_attn_dtype") == "fp8" and case.architecture.towers
    if not asked or case.language_model_only or case.gpu.capability.is_rocm:
        return
    if str(case.fixed.get("mm_encoder_attn_backend")).upper() != "FLASHINFER":
        raise RequestError("mm_encoder_attn_dtype fp8 needs mm_encoder_attn_backend=FLASHINFER beside it: add it")
    if case.gpu.capability < BLACKWELL and case.vllm.has("encoders_attend_in_fp8_on_blackwell"):
        raise RequestError(
            f"mm_encoder_attn_dtype fp8 is for Blackwell and newer, {case.gpu.name} is none: leave it out"
        )


def _drafts_share_words(case: Case) -> None:
    """Two vocabularies are for a draft model, and a flying check for drafts of two tokens (config/speculative.py)."""
    given = case.mapping("speculative_config")
    if given.get("use_heterogeneous_vocab") and given.get("method") not in (None, "draft_model"):
        raise RequestError("speculative_config.use_heterogeneous_vocab is for method draft_model: leave it out")
    if given.get("rejection_sample_method") == "fly" and given.get("num_speculative_tokens") == 1:
        raise RequestError("speculative_config.rejection_sample_method fly needs num_speculative_tokens of at least 2")


def _images_reach_one_rank(case: Case, layout: Layout) -> None:
    """Tensors of images in shared memory reach one rank (config/model.py: verify_with_parallel_config)."""
    shared = case.fixed.get("mm_tensor_ipc") == "torch_shm" and case.architecture.towers
    if shared and layout.ranks > 1:
        raise RequestError(f"mm_tensor_ipc torch_shm is for one rank, and the layout has {layout.ranks}: leave it out")


_CHECKS: tuple[Callable[[Case], None], ...] = (
    _said_once, _stands_beside_what_it_needs, _prefills_within_the_context, _connectors_have_roles,
    _looks_up_rising_lengths, _overlaps_where_kernels_do, _rounds_states_of_16_bits, _executor_is_known,
    _no_prefill_context, _answers_keep_their_form, _largest_graph_is_one, _drafts_share_words,
    _offloads_whole_groups, _scores_are_finite, _operations_are_named, _adapters_of_images_have_some,
    _encoders_attend_in_fp8,
)  # fmt: skip
_RANK_CHECKS: tuple[Callable[[Case, Layout], None], ...] = (
    _sampling_is_shared, _executor_drives_every_rank, _routes_are_told_by_one_stage, _images_reach_one_rank,
)  # fmt: skip
