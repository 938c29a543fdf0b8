"""Draft models with a config.json of their own: EAGLE, EAGLE-3 and DFlash, and the `speculators` format of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from generator.catalogue.draft_heads import head_of
from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Architecture
from generator.models.attention import FullAttention, SlidingWindow
from generator.models.draft_heads import Taps, dense_layers, dflash_head, eagle3_head, eagle_head

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_EAGLE3_CLASSES = {"llama": "Eagle3LlamaForCausalLM", "qwen3": "Eagle3Qwen3ForCausalLM"}
_PEAGLE_CLASSES = {"llama": "PeagleLlamaForCausalLM", "qwen3": "PeagleQwen3ForCausalLM"}
_FORMATS: dict[str, Mapping[str, str]] = {"eagle3": _EAGLE3_CLASSES, "peagle": _PEAGLE_CLASSES}
"""The class that vLLM builds by the `model_type` of the layers (vLLM 0.32 configs/speculators/algos.py)."""
_CARRIED = ("draft_vocab_size", "target_hidden_size", "norm_before_fc", "fc_norm", "quantization_config")
_SLIDING = "sliding_attention"


def unwrapped(config: Config) -> Config:
    """A config of the `speculators` format as the plain one that vLLM makes of it; any other unchanged.

    Raises:
        UnsupportedArchitectureError: it drafts by an algorithm, or with layers, that no reader knows.
    """
    kind = config.get("speculators_model_type")
    if kind is None:
        return config
    layers = config.get("transformer_layer_config") or {}
    carried = {name: config[name] for name in _CARRIED if config.get(name) is not None}
    if kind == "dflash":
        taps = {"target_layer_ids": list(config.get("aux_hidden_state_layer_ids") or ())}
        return {**layers, **carried, "architectures": ["DFlashDraftModel"], "dflash_config": taps}
    classes, family = _FORMATS.get(str(kind)), str(layers.get("model_type", "llama"))
    if classes is None or family not in classes:
        known = ", ".join((*_FORMATS, "dflash"))
        raise UnsupportedArchitectureError(
            f"drafts of the speculators format {kind!r} with {family} layers are not planned; those of {known} are, "
            f"with {' or '.join(_EAGLE3_CLASSES)} layers"
        )
    return {**layers, **carried, "architectures": [classes[family]]}


def as_draft(architecture: Architecture, text: Config) -> Architecture:
    """The architecture as vLLM builds it for a draft; unchanged where its class is none."""
    head = head_of(architecture.architecture)
    if head is None:
        return architecture
    vocabulary = int(text["draft_vocab_size"]) if text.get("draft_vocab_size") else None
    if head.method == "eagle":
        return eagle_head(architecture, head)
    if head.method == "eagle3":
        dense = dense_layers(architecture, int(text.get("intermediate_size") or 0))
        return eagle3_head(dense, _taps(architecture, text), vocabulary)
    return dflash_head(_dflash_windows(architecture, text), _dflash_taps(text), vocabulary)


def _taps(architecture: Architecture, text: Config) -> Taps:
    """What an EAGLE-3 head reads, by the fields that vLLM looks at (vLLM 0.32 llama_eagle3.py)."""
    inner = text.get("eagle_config") or {}
    width = int(text.get("target_hidden_size") or architecture.hidden_size)
    count = text.get("num_aux_hidden_states") or len(inner.get("eagle_aux_hidden_state_layer_ids") or ())
    taps = Taps(width=width) if not count else Taps(int(count), width)
    joined = inner.get("norm_before_fc", text.get("norm_before_fc", False))
    return taps._replace(norms=taps.layers * (bool(joined) + bool(text.get("fc_norm"))))


def _dflash_taps(text: Config) -> Taps:
    """Layers that a DFlash draft reads; one for each of its own where its config names none (qwen3_dflash.py)."""
    inner = text.get("dflash_config") or {}
    names = (
        inner.get("target_layer_ids"), text.get("eagle_aux_hidden_state_layer_ids"), text.get("target_layer_ids"),
        inner.get("layer_ids"),
    )  # fmt: skip
    found = next((ids for ids in names if ids), None)
    count = len(found) if found else int(text["num_hidden_layers"])
    return Taps(count, int(text.get("target_hidden_size") or 0))


def _dflash_windows(architecture: Architecture, text: Config) -> Architecture:
    """The layers' windows by DFlash's own rule: `layer_types`, or `use_swa` for all (qwen3_dflash.py)."""
    inner = text.get("dflash_config") or {}
    kinds = text.get("layer_types") or []
    sliding = [kind == _SLIDING for kind in kinds] or [False]
    if not any(sliding):
        sliding = [bool(inner.get("use_swa"))] * architecture.num_hidden_layers
    window = inner.get("swa_window_size") or text.get("sliding_window")
    layers = tuple(
        layer.model_copy(update={"mixer": _windowed(layer.mixer, int(window) if slides and window else None)})
        for layer, slides in zip(architecture.layers, sliding, strict=False)
    )
    found = tuple(dict.fromkeys(layers))
    numbers = " ".join(str(found.index(layer)) for layer in layers)
    return architecture.model_copy(update={"layer_kinds": found, "layer_pattern": numbers})


def _windowed(mixer: Any, window: int | None) -> Any:
    if not isinstance(mixer, FullAttention | SlidingWindow):
        return mixer
    fields = mixer.model_dump(exclude={"kind", "sliding_window"})
    return SlidingWindow(**fields, sliding_window=window) if window else FullAttention(**fields)
