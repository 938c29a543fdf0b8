"""The draft model of a case: where it lies, how it drafts, what vLLM builds of it, and its weights on a rank."""

from collections.abc import Mapping
from typing import Any, cast, get_args

from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.capability import Capability
from generator.models.checkpoint import ModelFacts
from generator.models.draft_heads import HEAD_MAP, DraftHead, eagle3_head, eagle_head
from generator.models.matrix import Matrix
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.models.speculation import Method, Speculation
from generator.models.value import Made
from generator.planning.weights.online import online_quantization
from generator.planning.weights.rank import rank_weights
from generator.planning.weights.tensors import measured_weights

_NAMED: tuple[tuple[str, str], ...] = (
    ("eagle-", "eagle"),
    ("eagle3", "eagle3"),
    ("dflash", "dflash"),
    ("dspark", "dspark"),
)
"""Words in a draft's name that tell vLLM how it drafts (vLLM 0.32 config/speculative.py)."""
_BY_NAME_ALONE = frozenset(method for _, method in _NAMED)
"""Methods that the user's word settles; every other is looked for in the name first."""


class Draft(Made):
    """A draft with weights and a cache of its own, as vLLM builds it beside the target."""

    facts: ModelFacts
    method: Method
    architecture: Architecture
    """Without what it borrows from its target."""
    embedding: Matrix | None = None
    """The head's own embedding, on pipeline stages that lack the target's; None for a draft that always has its own."""
    quantization: Quantization | None = None
    """How its weights lie on the GPU."""


def method_of(speculation: Speculation) -> str:
    """The method as vLLM reads it: the user's word, else the draft's name, else `draft_model`."""
    asked = speculation.method
    if asked in _BY_NAME_ALONE or speculation.checkpoint is None:
        return asked or "draft_model"
    name = speculation.checkpoint.lower()
    return next((method for word, method in _NAMED if word in name), asked or "draft_model")


def draft_of(speculation: Speculation, facts: ModelFacts, target: Architecture, heads: tuple[DraftHead, ...]) -> Draft:
    """The draft that `facts` describe, for `target`, by the heads that the release has.

    Raises:
        RequestError: vLLM has no class for it, or it was made for another target.
    """
    method = method_of(speculation)
    if method not in get_args(Method):
        raise RequestError(f"drafts by {method} are not planned: choose {', '.join(get_args(Method))}, mtp or ngram")
    own = facts.checkpoint.quantization
    quantized = online_quantization(speculation.quantization) if speculation.quantization and own is None else own
    found = Draft(facts=facts, method=cast("Method", method), architecture=facts.architecture, quantization=quantized)
    if method == "draft_model":
        return _whole(found, speculation, target)
    head = _head(method, facts, heads)
    _refuse_other_width(method, head, facts, target)
    if not _keeps_head(method, head, facts):
        head = head.model_copy(update={"lm_head": False})
    if head.vocab_size == target.vocab_size:
        head = head.model_copy(update={"extra": tuple(one for one in head.extra if one.name != HEAD_MAP)})
    embedding = Matrix(
        name="embed_tokens", rows=target.vocab_size, columns=head.hidden_size, shard="vocab", part="embed", linear=False
    )
    return found.changed(architecture=head, embedding=embedding)


def draft_weights(draft: Draft, target: Architecture, layout: Layout, *, capability: Capability, dtype: str) -> int:
    """Bytes of the draft's parameters on one rank of the last pipeline stage, where vLLM builds it whole.

    It is split over the target's tensor-parallel ranks, whatever `draft_tensor_parallel_size` says: its layers ask
    for the process group's size (vLLM 0.32 v1/worker/gpu/spec_decode, distributed/parallel_state.py). Experts are
    whole where the target's are (config/speculative.py: create_draft_parallel_config).
    """
    architecture = draft.architecture
    if draft.embedding is not None and _embeds_itself(architecture, target, layout):
        extra = (*architecture.extra, draft.embedding)
        architecture = architecture.model_copy(update={"extra": extra})
    alone = layout.model_copy(update={"pipeline_parallel_size": 1, "decode_context_parallel_size": 1})
    weights = rank_weights(architecture, draft.quantization, alone, dtype=dtype, capability=capability)
    stored = draft.facts.checkpoint
    if draft.method == "draft_model" and draft.quantization == stored.quantization:
        weights = measured_weights(weights, architecture, stored)
    return weights.worst.total_bytes


