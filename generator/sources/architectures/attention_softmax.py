"""Families with separate key and value heads whose layers differ in the window alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from generator.catalogue.draft_heads import head_of
from generator.errors import UnsupportedArchitectureError
from generator.models.attention import ChunkedLocal, FullAttention, Mixer, Mixers, SlidingWindow
from generator.sources.architectures.unread import FROM_A_DUMP

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


class Traits(NamedTuple):
    """What a family's vLLM class fixes and its config.json does not say."""

    qkv_bias: bool | str = "attention_bias"
    """Fixed, or the config field that says it."""
    output_bias: bool | str = False
    qk_norm: bool | str = False
    sinks: bool = False
    alibi: bool = False
    output_gate: bool = False
    pattern: int = 0
    """Every so many layers one is full and the others slide, where `layer_types` is absent; 0 for none.

    The last of them is full, the first where the number is negative.
    """
    window_extra: int = 0
    """Tokens that the class adds to `sliding_window`."""
    default_window: int | None = None
    """Window that Transformers' config class fills in when the field is absent."""
    defaults: Mapping[str, int] = {}
    alike_from: int | None = None
    """`max_window_layers` where a config leaves it out (Transformers 5.19), of a class that is vLLM's Qwen2Model.

    It wants one kind of attention in all layers (vLLM 0.33 model_executor/models/qwen2.py:351); None of other classes.
    """
    named_head_dim: bool = True
    """False where the class divides `hidden_size` by the heads and does not look at `head_dim`."""


LLAMA_ATTENTION = Traits(output_bias="attention_bias")
"""Llama's own ways, which its relatives share."""


def softmax_mixers(config: Config, traits: Traits = Traits()) -> Mixers:  # noqa: B008 - an immutable default
    """One mixer a layer of a family with key and value heads; without traits by standard fields alone."""
    shape = heads(config, traits)
    return tuple(windowed(shape, word, window) for word, window in layer_windows(config, traits))


def heads(config: Config, traits: Traits = Traits()) -> FullAttention:  # noqa: B008 - an immutable default
    """Heads of one attention layer by standard field names.

    vLLM 0.32 transformers_utils/model_arch_config_convertor.py:84 (head size) and :139 (KV heads).

    Raises:
        UnsupportedArchitectureError: there are none.
    """
    known = {**traits.defaults, **{key: value for key, value in config.items() if value is not None}}
    queries = first_int(known, "num_attention_heads", "n_head", "n_heads", "num_heads")
    if not queries:
        name, *_ = config.get("architectures") or ["no class"]
        raise UnsupportedArchitectureError(
            f"config.json of {name} (model_type {config.get('model_type')!r}) names no attention heads "
            "(num_attention_heads), and no reader knows the family; " + FROM_A_DUMP
        )
    hidden = first_int(known, "hidden_size", "n_embd", "d_model") or 0
    named = first_int(known, "head_dim", "hidden_size_per_head", "kv_channels") if traits.named_head_dim else None
    head_dim = named or hidden // queries
    return FullAttention(
        num_attention_heads=queries,
        num_key_value_heads=_kv_heads(known, queries),
        head_dim=head_dim,
        head_dim_v=first_int(known, "v_head_dim") or head_dim,
        qkv_bias=_flag(config, traits.qkv_bias),
        output_bias=_flag(config, traits.output_bias),
        qk_norm=_flag(config, traits.qk_norm),
        sinks=traits.sinks,
        output_gate=traits.output_gate,
        alibi=traits.alibi or bool(config.get("alibi")),
    )


def windowed(shape: FullAttention, word: str, window: int | None) -> Mixer:
    """The mixer that a `layer_types` word names, with the heads of `shape`.

    Raises:
        UnsupportedArchitectureError: the word is not one of vLLM's.
    """
    fields = shape.model_dump(exclude={"kind"})
    if word == "full_attention" or window is None:
        return shape
    if word == "sliding_attention":
        return SlidingWindow(**fields, sliding_window=window)
    if word == "chunked_attention":
        return ChunkedLocal(**fields, attention_chunk_size=window)
    raise UnsupportedArchitectureError(f"layer_types names {word!r}, a kind of attention that is not known")


