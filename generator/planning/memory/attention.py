"""Memory of attention beside the cache: its part of the profiled pass, and workspaces of FlashInfer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.capability import BLACKWELL
from generator.models.interval import ByteInterval
from generator.planning.kinds.of import attentions_of, of
from generator.planning.replica import once_a_replica
from generator.units import MIB, ceil_div

if TYPE_CHECKING:
    from generator.models.architecture import Layer
    from generator.planning.replica import Replica

_FLASHINFER = "FLASHINFER"
_WORKSPACE = 394 * MIB
"""VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE (0.20.2 to 0.33.0 envs.py); 0.19 and before were not read."""
_PREFILL_BYTES = 16
"""FLASHINFER_PREFILL_WORKSPACE_BYTES_PER_ELEM (0.33.0 v1/attention/backends/flashinfer.py:104)."""


@once_a_replica
def profiled_pass(replica: Replica) -> ByteInterval:
    """Bytes of the pass while an attention block runs, where its buffers are counted; 0 for other models.

    Beside them lie the residual streams and the block's input; streams are mixed into new ones between blocks. No start
    confirms the widest ones, so the high end is a quarter more.
    """
    most = max((_elements(replica, layer) for layer in replica.architecture.layer_kinds), default=0)
    taken = most * replica.dtype_bytes
    return ByteInterval(expected=taken, low=taken, high=taken + taken // 4)


def _elements(replica: Replica, layer: Layer) -> int:
    blocks = of(layer.mixer).attentions() if layer.mixer is not None else ()
    held = max((one.pass_elements(replica.context, replica.max_model_len) for one in blocks), default=0)
    if not held:
        return 0
    width = replica.architecture.hidden_size * replica.settings.max_num_batched_tokens
    mixing = 2 * (layer.streams + 1) * width if layer.streams > 1 else 0
    return max(held + (layer.streams + 1) * width, mixing)


def draft_streams(replica: Replica) -> int:
    """Bytes of every token's residual streams, which a model keeps for the draft that continues them.

    vLLM 0.33 models/deepseek_v4/nvidia/model.py:907.
    """
    streams = max((layer.streams for layer in replica.architecture.layer_kinds), default=1)
    if streams == 1 or not replica.settings.num_speculative_tokens:
        return 0
    return replica.settings.max_num_batched_tokens * streams * replica.architecture.hidden_size * replica.dtype_bytes


def decode_workspace(replica: Replica) -> int:
    """Bytes of the buffer of TensorRT-LLM's decode kernel, which the first captured graph asks for and keeps.

    Datacenter Blackwell alone has that kernel (vLLM 0.33 v1/attention/backends/flashinfer.py:149), and what the profile
    captures counts as the estimate of the graphs.
    """
    return _WORKSPACE if _runs(replica) and replica.settings.capability.family == BLACKWELL else 0


def builder_workspace(replica: Replica) -> int:
    """Bytes of the workspace that FlashInfer's metadata builders share; 0 with other backends.

    vLLM 0.33 v1/worker/gpu/attn_utils.py:305 and v1/attention/backends/flashinfer.py:1255.
    """
    if not _runs(replica):
        return 0
    if not replica.release.has("flashinfer_workspace_by_batch"):
        return _WORKSPACE
    tensor = replica.layout.tensor_parallel_size
    width = max(ceil_div(one.heads, tensor) * one.head_size for one in attentions_of(replica.architecture))
    return max(_WORKSPACE, replica.settings.max_num_batched_tokens * width * _PREFILL_BYTES)


def _runs(replica: Replica) -> bool:
    return _FLASHINFER in replica.cache.backends
