"""Towers beside the decoder: which ones config.json declares, and the reader of each."""

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Tower
from generator.sources.architectures.audio import generic_audio_tower
from generator.sources.architectures.encoder_shape import encoder_shape
from generator.sources.architectures.fields import Config, text_config
from generator.sources.architectures.tower_table import TOWERS, Towers
from generator.sources.architectures.towers import headed
from generator.sources.architectures.unread import FROM_A_DUMP
from generator.sources.architectures.vision import generic_tower

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
    row, text = _row(config), text_config(config)
    _refuse_unread(config, row)
    if row.whole is not None:
        return row.whole(config, text)
    return (*_vision_towers(config, row, text), *_audio_towers(config, row, text))


def _row(config: Config) -> Towers:
    return TOWERS.get(str(config.get("model_type")), Towers())


def _refuse_unread(config: Config, row: Towers) -> None:
    """Refuse by name what standard fields would plan wrong.

    Raises:
        UnsupportedArchitectureError: no reader knows the encoder, or the cache of its cross attention.
    """
    names = config.get("architectures") or ("",)
    if names[0] in _UNREAD and not row.own_encoder:
        raise UnsupportedArchitectureError(
            f"{names[0]} has an encoder that no reader knows, with weights that config.json does not say; {FROM_A_DUMP}"
        )
    if config.get("is_encoder_decoder") is True and row.whole is None:
        raise UnsupportedArchitectureError(
            f"model_type {config.get('model_type')!r} is an encoder-decoder, of which only whisper is planned: "
            "the cache of its cross attention is not known"
        )


def _vision_towers(config: Config, row: Towers, text: Config) -> tuple[Tower, ...]:
    vision = _part(config, _VISION)
    if vision is None and not row.unnamed:
        _refuse_blind(config, row)
        return ()
    vision = vision or {}
    nameless = {"model_type": f"{config.get('model_type')}.vision_config"}
    towers = row.seen(config, vision, text) if row.seen else (generic_tower({**nameless, **vision}, text),)
    named = {} if row.own_encoder and isinstance(vision.get("width"), dict) else vision
    shape = encoder_shape(config, named)
    return tuple(headed(tower.model_copy(update=shape), vision) for tower in towers)


def _refuse_blind(config: Config, row: Towers) -> None:
    """Refuse a multimodal class without the config of its encoder, unless it is the text class of the family.

    Raises:
        UnsupportedArchitectureError: vLLM would build an encoder whose shapes are not there.
    """
    names = config.get("architectures") or ("",)
    if row.seen is not None and "ForConditionalGeneration" in str(names[0]):
        raise UnsupportedArchitectureError(
            f"config.json of model_type {config.get('model_type')!r} lacks 'vision_config', which {names[0]} needs; "
            "fetch the model's own config.json"
        )


def _audio_towers(config: Config, row: Towers, text: Config) -> tuple[Tower, ...]:
    audio = _part(config, _AUDIO)
    if audio is None:
        return ()
    return (headed((row.heard or generic_audio_tower)(config, audio, text), audio),)


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
    row = _row(config)
    seen = _part(config, _VISION) is not None and row.seen is None
    heard = _part(config, _AUDIO) is not None and row.heard is None
    return row.whole is None and (seen or heard)


def is_prefix_lm(config: Config, text: Config) -> bool:
    """Whether image tokens attend both ways in this model, whose whole config.json is `config`."""
    if config.get("is_mm_prefix_lm") is not None:
        return bool(config["is_mm_prefix_lm"])
    if config is not text and text.get("use_bidirectional_attention") == "vision":
        return True
    return _row(config).prefix_lm or bool(config.get("vision_n_layers"))
