"""Footprint of one rank: what it reads and computes for a token, from shapes and weight bytes by part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from generator.models.architecture import Architecture, Layer
from generator.models.feed_forward import MoE
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.models.speed import Exchange, Footprint, KVRead
from generator.planning.kinds.of import of
from generator.planning.speed.kernels import kernels
from generator.planning.weights.expansion import modules
from generator.planning.weights.rank import rank_weights

if TYPE_CHECKING:
    from generator.planning.kinds.kind import Attention
    from generator.planning.weights.rank import RankWeights

_FLOAT32_BYTES = 4
Layers = list[tuple["Layer", float]]


def footprint(
    architecture: Architecture,
    layout: Layout,
    quantization: Quantization | None = None,
    *,
    kv_bytes: float = 2.0,
    dtype_bytes: int = 2,
    weights: RankWeights | None = None,
) -> Footprint:
    """The footprint of one rank of the mean pipeline stage.

    Args:
        architecture: the model's shapes.
        layout: parallel sizes.
        quantization: how the checkpoint stores the weights; None for unquantized.
        kv_bytes: bytes of one cached element.
        dtype_bytes: bytes of one activation.
        weights: the rank's weights where the caller already has them.
    """
    tp, pp, hidden = layout.tensor_parallel_size, layout.pipeline_parallel_size, architecture.hidden_size
    layers = _layers(architecture, pp)
    experts = [(layer.feed_forward, n) for layer, n in layers if isinstance(layer.feed_forward, MoE)]
    local = max((block.num_experts for block, _ in experts), default=0) / layout.expert_parallel_size
    stages = (weights or rank_weights(architecture, quantization, layout)).stages
    moe_layers = sum(n for _, n in experts)
    expert_bytes = sum(stage.expert_bytes for stage in stages) / pp
    work = _flops(architecture, tp, pp)
    dense_kernel, expert_kernel = kernels(architecture, quantization)
    return Footprint(
        **_counts(layers),
        moe_layers=moe_layers,
        shared_layers=sum(n for block, n in experts if block.shared_expert_intermediate_size),
        hidden_size=hidden,
        activation_bytes=dtype_bytes,
        dense_bytes=sum(stage.always_read_bytes for stage in stages) / pp
        + _tied_head(architecture, tp, pp, dtype_bytes),
        expert_bytes=expert_bytes / (moe_layers * local) if experts else 0.0,
        num_experts=experts[0][0].num_experts if experts else 0,
        local_experts=local,
        num_experts_per_tok=experts[0][0].num_experts_per_tok if experts else 0,
        dense_flops=work.dense,
        head_flops=work.head,
        expert_flops=work.experts,
        kv_reads=tuple(_merged(layers, tp, kv_bytes)),
        kv_bytes=kv_bytes,
        state_bytes=sum(_state_bytes(layer, tp, dtype_bytes) * n for layer, n in layers),
        dense_kernel=dense_kernel,
        expert_kernel=expert_kernel,
        tensor_parallel_size=tp,
        decode_context_parallel_size=layout.decode_context_parallel_size,
        exchanges=tuple(_exchanges(layers, layout, hidden, dtype_bytes)),
        pipeline_parallel_size=pp,
        data_parallel_size=layout.data_parallel_size,
        expert_parallel_size=layout.expert_parallel_size,
    )


class _Work(NamedTuple):
    dense: float
    experts: float
    head: float


def _flops(architecture: Architecture, tp: int, pp: int) -> _Work:
    """FLOPs of one token on one rank: two for each element of a matrix that it meets."""
    total: dict[str, float] = defaultdict(float)
    for module in modules(architecture):
        matrix = module.matrix
        if matrix.linear and matrix.part not in ("vision", "embed"):
            part = matrix.part if matrix.part in ("experts", "lm_head") else "dense"
            shared = 1 if matrix.shard == "replicated" and not matrix.experts else tp
            total[part] += 2 * matrix.active_parameters * max(len(module.layers), 1) / shared
    head = total["lm_head"] or 2 * architecture.hidden_size * architecture.vocab_size / tp * architecture.lm_head
    return _Work(total["dense"] / pp, total["experts"] / pp, head / pp)


def _tied_head(architecture: Architecture, tp: int, pp: int, dtype_bytes: int) -> float:
    """Bytes of an embedding that also serves as the head."""
    if not (architecture.tie_word_embeddings and architecture.lm_head):
        return 0.0
    return architecture.hidden_size * architecture.vocab_size * dtype_bytes / tp / pp


def _layers(architecture: Architecture, pp: int) -> Layers:
    counts: Counter[int] = Counter()
    for run in architecture.runs:
        counts[run.kind] += run.count
    return [(architecture.layer_kinds[kind], count / pp) for kind, count in counts.items()]


def _counts(layers: Layers) -> dict[str, float]:
    def of_attention(asked: Callable[[Attention], bool]) -> float:
        return sum(n for layer, n in layers if any(asked(one) for one in _attentions(layer)))

    blocks = sum(n * ((layer.mixer is not None) + (layer.feed_forward is not None)) for layer, n in layers)
    return {
        "layers": sum(n for _, n in layers),
        "latent_layers": of_attention(lambda one: one.kv_heads is None),
        "sparse_layers": of_attention(lambda one: one.sparse),
        "state_layers": sum(n for layer, n in layers if _state_bytes(layer, 1, 1)),
        "reductions": blocks,
    }


def _attentions(layer: Layer) -> tuple[Attention, ...]:
    return of(layer.mixer).attentions() if layer.mixer is not None else ()


def _state_bytes(layer: Layer, tp: int, dtype_bytes: int) -> float:
    """Bytes of recurrent state of one sequence on one rank, read and written back in each step."""
    state = of(layer.mixer).state() if layer.mixer is not None else None
    if state is None:
        return 0.0
    return 2 * state.elements * (_FLOAT32_BYTES if state.in_float32 else dtype_bytes) / tp


def _exchanges(layers: Layers, layout: Layout, hidden: int, dtype_bytes: int) -> Iterator[Exchange]:
    """Of ranks that share caches, and of replicas that share experts.

    Those gather all tokens before each mixture and scatter the sums after it (vLLM 0.32 config/parallel.py:219,
    allgather_reducescatter).
    """
    dcp, dp = layout.decode_context_parallel_size, layout.data_parallel_size
    if dcp > 1:
        per_layer = [(_exchanged(one, layout, dtype_bytes), n) for layer, n in layers for one in _attentions(layer)]
        messages, size, prompts = (sum(found[i] * n for found, n in per_layer) for i in range(3))
        yield Exchange(ranks=dcp, messages=messages, bytes_per_token=size, prompt_bytes_per_token=prompts)
    mixtures = sum(n for layer, n in layers if isinstance(layer.feed_forward, MoE))
    if dp > 1 and mixtures:
        ranks = dp * layout.tensor_parallel_size
        gathered = dp * (ranks - 1) / ranks * hidden * dtype_bytes
        size = 2 * mixtures * gathered
        yield Exchange(ranks=ranks, messages=2 * mixtures, bytes_per_token=size, prompt_bytes_per_token=size)


def _exchanged(attention: Attention, layout: Layout, dtype_bytes: int) -> tuple[int, float, float]:
    """Messages of one block among the ranks that share caches, and bytes for one token that decodes, and of a prompt.

    Queries and log-sum-exps are gathered over the group, outputs scattered back to their heads (vLLM 0.32
    v1/attention/backends/flash_attn.py:1511, model_executor/layers/attention/mla_attention.py:1100); the log-sum-exps
    are FP32, one a head, and every rank has those of all heads of the group.
    """
    width, dcp = attention.exchanged_width, layout.decode_context_parallel_size
    heads = attention.heads / layout.tensor_parallel_size
    size = (dcp - 1) * heads * (width * dtype_bytes + dcp * _FLOAT32_BYTES)
    return (3, size, size if attention.prompts_exchange else 0.0) if width else (0, 0.0, 0.0)


def _merged(layers: Iterable[tuple[Layer, float]], tp: int, kv_bytes: float) -> Iterator[KVRead]:
    """One entry a window, summed over layers."""
    total: dict[int | None, tuple[float, float]] = {}
    for layer, count in layers:
        for read in (read for one in _attentions(layer) for read in one.reads(tp, kv_bytes)):
            size, flops = total.get(read.window_tokens, (0.0, 0.0))
            total[read.window_tokens] = (
                size + count * read.bytes_per_token,
                flops + count * read.flops_per_pair,
            )
    for window, (size, flops) in total.items():
        yield KVRead(window_tokens=window, bytes_per_token=size, flops_per_pair=flops)
