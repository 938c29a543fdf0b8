"""One made-up config a text-generation class against that class itself: parameter bytes and caches of one rank.

The figures are vLLM 0.32.0's own: its class built on the meta device as an H100 would see it, its cache
allocator given 64 GiB.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from generator.catalogue.behaviours import release_of
from generator.errors import GeneratorError, UnknownFactError, UnsupportedArchitectureError
from generator.models.capability import HOPPER
from generator.models.parallelism import Layout
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.kv_cache.settings import CacheSettings
from generator.planning.weights.rank import model_totals, rank_weights
from generator.sources.architectures import read_architecture, read_quantization

FIXTURE = Path(__file__).parents[1] / "fixtures" / "registry" / "text_generation.json"
FAMILIES: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
CASES = [pytest.param(name, rank, id=f"{name}-tp{rank['tp']}") for name in FAMILIES for rank in FAMILIES[name]["ranks"]]


@pytest.mark.parametrize(("name", "rank"), CASES)
def test_weights_of_one_rank_are_those_of_the_class(name: str, rank: dict[str, Any]) -> None:
    """Within 0.2 %: biases and norms weigh more in these small layers than in a real model."""
    architecture = read_architecture(FAMILIES[name]["config"])
    ours = rank_weights(
        architecture, None, Layout(tensor_parallel_size=rank["tp"]), capability=HOPPER
    ).worst.total_bytes
    assert ours == pytest.approx(rank["param_bytes"], rel=0.002)


@pytest.mark.parametrize(("name", "rank"), CASES)
def test_caches_of_one_rank_are_those_of_the_class(name: str, rank: dict[str, Any]) -> None:
    architecture = read_architecture(FAMILIES[name]["config"])
    settings = CacheSettings(
        release=release_of("0.32.0"), capability=HOPPER, max_num_batched_tokens=8192, max_num_seqs=256,
        max_model_len=architecture.max_position_embeddings,
    )  # fmt: skip
    found = cache_layout(architecture, Layout(tensor_parallel_size=rank["tp"]), settings)
    specs: Counter[tuple[str, int, int]] = Counter()
    for count, kind, block, page in found.specs:
        specs[kind, block, page] += count
    assert specs == {(kind, block, page): count for kind, block, page, count in rank["specs"]}
    assert (len(found.groups), found.num_blocks(64 << 30)) == (rank["groups"], rank["num_gpu_blocks"])


@pytest.mark.parametrize(
    ("model_type", "fields"),
    [
        ("hrm_text", {}),
        ("iquestloopcoder", {"sliding_window": 4096}),
        ("iquestloopcoder", {"dual_chunk_attention_config": {"chunk_size": 4096}}),
        ("llama", {"loop_num": 2}),
        ("gemma3_text", {"architectures": ["Rnj1ForCausalLM"]}),
        ("gemma3_text", {"layer_types": ["chunked_attention", "full_attention"]}),
        ("k2_horizon", {}),
        ("deepseek_v3", {"ngram_vocab_size_ratio": 78}),
        ("gpt_bigcode", {"multi_query": False}),
        ("olmo_hybrid", {"linear_use_gate": False}),
        ("opt", {"word_embed_proj_dim": 512}),
        ("persimmon", {}),
        ("zamba2", {"use_long_context": True}),
        ("PanguProMoE", {"param_sink_number": 128}),
        ("qwen3_moe", {"num_experts_per_tok": 8}),
        ("youtu", {}),
    ],
)
def test_a_family_with_tensors_that_no_reader_builds_is_refused_by_name(
    model_type: str, fields: dict[str, Any]
) -> None:
    common = {"hidden_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 1000}
    with pytest.raises(UnsupportedArchitectureError, match=model_type):
        read_architecture({"model_type": model_type, "intermediate_size": 4096, **common, **fields})


@pytest.mark.parametrize(
    ("name", "field", "wrong", "named"),
    [
        ("bailing_v3", "no_kda_lora", False, "no_kda_lora"),
        ("bailing_v3", "gated_attention_proj_granularity_type", "channel_wise", "channel_wise"),
        ("bailing_v3", "use_bias", True, "BailingMoeV3"),
        ("gpt_bigcode", "n_positions", None, "n_positions"),
        ("longcat_ngram", "emb_split_num", None, "emb_split_num"),
        ("minicpm3", "q_lora_rank", None, "minicpm3"),
        ("olmo_hybrid_d", "layer_types", ["linear_attention", "retention"] * 3, "retention"),
        ("step3_text", "moe_layers_enum", None, "moe_layers_enum"),
        ("step3_text", "share_expert_dim", None, "step3_text"),
        ("zamba2", "num_mem_blocks", 0, "num_mem_blocks"),
        ("zamba2", "layers_block_type", ["mamba", "hybrid", "attention"] * 4, "attention"),
    ],
)
def test_what_a_family_has_no_rule_for_is_refused_by_name(name: str, field: str, wrong: object, named: str) -> None:
    config = {key: value for key, value in (FAMILIES[name]["config"] | {field: wrong}).items() if value is not None}
    if name == "minicpm3":
        config[field] = None
    with pytest.raises(UnsupportedArchitectureError, match=named):
        read_architecture(config)


@pytest.mark.parametrize(
    ("name", "fields", "size"),
    [
        ("bailing_v3", {"partial_rotary_factor": 0.5}, 8192 * 64 * 2),
        ("gpt_bigcode", {}, 4096 * 4096),
        ("minicpm3", {}, 8192 * 32 * 2),
        ("olmo_hybrid", {}, 0),
        ("olmo_hybrid_d", {}, 8192 * 64 * 2),
        ("step3_text", {}, 8192 * 256 * 2),
        ("zamba2", {"rope_theta": 10000}, 0),
        ("zamba2_a", {}, 4096 * 128 * 2),
    ],
)
def test_tables_of_positions_are_the_buffers_of_the_class(name: str, fields: dict[str, int], size: int) -> None:
    """Buffers of vLLM 0.32's classes on the meta device: `cos_sin_cache`, and GPT-BigCode's mask."""
    assert read_architecture(FAMILIES[name]["config"] | fields).rotary_bytes == size


def test_a_step_reads_shared_blocks_for_each_layer_that_runs_them() -> None:
    """Zamba2, 5 hybrid layers over 2 blocks: projections of attention and network, norms (vLLM 0.32 zamba2.py)."""
    architecture = read_architecture(FAMILIES["zamba2"]["config"])
    block = 6144 * 2048 + 1024 * 2048 + 8192 * 1024 + 1024 * 4096 + 3 * 1024
    weights, totals = rank_weights(architecture).worst, model_totals(architecture)
    assert weights.reread_bytes == 3 * 2 * block
    assert weights.always_read_bytes == weights.total_bytes - weights.by_part["embed"] + 3 * 2 * block
    assert totals.active_parameters == totals.parameters


def test_a_step_reads_weights_as_often_as_its_layers_run() -> None:
    """IQuest LoopCoder, which runs three layers three times: all but embedding and norms three times."""
    weights = rank_weights(read_architecture(FAMILIES["iquestloop3"]["config"])).worst
    once = weights.by_part["attention"] + weights.by_part["dense"] + 3 * 2 * 1024 * 2
    assert weights.always_read_bytes == weights.total_bytes - weights.by_part["embed"] + 2 * once


def test_olmo_hybrid_keeps_no_checkpoints_within_a_prefill() -> None:
    """Unlike Qwen's, its class exports none in vLLM 0.33 either (mamba/gdn/olmo_gdn_linear_attn.py)."""
    architecture = read_architecture(FAMILIES["olmo_hybrid"]["config"])
    limits = {"capability": HOPPER, "max_num_batched_tokens": 8192, "max_num_seqs": 256, "max_model_len": 8192}
    found = [
        cache_layout(architecture, Layout(), CacheSettings(release=release_of(release), **limits))
        for release in ("0.32.0", "0.33.0")
    ]
    assert found[0].specs == found[1].specs
    assert found[0].max_concurrency(64 << 30, 1000) == found[1].max_concurrency(64 << 30, 1000)


