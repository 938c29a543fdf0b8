"""Kinds of feed-forward block, before sharding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from generator.models.value import Value


class Dense(Value):
    """One feed-forward network; `gated` ones have a gate and an up projection."""

    kind: Literal["dense"] = "dense"
    intermediate_size: int
    gated: bool = True
    bias: bool = False


class MoE(Value):
    """Routed experts, with an optional shared expert."""

    kind: Literal["moe"] = "moe"
    num_experts: int
    num_experts_per_tok: int
    moe_intermediate_size: int
    gated: bool = True
    bias: bool = False
    shared_expert_intermediate_size: int = 0
    shared_expert_gate: bool = False
    router_bias: bool = False


FeedForward = Annotated[Dense | MoE, Field(discriminator="kind")]
