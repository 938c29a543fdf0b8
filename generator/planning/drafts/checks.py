"""Checks of speculative decoding against what vLLM refuses (0.32 config/speculative.py unless said otherwise)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from generator.errors import RequestError
from generator.models.attention import SlidingWindow
from generator.models.speculation import Method, Speculation
from generator.planning.drafts.draft import method_of
from generator.planning.kv_cache.settings import drafts_one_at_a_time

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.drafts.draft import Draft

_COUNTED = ("mtp", "ngram", "ngram_gpu", "suffix")
"""Ways to draft with layers that the target's checkpoint ships, and with nothing that takes memory."""
READS_LAYERS = frozenset({"eagle3", "dflash"})
"""Methods whose draft reads states of several layers of its target."""
_READS_STATES = frozenset({"eagle", "mtp", *READS_LAYERS})
_COUNTS_BY_ITSELF = frozenset({"suffix"})
_NO_MLP_SPECULATOR = "vLLM has taken MLP speculators out of its registry (model_executor/models/registry.py)"


def check_speculation(case: Case) -> None:
    """Return only where the draft's settings are such as vLLM takes and this planner counts.

    Raises:
        RequestError: they are not; names the setting and the next step.
        UnknownFactError: the facts of the draft model are missing.
    """
    if not case.architecture.embedding:
        raise RequestError(
            f"{case.facts.id} is a draft ({case.architecture.architecture}): name the model that it drafts for with "
            f"--model, and the draft in speculative_config.model"
        )
    given = case.fixed.get("speculative_config")
    if given is None:
        return
    spoken = _read(given)
    _check_method(case, spoken)
    _check_release(case, given.get("method"))
    _check_scheduling(case, spoken)
    _check_step(case, spoken)
    draft = case.draft
    if draft is not None:
        _check_weights(case, draft)
        _check_windows(case, draft)
        _check_context(case, spoken, draft)


def _read(given: Any) -> Speculation:
    """The settings, as a mapping of the method's name and a count of tokens."""
    if not isinstance(given, dict):
        raise RequestError(
            'speculative_config must be a mapping, like {"method": "mtp", "num_speculative_tokens": 1}, '
            f"got {given!r}"
        )
    if "tensor_parallel_size" in given:
        raise RequestError("speculative_config takes draft_tensor_parallel_size, not tensor_parallel_size: rename it")
    try:
        return Speculation.model_validate(given)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        wanted = {
            int: "a whole number of at least 1", bool: "true or false", str: "a name"
        }[_type_of(name)]  # fmt: skip
        raise RequestError(f"speculative_config.{name} must be {wanted}, got {given[name]!r}") from error


def _type_of(name: str) -> type:
    text = str(Speculation.model_fields[name].annotation)
    return next((kind for kind in (int, bool) if kind.__name__ in text), str)


def _check_method(case: Case, spoken: Speculation) -> None:
    """The release has the method, and its memory is counted."""
    method = method_of(spoken) if spoken.method or spoken.model else None
    if method == "mlp_speculator":
        raise RequestError(f"{_NO_MLP_SPECULATOR}: choose {_choices()}")
    _check_release(case, method)
    if method not in {*_COUNTED, *get_args(Method)}:
        raise RequestError(
            f"drafts by {method or 'no named method'} are not planned, their weights and cache would be missing: "
            f"choose {_choices()}, or leave speculative_config out"
        )
    if method == "mtp":
        _check_own_layers(case, spoken)
    if method in get_args(Method) and spoken.checkpoint is None:
        raise RequestError(f"drafts by {method} need a checkpoint: name it in speculative_config.model")
    if spoken.num_speculative_tokens is None and method not in _COUNTS_BY_ITSELF:
        raise RequestError("num_speculative_tokens must be provided with a draft: add it to speculative_config, like 3")
    if method in READS_LAYERS and case.model_class.name and not case.model_class.gives_states:
        raise RequestError(
            f"vLLM's {case.architecture.architecture} does not hand out the states of its layers, which {method} reads "
            "(SupportsEagle3): choose draft_model or ngram"
        )


def _check_scheduling(case: Case, spoken: Speculation) -> None:
    """What the engine does beside drafting goes with the method (config/vllm.py:1555, 1942)."""
    method = method_of(spoken)
    if case.fixed.get("async_scheduling") and drafts_one_at_a_time(method, case.vllm):
        raise RequestError(f"async scheduling is not supported with drafts by {method}: leave async_scheduling out")
    if case.fixed.get("kv_sharing_fast_prefill") and method in _READS_STATES:
        raise RequestError(
            f"kv_sharing_fast_prefill gives wrong states for prompt tokens, which {method} reads: leave it out"
        )


