"""Families of separate key and value heads whose layers differ in more than the window, each by its own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.attention import (
    CrossAttention,
    FullAttention,
    LowRank,
    Mixer,
    Mixers,
    SelfAndCross,
    SlidingWindow,
)
from generator.sources.architectures.attention_softmax import (
    LLAMA_ATTENTION,
    Traits,
    heads,
    layer_windows,
    softmax_mixers,
    windowed,
)

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


def llama_mixers(config: Config) -> Mixers:
    """Llama's class reads `attention_bias`, else `bias` (vLLM 0.32 model_executor/models/llama.py)."""
    bias = bool(config.get("attention_bias") or config.get("bias"))
    return softmax_mixers({**config, "attention_bias": bias}, LLAMA_ATTENTION)


def llama4_mixers(config: Config) -> Mixers:
    """Llama 4: layers without RoPE are full, the others chunked (model_executor/models/llama4.py)."""
    count = int(config["num_hidden_layers"])
    interval = int(config.get("no_rope_layer_interval") or 4)
    rope = config.get("no_rope_layers") or [int((i + 1) % interval != 0) for i in range(count)]
    chunk = config.get("attention_chunk_size")
    words = ["chunked_attention" if rope[i] and chunk else "full_attention" for i in range(count)]
    shape = heads(config, Traits(output_bias="attention_bias"))
    return tuple(windowed(shape, word, chunk) for word in words)


def gemma4_mixers(config: Config) -> Mixers:
    """Gemma 4: full layers have heads of their own size and number (model_executor/models/gemma4.py)."""
    traits = Traits(output_bias="attention_bias", qk_norm=True)
    sliding = heads(config, traits)
    own = _own_layers(config)
    size = int(config.get("global_head_dim") or own.get("head_dim") or sliding.head_dim)
    k_eq_v = bool(config.get("attention_k_eq_v"))
    kv = (config.get("num_global_key_value_heads") if k_eq_v else None) or own.get("num_key_value_heads")
    full = sliding.model_copy(update={
        "head_dim": size, "head_dim_v": size, "k_eq_v": k_eq_v,
        "num_key_value_heads": int(kv or sliding.num_key_value_heads),
    })  # fmt: skip
    rows = layer_windows(config, traits)
    return shared_tail(
        config, tuple(windowed(sliding if word == "sliding_attention" else full, word, w) for word, w in rows)
    )


def _own_layers(config: Config) -> Config:
    """What `per_layer_config` says of the layers unlike the others: Transformers writes full layers' heads there."""
    named = config.get("per_layer_config")
    return next((one for one in named.values() if isinstance(one, dict)), {}) if isinstance(named, dict) else {}


def shared_tail(config: Config, layers: Mixers) -> Mixers:
    """The layers with the last `num_kv_shared_layers` marked as readers of an earlier layer's cache."""
    first = len(layers) - int(config.get("num_kv_shared_layers") or 0)
    if first == len(layers):
        return layers
    return tuple(
        mixer if i < first or mixer is None else mixer.model_copy(update={"shares_kv_cache": True})
        for i, mixer in enumerate(layers)
    )


def gemma3n_mixers(config: Config) -> Mixers:
    """Gemma 3n: the last layers share the cache of earlier ones (model_executor/models/gemma3n.py)."""
    defaults = {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "num_hidden_layers": 35}
    traits = Traits(qk_norm=True, pattern=5, default_window=512, defaults=defaults)
    filled = {**defaults, "num_kv_shared_layers": 15, **config}
    shape = heads(filled, traits)
    return shared_tail(filled, tuple(windowed(shape, word, w) for word, w in layer_windows(filled, traits)))


