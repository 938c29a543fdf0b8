"""Towers beside the decoder: which ones config.json declares, and the reader of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.sources.architectures.audio import AUDIO, generic_audio_tower, whisper_tower
from generator.sources.architectures.audio_conformer import CONFORMER
from generator.sources.architectures.encoder_shape import encoder_shape
from generator.sources.architectures.fields import text_config
from generator.sources.architectures.vision import VISION, generic_tower
from generator.sources.architectures.vision_llava import BEHIND_ENCODER, FIXED_ENCODER
from generator.sources.architectures.vision_own import WITH_OWN_ENCODER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.architecture import Tower

    Config = Mapping[str, Any]

_DEFAULTED = frozenset({"llama4"})
"""Model types whose Transformers config fills in a tower that config.json leaves out."""

_VISION = ("vision_config", "vit_config", "visual_config", "visual_tokenizer_config")
_AUDIO = ("audio_config", "audio_encoder_config", "speech_config", "sound_config")


_UNREAD = frozenset({
    "BailingMoeV3VLForConditionalGeneration", "Blip2ForConditionalGeneration", "CohereAsrForConditionalGeneration",
    "DeepseekOCR2ForCausalLM", "Ernie4_5_VLMoeForConditionalGeneration", "FireRedASR2ForConditionalGeneration",
    "FunASRForConditionalGeneration", "FunAudioChatForConditionalGeneration", "HfMoondream",
    "KananaVForConditionalGeneration", "Llama_Nemotron_Nano_VL", "MiDashengLMModel", "MiMoV2OmniForCausalLM",
    "Moondream3ForCausalLM", "MoonshotKimiaForCausalLM", "MossAudioModel", "NemotronParseForConditionalGeneration",
    "OpenVLAForActionPrediction", "UnlimitedOCRForCausalLM",
})  # fmt: skip
"""Classes that vLLM 0.32 serves with encoders whose shapes config.json does not give by standard fields."""


def read_towers(config: Config) -> tuple[Tower, ...]:
    """The towers of a model with encoders beside its decoder; none for a decoder alone.

    Raises:
        UnsupportedArchitectureError: the encoders' tensors cannot be told from the config.
    """
    model_type = str(config.get("model_type"))
    _refuse_unread(config, model_type)
    text = text_config(config)
    if model_type == "whisper":
        return (_headed(whisper_tower(config), config),)
    if model_type in CONFORMER:
        return CONFORMER[model_type](config, text)
    return (*_vision_towers(config, model_type, text), *_audio_towers(config, model_type, text))


def _refuse_unread(config: Config, model_type: str) -> None:
    """Refuse by name what standard fields would plan wrong.

    Raises:
        UnsupportedArchitectureError: no reader knows the encoder, or the cache of its cross attention.
    """
    names = config.get("architectures") or ("",)
    if names[0] in _UNREAD and model_type not in WITH_OWN_ENCODER:
        raise UnsupportedArchitectureError(
            f"{names[0]} has an encoder that no reader knows: its weights cannot be planned from config.json; "
            "a reader of the family's tensors is needed (generator/sources/architectures)"
        )
    if config.get("is_encoder_decoder") is True and model_type != "whisper":
        raise UnsupportedArchitectureError(
            f"model_type {model_type!r} is an encoder-decoder, of which only whisper is planned: "
            "the cache of its cross attention is not known"
        )


def _vision_towers(config: Config, model_type: str, text: Config) -> tuple[Tower, ...]:
    vision = _part(config, _VISION)
    if vision is None and model_type not in _DEFAULTED | FIXED_ENCODER:
        _refuse_blind(config, model_type)
        return ()
    vision = vision or {}
    if model_type in WITH_OWN_ENCODER:
        towers = WITH_OWN_ENCODER[model_type](config, vision, text)
        shape = encoder_shape(config, {} if isinstance(vision.get("width"), dict) else vision)
        return tuple(_headed(tower.model_copy(update=shape), vision) for tower in towers)
    if model_type in BEHIND_ENCODER:
        tower = BEHIND_ENCODER[model_type](config, vision, text)
    else:
        tower = VISION.get(model_type, generic_tower)(vision, text)
    return (_headed(tower.model_copy(update=encoder_shape(config, vision)), vision),)


def _refuse_blind(config: Config, model_type: str) -> None:
    """Refuse a multimodal class without the config of its encoder, unless it is the text class of the family.

    Raises:
        UnsupportedArchitectureError: vLLM would build an encoder whose shapes are not there.
    """
    names = config.get("architectures") or ("",)
    if model_type in {*VISION, *BEHIND_ENCODER, *WITH_OWN_ENCODER} and "ForConditionalGeneration" in str(names[0]):
        raise UnsupportedArchitectureError(
            f"config.json of model_type {model_type!r} lacks 'vision_config', which {names[0]} needs; "
            "fetch the model's own config.json"
        )


def _audio_towers(config: Config, model_type: str, text: Config) -> tuple[Tower, ...]:
    audio = _part(config, _AUDIO)
    if audio is None:
        return ()
    return (_headed(AUDIO.get(model_type, generic_audio_tower)(config, audio, text), audio),)


def _headed(tower: Tower, part: Config) -> Tower:
    """The tower with the heads that its ranks share, where its attention is split whatever they are."""
    first = tower.block[0] if tower.block else None
    if first is None or tower.num_heads or first.shard != "column" or first.undivided:
        return tower
    names = ("num_heads", "num_attention_heads", "encoder_attention_heads")
    heads = next((part[name] for name in names if isinstance(part.get(name), int)), 0)
    return tower.model_copy(update={"num_heads": heads})


def _part(config: Config, keys: tuple[str, ...]) -> Config | None:
    """The first of the nested configs that is there, in the outer config or in an omni model's thinker.

    Raises:
        UnsupportedArchitectureError: it is there and is not a config.
    """
    for outer in (config, config.get("thinker_config") or {}):
        for key in keys:
            part = outer.get(key)
            if isinstance(part, dict):
                return part
            if part:
                raise UnsupportedArchitectureError(
                    f"config.json of model_type {config.get('model_type')!r} has no object in {key}; "
                    "fetch the model's own config.json"
                )
    return None


def has_generic_tower(config: Config) -> bool:
    """Whether a tower is read by standard fields, no reader knowing its family."""
    model_type = str(config.get("model_type"))
    if model_type == "whisper" or model_type in CONFORMER:
        return False
    seen = _part(config, _VISION) is not None and model_type not in {*VISION, *BEHIND_ENCODER, *WITH_OWN_ENCODER}
    heard = _part(config, _AUDIO) is not None and model_type not in AUDIO
    return seen or heard
