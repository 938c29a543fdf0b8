"""Families whose layers keep a state instead of tokens: Mamba, short convolutions, lightning attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from generator.models.attention import (
    LinearAttention,
    Mamba1,
    Mamba2,
    Mixer,
    Mixers,
    Parallel,
    ShortConv,
)
from generator.sources.architectures.attention_delta import select
from generator.sources.architectures.attention_latent import mla
from generator.sources.architectures.attention_softmax import Traits, heads
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


def nemotron_h_mixers(config: Config) -> Mixers:
    """Nemotron-H: one letter a layer, M for Mamba-2, * for attention, - and E for feed-forward alone."""
    pattern = nemotron_h_pattern(config)
    # vLLM keeps the state in float32 unless config.json says otherwise (vLLM 0.32 models/config.py).
    mamba = Mamba2(
        num_heads=config["mamba_num_heads"],
        head_dim=config["mamba_head_dim"],
        n_groups=config["n_groups"],
        state_size=config["ssm_state_size"],
        conv_kernel=config["conv_kernel"],
        conv_bias=bool(config.get("use_conv_bias", True)),
        bias=bool(config.get("use_bias")),
        state_dtype=config.get("mamba_ssm_cache_dtype") or "float32",
    )
    attention = heads(
        {**config, "head_dim": config.get("head_dim") or config.get("attention_head_dim")},
        Traits(output_bias="attention_bias"),
    )
    kinds: dict[str, Mixer | None] = {"M": mamba, "*": attention, "-": None, "E": None}
    return select(list(pattern), kinds, config.get("model_type"))


def nemotron_h_pattern(config: Config) -> str:
    """Nemotron-H's layers in order, a letter each."""
    return config.get("hybrid_override_pattern") or pattern_letters(
        config.get("layers_block_type") or config.get("layer_types")
    )


def pattern_letters(words: Sequence[str] | None) -> str:
    """The letters that a list of layers spells out in older or newer words (Transformers' Nemotron-H config)."""
    letters = {
        "mamba": "M",
        "attention": "*",
        "mlp": "-",
        "moe": "E",
        "linear_attention": "M",
        "full_attention": "*",
    }
    return "".join(letters.get(word, "?") for word in words or ())


def _mamba2(config: Config, prefix: str = "mamba_", **more: Any) -> Mamba2:
    hidden = int(config["hidden_size"])
    count = int(config[f"{prefix}n_heads"])
    inner = config.get(f"{prefix}d_ssm") or int(config.get(f"{prefix}expand") or 2) * hidden
    size = config.get(f"{prefix}d_head")
    return Mamba2(
        num_heads=count,
        head_dim=int(size) if isinstance(size, int) else int(inner) // count,
        n_groups=config.get(f"{prefix}n_groups") or 1,
        state_size=config[f"{prefix}d_state"],
        conv_kernel=config.get(f"{prefix}d_conv") or 4,
        conv_bias=bool(config.get(f"{prefix}conv_bias", True)),
        bias=bool(config.get(f"{prefix}proj_bias")),
        **more,
    )


def granite_hybrid_mixers(config: Config) -> Mixers:
    """Granite 4: `layer_types` (or `layers_block_type`) says mamba or attention."""
    words = list(config.get("layer_types") or config["layers_block_type"])
    attention = heads(config, Traits(output_bias="attention_bias"))
    kinds: dict[str, Mixer | None] = {"attention": attention, "full_attention": attention}
    if {"mamba", "linear_attention"} & set(words):
        mamba = _mamba2(config)
        kinds |= {"mamba": mamba, "linear_attention": mamba}
    return select(words, kinds, config.get("model_type"))


def bamba_mixers(config: Config) -> Mixers:
    """Bamba: the layers that `attn_layer_indices` numbers are attention, the others Mamba-2."""
    full = set(config.get("attn_layer_indices") or ())
    attention, mamba = heads(config, Traits(output_bias="attention_bias")), _mamba2(config)
    return tuple(attention if i in full else mamba for i in range(int(config["num_hidden_layers"])))


