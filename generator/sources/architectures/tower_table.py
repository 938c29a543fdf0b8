"""One row a multimodal family: how the encoders beside its decoder are read, by config.json's outer `model_type`.

An encoder without a row is generic: standard fields alone are read (vLLM 0.32 model_executor/models).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from generator.models.architecture import Tower
from generator.sources.architectures import (
    audio,
    audio_conformer,
    ernie_vl,
    gemma,
    vision,
    vision_llava,
    vision_ocr,
    vision_own,
    vision_qwen,
)

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config

    Seen = Callable[[Config, Config, Config], tuple[Tower, ...]]
    Heard = Callable[[Config, Config, Config], Tower]
    Whole = Callable[[Config, Config], tuple[Tower, ...]]


class Towers(NamedTuple):
    """The encoders of one family."""

    seen: Seen | None = None
    """Reader of those for images, of the outer, the vision and the text config; None for a generic one."""
    heard: Heard | None = None
    """Reader of the one for sound, of the outer, the audio and the text config; None for a generic one."""
    whole: Whole | None = None
    """Reader of all of them at once, of the outer and the text config."""
    own_encoder: bool = False
    """Whether the encoder is the class's own, which it finds in more fields than `vision_config`."""
    unnamed: bool = False
    """Whether the class or Transformers' config fills an encoder in that config.json leaves out."""
    prefix_lm: bool = False
    """Whether images are attended to both ways (model_arch_config_convertor.py)."""


def seen(reader: Callable[[Config, Config], Tower]) -> Seen:
    """A reader that needs the vision and the text config alone."""
    return lambda _, part, text: (reader(part, text),)


def behind_encoder(reader: Callable[[Config, Config, Config], Tower]) -> Seen:
    """A reader of one tower behind an encoder that its own config names."""
    return lambda config, part, text: (reader(config, part, text),)


