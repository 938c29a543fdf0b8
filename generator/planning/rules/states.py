"""What vLLM refuses of models that keep a state a sequence: more admitted sequences than the pool has blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.graph_mode import graph_mode

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.kv_cache.layout import CacheLayout

_STATE = "MambaSpec"


def state_blocks(case: Case, cache: CacheLayout, sequences: int) -> int:
    """Blocks that the pool must have for `sequences` admitted ones, 0 where vLLM asks for none.

    Where whole decode steps are captured each sequence needs a block for its state (vLLM 0.20.2 to 0.33
    config/compilation.py: resolve_cudagraph_mode_and_sizes; eager and piecewise graphs are not checked).
    """
    states = any(group.kind == _STATE for group in cache.groups)
    asked = (
        states
        and graph_mode(case.fixed, pools=case.pooling is not None) == "full"
        and case.vllm.has("stops_without_block_for_each_state")
    )
    return sequences if asked else 0