def layer_windows(config: Config, traits: Traits = Traits()) -> tuple[tuple[str, int | None], ...]:  # noqa: B008
    """Word and window of each layer: `layer_types`, else the family's pattern, else one window for all.

    vLLM 0.32 engine/arg_utils.py:2248: without `layer_types` the window is every layer's.

    Raises:
        UnsupportedArchitectureError: a word is not one of vLLM's, or its class does not start with such layers.
    """
    count = first_int(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers") or 0
    window = _window(config, traits)
    words = config.get("layer_types")
    pattern = int(config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or traits.pattern)
    if not words and window and pattern < 0:
        words = ["sliding_attention" if i % -pattern else "full_attention" for i in range(count)]
    if not words and window and pattern > 0:
        words = ["full_attention" if (i + 1) % pattern == 0 else "sliding_attention" for i in range(count)]
    if not words and window and config.get("use_sliding_window"):
        first = _first_window(config, traits)
        words = ["sliding_attention" if i >= first else "full_attention" for i in range(count)]
    if not words:
        return (("sliding_attention", window),) * count if window else (("full_attention", None),) * count
    chunk = config.get("attention_chunk_size")
    sizes: dict[str, int | None] = {"sliding_attention": window, "chunked_attention": chunk}
    for word in words:
        if word not in {*sizes, "full_attention"} or (word == "chunked_attention" and not chunk):
            raise UnsupportedArchitectureError(
                f"model_type {config.get('model_type')!r} declares layer_types {word!r}, which is not known"
                + (" without attention_chunk_size" if word == "chunked_attention" else "")
            )
    if traits.alike_from is not None and len(set(words)) > 1 and not _is_draft(config):
        _check_alike(config, traits, count)
        return (("full_attention", None),) * count
    return tuple((word, sizes.get(word)) for word in words)


def _first_window(config: Config, traits: Traits) -> int:
    """The first layer that slides where `use_sliding_window` is set."""
    return int(config.get("max_window_layers", traits.alike_from) or 0)


def _is_draft(config: Config) -> bool:
    """Whether vLLM builds a draft's own class of it, which reads each layer's word (qwen3_dflash.py)."""
    return any(head_of(name) for name in config.get("architectures") or ())


def _check_alike(config: Config, traits: Traits, count: int) -> None:
    """Return only where vLLM's Qwen2Model takes layers of two kinds, which it then builds without any window.

    Raises:
        UnsupportedArchitectureError: it does not start.
    """
    if _first_window(config, traits) != count:
        raise UnsupportedArchitectureError(
            "sliding windows in some layers but not all (max_window_layers): vLLM's Qwen2Model, which it builds of "
            f"model_type {config.get('model_type')!r}, does not start: choose another checkpoint, or have its "
            "config.json say use_sliding_window false and no layer_types"
        )


def _window(config: Config, traits: Traits) -> int | None:
    if config.get("use_sliding_window") is False:
        return None
    window = config.get("sliding_window", traits.default_window)
    return int(window) + traits.window_extra if window else None


def _kv_heads(known: Config, queries: int) -> int:
    if known.get("multi_query") and not known.get("new_decoder_architecture"):
        return 1
    named = first_int(
        known,
        "n_head_kv",
        "num_kv_heads",
        "num_key_value_heads",
        *(("multi_query_group_num",) if known.get("multi_query_attention", True) else ()),
        "num_attention_groups",
    )
    return named or queries


def first_int(config: Config, *keys: str) -> int | None:
    """The first of `keys` that the config gives an integer."""
    return next((int(config[key]) for key in keys if isinstance(config.get(key), int)), None)


def _flag(config: Config, rule: bool | str) -> bool:  # noqa: FBT001 - a rule is a constant or a field's name
    return bool(config.get(rule)) if isinstance(rule, str) else rule
