"""Families with separate key and value heads whose layers differ in the window alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from generator.errors import UnsupportedArchitectureError
from generator.models.attention import ChunkedLocal, FullAttention, Mixer, SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    Config = Mapping[str, Any]
    Mixers = tuple[Mixer | None, ...]


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
    named_head_dim: bool = True
    """False where the class divides `hidden_size` by the heads and does not look at `head_dim`."""


_LLAMA = Traits(output_bias="attention_bias")
_QWEN2 = Traits(qkv_bias=True, named_head_dim=False)
_QWEN3 = Traits(qk_norm=True)
_GEMMA3 = Traits(
    output_bias="attention_bias", qk_norm=True, pattern=6, default_window=4096,
    defaults={"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256},
)  # fmt: skip
_BAILING = Traits(qkv_bias="use_qkv_bias", output_bias="use_bias", qk_norm="use_qk_norm")
_BIASED = Traits(qkv_bias=True, output_bias=True)

TRAITS: dict[str, Traits] = {
    "llama": _LLAMA, "mistral": Traits(output_bias="attention_bias", default_window=4096),
    "ministral3": _LLAMA, "ministral": Traits(default_window=4096), "mixtral": Traits(qkv_bias=False),
    "qwen2": _QWEN2, "qwen2_moe": _QWEN2, "qwen2_vl": _QWEN2, "qwen2_vl_text": _QWEN2,
    "qwen2_5_vl": _QWEN2, "qwen2_5_vl_text": _QWEN2, "mimo": _QWEN2,
    "qwen3": _QWEN3, "qwen3_moe": _QWEN3, "qwen3_vl_text": _QWEN3, "qwen3_vl_moe_text": _QWEN3,
    "qwen3_omni_moe_text": _QWEN3,
    "gemma": Traits(qkv_bias=False, defaults={"head_dim": 256}),
    "gemma2": Traits(
        output_bias="attention_bias", pattern=2, default_window=4096, defaults={"head_dim": 256},
    ),
    "gemma3_text": _GEMMA3,
    "phi": _BIASED, "phi3": Traits(qkv_bias=False), "phimoe": Traits(output_bias="attention_bias"),
    "phi4mm": Traits(qkv_bias=False),
    "cohere": Traits(qk_norm="use_qk_norm"),
    "cohere2": Traits(
        qk_norm="use_qk_norm", pattern=4, window_extra=1, default_window=4096,
        defaults={"head_dim": 128},
    ),
    "cohere2_moe": Traits(pattern=4, window_extra=1, default_window=4096, defaults={"head_dim": 128}),
    **dict.fromkeys(("granite_swa", "granitemoe_swa"), _LLAMA._replace(pattern=-4, default_window=128)),
    **dict.fromkeys(("bailing_moe", "bailing_moe_v2", "sarvam_moe", "param2moe"), _BAILING),
    "olmo": _LLAMA, "olmo2": Traits(qk_norm=True), "olmoe": Traits(qk_norm=True),
    "olmo3": Traits(qk_norm=True, pattern=4, default_window=4096),
    "granite": _LLAMA, "granitemoe": _LLAMA, "granitemoeshared": _LLAMA,
    "gpt_oss": Traits(
        qkv_bias=True, output_bias=True, sinks=True, pattern=2, default_window=128,
        defaults={"num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64},
    ),
    "glm": Traits(), "glm4": Traits(), "glm4_moe": Traits(qk_norm="use_qk_norm"), "glm4v_text": Traits(),
    "glm4v_moe_text": Traits(qk_norm="use_qk_norm"),
    "chatglm": Traits(qkv_bias="add_qkv_bias", output_bias="add_bias_linear"),
    "minimax_m2": Traits(qkv_bias=False, qk_norm=True, defaults={"head_dim": 128}),
    "ernie4_5": Traits(qkv_bias=False, defaults={"head_dim": 128}),
    "ernie4_5_moe": Traits(qkv_bias="use_bias", output_bias="use_bias"),
    "hunyuan_v1_dense": Traits(output_bias="attention_bias", qk_norm="use_qk_norm"),
    "hunyuan_v1_moe": Traits(output_bias="attention_bias", qk_norm="use_qk_norm"),
    "seed_oss": Traits(output_bias="attention_out_bias", defaults={"head_dim": 128}),
    "exaone": Traits(qkv_bias=False), "exaone4": Traits(qkv_bias=False, qk_norm=True, default_window=4096),
    "smollm3": _LLAMA, "stablelm": Traits(qkv_bias="use_qkv_bias"),
    "gpt_neox": _BIASED, "starcoder2": Traits(qkv_bias="use_bias", output_bias="use_bias"),
    "internlm2": Traits(qkv_bias="bias", output_bias="bias"), "internlm3": Traits(qkv_bias="qkv_bias"),
    "baichuan": Traits(qkv_bias=False), "dots1": Traits(qk_norm=True), "arcee": _LLAMA, "apertus": Traits(
        output_bias="attention_bias", qk_norm=True),
    "nemotron": Traits(output_bias="attention_bias"), "gpt2": _BIASED, "gptj": Traits(qkv_bias=False),
    "gpt_bigcode": _BIASED._replace(defaults={"multi_query": 1}), "opt": _BIASED,
    "bloom": Traits(qkv_bias=True, output_bias=True, alibi=True),
    "falcon": Traits(qkv_bias="bias", output_bias="bias"), "minicpm": _LLAMA, "orion": Traits(qkv_bias=False),
    "solar": _LLAMA, "aquila": Traits(qkv_bias=False),
    "afmoe": Traits(qkv_bias=False, qk_norm=True, output_gate=True),
    "jais2": _BIASED, "nanochat": Traits(qkv_bias=False),
    "cwm": Traits(output_bias="attention_bias", pattern=-4, default_window=8192),
    "vaultgemma": Traits(output_bias="attention_bias", pattern=2, default_window=4096, defaults={"head_dim": 256}),
    "muse_glimmer_text": Traits(output_gate=True, qk_norm=True), "plamo3": Traits(qkv_bias=False, qk_norm=True),
    "mistral3_text": _LLAMA, "pixtral_text": _LLAMA, "yi": _LLAMA,
    "deepseek": Traits(),
}  # fmt: skip
"""What each vLLM class of softmax attention fixes (vLLM 0.32 model_executor/models)."""


_ALIKE = frozenset({"qwen2", "qwen2_vl_text", "qwen2_5_vl_text"})
"""Families whose class wants one kind of attention in all layers (vLLM 0.32 model_executor/models/qwen2.py:351)."""


def softmax_mixers(config: Config) -> Mixers:
    """One mixer a layer of a family with key and value heads; a `model_type` without traits is generic."""
    traits = TRAITS.get(str(config.get("model_type", "")), Traits())
    shape = heads(config, traits)
    return tuple(windowed(shape, word, window) for word, window in layer_windows(config, traits))


def heads(config: Config, traits: Traits = Traits()) -> FullAttention:  # noqa: B008 - an immutable default
    """Heads of one attention layer by standard field names.

    vLLM 0.32 transformers_utils/model_arch_config_convertor.py:84 (head size) and :139 (KV heads).
    """
    known = {**traits.defaults, **{key: value for key, value in config.items() if value is not None}}
    queries = first_int(known, "num_attention_heads", "n_head", "n_heads", "num_heads")
    if not queries:
        name, *_ = config.get("architectures") or ["no class"]
        raise UnsupportedArchitectureError(
            f"config.json of {name} (model_type {config.get('model_type')!r}) names no attention heads "
            "(num_attention_heads); no reader here knows the family"
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
        first = int(config.get("max_window_layers") or 0)
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
    if config.get("model_type") in _ALIKE and len(set(words)) > 1:
        raise UnsupportedArchitectureError(
            "sliding windows in some layers but not all (max_window_layers): vLLM's Qwen2 class does not start"
        )
    return tuple((word, sizes.get(word)) for word in words)


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
