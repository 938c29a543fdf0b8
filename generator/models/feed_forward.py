"""Kinds of feed-forward block, before sharding."""

from typing import Annotated, Literal

from pydantic import Field

from generator.models.dtype import DType
from generator.models.value import Value


class Dense(Value):
    """One feed-forward network; `gated` ones have a gate and an up projection."""

    kind: Literal["dense"] = "dense"
    intermediate_size: int
    gated: bool = True
    bias: bool = False
    whole: bool = False
    """True where every rank holds the whole network (vLLM's Transformers backend without a plan of splits)."""
    shared: bool = False
    """True where layers share the weights, which then lie outside them (Zamba2)."""
    name: str = "mlp"
    """The block's name below its layer, as the checkpoint spells it."""


class MoE(Value):
    """Routed experts, with an optional shared expert."""

    kind: Literal["moe"] = "moe"
    num_experts: int
    num_experts_per_tok: int
    moe_intermediate_size: int
    gated: bool = True
    bias: bool = False
    """True where the experts' projections have biases (gpt-oss)."""
    shared_expert_intermediate_size: int = 0
    """Width of all shared experts together; 0 for none."""
    shared_expert_gate: bool = False
    activation: str = "silu"
    """Activation by Transformers' name; `swigluoai` for gpt-oss's."""
    shared_whole: bool = False
    """True where ranks hold the whole shared expert under sequence parallelism (data and expert parallelism)."""
    router_bias: bool = False
    """True where the router has a bias of its own (gpt-oss)."""
    correction_bias: bool = False
    """True where float32 biases correct the routing scores (DeepSeek-V3)."""
    router_quantized: bool = False
    """True where vLLM's class hands the router the quantization config."""
    router_dtype: DType | None = None
    """The router's own number format; None for the model's."""
    plain_routing: bool = False
    """True where the routing is one that FlashInfer's fused kernels lack."""
    expert_hidden_size: int | None = None
    """Width that the experts see, where projections go down to it and back (Nemotron-3 Super, Kimi-K3)."""
    latent_norm: bool = False
    """True where a norm follows the projection down to `expert_hidden_size`."""
    name: str = "mlp"
    experts_name: str = "experts"
    shared_name: str = "shared_experts"
    router_name: str = "gate"


FeedForward = Annotated[Dense | MoE, Field(discriminator="kind")]
"""The union of every kind; a layer may also have none."""
