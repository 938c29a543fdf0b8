"""Encoders that vLLM 0.32's classes refuse to split, found by building them on the meta device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.errors import RequestError
from generator.models.parallelism import Layout
from generator.planning.rules.towers import towers_divide
from generator.sources.architectures import read_architecture
from tests.replicas import replica_of

MODELS = json.loads((Path(__file__).parents[1] / "fixtures" / "multimodal.json").read_text(encoding="utf-8"))


def start(name, tp, **more):
    architecture = read_architecture(MODELS[name]["config"])
    return replica_of(architecture, Layout(tensor_parallel_size=tp), max_model_len=448, **more)


@pytest.mark.parametrize("name", ["GLM-4.5V", "dots.ocr", "whisper-large-v3", "Voxtral-Mini-3B-hf", "ultravox-0_5-8b"])
def test_heads_of_an_encoder_divide(name):
    """GLM-4.5V has 12 heads in its encoder: "12 is not divisible by 8"; Whisper's large encoder has 20."""
    towers_divide(start(name, 4))
    with pytest.raises(RequestError, match=r"(12|20) attention heads.*parallel size 8"):
        towers_divide(start(name, 8))


@pytest.mark.parametrize("name", ["Qwen2.5-VL-3B", "Qwen2.5-VL-7B", "OpenCUA-7B"])
def test_channels_of_an_encoder_divide(name):
    """Qwen2.5-VL's network of 3,420 channels does not divide over eight ranks; the 72B model's of 3,456 does."""
    towers_divide(start(name, 4))
    with pytest.raises(RequestError, match="channels"):
        towers_divide(start(name, 8))
    towers_divide(start("Qwen2.5-VL-72B", 8))


@pytest.mark.parametrize("name", ["InternVL3-78B", "NVLM-D-72B", "Qwen3-Omni-30B-A3B", "Kimi-VL-A3B"])
def test_some_encoders_are_held_whole_or_padded(name):
    """InternViT-6B has 25 heads, which no size divides: each rank holds its attention whole; NVLM adds seven."""
    towers_divide(start(name, 8))


def test_an_encoder_that_ranks_hold_whole_never_refuses():
    towers_divide(start("GLM-4.5V", 8, encoders_whole=True))


def test_an_encoder_that_is_left_out_is_built_all_the_same():
    """Gemma 3, Mistral Small and Qwen3.5 over 32 ranks, text alone: "16 is not divisible by 32" (0.29, 0.33)."""
    with pytest.raises(RequestError, match="attention heads"):
        towers_divide(start("GLM-4.5V", 8, language_model_only=True))