TOWERS: dict[str, Towers] = {
    "Keye": Towers(behind_encoder(vision_llava.keye_tower)),
    "KeyeVL1_5": Towers(behind_encoder(vision_llava.keye_tower)),
    "NVLM_D": Towers(seen(vision.nvlm_tower)),
    "NemotronH_Nano_Omni_Reasoning_V3": Towers(vision_own.radio_towers, own_encoder=True),
    "NemotronH_Nano_VL_V2": Towers(vision_own.radio_towers, own_encoder=True),
    "NemotronH_Omni_Reasoning_V3": Towers(vision_own.radio_towers, own_encoder=True),
    "NemotronH_Super_Omni_Reasoning_V3": Towers(vision_own.radio_towers, own_encoder=True),
    "audioflamingo3": Towers(heard=audio.flamingo_tower),
    "bagel": Towers(prefix_lm=True),
    "bee": Towers(behind_encoder(vision_llava.bee_tower)),
    "cohere2_vision": Towers(behind_encoder(vision_llava.cohere2_tower)),
    "cosmos3_omni": Towers(seen(vision_qwen.qwen3_tower)),
    "deepseek_vl_v2": Towers(vision_own.deepseek_towers, own_encoder=True),
    "dots_ocr": Towers(seen(vision_ocr.dots_tower)),
    "eagle_2_5_vl": Towers(vision_own.eagle_towers, own_encoder=True),
    "ernie4_5_moe_vl": Towers(ernie_vl.ernie_vl_towers, own_encoder=True),
    "exaone4_5": Towers(seen(vision_ocr.exaone_tower)),
    "gemma3": Towers(seen(vision.siglip_tower), prefix_lm=True),
    "gemma3n": Towers(seen(gemma.gemma3n_tower), heard=gemma.gemma3n_audio_tower),
    "gemma4": Towers(seen(vision.gemma4_tower), heard=gemma.gemma4_audio_tower),
    "glm46v": Towers(seen(vision_qwen.glm4v_tower)),
    "glm4v": Towers(seen(vision_qwen.glm4v_tower)),
    "glm4v_moe": Towers(seen(vision_qwen.glm4v_tower)),
    "glm_ocr": Towers(seen(vision_ocr.glm_ocr_tower)),
    "glmasr": Towers(heard=audio.glm_asr_tower),
    "granite_speech": Towers(whole=audio_conformer.granite_towers),
    "granite_speech_plus": Towers(whole=audio_conformer.granite_towers),
    "h2ovl_chat": Towers(seen(vision.intern_tower)),
    "idefics3": Towers(behind_encoder(vision_llava.idefics3_tower)),
    "interns1": Towers(seen(vision.intern_hf_tower)),
    "internvl": Towers(seen(vision.intern_hf_tower)),
    "internvl_chat": Towers(seen(vision.intern_tower)),
    "kimi_k25": Towers(seen(vision.kimi_tower)),
    "kimi_k3": Towers(seen(vision.kimi_tower)),
    "kimi_vl": Towers(seen(vision.kimi_vl_tower)),
    "lfm2_vl": Towers(vision_own.lfm2_towers, own_encoder=True),
    "lighton_ocr": Towers(behind_encoder(vision_llava.mistral3_tower)),
    "llama4": Towers(seen(vision.llama4_tower), unnamed=True),
    "llava": Towers(behind_encoder(vision_llava.llava_tower)),
    "llava_next": Towers(behind_encoder(vision_llava.llava_tower)),
    "llava_next_video": Towers(behind_encoder(vision_llava.llava_video_tower)),
    "llava_onevision": Towers(behind_encoder(vision_llava.llava_video_tower)),
    "minicpmo": Towers(behind_encoder(vision_llava.minicpm_tower), heard=audio.minicpmo_tower),
    "minicpmv": Towers(behind_encoder(vision_llava.minicpm_tower)),
    "minicpmv4_6": Towers(behind_encoder(vision_llava.minicpm4_tower)),
    "minicpmv4_7": Towers(behind_encoder(vision_llava.minicpm4_tower)),
    "mistral3": Towers(behind_encoder(vision_llava.mistral3_tower)),
    "molmo": Towers(behind_encoder(vision_llava.molmo_tower), unnamed=True),
    "molmo2": Towers(behind_encoder(vision_llava.molmo2_tower), prefix_lm=True),
    "moondream3": Towers(prefix_lm=True),
    "moss_transcribe_diarize": Towers(heard=audio.moss_tower),
    "muse_glimmer": Towers(seen(vision_own.muse_tower)),
    "musicflamingo": Towers(heard=audio.flamingo_tower),
    "opencua": Towers(seen(vision_qwen.qwen2_5_tower)),
    "ovis": Towers(vision_own.old_ovis_towers, own_encoder=True),
    "ovis2_5": Towers(vision_own.ovis_towers, own_encoder=True),
    "ovis2_6": Towers(vision_own.ovis_towers, own_encoder=True),
    "ovis2_6_moe": Towers(vision_own.ovis_towers, own_encoder=True),
    "paddleocr_vl": Towers(behind_encoder(vision_llava.keye_tower)),
    "paligemma": Towers(behind_encoder(vision_llava.paligemma_tower), prefix_lm=True),
    "phi3_v": Towers(behind_encoder(vision_llava.phi3_tower), unnamed=True),
    "phi4mm": Towers(whole=audio_conformer.phi4_towers),
    "qianfan_ocr": Towers(seen(vision.intern_tower)),
    "qwen2_5_omni": Towers(seen(vision_qwen.qwen2_5_tower), heard=audio.omni_tower),
    "qwen2_5_vl": Towers(seen(vision_qwen.qwen2_5_tower)),
    "qwen2_audio": Towers(heard=audio.qwen2_audio_tower),
    "qwen2_vl": Towers(seen(vision_qwen.qwen2_tower)),
    "qwen3_5": Towers(seen(vision_qwen.qwen3_5_tower)),
    "qwen3_5_moe": Towers(seen(vision_qwen.qwen3_5_tower)),
    "qwen3_asr": Towers(heard=audio.qwen3_audio_tower),
    "qwen3_omni_moe": Towers(seen(vision_qwen.qwen3_tower), heard=audio.qwen3_audio_tower),
    "qwen3_vl": Towers(seen(vision_qwen.qwen3_tower)),
    "qwen3_vl_moe": Towers(seen(vision_qwen.qwen3_tower)),
    "skywork_chat": Towers(seen(vision.intern_tower)),
    "smolvlm": Towers(behind_encoder(vision_llava.idefics3_tower)),
    "step3_vl": Towers(vision_own.step3_towers, own_encoder=True),
    "ultravox": Towers(heard=audio.ultravox_tower),
    "voxtral": Towers(heard=audio.voxtral_tower),
    "whisper": Towers(whole=audio.whisper_towers),
}
"""By config.json's outer `model_type`."""
