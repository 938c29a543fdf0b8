"""Composite configs made whole: a text config, and the fields that Transformers 5.19 fills in where absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError

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


_QWEN_VL_TEXT = {
    "vocab_size": 152064, "hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "max_position_embeddings": 32768,
}  # fmt: skip
_QWEN = {
    "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 32768,
}  # fmt: skip
_LLAMA = {
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "max_position_embeddings": 2048,
}  # fmt: skip
_CLIP = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
         "image_size": 224, "patch_size": 32}  # fmt: skip
_SIGLIP = {**_CLIP, "patch_size": 16}
_IDEFICS = {**_CLIP, "hidden_size": 1152, "num_attention_heads": 16}
_WHISPER = {
    "num_mel_bins": 128, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "d_model": 1280,
    "max_source_positions": 1500,
}  # fmt: skip
_WHISPER_LATER = {
    "num_mel_bins": 128, "num_hidden_layers": 32, "num_attention_heads": 20, "intermediate_size": 5120,
    "hidden_size": 1280, "max_source_positions": 1500,
}  # fmt: skip
_QWEN3_VISION = {
    "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "patch_size": 16,
    "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 3584, "num_position_embeddings": 2304,
}  # fmt: skip

PART_DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": _LLAMA,
    "granite": _LLAMA,
    "mistral": {**_LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072},
    "ministral3": {
        **_LLAMA, "vocab_size": 131072, "intermediate_size": 14336, "num_hidden_layers": 34, "num_key_value_heads": 8,
        "head_dim": 128, "max_position_embeddings": 262144,
    },
    "qwen2": _QWEN,
    "qwen3": {**_QWEN, "head_dim": 128},
    "qwen3_vl_text": {**_QWEN, "head_dim": 128, "max_position_embeddings": 128000},
    "qwen2_vl_text": _QWEN_VL_TEXT,
    "qwen2_5_vl_text": _QWEN_VL_TEXT,
    "gemma": {
        "vocab_size": 256000, "hidden_size": 3072, "intermediate_size": 24576, "num_hidden_layers": 28,
        "num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 256, "max_position_embeddings": 8192,
    },
    "gemma2": {
        "vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 8192,
        "sliding_window": 4096,
    },
    "gemma3_text": {
        "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072,
        "sliding_window": 4096,
    },
    "clip_vision_model": _CLIP,
    "siglip_vision_model": _SIGLIP,
    "siglip2_vision_model": {**_SIGLIP, "num_patches": 256},
    "siglip": {**_SIGLIP, "hidden_size": 1152, "image_size": 980, "intermediate_size": 4304, "num_hidden_layers": 27,
               "num_attention_heads": 16, "patch_size": 14},
    "idefics3_vision": _IDEFICS,
    "smolvlm_vision": _IDEFICS,
    "pixtral": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
                "image_size": 1024, "patch_size": 16},
    "qwen3_vl": _QWEN3_VISION,
    "qwen3_vl_moe": _QWEN3_VISION,
    "qwen3_5": _QWEN3_VISION,
    "qwen3_5_moe": _QWEN3_VISION,
    "glm4v_vision": {"depth": 24, "hidden_size": 1536, "num_heads": 12, "image_size": 336, "patch_size": 14,
                     "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 4096,
                     "intermediate_size": 13696},
    "glm_ocr_vision": {"depth": 24, "hidden_size": 1024, "attention_bias": True, "num_heads": 16, "image_size": 336,
                       "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 1536,
                       "intermediate_size": 4096},
    "internvl_vision": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
                        "intermediate_size": 4096, "image_size": [448, 448], "patch_size": [14, 14]},
    "qwen2_audio_encoder": _WHISPER,
    "qwen2_5_omni_audio_encoder": _WHISPER,
    "audioflamingo3_encoder": _WHISPER_LATER,
    "voxtral_encoder": _WHISPER_LATER,
    "glmasr_encoder": _WHISPER_LATER,
    "blip_2_qformer": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072,
                       "cross_attention_frequency": 2, "encoder_hidden_size": 1408},
}  # fmt: skip
"""By `model_type` of the nested config; what its class derives from other fields is left out."""

PARTS: dict[tuple[str, str], str] = {
    **{(outer, "text_config"): "llama" for outer in ("llava", "llava_next", "llava_next_video", "idefics3", "smolvlm",
                                                     "ultravox")},
    **{(outer, "vision_config"): "clip_vision_model" for outer in ("llava", "llava_next", "llava_next_video")},
    ("llava_onevision", "text_config"): "qwen2", ("llava_onevision", "vision_config"): "siglip_vision_model",
    ("mistral3", "text_config"): "mistral", ("mistral3", "vision_config"): "pixtral",
    ("lighton_ocr", "text_config"): "qwen3", ("lighton_ocr", "vision_config"): "pixtral",
    ("idefics3", "vision_config"): "idefics3_vision", ("smolvlm", "vision_config"): "smolvlm_vision",
    ("paligemma", "text_config"): "gemma", ("paligemma", "vision_config"): "siglip_vision_model",
    ("gemma3", "text_config"): "gemma3_text", ("gemma3", "vision_config"): "siglip_vision_model",
    ("cohere2_vision", "text_config"): "cohere2", ("cohere2_vision", "vision_config"): "siglip_vision_model",
    ("minicpmv", "vision_config"): "siglip", ("minicpmo", "vision_config"): "siglip",
    ("qwen2_vl", "text_config"): "qwen2_vl_text", ("qwen2_5_vl", "text_config"): "qwen2_5_vl_text",
    ("qwen3_vl", "text_config"): "qwen3_vl_text", ("qwen3_vl", "vision_config"): "qwen3_vl",
    ("glm4v", "vision_config"): "glm4v_vision", ("glm_ocr", "vision_config"): "glm_ocr_vision",
    ("internvl", "text_config"): "qwen2", ("internvl", "vision_config"): "internvl_vision",
    ("qwen2_audio", "text_config"): "qwen2", ("qwen2_audio", "audio_config"): "qwen2_audio_encoder",
    ("audioflamingo3", "text_config"): "qwen2", ("audioflamingo3", "audio_config"): "audioflamingo3_encoder",
    ("voxtral", "text_config"): "llama", ("voxtral", "audio_config"): "voxtral_encoder",
    ("glmasr", "text_config"): "llama", ("glmasr", "audio_config"): "glmasr_encoder",
    ("granite_speech", "text_config"): "granite", ("granite_speech", "projector_config"): "blip_2_qformer",
    ("granite_speech_plus", "text_config"): "granite", ("granite_speech_plus", "projector_config"): "blip_2_qformer",
    ("deepseek_vl_v2", "language_config"): "deepseek_v2",
}  # fmt: skip
"""The nested class that an outer class takes where its config names no `model_type`."""

TIED = frozenset({
    "cohere2_vision", "ernie4_5_vl_moe", "gemma3", "gemma3n", "gemma4", "gemma4_unified", "glmasr", "granite_speech",
    "granite_speech_plus", "internvl", "lfm2_vl", "lighton_ocr", "mistral3", "moss_transcribe_diarize", "paddleocr_vl",
    "paligemma", "voxtral_realtime", "fun_asr_nano",
})  # fmt: skip
"""Outer model types whose class ties the head to the embedding where config.json does not say."""

UNTIED = frozenset({
    "aria", "exaone4_5", "glm4v", "glm4v_moe", "glm46v", "glm_ocr", "granite4_vision", "idefics3", "llama4", "llava",
    "llava_next", "llava_next_video", "llava_onevision", "minicpmv4_6", "minicpmv4_7", "qianfan_ocr",
    "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "smolvlm",
})  # fmt: skip
"""Outer model types whose class leaves them apart, whatever the text config's class would do."""

SHIP_HEADS = frozenset({"mistral3"})
"""Outer model types whose class ties them, and whose checkpoints ship a head of their own, which vLLM then builds.

0.29 config/model.py: maybe_untie_word_embeddings; a start of Mistral-Small-3.1 logged 44.76 GiB.
"""
