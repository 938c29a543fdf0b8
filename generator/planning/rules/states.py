"""What vLLM refuses of models that keep a state a sequence: whole prompts, and more sequences than there are blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.planning.graph_mode import graph_mode
from generator.planning.kinds.of import states_of
from generator.planning.kv_cache.selection import mamba_cache_mode

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.kv_cache.layout import CacheLayout
    from generator.planning.replica import Replica

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


def check_replay(case: Case) -> None:
    """Inputs are replayed by classes that say so (0.27.1 and 0.33.0 config/vllm.py: validate_mamba_cached_kernel).

    Raises:
        RequestError: the model's is none.
    """
    architecture = case.architecture.architecture
    if case.fixed.get("use_replayssm") and not case.vllm.has("replays_states", architecture=architecture):
        raise RequestError(
            f"vLLM {case.release} replays no inputs of {architecture} (use_replayssm): leave it out; it does of "
            "Nemotron-H, and newer ones of Kimi's models"
        )


def states_doubt(start: Replica) -> str:
    """Why a request may hold more states than are counted, those of mamba_cache_mode align; empty where it does not."""
    asked, release = start.settings.mamba_cache_mode, start.release
    mode = mamba_cache_mode(start.architecture, start.settings)
    name = start.architecture.architecture
    by_itself = asked in {None, "none"} and release.has("keeps_the_states_of_every_block", architecture=name)
    if mode == "none" or not (mode == "all" or by_itself):
        return ""
    return (
        f"vLLM {release} keeps a state of this model at the end of each block, more than are counted here: --set "
        "mamba_cache_mode=align, or enable_prefix_caching=false"
    )


def states_are_read_in_parts(start: Replica) -> None:
    """Prefixes are kept of a model with states only where prompts are cut (models/config.py: MambaModelConfig).

    Raises:
        RequestError: prompts are read whole.
    """
    asks = start.release.has("prefixes_of_states_need_chunks")
    if asks and start.context.aligned and not start.chunked_prefill:
        raise RequestError(
            "chunked prefill is required for prefix caching of a model with states: leave enable_chunked_prefill out, "
            "or set enable_prefix_caching=false too"
        )


def states_are_kept_in_their_dtype(start: Replica) -> None:
    """Some states are kept in wide formats alone (0.30.0 and 0.33.0 layers/mamba/mamba_utils.py: kda_state_dtype).

    Raises:
        RequestError: the user asks for another.
    """
    asked = start.settings.mamba_ssm_cache_dtype
    if asked == "auto" or not start.release.has("keeps_states_of_kimi_wide"):
        return
    for state in states_of(start.architecture):
        if state.dtypes and asked not in state.dtypes:
            raise RequestError(
                f"mamba_ssm_cache_dtype {asked} is not for this model's states, which take {', '.join(state.dtypes)}: "
                "leave it out"
            )
