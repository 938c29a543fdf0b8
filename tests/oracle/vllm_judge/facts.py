"""What vLLM built of a model, for a planner that has no reader of its family: `preflight.py --facts FILE`.

The model is built without weights at tensor parallel size 1 and 2. What halves is split; what stays is whole.
"""

from __future__ import annotations

import re

from vllm_judge import building
from vllm_judge.command import configured
from vllm_judge.question import forked

_LAYER = re.compile(r"^(.*?(?:layers|blocks|h))\.(\d+)\.")
_SHAPES = {
    "Attention": ("num_heads", "num_kv_heads", "head_size", "head_size_v", "sliding_window"),
    "MLAAttention": (
        "num_heads", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "indexer"),
    "GatedDeltaNet": ("num_k_heads", "num_v_heads", "head_k_dim", "head_v_dim", "conv_kernel_size"),
    "MambaMixer2": ("num_heads", "head_dim", "n_groups", "ssm_state_size", "conv_kernel_size"),
}  # fmt: skip
"""Attributes of vLLM's layers that keep a cache, by the beginning of their class."""
_EXPERTS = ("num_experts", "experts_per_token", "intermediate_size", "hidden_dim")
"""Fields of vLLM's config of a layer's experts."""


def dumped(question):
    """Both builds, as runs of equal layers."""
    found = {}
    for size in (1, 2):
        asked = question | {"argv": [*question["argv"], "--tensor-parallel-size", str(size)]}
        level = {"level": "start"}
        kind, value = forked(lambda asked=asked, level=level: _built(asked, level), level)
        if kind == "refused":
            if size == 1:
                raise SystemExit(f"vLLM refuses to build the model ({value['level']}): {value['error']['text']}")
            break
        found[f"tp{size}"] = value
    return found


def _built(question, level):
    config = configured(question, level)
    model, stage = building.model_of(config, 0, level)
    first = next(iter(stage["specs"]), "")
    prefix = (_LAYER.match(first) or _LAYER.match("layers.0."))[1]
    return {
        "class": stage["class"],
        "backends": stage["backends"],
        "block": stage["block"],
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "max_model_len": config.model_config.max_model_len,
        "text": _text(config.model_config.hf_text_config),
        "buffer_bytes": stage["buffer_bytes"],
        "layers": _runs(_layers(config, model, prefix)),
        "outside": _outside(model, prefix),
    }


def _text(text):
    """The few words of the config that every class has."""
    names = ("model_type", "hidden_size", "vocab_size", "num_hidden_layers", "tie_word_embeddings")
    return {name: getattr(text, name, None) for name in names}


def _layers(config, model, prefix):
    """Each layer: what keeps its cache, its experts, and bytes of its parameters."""
    found = {}
    for name, parameter in model.named_parameters():
        at = _LAYER.match(name)
        if at and at[1] == prefix:
            layer = found.setdefault(int(at[2]), {"mixers": [], "experts": None, "bytes": 0})
            layer["bytes"] += parameter.numel() * parameter.element_size()
    for name, kept in config.compilation_config.static_forward_context.items():
        at = _LAYER.match(name)
        if at and at[1] == prefix and int(at[2]) in found:
            _tell(found[int(at[2])], kept)
    return [found[number] for number in sorted(found)]


def _tell(layer, kept):
    if hasattr(kept, "moe_config"):
        layer["experts"] = {name: _plain(getattr(kept.moe_config, name, None)) for name in _EXPERTS}
    elif hasattr(kept, "get_kv_cache_spec"):
        kind = next((one for one in _SHAPES if type(kept).__name__.startswith(one)), type(kept).__name__)
        shape = {name: _plain(getattr(kept, name, None)) for name in _SHAPES.get(kind, ())}
        layer["mixers"].append({"kind": kind} | shape)


def _plain(value):
    return value if isinstance(value, int | float | str | None) else True


def _outside(model, prefix):
    """Bytes outside the layers: embedding, head and all else."""
    sizes = {"embedding": 0, "head": 0, "rest": 0}
    for name, parameter in model.named_parameters():
        at = _LAYER.match(name)
        if not (at and at[1] == prefix):
            part = "embedding" if "embed_tokens" in name or "word_embeddings" in name else "rest"
            part = "head" if "lm_head" in name else part
            sizes[part] += parameter.numel() * parameter.element_size()
    return sizes


def _runs(layers):
    """Equal layers that follow each other, as [layer, count]."""
    runs = []
    for layer in layers:
        if runs and runs[-1][0] == layer:
            runs[-1][1] += 1
        else:
            runs.append([layer, 1])
    return runs
