"""Layouts of a draft: what of its target's ranks and stages vLLM gives it, and refuses (config/speculative.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.model_class import ModelClass
from generator.models.parallelism import Layout
from generator.planning.drafts.checks import READS_LAYERS
from generator.planning.kinds.of import attentions_of
from generator.planning.memory.overhead import model_runner

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.drafts.draft import Draft
    from generator.planning.kinds.kind import Attention


def check_draft_layout(case: Case, layout: Layout) -> None:
    """Return only where vLLM splits the draft over the ranks of `layout`.

    Raises:
        RequestError: it does not; the reason is vLLM's.
    """
    draft, tp = case.draft, layout.tensor_parallel_size
    _check_stages(case, layout)
    if draft is None:
        return
    asked = case.speculation.draft_tensor_parallel_size
    if asked not in {None, 1, tp}:
        raise RequestError(f"draft_tensor_parallel_size ({asked}) can be 1 or the target's tensor parallel size ({tp})")
    if asked == 1 < tp and draft.method == "draft_model" and model_runner(case.architecture, case.vllm) == "v1":
        raise RequestError(
            f"draft_tensor_parallel_size (1) and tensor_parallel_size ({tp}) must be the same; leave the draft's out"
        )
    staged, name = layout.pipeline_parallel_size > 1 and draft.method == "draft_model", "drafts_beside_stages"
    if staged and not case.vllm.has(name):
        raise RequestError(
            f"vLLM {case.vllm} loads a draft model on the last stage alone and ends on the others: set "
            f"--pipeline-parallel-size 1, or pin {case.vllm.since[name]} or newer"
        )
    if layout.decode_context_parallel_size > 1:
        raise RequestError("a draft model under decode context parallelism is not planned: set one of them back")
    if layout.pipeline_parallel_size > 1 and draft.method in READS_LAYERS:
        _check_relay(case, draft)
    _check_experts(case, layout, draft)
    for attention in attentions_of(draft.architecture):
        _check_heads(attention, tp, draft)


def own_layers(case: Case) -> ModelClass:
    """What vLLM builds of the layers that the checkpoint ships for drafting."""
    return case.tables.classes.of(case.model_class.draft_class)


def parts_drafts(case: Case, layout: Layout, draft: ModelClass) -> bool:
    """Whether the release parts a draft of this class into its target's stages, which the class has not.

    NotImplementedError of config/model.py:1423 in 0.29.
    """
    staged = draft.served and draft.stages
    return layout.pipeline_parallel_size > 1 and not (case.vllm.has("gives_drafts_one_stage") or staged)


def _check_stages(case: Case, layout: Layout) -> None:
    if case.draft is not None:
        draft = case.tables.classes.of(case.draft.architecture.architecture)
    elif case.speculation.method == "mtp":
        draft = own_layers(case)
    else:
        return
    if parts_drafts(case, layout, draft):
        raise RequestError(
            f"vLLM {case.release} gives {draft.name} its target's pipeline stages, and pipeline parallelism is not "
            "supported for it: use --pipeline-parallel-size 1, pin vLLM "
            f"{case.vllm.since['gives_drafts_one_stage']} or newer, or leave speculative_config out"
        )


def _check_relay(case: Case, draft: Draft) -> None:
    """Stages hand the states on (v1/worker/gpu/spec_decode/eagle/eagle3_utils.py:44)."""
    if not case.model_class.relays_states:
        name = case.model_class.name
        raise RequestError(f"{name} does not support {draft.method} with pipeline parallelism: use one stage")


def _check_experts(case: Case, layout: Layout, draft: Draft) -> None:
    """A draft has experts to spread where the release spreads every draft's (0.30.0 config/speculative.py:1757).

    A head of latents may state its target's experts, which vLLM then counts (config/model.py: is_moe).
    """
    name, architecture = "spreads_experts_of_every_draft", draft.architecture
    counted = architecture.is_moe or any(one.latent for one in attentions_of(architecture))
    if layout.enable_expert_parallel and not counted and case.vllm.has(name):
        last = case.vllm.until[name]
        raise RequestError(
            f"vLLM {case.release} asks the draft {draft.facts.id} for experts where the target's are spread over "
            f"ranks, and it has none: set enable_expert_parallel=false, or pin a release after vLLM {last}"
        )


def _check_heads(attention: Attention, tp: int, draft: Draft) -> None:
    """The draft's heads divide over the target's ranks (config/model.py:1546, layers/linear.py:1051)."""
    if attention.heads % tp:
        raise RequestError(
            f"the {attention.heads} attention heads of the draft model {draft.facts.id} must be divisible by "
            f"tensor parallel size ({tp})"
        )
    kv = attention.kv_heads or tp
    if kv % tp and tp % kv:
        raise RequestError(f"{kv} KV heads of the draft model {draft.facts.id} do not divide over {tp} ranks")
