"""Tensors of a feed-forward block, by vLLM's split: outputs of the first projections, inputs of the last."""

from generator.models.dtype import DType
from generator.models.feed_forward import Dense, FeedForward, MoE
from generator.models.matrix import Matrix, Part


def feed_forward_matrices(block: FeedForward | None, hidden_size: int) -> tuple[Matrix, ...]:
    """Tensors of one feed-forward block of a layer `hidden_size` wide, unsharded."""
    if block is None:
        return ()
    if isinstance(block, Dense):
        return _dense(block, hidden_size)
    return (*_router(block, hidden_size), *_experts(block, hidden_size), *_shared(block, hidden_size))


def _dense(block: Dense, hidden_size: int) -> tuple[Matrix, ...]:
    """The projections of one network, nothing where layers share it."""
    if block.shared:
        return ()
    held = projections(block.name, block.intermediate_size, hidden_size, gated=block.gated, bias=block.bias)
    return tuple(matrix.model_copy(update={"shard": "replicated"}) for matrix in held) if block.whole else held


def projections(
    name: str, inner: int, hidden_size: int, *, gated: bool, bias: bool = False, part: Part = "dense"
) -> tuple[Matrix, ...]:
    """The two or three projections of one network of `inner` channels."""
    firsts = ("gate_proj", "up_proj") if gated else ("up_proj",)
    return (
        *(
            Matrix(name=f"{name}.{first}", rows=inner, columns=hidden_size, shard="column", bias=bias, part=part)
            for first in firsts
        ),
        Matrix(name=f"{name}.down_proj", rows=hidden_size, columns=inner, shard="row", bias=bias, part=part),
    )


def _router(block: MoE, hidden_size: int) -> tuple[Matrix, ...]:
    router = Matrix(
        name=f"{block.name}.{block.router_name}", rows=block.num_experts, columns=hidden_size,
        bias=block.router_bias, dtype=block.router_dtype, part="other", linear=block.router_quantized,
    )  # fmt: skip
    if not block.correction_bias:
        return (router,)
    name = f"{router.name}.e_score_correction_bias"
    return (router, Matrix(name=name, rows=block.num_experts, dtype=DType.F32, part="other", linear=False))


def _experts(block: MoE, hidden_size: int) -> tuple[Matrix, ...]:
    """The routed experts; with `expert_hidden_size` also the projections down to it and back."""
    width = block.expert_hidden_size or hidden_size
    name = f"{block.name}.{block.experts_name}"
    experts = tuple(
        matrix.model_copy(
            update={
                "experts": block.num_experts,
                "activated": block.num_experts_per_tok,
                "activation": "" if block.plain_routing else block.activation,
            }
        )
        for matrix in projections(
            name, block.moe_intermediate_size, width, gated=block.gated, bias=block.bias, part="experts"
        )
    )
    return (*experts, *_latent(block, hidden_size)) if block.expert_hidden_size else experts


def _latent(block: MoE, hidden_size: int) -> tuple[Matrix, ...]:
    width = block.expert_hidden_size or hidden_size
    down = Matrix(name=f"{block.name}.fc1_latent_proj", rows=width, columns=hidden_size, part="dense")
    up = Matrix(name=f"{block.name}.fc2_latent_proj", rows=hidden_size, columns=width, part="dense")
    norm = Matrix(name=f"{block.name}.latent_norm", rows=width, part="dense", linear=False)
    return (down, up, norm) if block.latent_norm else (down, up)


def _shared(block: MoE, hidden_size: int) -> tuple[Matrix, ...]:
    if not block.shared_expert_intermediate_size:
        return ()
    name = f"{block.name}.{block.shared_name}" if block.name else block.shared_name
    shared = projections(name, block.shared_expert_intermediate_size, hidden_size, gated=block.gated)
    if block.shared_whole:
        shared = tuple(matrix.model_copy(update={"whole_by_tokens": True}) for matrix in shared)
    if not block.shared_expert_gate:
        return shared
    gate = Matrix(name=f"{block.name}.shared_expert_gate", rows=1, columns=hidden_size, part="other", linear=False)
    return (*shared, gate)
