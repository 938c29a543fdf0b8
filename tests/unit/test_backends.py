"""Attention backends against the ones that vLLM 0.32 and 0.33 chose for real configurations (kv_truth.json)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.engines import known_versions
from generator.errors import RequestError
from generator.models.capability import Capability
from generator.planning.kv_cache.attention_query import AttentionQuery
from generator.planning.kv_cache.backend_rules import OWN_RULES, narrowed
from generator.planning.kv_cache.backends import asked_backend, attention_backend
from generator.planning.memory.workspace import _FLASHINFER

LLAMA = {"head_size": 128, "num_heads": 32, "num_kv_heads": 8}
GEMMA3 = {"head_size": 256, "num_heads": 8, "num_kv_heads": 4, "mm_prefix": True}
GEMMA3_27B = {"head_size": 128, "num_heads": 32, "num_kv_heads": 16, "mm_prefix": True}
GPT_OSS = {"head_size": 64, "num_heads": 64, "num_kv_heads": 8, "sink": True}
MLA = {
    "head_size": 576, "num_heads": 16, "num_kv_heads": 1, "mla": True, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "kv_lora_rank": 512, "v_head_dim": 128,
}  # fmt: skip
SPARSE = {**MLA, "sparse": True, "qk_nope_head_dim": 192, "index_topk": 2048}

ANSWERS = json.loads((Path(__file__).parents[1] / "fixtures" / "backends.json").read_text(encoding="utf-8"))
"""What each release's own code takes for a layer (.github/scripts/backend_answers.py)."""
LATENT = {**MLA, "num_heads": 128}
SHAPES = {
    **{f"heads of {size}": {**LLAMA, "head_size": size} for size in (64, 80, 128, 192, 256, 512)},
    "one head a kv head": {**LLAMA, "num_heads": 8},
    "sinks": GPT_OSS,
    **{f"images, heads of {size}": {**LLAMA, "head_size": size, "mm_prefix": True} for size in (128, 256, 512)},
    "capped logits": {**LLAMA, "head_size": 256, "softcap": True},
    "blocks of 32": {**LLAMA, "block_size": 32},
    "latent": LATENT,
    "latent, 16 heads": MLA,
    "latent, nope 192": {**MLA, "num_heads": 64, "qk_nope_head_dim": 192},
    "latent, blocks of 32": {**LATENT, "block_size": 32},
    "sparse": {**LATENT, "sparse": True, "index_topk": 2048},
    "sparse, 16 heads": {**MLA, "sparse": True, "index_topk": 2048},
    "sparse, nope 192": {**SPARSE, "num_heads": 64},
    "sparse, without rope": {
        **SPARSE, "num_heads": 64, "head_size": 512, "qk_nope_head_dim": 256, "qk_rope_head_dim": 0,
    },
}  # fmt: skip
"""The layers that the answers are about."""

CHOICES = [
    (LLAMA, 90, "auto", "FLASH_ATTN"),
    (LLAMA, 100, "auto", "FLASHINFER"),
    (LLAMA, 80, "fp8", "FLASHINFER"),
    (LLAMA, 89, "fp8", "FLASHINFER"),
    (LLAMA, 90, "fp8", "FLASH_ATTN"),
    (LLAMA, 90, "fp8_e5m2", "FLASHINFER"),
    (LLAMA, 90, "nvfp4", "FLASHINFER"),
    (LLAMA, 90, "int8_per_token_head", "TRITON_ATTN"),
    (LLAMA, 90, "turboquant_k8v4", "TURBOQUANT"),
    (LLAMA, 120, "fp8", "FLASHINFER"),
    (LLAMA, 120, "auto", "FLASH_ATTN"),
    (GEMMA3, 80, "auto", "TRITON_ATTN"),
    (GEMMA3, 90, "auto", "TRITON_FLASH_ATTN"),
    (GEMMA3, 90, "fp8", "TRITON_FLASH_ATTN"),
    (GEMMA3, 100, "auto", "TRITON_FLASHINFER"),
    (GEMMA3_27B, 90, "auto", "TRITON_ATTN"),
    (GEMMA3_27B, 100, "fp8", "FLASH_ATTN"),
    (GPT_OSS, 90, "fp8", "FLASH_ATTN"),
    (GPT_OSS, 100, "auto", "FLASHINFER"),
    (MLA, 90, "auto", "FLASH_ATTN_MLA"),
    (MLA, 90, "fp8", "FLASHMLA"),
    (MLA, 100, "auto", "FLASHINFER_MLA"),
    (SPARSE, 90, "auto", "FLASH_ATTN_MLA_SPARSE"),
    (SPARSE, 90, "fp8", "FLASHMLA_SPARSE"),
    (SPARSE, 90, "fp8_e4m3", "FLASHINFER_MLA_SPARSE_SM90"),
    (SPARSE, 100, "fp8_e4m3", "FLASHINFER_MLA_SPARSE"),
]


def asked(shape, capability, kv_cache_dtype, dtype="bfloat16", **more):
    """One question to the choice."""
    own = {"release": release_of("0.32.0"), "kv_cache_dtype": kv_cache_dtype, "dtype": dtype}
    return AttentionQuery(**shape, capability=Capability(capability), **own, **more)


