"""What a multimodal input takes while vLLM profiles the encoder with it: tokens, one block's buffers, the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.architecture import Architecture, Tower
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.planning.replica import Replica

_LARGEST_INPUT_TOKENS = 16384
_WHOLE, _DIVIDED = 5, 9
"""Times the width that attention holds of a patch: on every rank, and of all heads together."""


def tokens(replica: Replica) -> int:
    """Tokens of the multimodal input that vLLM profiles the encoder with; 0 for a model without one.

    The encoder budget is `max_num_batched_tokens`, or the largest single input where that is more (vLLM 0.32
    multimodal/encoder_budget.py): 16,384 tokens for encoders of any resolution (startup_logs.csv,
    encoder_cache_budget_tokens).
    """
    settings, towers = replica.settings, replica.architecture.towers
    if settings.encoder_tokens is not None:
        return settings.encoder_tokens
    if not towers or settings.language_model_only:
        return 0
    any_resolution = any(tower.any_resolution for tower in towers)
    return max(settings.max_num_batched_tokens, _LARGEST_INPUT_TOKENS if any_resolution else 0)


def output(replica: Replica) -> int:
    """Bytes that the encoder put out for its whole budget, early outputs beside the last block's."""
    architecture = replica.architecture
    outputs = 1 + max((tower.early_outputs for tower in architecture.towers), default=0)
    return tokens(replica) * outputs * architecture.hidden_size * replica.dtype_bytes


def encoded_tokens(replica: Replica) -> int:
    """Tokens that one pass of the encoder computes.

    Of a budget beyond the batch it is one input, which Qwen3-VL's processor scales to 25,165,824 pixels at most, a
    whole video too; vLLM 0.11 repeats its output to the budget (v1/worker/gpu_model_runner.py: profile_run).
    """
    budget = tokens(replica)
    scaled = any(tower.early_outputs for tower in replica.architecture.towers)
    one = max(replica.settings.max_num_batched_tokens, _LARGEST_INPUT_TOKENS)
    return min(budget, one) if scaled else budget


def term(architecture: Architecture) -> str:
    """The coefficient of the encoder's phase.

    Inputs of any resolution fill the budget; inputs of fixed size leave a rest, and text between their frames.
    """
    any_resolution = any(tower.any_resolution for tower in architecture.towers)
    return "encoder_factor" if any_resolution else "encoder_fixed_factor"


def block_bytes(replica: Replica) -> int:
    """Bytes of one encoder block over the patches of the largest input, of the widest tower.

    Attention and feed-forward follow one another. In attention a patch holds fourteen times the block's width. Every
    rank holds its pixels, position, residual, norm and output; for a rank's own heads there are the joint projection,
    queries and keys before and after rotation, values and what attention makes of them (vLLM 0.33
    models/qwen2_5_vl.py: Qwen2_5_VisionAttention.forward; qwen3_vl.py: prepare_encoder_metadata). In the feed-forward
    it holds three times the width, and the inner width before and after its activation.
    """
    divided = (_patch_elements(tower, _ranks(replica, tower)) for tower in replica.architecture.towers)
    return encoded_tokens(replica) * max(divided, default=0) * replica.dtype_bytes


def _patch_elements(tower: Tower, ranks: int) -> int:
    """Elements that a rank holds of the patches of one token, where `ranks` share heads and channels."""
    attention = _WHOLE * tower.hidden_size + ceil_div(_DIVIDED * tower.hidden_size, ranks)
    feed_forward = 3 * tower.hidden_size + ceil_div(2 * tower.intermediate_size, ranks)
    return tower.patches_per_token * max(attention, feed_forward)


def _ranks(replica: Replica, tower: Tower) -> int:
    """Ranks that share what a block computes; one where each gathers it or holds the tower whole."""
    name = replica.architecture.architecture
    shared = tower.num_heads and not replica.encoders_whole
    if shared and replica.release.has("divides_encoder_activations", architecture=name):
        return replica.layout.tensor_parallel_size
    return 1
