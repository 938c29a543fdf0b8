"""Tables of positions that vLLM builds beside the weights on each rank: rotary ones, and a mask of one family."""

from collections.abc import Iterator
from typing import Literal

from generator.sources.architectures.fields import Config, first, rope_kinds, rope_type, text_config

_STATED = ("rope_theta", "rope_parameters", "rope_scaling", "rotary_dim", "partial_rotary_factor", "rotary_pct")
Rotary = Literal["stated", "never", "always", "asked", "unless_null", "mask"]
"""When a class rotates: where a field states it; never, though one does; always; where `use_mem_rope` asks, over two
widths; unless the base is null. Or a causal mask in its place."""
_HALF, _FULL = 2, 4


def rotary_bytes(config: Config, rotary: Rotary = "stated") -> int:
    """Bytes of the tables of one rank: a row for each position, as wide as the rotated part of a head.

    GPT-BigCode has a causal mask instead, a byte for each pair of positions (Transformers' class, which vLLM runs).

    Layers of one kind share a table (vLLM 0.32 rotary_embedding/__init__.py: get_rope); DeepSeek-V4 keeps two in 32
    bits. 0 where config.json states no rotary embedding.
    """
    text = text_config(config)
    if rotary == "mask":
        return int(text["n_positions"]) ** 2
    length = first(text, "max_position_embeddings", "max_position_embedding", "seq_length")
    if not isinstance(length, int) or not _rotates(text, rotary):
        return 0
    if text.get("compress_rope_theta") is not None:
        return 2 * length * _columns(text, {}) * _FULL
    return sum(rows * columns * _HALF for rows, columns in _tables(text, length, rotary))


def _rotates(text: Config, rotary: Rotary) -> bool:
    """Whether the family's class rotates anything."""
    if rotary == "asked":
        return bool(text.get("use_mem_rope"))
    if rotary == "unless_null":
        return (text.get("rope_parameters") or {"rope_theta": True}).get("rope_theta") is not None
    stated = any(text.get(key) is not None for key in _STATED)
    return rotary == "always" or (stated and rotary == "stated")


def is_multi_axis(config: Config) -> bool:
    """Whether positions have several axes: time, height and width (M-RoPE)."""
    text = text_config(config)
    ropes = rope_kinds(text)
    return any(rope.get("mrope_section") is not None or rope_type(rope) == "mrope" for rope in ropes)


def _tables(text: Config, length: int, rotary: Rotary) -> Iterator[tuple[int, int]]:
    """Rows and columns of each kind of layer's table; linear scaling makes it longer, other scalings do not."""
    ropes = list(rope_kinds(text)) or [{}]
    for rope in ropes:
        scale = float(rope.get("factor") or 1) if rope_type(rope) == "linear" else 1
        yield round(length * scale), _columns(text, rope, rotary)
    if text.get("rope_local_base_freq") is not None:
        yield length, _columns(text, {}, rotary)


def _columns(text: Config, rope: Config, rotary: Rotary = "stated") -> int:
    """Columns of one table: cosines and sines of half the rotated width each."""
    whole = rope_type(rope) == "proportional"
    named = first(text, "qk_rope_head_dim", "rotary_dim")
    if named is not None and not whole:
        return int(named)
    hidden, heads = first(text, "hidden_size", "n_embd"), first(text, "num_attention_heads", "n_head")
    width = text.get("global_head_dim") if whole else None
    if rotary == "asked":
        hidden *= 2
    width = width or text.get("head_dim") or (hidden // heads if hidden and heads else 0)
    share = first(rope, "partial_rotary_factor") or first(text, "partial_rotary_factor", "rotary_pct") or 1
    return int(width) if whole else int(width * share)
