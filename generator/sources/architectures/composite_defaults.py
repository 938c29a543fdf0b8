"""Fields that Transformers' config classes fill in where a nested config leaves them out (Transformers 5.19)."""

from typing import Any

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
