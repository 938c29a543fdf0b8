"""A value of every kind of mixer that the union has, built from the fields that each requires."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import get_args, get_origin

from generator.models.attention import Mixer
from generator.models.value import Value

KINDS = get_args(get_args(Mixer)[0])
"""The members of the union, whatever they are."""
SIZES = {
    "num_key_value_heads": 8, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "head_dim": 128, "head_dim_v": 128,
    "index_head_dim": 128, "index_topk": 2048, "sliding_window": 128, "conv_kernel": 4, "compress_ratio": 4,
    "encoder_tokens": 1500, "attention_chunk_size": 8192,
}  # fmt: skip
"""Sizes where kernels or laws of the kind take no 64."""


def built(kind: type[Value]) -> Value:
    """A value of the kind with plausible sizes in every field that it requires."""
    fields = kind.model_fields.items()
    return kind(**{name: sized(kind, name, field.annotation) for name, field in fields if field.is_required()})


def sized(kind: type[Value], name: str, annotation: object) -> object:
    """A plausible value of one required field."""
    options = [one for one in get_args(annotation) if one is not NoneType]
    own = options[0] if get_origin(annotation) is UnionType else annotation
    if isinstance(own, type) and issubclass(own, Value):
        return built(own)
    assert own is int, f"{kind.__name__}.{name}: say here how to build a {annotation}"
    return SIZES.get(name, 64)
