"""Families with latent attention: DeepSeek V2 to V4, Kimi-K2, GLM-5 and their relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import MLA, CompressedMLA, Indexer, Mixers, SparseMLA

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_INDEXED_RATIO = 4
"""The compression ratio whose layers pick tokens with an indexer (models/deepseek_v4/attention.py)."""


def mla(config: Config) -> MLA:
    """Latent attention of one layer by DeepSeek's field names."""
    return MLA(
        num_attention_heads=config["num_attention_heads"],
        q_lora_rank=config.get("q_lora_rank"),
        kv_lora_rank=config["kv_lora_rank"],
        qk_nope_head_dim=config["qk_nope_head_dim"],
        qk_rope_head_dim=config["qk_rope_head_dim"],
        v_head_dim=config["v_head_dim"],
        output_gate=bool(config.get("mla_use_output_gate")),
    )


def latent_mixers(config: Config) -> Mixers:
    """One mixer a layer; with `index_topk` each is sparse and some build an indexer of their own."""
    count = int(config["num_hidden_layers"])
    return tuple(_latent(config, layer) for layer in range(count))


def latent_drafts(config: Config, count: int) -> Mixers:
    """Mixers of `count` draft layers: like the target's, always with an indexer of their own."""
    if "compress_ratios" in config:
        return (_compressed(config, None),) * count
    return tuple(_latent(config, None) for _ in range(count))


def _latent(config: Config, layer: int | None) -> MLA:
    plain = mla(config)
    if config.get("index_topk") is None:
        return plain
    own = layer is None or not _reuses_topk(config, layer)
    return SparseMLA(**plain.model_dump(exclude={"kind"}), indexer=_indexer(config) if own else None)


def _indexer(config: Config) -> Indexer:
    return Indexer(
        index_n_heads=config["index_n_heads"],
        index_head_dim=config["index_head_dim"],
        index_topk=config["index_topk"],
    )


def _reuses_topk(config: Config, layer: int) -> bool:
    """Whether the layer takes the tokens that an earlier one picked (models/deepseek_v32/attention.py:167)."""
    pattern = config.get("index_topk_pattern")
    if pattern is not None:
        return layer < len(pattern) and pattern[layer] == "S"
    frequency = int(config.get("index_topk_freq") or 1)
    offset = int(config.get("index_skip_topk_offset", 2))
    return max(layer - offset + 1, 0) % frequency != 0


def _compressed(config: Config, layer: int | None) -> CompressedMLA:
    """Attention of one DeepSeek-V4 layer by its entry of `compress_ratios`; a draft layer (None) has none."""
    ratio = 0 if layer is None else int(config["compress_ratios"][layer])
    return CompressedMLA(
        num_attention_heads=config["num_attention_heads"],
        head_dim=config["head_dim"],
        qk_rope_head_dim=config["qk_rope_head_dim"],
        q_lora_rank=config["q_lora_rank"],
        o_lora_rank=config["o_lora_rank"],
        o_groups=config["o_groups"],
        sliding_window=config["sliding_window"],
        compress_ratio=ratio,
        indexer=_indexer(config) if ratio == _INDEXED_RATIO else None,
    )


def compressed_mixers(config: Config) -> Mixers:
    """One mixer a layer of DeepSeek-V4."""
    return tuple(_compressed(config, layer) for layer in range(int(config["num_hidden_layers"])))


def longcat_mixers(config: Config) -> Mixers:
    """LongCat-Flash: each decoder layer holds two attention blocks (vLLM 0.32 longcat_flash.py)."""
    twice = mla(config).model_copy(update={"per_layer": 2})
    return (twice,) * int(config.get("num_layers") or config["num_hidden_layers"])