def test_longcat_is_known_by_its_class_where_no_model_type_is_named() -> None:
    """Its checkpoints name none (vLLM 0.32 transformers_utils/config.py:138)."""
    named = FAMILIES["longcat_ngram"]["config"]
    nameless = read_architecture({key: value for key, value in named.items() if key != "model_type"})
    assert nameless == read_architecture(named)


def test_ling_3_is_told_from_ling_2_5_which_has_the_same_model_type() -> None:
    """By its class, or by a field of its own where no class is named; its FP8 is refused by name."""
    config = FAMILIES["bailing_v3"]["config"]
    kinds = {kind.mixer.kind for kind in read_architecture(config).layer_kinds if kind.mixer}
    nameless = read_architecture({key: value for key, value in config.items() if key != "architectures"})
    assert kinds == {"kimi_delta_attention", "mla"} == {kind.mixer.kind for kind in nameless.layer_kinds if kind.mixer}
    with pytest.raises(UnknownFactError, match="BailingMoeV3"):
        read_quantization(config | {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})


BROKEN: tuple[Any, ...] = (None, "x", [], {}, -1, 0, 1.5)
"""Values that a field may hold by mistake."""


@pytest.mark.parametrize(
    "name", [name for name in FAMILIES if FAMILIES[name]["config"].get("num_hidden_layers", 0) < 20]
)
def test_a_broken_field_is_an_error_of_ours_or_leaves_a_model_with_weights(name: str) -> None:
    config = FAMILIES[name]["config"]
    for field in config:
        for broken in ({key: config[key] for key in config if key != field}, *({**config, field: v} for v in BROKEN)):
            try:
                architecture = read_architecture(broken)
            except GeneratorError:
                continue
            assert rank_weights(architecture, None, Layout(tensor_parallel_size=2)).worst.total_bytes > 0
