"""Models with encoders beside the decoder: weights and caches of vLLM 0.32's classes, and what is refused."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.classes import classes_of
from generator.errors import GeneratorError, UnsupportedArchitectureError
from generator.models.capability import HOPPER
from generator.models.checkpoint import Checkpoint, TensorGroup
from generator.models.dtype import DType
from generator.models.parallelism import Layout
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.kv_cache.settings import CacheSettings
from generator.planning.weights.rank import rank_weights
from generator.planning.weights.sharding import encoders_whole
from generator.planning.weights.tensors import measured_weights
from generator.sources.architectures import read_architecture, read_quantization

MODELS = json.loads((Path(__file__).parents[1] / "fixtures" / "multimodal.json").read_text(encoding="utf-8"))
"""Configs as published or as Transformers 5.19 writes them, with what vLLM 0.32.0's own classes hold on the meta
device: parameter bytes of rank 0 by tensor-parallel size, and layers by cache kind and bytes a token."""

SETTINGS = CacheSettings(
    release=release_of("0.32.0"), capability=HOPPER, max_num_batched_tokens=8192, max_num_seqs=256, max_model_len=448
)


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_a_rank_equal_vllms(name):
    model = MODELS[name]
    architecture, quantization = read_architecture(model["config"]), read_quantization(model["config"])

    for size, expected in model["bytes"].items():
        layout = Layout(tensor_parallel_size=int(size))
        planned = rank_weights(architecture, quantization, layout, dtype="bfloat16").worst.total_bytes
        assert planned == pytest.approx(expected, rel=0.003), size


@pytest.mark.parametrize("name", MODELS)
def test_cache_of_a_token_equals_vllms(name):
    model = MODELS[name]
    layout = cache_layout(read_architecture(model["config"]), Layout(), SETTINGS)

    found = Counter()
    for count, kind, block, page in layout.specs:
        if kind != "MambaSpec":
            found[kind, page // block] += count
    assert found == Counter({(kind, size): count for count, kind, size in model["cache"]})


@pytest.mark.parametrize(
    ("name", "tower", "unloaded"),
    [
        ("whisper-large-v3", "model.encoder.layers.fc1", "talker.model.layers.mlp.down_proj"),
        ("MiniCPM-V-2_6", "vpm.encoder.layers.mlp.fc1", "tts.model.layers.mlp.down_proj"),
        ("SmolVLM-2.2B", "model.connector.modality_projection.proj", "code2wav.decoder"),
        ("Qwen3-Omni-30B-A3B", "thinker.audio_tower.layers.fc1", "talker.model.layers.mlp.experts.gate_proj"),
    ],
)
def test_headers_that_agree_change_nothing(name, tower, unloaded):
    """Encoders count as such by their checkpoint's names, and what vLLM leaves on the disk is not loaded."""
    architecture = read_architecture(MODELS[name]["config"])
    weights = rank_weights(architecture, dtype="bfloat16")
    parts = weights.worst.by_part
    names = {"vision": tower, "embed": "model.embed_tokens", "lm_head": "lm_head", "experts": "model.mlp.experts.up"}
    sizes = Counter()
    for part, size in parts.items():
        sizes[names.get(part, "model.layers.self_attn.q_proj")] += size // 2
    sizes[unloaded] = 10**9
    groups = tuple(TensorGroup(module=module, dtype=DType.BF16, elements=size) for module, size in sizes.items())

    assert measured_weights(weights, architecture, Checkpoint(tensors=groups), dtype="bfloat16") == weights


def test_encoders_are_whole_where_the_class_takes_data_parallel_encoders():
    """Qwen2.5-VL-7B with `mm_encoder_tp_mode: data` holds 5,161,214,976 bytes of a rank at TP 4, LLaVA no more."""
    asked = {"mm_encoder_tp_mode": "data"}
    architecture = read_architecture(MODELS["Qwen2.5-VL-7B"]["config"])
    layout = Layout(tensor_parallel_size=4)
    classes = classes_of("0.32.0")
    whole = encoders_whole(classes.of(architecture.architecture), asked)

    assert rank_weights(architecture, None, layout, encoders_whole=whole).worst.total_bytes == 5161214976
    assert not encoders_whole(classes.of(read_architecture(MODELS["llava-1.5-7b"]["config"]).architecture), asked)


def test_a_flat_config_keeps_its_tower():
    """Qwen2.5-VL's published config.json has the decoder's fields beside `vision_config`, not below one."""
    architecture = read_architecture(MODELS["Qwen2.5-VL-7B"]["config"])

    assert [tower.name for tower in architecture.towers] == ["visual"]
    assert not architecture.generic


def test_a_chat_model_keeps_its_head():
    """InternVLChatModel generates text though its name ends like an embedding model's."""
    assert read_architecture(MODELS["InternVL2_5-8B"]["config"]).lm_head


def test_an_unknown_tower_is_read_as_generic():
    config = {**MODELS["llava-1.5-13b"]["config"], "model_type": "novel_vl"}

    assert read_architecture(config).generic


def test_an_unknown_audio_encoder_without_shapes_is_refused_by_name():
    config = {**MODELS["llava-1.5-13b"]["config"], "model_type": "novel_omni", "audio_config": {"model_type": "novel"}}

    with pytest.raises(UnsupportedArchitectureError, match="novel"):
        read_architecture(config)


def _paths(config, prefix=()):
    for key, value in config.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from _paths(value, (*prefix, key))


_WRONG = (None, "many", [], {}, -1, 0, 3.5, [1, 2], True)


@pytest.mark.parametrize("name", list(MODELS)[::3])
def test_a_spoilt_field_never_escapes_as_a_bare_error(name):
    """Each field removed, null or of a wrong type: read, or refused in one line."""
    config = MODELS[name]["config"]
    for number, path in enumerate(_paths(config)):
        for value in (..., _WRONG[number % len(_WRONG)]):
            spoilt = copy.deepcopy(config)
            part = spoilt
            for key in path[:-1]:
                part = part[key]
            if value is ...:
                del part[path[-1]]
            else:
                part[path[-1]] = value
            assert "\n" not in _refusal(spoilt)


def _refusal(config):
    try:
        read_architecture(config)
    except GeneratorError as error:
        return str(error)
    return ""
