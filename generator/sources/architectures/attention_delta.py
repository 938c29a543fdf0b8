"""Families whose layers keep the state of a delta rule: gated delta nets, Kimi's and Ling's delta attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from generator.errors import UnsupportedArchitectureError
from generator.models.attention import GatedDeltaNet, KimiDeltaAttention, Mixer, Mixers
from generator.sources.architectures.attention_latent import mla
from generator.sources.architectures.attention_softmax import Traits, heads

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_QWEN3_NEXT = Traits(qk_norm=True)


def select(words: list[str], kinds: Mapping[str, Mixer | None], model_type: object) -> Mixers:
    """The mixer that each word names.

    Raises:
        UnsupportedArchitectureError: a word that the family does not have.
    """
    for word in words:
        if word not in kinds:
            raise UnsupportedArchitectureError(f"model_type {model_type!r} declares a layer {word!r}, not known")
    return tuple(kinds[word] for word in words)


def _intervals(count: int, interval: int) -> list[str]:
    return ["full_attention" if (i + 1) % interval == 0 else "linear_attention" for i in range(count)]


def gated_delta_mixers(config: Config) -> Mixers:
    """Qwen3-Next and Qwen3.5: three gated delta nets, then one gated full attention."""
    words = config.get("layer_types") or _intervals(
        int(config["num_hidden_layers"]), int(config.get("full_attention_interval") or 4)
    )
    attention = heads({"head_dim": 256, **config}, _QWEN3_NEXT)
    delta = GatedDeltaNet(
        num_k_heads=config["linear_num_key_heads"],
        num_v_heads=config["linear_num_value_heads"],
        head_k_dim=config["linear_key_head_dim"],
        head_v_dim=config["linear_value_head_dim"],
        conv_kernel=config["linear_conv_kernel_dim"],
        state_dtype=config.get("mamba_ssm_dtype"),
    )
    gated = attention.model_copy(update={"output_gate": bool(config.get("attn_output_gate", True))})
    return select(list(words), {"full_attention": gated, "linear_attention": delta}, config.get("model_type"))


def olmo_hybrid_mixers(config: Config) -> Mixers:
    """OLMo Hybrid: full attention every fourth layer or where `layer_types` says so (configuration_olmo_hybrid.py)."""
    hidden, queries, count = (int(config[key]) for key in ("hidden_size", "num_attention_heads", "num_hidden_layers"))
    words = list(config.get("layer_types") or _intervals(count, 4))
    if "full_attention" not in words:
        words[-1] = "full_attention"
    keys = int(config.get("linear_num_key_heads") or queries)
    size = int(config.get("linear_key_head_dim") or 0.75 * hidden / keys)
    delta = GatedDeltaNet(
        num_k_heads=keys,
        num_v_heads=config.get("linear_num_value_heads") or queries,
        head_k_dim=size,
        head_v_dim=config.get("linear_value_head_dim") or 2 * size,
        conv_kernel=config.get("linear_conv_kernel_dim") or 4,
        named_apart=True,
    )
    attention = heads(config, Traits(qkv_bias=False, named_head_dim=False))
    return select(words, {"full_attention": attention, "linear_attention": delta}, config.get("model_type"))


def kimi_linear_mixers(config: Config) -> Mixers:
    """Kimi-Linear and Kimi-K3: `kda_layers` numbers, from 1, the delta attention layers; the rest is MLA."""
    linear = config["linear_attn_config"]
    numbers = set(linear["kda_layers"])
    delta = KimiDeltaAttention(
        num_heads=linear["num_heads"],
        head_dim=linear["head_dim"],
        conv_kernel=linear.get("short_conv_kernel_size", 4),
        gate_lower_bound=linear.get("gate_lower_bound"),
        full_rank_gate=bool(linear.get("use_full_rank_gate")),
    )
    latent = mla(config)
    return tuple(delta if layer in numbers else latent for layer in range(1, int(config["num_hidden_layers"]) + 1))


def bailing_v3_mixers(config: Config) -> Mixers:
    """Ling 3: the last layer of each group, and those left over behind the groups, are latent (bailing_moe_v3.py:105).

    Raises:
        UnsupportedArchitectureError: the delta attention has low-rank gates, which vLLM refuses.
    """
    if not config.get("no_kda_lora"):
        raise UnsupportedArchitectureError(
            f"model_type {config.get('model_type')!r} without no_kda_lora is not planned: vLLM 0.32 refuses its gates"
        )
    group, count = int(config["layer_group_size"]), int(config["num_hidden_layers"])
    delta = KimiDeltaAttention(
        num_heads=config["num_attention_heads"], head_dim=config["head_dim"],
        conv_kernel=config["short_conv_kernel_size"], full_rank_gate=True, full_rank_decay=True,
    )  # fmt: skip
    gated = config.get("gated_attention_proj_granularity_type") == "element_wise"
    latent = mla({**config, "mla_use_output_gate": gated})
    return tuple(delta if (i + 1) % group and i < count // group * group else latent for i in range(count))
