"""Composite configs made whole: a text config of its own, and the fields that Transformers fills in where absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.sources.architectures.composite_defaults import PART_DEFAULTS, PARTS, TIED, UNTIED

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_TEXT = ("text_config", "llm_config", "language_config", "thinker_config", "decoder_config")
_MINICPM_TEXT = {"2.5": "llama", "2.6": "qwen2", "4.0": "llama", "4": "llama",
                 "4.5": "qwen3"}  # fmt: skip
_FLAT = {"keye": "qwen3", "keyevl1_5": "qwen3", "paddleocr_vl": "ernie4_5", "dots_ocr": "qwen2", "phi3_v": "phi3",
         "molmo": "llama", "minicpmv": "llama", "minicpmo": "qwen2",
         "ernie4_5_moe_vl": "ernie4_5_moe_vl_text"}  # fmt: skip
"""Outer model types whose decoder's fields lie beside the tower's, and the family that vLLM builds of them."""


_SAME = {"glm_ocr_text": "glm4", "paddleocr_vl_text": "ernie4_5", "qwen2_5_omni_text": "qwen2",
         "molmo2_text": "qwen3", "qwen3_asr_text": "qwen3"}  # fmt: skip
"""Text configs of a family under another name."""


_NAMELESS = {"LongcatFlashForCausalLM": "longcat_flash", "LongcatFlashNgramForCausalLM": "longcat_flash"}
"""Families of classes whose checkpoints name no `model_type` (vLLM 0.32 transformers_utils/config.py:138)."""


def completed(config: Config) -> Config:
    """The config with every part as Transformers would load it, ties included; unchanged where nothing is absent.

    vLLM reads `tie_word_embeddings` of the outer config, whose class has a default of its own (config/vllm.py:955).
    """
    whole: dict[str, Any] = dict(config)
    if config.get("model_type") is None:
        classes = config.get("architectures") or ()
        whole["model_type"] = next((_NAMELESS[name] for name in classes if name in _NAMELESS), None)
    model_type = str(whole.get("model_type"))
    if not any(isinstance(config.get(key), dict) for key in _TEXT):
        whole |= _nested(config, model_type)
    for key in (*_TEXT, "vision_config", "audio_config", "projector_config"):
        if isinstance(whole.get(key), dict):
            whole[key] = _filled(whole[key], model_type, key)
    if config.get("tie_word_embeddings") is None and model_type in TIED | UNTIED:
        whole["tie_word_embeddings"] = model_type in TIED
    return whole


def _nested(config: Config, model_type: str) -> dict[str, Any]:
    """A text config out of fields that lie in the outer one, for the families that vLLM reads so."""
    family = _FLAT.get(model_type.lower())
    if family is None:
        absent = PARTS.get((model_type, "text_config"))
        return {"text_config": {}} if absent and "hidden_size" not in config else {}
    if model_type in {"minicpmv", "minicpmo"}:
        family = _minicpm_family(config, family)
    text = {**{key: value for key, value in config.items() if not key.endswith("_config")}, "model_type": family}
    if model_type == "molmo":
        text |= {
            "model_type": "qwen2" if config.get("qkv_bias") else "llama",
            "intermediate_size": int(config["intermediate_size"]) // 2,
            "vocab_size": config.get("embedding_size") or config["vocab_size"],
        }
    return {"text_config": text}


def _minicpm_family(config: Config, family: str) -> str:
    """The decoder that a version of MiniCPM-V has.

    Raises:
        UnsupportedArchitectureError: the version is not known, or its encoder is timm's.
    """
    version = config.get("version")
    if version is None:
        return family
    found = _MINICPM_TEXT.get(str(version))
    if found is None:
        raise UnsupportedArchitectureError(
            f"version {version!r} of model_type {config.get('model_type')!r} is not known; "
            f"known are {', '.join(_MINICPM_TEXT)}"
        )
    return found


def _filled(part: Config, outer: str, key: str) -> Config:
    """One nested config with its class's defaults, by its own `model_type` or by the outer class's choice."""
    nested: dict[str, Any] = dict(part)
    for inner in _TEXT:
        if isinstance(nested.get(inner), dict):
            for below in (inner, "vision_config", "audio_config"):
                if isinstance(nested.get(below), dict):
                    nested[below] = _filled(nested[below], outer, below)
            return nested
    named = str(nested.get("model_type") or PARTS.get((outer, key)) or "")
    named = _SAME.get(named, named)
    if key == "language_config" and named == "deepseek_v2" and not nested.get("use_mla", nested.get("kv_lora_rank")):
        named = "deepseek"
    defaults = PART_DEFAULTS.get(named) or PART_DEFAULTS.get(PARTS.get((outer, key), ""), {})
    if named:
        nested["model_type"] = named
    return {**defaults, **nested}
