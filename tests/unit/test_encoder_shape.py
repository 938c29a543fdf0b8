"""Shapes of vision encoders from the fields of public config.json files."""

import pytest

from generator.sources.architectures.encoder_shape import encoder_shape


@pytest.mark.parametrize(
    ("config", "vision", "expected"),
    [
        ({"mm_tokens_per_image": 256}, {"hidden_size": 1152, "image_size": 896, "patch_size": 14}, (1152, 16, False)),
        ({}, {"hidden_size": 1152, "pooling_kernel_size": 3}, (1152, 9, False)),
        ({}, {"hidden_size": 1152, "spatial_merge_size": 2}, (1152, 4, True)),
        ({}, {"embed_dim": 1280, "hidden_size": 3584, "spatial_merge_size": 2}, (1280, 4, True)),
        ({}, {"vt_hidden_size": 1152, "merge_kernel_size": [2, 2]}, (1152, 4, True)),
        ({"downsample_ratio": 0.5}, {"hidden_size": 1024}, (1024, 4, False)),
        ({}, {"hidden_size": 1024}, (1024, 1, False)),
        ({"spatial_merge_size": 2}, {"hidden_size": 1024, "image_size": 1540, "patch_size": 14}, (1024, 4, False)),
        ({"scale_factor": 3}, {"hidden_size": 1152, "image_size": 384, "patch_size": 14}, (1152, 9, False)),
        ({"query_num": 64, "image_size": 448}, {"hidden_size": 1152, "patch_size": 14}, (1152, 16, False)),
        ({}, {}, (1280, 1, False)),
    ],
    ids=[
        "gemma-3",
        "gemma-4",
        "qwen3-vl",
        "qwen2-vl",
        "kimi-k2.5",
        "internvl",
        "clip",
        "mistral-small-3.1",
        "smolvlm",
        "minicpm-v",
        "qwen2.5-vl-defaults",
    ],
)
def test_width_patches_and_resolution(config, vision, expected):
    """An 896-pixel image of Gemma 3 is 4,096 patches and 256 tokens; the other ratios are fields."""
    shape = encoder_shape(config, vision)
    assert (shape["hidden_size"], shape["patches_per_token"], shape["any_resolution"]) == expected


def test_the_inner_width_is_stated_or_a_multiple():
    assert encoder_shape({}, {"hidden_size": 1152, "intermediate_size": 4304})["intermediate_size"] == 4304
    assert encoder_shape({}, {"embed_dim": 1280, "mlp_ratio": 4})["intermediate_size"] == 5120