def _check_own_layers(case: Case, spoken: Speculation) -> None:
    if spoken.model not in {None, case.facts.id, case.request.model}:
        raise RequestError(
            "multi-token prediction is planned with the target's own layers: leave the draft's model out"
        )
    if not case.architecture.drafts:
        raise RequestError(
            f"{case.facts.id} ships no layers of multi-token prediction: choose another method, {_choices()}"
        )
    _check_depth(case, spoken)
    if not case.model_class.draft_class:
        raise RequestError(
            f"vLLM does not draft with the layers of multi-token prediction that {case.architecture.architecture} "
            f"ships: choose another method, {_choices()}"
        )


def _check_depth(case: Case, spoken: Speculation) -> None:
    """All modules take part in a pass over them: as many tokens as there are, fewer, or a multiple."""
    depth, tokens = case.architecture.draft_depth, spoken.num_speculative_tokens or 0
    if tokens > depth and tokens % depth:
        raise RequestError(
            f"num_speculative_tokens ({tokens}) must be divisible by the {depth} modules of multi-token prediction "
            f"that {case.facts.id} ships: choose {tokens - tokens % depth}"
        )


def _check_release(case: Case, method: str | None) -> None:
    flag = case.tables.engine.by_name.get("spec_method")
    if flag is not None and flag.choices and method is not None and method not in flag.choices:
        raise RequestError(f"vLLM {case.release} does not draft by {method}: choose {_choices()}")


def _check_weights(case: Case, draft: Draft) -> None:
    """The GPU runs the draft's weights."""
    method = case.tables.method(draft.quantization.method) if draft.quantization else None
    least = method.minimum_for(case.release) if method else None
    if method is not None and least is not None and case.gpu.capability < least:
        raise RequestError(
            f"quantization {method.name} of the draft model {draft.facts.id} is not supported on {case.gpu.name}: "
            f"minimum capability {least}, its own {case.gpu.capability}; choose an unquantized draft"
        )


def _check_windows(case: Case, draft: Draft) -> None:
    """The release builds a DFlash draft whose layers are of two kinds (qwen3_dflash.py)."""
    several = len({isinstance(layer.mixer, SlidingWindow) for layer in draft.architecture.layers}) > 1
    if draft.method == "dflash" and several and case.vllm.has("parts_windows_of_dflash"):
        raise RequestError(
            f"vLLM {case.release} does not build a DFlash draft with sliding windows in some layers alone, as "
            f"{draft.facts.id} has: pin a release after vLLM {case.vllm.until['parts_windows_of_dflash']}"
        )


def _check_context(case: Case, spoken: Speculation, draft: Draft) -> None:
    """The draft has the context that is asked of it."""
    own, context = draft.facts.architecture.max_position_embeddings, spoken.max_model_len
    if context is not None and context > min(own, case.asked_context or case.model_context):
        raise RequestError(
            f"speculative_config.max_model_len ({context:,}) cannot be larger than the draft's own context ({own:,}) "
            "or the target's: lower it, or leave it out"
        )


def _check_step(case: Case, spoken: Speculation) -> None:
    """A step has room for the tokens that a draft adds to it (config/vllm.py: _set_max_num_scheduled_tokens)."""
    tokens, asked = spoken.num_speculative_tokens or 0, case.fixed.get("max_num_batched_tokens")
    slots = _slots(case, spoken, tokens)
    if asked is not None and asked <= slots:
        raise RequestError(f"max_num_batched_tokens ({asked}) leaves no room beside {slots} draft tokens: raise it")
    sequences = case.fixed.get("max_num_seqs")
    if case.fixed.get("enable_lora") and asked and sequences and asked < sequences * (tokens + 1):
        raise RequestError(
            f"with adapters max_num_batched_tokens ({asked}) must hold {tokens + 1} tokens for each of max_num_seqs "
            f"({sequences}): raise it, or lower num_speculative_tokens"
        )


def _slots(case: Case, spoken: Speculation, tokens: int) -> int:
    """Tokens of one request that a step must hold beside its own."""
    method = method_of(spoken)
    if method not in {*get_args(Method), "mtp"}:
        return 0
    if case.vllm.has("a_step_holds_a_whole_draft"):
        return tokens + (method == "dflash")
    return _new_slots(spoken, method, tokens)


def _new_slots(spoken: Speculation, method: str, tokens: int) -> int:
    """Tokens that drafting adds to a request's in a step (max_num_new_slots_for_drafting)."""
    if method == "dflash":
        return tokens
    if method == "draft_model":
        return tokens if spoken.parallel_drafting else 1
    return tokens - 1 if spoken.parallel_drafting else 0


def _choices() -> str:
    return ", ".join((*get_args(Method), *_COUNTED))