def nemotron_nas_mixers(config: Config) -> Mixers:
    """Nemotron-NAS: each block has its own attention or none (model_executor/models/nemotron_nas.py)."""
    queries = int(config["num_attention_heads"])
    shapes: list[Mixer | None] = []
    for block in config["block_configs"]:
        attention = block["attention"]
        group = attention.get("n_heads_in_group")
        if attention.get("no_op") or attention.get("replace_with_linear") or not group:
            shapes.append(None)
            continue
        shapes.append(heads({**config, "num_key_value_heads": queries // int(group)}, LLAMA_ATTENTION))
    return tuple(shapes)


def step3p5_mixers(config: Config) -> Mixers:
    """Step 3.5: layers of one kind have heads of their own number (model_executor/models/step3p5.py)."""
    traits = Traits(qk_norm=True)
    usual = heads({**config, "num_key_value_heads": config["num_attention_groups"]}, traits)
    other = config.get("attention_other_setting") or {}
    special = usual.model_copy(update={
        "num_attention_heads": other.get("num_attention_heads") or usual.num_attention_heads,
        "num_key_value_heads": other.get("num_attention_groups") or usual.num_key_value_heads,
        "head_dim": other.get("head_dim") or usual.head_dim, "head_dim_v": other.get("head_dim") or usual.head_dim,
    })  # fmt: skip
    rows = layer_windows({"layer_types": ["sliding_attention", "full_attention"], **config}, traits)
    own = other.get("attention_type")
    return tuple(windowed(special if word == own else usual, word, window) for word, window in rows)


def mimo_v2_mixers(config: Config) -> Mixers:
    """MiMo-V2: `hybrid_layer_pattern` says 1 for sliding layers, whose heads have sizes of their own.

    vLLM 0.32 model_executor/models/mimo_v2.py:360.
    """
    full = heads(config)
    prefixed = {key.removeprefix("swa_"): value for key, value in config.items() if key.startswith("swa_")}
    swa = heads({**config, **prefixed}).model_dump(exclude={"kind", "sinks"})
    sliding = SlidingWindow(
        **swa, sinks=bool(config.get("add_swa_attention_sink_bias")), sliding_window=config["sliding_window_size"]
    )
    return tuple(sliding if slides else full for slides in config["hybrid_layer_pattern"])


def laguna_mixers(config: Config) -> Mixers:
    """Laguna: each layer names its query heads; layers slide only where `layer_types` says so (laguna.py:300)."""
    count = int(config["num_hidden_layers"])
    queries = config.get("num_attention_heads_per_layer") or [config["num_attention_heads"]] * count
    words = config.get("layer_types") or ["full_attention"] * count
    traits = Traits(output_bias="attention_bias", qk_norm=True)
    sinks = bool(config.get("swa_attention_sink_enabled"))
    rows = layer_windows({**config, "layer_types": words}, traits)
    return tuple(
        windowed(heads({**config, "num_attention_heads": int(number)}, traits._replace(sinks=slides)), word, window)
        for number, (word, window) in zip(queries, rows, strict=True)
        for slides in (sinks and word == "sliding_attention",)
    )


def minimax_m3_mixers(config: Config) -> Mixers:
    """MiniMax-M3: layers that `sparse_attention_freq` marks pick blocks of keys (models/minimax_m3/nvidia/model.py)."""
    sparse = config.get("sparse_attention_config") or {}
    count = int(config["num_hidden_layers"])
    marks = sparse.get("sparse_attention_freq") or [0] * count
    plain = heads(config, Traits(qkv_bias=False, qk_norm=True, defaults={"head_dim": 128}))
    picking = plain
    if sparse and any(marks):
        picking = plain.model_copy(update={
            "index_heads": int(sparse["sparse_num_index_heads"]), "index_head_dim": int(sparse["sparse_index_dim"]),
        })  # fmt: skip
    return tuple(picking if marks[i] else plain for i in range(count))


def dbrx_mixers(config: Config) -> Mixers:
    """DBRX: ordinary heads, of which `attn_config` names those of keys and values (dbrx.py)."""
    shape = heads({**config, "num_key_value_heads": config["attn_config"]["kv_n_heads"]}, Traits(qkv_bias=False))
    return (shape,) * int(config["n_layers"])


def whisper_mixers(config: Config) -> Mixers:
    """Whisper: each decoder layer attends to itself and to the encoder (model_executor/models/whisper.py)."""
    count = int(config["decoder_attention_heads"])
    size = int(config["d_model"]) // count
    shape = FullAttention(
        num_attention_heads=count, num_key_value_heads=count, head_dim=size, head_dim_v=size, qkv_bias=True,
        output_bias=True,
    )  # fmt: skip
    cross = CrossAttention(
        **shape.model_dump(exclude={"kind"}), encoder_tokens=config.get("max_source_positions") or 1500
    )
    return (SelfAndCross(self_attention=shape, cross_attention=cross),) * int(config["decoder_layers"])


def minicpm3_mixers(config: Config) -> Mixers:
    """MiniCPM3: keys and values are expanded from a latent, values padded to the keys' size (minicpm3.py).

    Sizes that config.json leaves out are those of Transformers' class (configuration_minicpm3.py).
    """
    defaults = {"q_lora_rank": 768, "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32}
    ranks = {key: int(config.get(key, default)) for key, default in defaults.items()}
    count = int(config["num_attention_heads"])
    size = ranks.pop("qk_nope_head_dim") + ranks["qk_rope_head_dim"]
    values = int(config.get("v_head_dim") or int(config["hidden_size"]) // count)
    shape = FullAttention(
        num_attention_heads=count, num_key_value_heads=count, head_dim=size, head_dim_v=size,
        low_rank=LowRank(**ranks, v_head_dim=values),
    )  # fmt: skip
    return (shape,) * int(config["num_hidden_layers"])


def step3_mixers(config: Config) -> Mixers:
    """Step-3: one key-value head, and queries behind a projection that all heads share (step3_text.py)."""
    size = int(config["head_dim"])
    shape = FullAttention(
        num_attention_heads=int(config["num_attention_heads"]), num_key_value_heads=1, head_dim=size, head_dim_v=size,
        shared_q_dim=int(config.get("share_q_dim") or size),
    )  # fmt: skip
    return (shape,) * int(config["num_hidden_layers"])


def iquest_loop_mixers(config: Config) -> Mixers:
    """IQuest LoopCoder: all layers run `loop_num` times; later runs read the first one's cache and a window's.

    vLLM 0.32 model_executor/models/iquest_loopcoder.py.
    """
    runs, window = int(config.get("loop_num") or 2), int(config.get("loop_window_size") or 64)
    first = heads(config, Traits(qkv_bias=False, named_head_dim=False))
    again = first.model_copy(update={"runs_again": True, "shares_kv_cache": True})
    count = int(config["num_hidden_layers"])
    own = first.model_copy(update={"loop_windows": (window,) * (runs - 1)})
    return (*((own,) * count), *((again,) * (count * (runs - 1))))
