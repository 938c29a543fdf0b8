"""What a draft adds to a rank's memory beside its weights and cache: the states of its target that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.planning.replica import Replica

_JOINT = "fc"
_READ_AT_ONCE = frozenset({"eagle", "eagle3", "mtp", "dflash"})
"""Methods whose draft reads the states of all tokens of a step."""


def states_read(replica: Replica) -> int:
    """Bytes of the layers' states that the target's forward pass keeps for a head: all of them until the head has read.

    One a layer and token of the step; they lie beside the last layer's own buffers (vLLM 0.33
    v1/worker/gpu/model_runner.py:2104, models/interfaces.py SupportsEagle3).
    """
    draft, settings = replica.settings.draft, replica.settings
    if draft is None:
        return 0
    read = sum(one.columns for one in draft.extra if one.name == _JOINT)
    joins_states = settings.speculative_method in {"eagle3", "dflash"}
    return settings.max_num_batched_tokens * read * replica.dtype_bytes * joins_states


def states_kept(replica: Replica) -> int:
    """Bytes of the buffer that a draft reads its target's states from: one a token of a step, as wide as the draft.

    vLLM 0.33 v1/worker/gpu/spec_decode/target_dependent_ar/speculator.py:36, dflash/speculator.py:57; V1 has the same
    (v1/spec_decode/llm_base_proposer.py:211).
    """
    settings, draft = replica.settings, replica.settings.draft
    if settings.speculative_method not in _READ_AT_ONCE:
        return 0
    width = draft.hidden_size if draft else replica.architecture.hidden_size
    return settings.max_num_batched_tokens * width * replica.dtype_bytes
