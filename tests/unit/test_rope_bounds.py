"""Scaled rotary embeddings that cannot be are refused at the reader's door, and what vLLM takes is read."""

import pytest

from generator.sources.bounds import wrong_rope


@pytest.mark.parametrize(
    ("rope", "named"),
    [
        ({"rope_type": "foo", "factor": 2.0}, "rope_scaling.rope_type"),
        ({"type": "foo"}, "rope_scaling.type"),
        ({"rope_type": "yarn", "type": "linear", "factor": 2.0}, "rope_scaling.type"),
        ({"rope_type": "linear"}, "rope_scaling.factor"),
        ({"rope_type": "dynamic"}, "rope_scaling.factor"),
        ({"rope_type": "yarn", "factor": -4}, "rope_scaling.factor"),
        ({"full_attention": {"rope_type": "linear"}}, "rope_scaling.factor"),
        ("yarn", "rope_scaling"),
    ],
)
def test_what_vllm_does_not_scale_by_is_named(rope, named):
    """VLLM: "Unknown RoPE scaling type foo", KeyError 'factor', "Found conflicts between" (0.33 get_rope)."""
    wrong = wrong_rope({"rope_scaling": rope}, own_code=False)
    assert wrong is not None
    assert wrong[0] == named


@pytest.mark.parametrize(
    "rope",
    [
        None,
        {"rope_type": "default"},
        {"type": "mrope", "mrope_section": [16, 24, 24]},
        {"rope_type": "longrope", "type": "su", "short_factor": [1.0], "long_factor": [2.0]},
        {"rope_type": "dynamic", "alpha": 1000.0},
        {"sliding_attention": {"rope_type": "default"}, "full_attention": {"rope_type": "linear", "factor": 8.0}},
    ],
)
def test_what_published_configs_say_is_read(rope):
    assert wrong_rope({"rope_parameters": rope}, own_code=False) is None


def test_a_kind_of_the_repositorys_own_code_is_left_to_it():
    assert wrong_rope({"rope_scaling": {"rope_type": "own"}}, own_code=True) is None