@pytest.mark.parametrize(("shape", "capability", "kv_cache_dtype", "name"), CHOICES)
def test_vllms_choice(shape, capability, kv_cache_dtype, name):
    """The backend is the one that vLLM logged for such a layer on such a GPU."""
    assert attention_backend(asked(shape, capability, kv_cache_dtype)).name == name


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_turing_runs_on_triton(dtype):
    """T4: Llama in float16 and Gemma 3, which refuses float16, in float32 both got TRITON_ATTN."""
    assert attention_backend(asked(LLAMA, 75, "auto", dtype)).name == "TRITON_ATTN"


@pytest.mark.parametrize(
    ("shape", "capability", "kv_cache_dtype", "block"),
    [(MLA, 90, "fp8", 64), (MLA, 100, "auto", 32), (GEMMA3, 100, "auto", 64), (SPARSE, 90, "auto", 64)],
)
def test_smallest_block(shape, capability, kv_cache_dtype, block):
    """Kernels that walk fixed pages set the smallest block."""
    question = asked(shape, capability, kv_cache_dtype)
    assert narrowed(attention_backend(question), question).smallest_block == block


def test_a_block_size_of_the_user_can_cost_the_better_backend():
    """DeepSeek-R1 with an FP8 cache and `--block-size 32` on an H100 got TRITON_MLA instead of FLASHMLA."""
    assert attention_backend(asked(MLA, 90, "fp8", block_size=32)).name == "TRITON_MLA"


def test_heads_of_512_with_fp8_walk_pages_of_64_on_hopper():
    """Gemma 4 with an FP8 cache on an H100 got blocks of 64 tokens, in bfloat16 of 16."""
    shape = {"head_size": 512, "num_heads": 16, "num_kv_heads": 2, "mm_prefix": True}
    quantized, plain = asked(shape, 90, "fp8"), asked(shape, 90, "auto")
    assert narrowed(attention_backend(quantized), quantized).smallest_block == 64
    assert narrowed(attention_backend(plain), plain).smallest_block == 16


@pytest.mark.parametrize(
    ("named", "kv_cache_dtype", "says"),
    [
        ("TRITON_ATTN", "auto", None),
        ("FLASHINFER", "fp8", None),
        ("FLASH_ATTN", "fp8", "FP8 KV cache requires FA3"),
        ("FLASHMLA", "auto", "head_size not supported"),
    ],
)
def test_a_named_backend_serves_the_layer_or_says_why_it_does_not(named, kv_cache_dtype, says):
    """VLLM: "Selected backend ... is not valid for this configuration" (platforms/cuda.py)."""
    layer = asked(LLAMA, 80, kv_cache_dtype, named=named)
    if says is None:
        assert attention_backend(layer).name == named
    else:
        with pytest.raises(RequestError, match=f"attention_backend {named} does not take .*{says}"):
            attention_backend(layer)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, None),
        ({"attention_backend": "auto"}, None),
        ({"attention_backend": "flashinfer"}, "FLASHINFER"),
        ({"attention_config": {"backend": "TRITON_ATTN"}}, "TRITON_ATTN"),
        ({"attention_config": {"use_cudnn_prefill": True}}, None),
    ],
)
def test_a_backend_is_named_by_the_flag_or_by_the_attention_config(values, name):
    assert asked_backend(values, release_of("0.33.0")) == name


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"attention_backend": "FLASH_ATTN", "attention_config": {"backend": "FLASHINFER"}}, "drop one of them"),
        ({"attention_backend": "XFORMERS"}, "XFORMERS is not planned for vLLM 0.33.0: leave it out"),
    ],
)
def test_two_backends_or_one_that_no_row_has_are_refused(values, says):
    with pytest.raises(RequestError, match=says):
        asked_backend(values, release_of("0.33.0"))


def test_no_backend_says_each_ones_reason():
    """A cache dtype that nothing takes is refused with the reasons in vLLM's order."""
    with pytest.raises(RequestError, match=r"FLASH_ATTN: kv_cache_dtype not supported.*set --kv-cache-dtype bfloat16"):
        attention_backend(asked(LLAMA, 90, "int3"))


def taken(question):
    """The backend's name, or a dash where none takes the layer."""
    try:
        return attention_backend(question).name
    except RequestError:
        return "-"


@pytest.mark.parametrize("release", ANSWERS["releases"])
def test_a_release_takes_what_its_own_code_takes(release):
    """Of 1,701 layers, GPUs and cache dtypes, asked of `_get_backend_priorities` and the backends' own classes."""
    place, own = ANSWERS["releases"].index(release), release_of(release)
    wrong = {}
    for words, letters in ANSWERS["answers"].items():
        shape, capability, cache = words.split(" | ")
        dtype = "float16" if capability == "75" else "bfloat16"
        question = AttentionQuery(
            **SHAPES[shape], release=own, capability=Capability(capability), kv_cache_dtype=cache, dtype=dtype
        )
        found, truth = taken(question), ANSWERS["names"][ord(letters[place]) - ord("a")]
        if found != truth:
            wrong[words] = (found, truth)
    assert not wrong


def test_what_is_known_of_a_backend_is_known_of_one_that_a_release_has():
    """A rule under a name that no release has would never be asked."""
    known = {backend.name for version in known_versions() for backend in release_of(version).backends}
    assert {*OWN_RULES, *_FLASHINFER} <= known


def test_every_release_of_the_tables_was_asked():
    assert tuple(ANSWERS["releases"]) == known_versions()
