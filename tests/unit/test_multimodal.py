"""Models with encoders beside the decoder: weights and caches of vLLM 0.32's classes, and what is refused."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from generator.errors import GeneratorError, UnsupportedArchitectureError
from generator.models.parallelism import Layout
from generator.planning.kv_cache import CacheSettings, cache_layout
from generator.planning.weights import rank_weights
from generator.sources.architectures import read_architecture, read_quantization

MODELS = json.loads((Path(__file__).parents[1] / "fixtures" / "multimodal.json").read_text(encoding="utf-8"))
"""Configs as published or as Transformers 5.19 writes them, with what vLLM 0.32.0's own classes hold on the meta
device: parameter bytes of rank 0 by tensor-parallel size, and layers by cache kind and bytes a token."""

SETTINGS = CacheSettings(
    release="0.32.0", capability=90, max_num_batched_tokens=8192, max_num_seqs=256, max_model_len=448
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