def _whole(found: Draft, speculation: Speculation, target: Architecture) -> Draft:
    """A model of its own, which must share the target's vocabulary."""
    read = found.architecture
    if not read.embedding:
        raise RequestError(
            f"{found.facts.id} is a draft head ({read.architecture}), no model that drafts alone: name its method in "
            f"speculative_config, like eagle3"
        )
    if read.vocab_size != target.vocab_size and not speculation.use_heterogeneous_vocab:
        raise RequestError(
            f"target and draft model should have the same vocabulary size: the target's is {target.vocab_size:,}, "
            f"that of {found.facts.id} is {read.vocab_size:,}; choose a draft of the target's family"
        )
    return found


def _head(method: str, facts: ModelFacts, heads: tuple[DraftHead, ...]) -> Architecture:
    """The head as vLLM's class for it builds it; a plain config becomes the class that vLLM renames it to."""
    read = facts.architecture
    known = {head.name: head for head in heads if head.method == method}
    name = _renamed(method, read.architecture, known)
    if not known:
        raise RequestError(
            f"this release of vLLM builds no head that drafts by {method}, as {facts.id} does: pin a newer one, "
            "or choose another method"
        )
    if name not in known:
        raise RequestError(
            f"{facts.id} would be built as {name or 'a class that its config.json does not name'}, which drafts by "
            f"{method} are not: they are {', '.join(sorted(known))}; check speculative_config.method"
        )
    if read.architecture in known:
        return read
    if method == "eagle3":
        return eagle3_head(read.model_copy(update={"architecture": name}))
    return eagle_head(read, known[name])


def _renamed(method: str, name: str, known: Mapping[str, DraftHead]) -> str:
    """The class by vLLM's own rule: a word before a plain one (0.32 transformers_utils/configs/eagle.py)."""
    word = {"eagle": "Eagle", "eagle3": "Eagle3"}.get(method, "")
    is_head = name in known or name.startswith(word) or (method == "eagle3" and name.endswith(word))
    return name if is_head else f"{word}{name}"


def _refuse_other_width(method: str, head: Architecture, facts: ModelFacts, target: Architecture) -> None:
    """The joint of a head takes the states of a target of one width."""
    joint = next(one for one in head.extra if one.name == "fc")
    wanted = target.hidden_size
    fits = head.hidden_size == wanted if method == "eagle" else joint.columns % wanted == 0
    if not fits:
        raise RequestError(
            f"{facts.id} joins states of {joint.columns:,} numbers, the target's are {wanted:,} wide: it was made for "
            "another model; choose a draft that names this one as its base"
        )


def _keeps_head(method: str, head: Architecture, facts: ModelFacts) -> bool:
    """Whether the output head is the draft's own: its checkpoint has one (eagle/utils.py: _should_share)."""
    if not head.lm_head:
        return False
    modules = [group.module for group in facts.checkpoint.tensors]
    if modules and "all" not in modules:
        return any("lm_head" in module.split(".") for module in modules)
    return method == "eagle3"


def _embeds_itself(head: Architecture, target: Architecture, layout: Layout) -> bool:
    """Whether the head holds an embedding: its own is of another width, or the last stage has none of the target's."""
    return head.hidden_size != target.hidden_size or layout.pipeline_parallel_size > 1


def pinned_draft(fixed: dict[str, Any], facts: ModelFacts) -> dict[str, Any]:
    """The engine values with the draft model where it lies, at the commit that it was read at."""
    config, draft = fixed.get("speculative_config"), facts.draft
    if draft is None or not isinstance(config, dict) or not is_named(draft, str(config.get("model") or "")):
        return fixed
    pin = {"revision": draft.revision} if draft.revision else {}
    return fixed | {"speculative_config": config | {"model": draft.id} | pin}


def is_named(facts: ModelFacts, name: str) -> bool:
    """Whether the facts are those of `name`: the same id, or a directory of that name."""
    if facts.source == "local":
        return facts.id.rstrip("/").rsplit("/", 1)[-1] == name.rstrip("/").rsplit("/", 1)[-1]
    return facts.id.lower() == name.lower()