def zamba2_mixers(config: Config) -> Mixers:
    """Zamba2: Mamba-2 everywhere, and a shared attention block before it in the layers called hybrid.

    Sizes of heads follow from the width, whatever config.json calls them (configuration_zamba2.py).
    """
    hidden, count, queries = (int(config[key]) for key in ("hidden_size", "n_mamba_heads", "num_attention_heads"))
    mamba = Mamba2(
        num_heads=count,
        head_dim=int((config.get("mamba_expand") or 2) * hidden) // count,
        n_groups=config.get("mamba_ngroups") or 1,
        state_size=config.get("mamba_d_state") or 64,
        conv_kernel=config.get("mamba_d_conv") or 4,
        conv_bias=bool(config.get("use_conv_bias", True)),
        bias=bool(config.get("add_bias_linear")),
    )
    attention = heads(
        {**config, "head_dim": 2 * hidden // queries, "num_key_value_heads": queries}, Traits(qkv_bias=False)
    )
    hybrid = Parallel(attention=attention, state_space=mamba, shared_attention=True)
    kinds: dict[str, Mixer | None] = {"hybrid": hybrid, "mamba": mamba, "linear_attention": mamba}
    words = list(config.get("layers_block_type") or config["layer_types"])
    return select(words, kinds, config.get("model_type"))


def falcon_h1_mixers(config: Config) -> Mixers:
    """Falcon-H1: attention and Mamba-2 side by side in every layer."""
    both = Parallel(attention=heads(config, Traits(output_bias="attention_bias")), state_space=_mamba2(config))
    return (both,) * int(config["num_hidden_layers"])


def jamba_mixers(config: Config) -> Mixers:
    """Jamba: one attention layer every `attn_layer_period`, the others Mamba-1."""
    hidden = int(config["hidden_size"])
    mamba = Mamba1(
        intermediate_size=int(config.get("mamba_expand") or 2) * hidden,
        state_size=config.get("mamba_d_state") or 16,
        conv_kernel=config.get("mamba_d_conv") or 4,
        time_step_rank=config.get("mamba_dt_rank") or ceil_div(hidden, 16),
        conv_bias=bool(config.get("mamba_conv_bias", True)),
        bias=bool(config.get("mamba_proj_bias")),
        inner_norms=True,
    )
    period, offset = int(config.get("attn_layer_period") or 8), int(config.get("attn_layer_offset", 4))
    attention = heads(config, Traits(qkv_bias=False))
    return tuple(attention if i % period == offset else mamba for i in range(int(config["num_hidden_layers"])))


def mamba1_mixers(config: Config) -> Mixers:
    """Mamba and Falcon-Mamba: every layer a selective state space."""
    hidden = int(config["hidden_size"])
    layer = Mamba1(
        intermediate_size=config.get("intermediate_size") or int(config.get("expand") or 2) * hidden,
        state_size=config["state_size"],
        conv_kernel=config.get("conv_kernel") or 4,
        time_step_rank=int(config["time_step_rank"]),
        conv_bias=bool(config.get("use_conv_bias", True)),
        bias=bool(config.get("use_bias")),
    )
    return (layer,) * int(config["num_hidden_layers"])


def mamba2_mixers(config: Config) -> Mixers:
    """Mamba-2 (Codestral Mamba): every layer a state space with heads."""
    layer = Mamba2(
        num_heads=config["num_heads"],
        head_dim=config["head_dim"],
        n_groups=config.get("n_groups") or 1,
        state_size=config["state_size"],
        conv_kernel=config.get("conv_kernel") or 4,
        conv_bias=bool(config.get("use_conv_bias", True)),
        bias=bool(config.get("use_bias")),
    )
    return (layer,) * int(config["num_hidden_layers"])


def lfm2_mixers(config: Config) -> Mixers:
    """LFM2: gated short convolutions between full attention layers."""
    full = set(config.get("full_attn_idxs") or ())
    count = int(config["num_hidden_layers"])
    words = config.get("layer_types") or ["full_attention" if i in full else "conv" for i in range(count)]
    width = config.get("conv_dim") or config["hidden_size"]
    conv = ShortConv(conv_dim=width, conv_kernel=config.get("conv_L_cache") or 3, bias=bool(config.get("conv_bias")))
    attention = heads(config, Traits(qkv_bias=False, qk_norm=True))
    return select(list(words), {"full_attention": attention, "conv": conv}, config.get("model_type"))


def minimax_text_mixers(config: Config) -> Mixers:
    """MiniMax-Text-01: `attn_type_list` says 0 for lightning attention, 1 for full attention."""
    count = int(config["num_hidden_layers"])
    kinds = config.get("attn_type_list") or [int(word == "full_attention") for word in config.get("layer_types") or ()]
    attention = heads(config, Traits(qkv_bias=False))
    linear = LinearAttention(num_heads=attention.num_attention_heads, head_dim=attention.head_dim)
    return tuple(attention if kinds[i] else linear for i in range(count))


def bailing_hybrid_mixers(config: Config) -> Mixers:
    """Ling 2.5: every `layer_group_size`-th layer is latent, the others lightning attention (bailing_moe_linear.py:68).

    The norm of a layer's output has `group_norm_size` groups, over which the ranks must divide.
    """
    group, count = int(config.get("layer_group_size") or 1), int(config["num_hidden_layers"])
    queries = int(config["num_attention_heads"])
    linear = LinearAttention(num_heads=queries, head_dim=config.get("head_dim") or config["hidden_size"] // queries)
    latent = mla(config)
    return tuple(linear if (i + 1) % group else latent for i in range(count))
