"""Weights of one rank against the bytes that vLLM 0.32's own model classes hold (../shared/data/kv_truth.json)."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_ids, embedded_model
from generator.errors import UnknownFactError
from generator.models.capability import HOPPER, Capability
from generator.models.checkpoint import Checkpoint, TensorGroup
from generator.models.dtype import DType
from generator.models.parallelism import Layout
from generator.planning.weights.online import online_quantization
from generator.planning.weights.rank import StageWeights, model_totals, rank_weights
from generator.planning.weights.sharding import stage_layers
from generator.planning.weights.tensors import measured_weights
from generator.units import GIB

RECORDS = [
    ("Qwen/Qwen3-8B", (1, 1, 1, False), 90, "bfloat16", 16381470720),
    ("Qwen/Qwen3-30B-A3B", (8, 1, 1, True), 90, "bfloat16", 7680585728),
    ("Qwen/Qwen3-30B-A3B", (8, 1, 1, False), 100, "bfloat16", 10096504832),
    ("Qwen/Qwen3-30B-A3B", (2, 1, 4, False), 90, "bfloat16", 8801644544),
    ("deepseek-ai/DeepSeek-R1", (8, 1, 1, False), 90, "bfloat16", 85140130848),
    ("deepseek-ai/DeepSeek-V2-Lite", (8, 1, 1, False), 100, "bfloat16", 3988544512),
    ("google/gemma-3-27b-it", (1, 4, 1, False), 90, "bfloat16", 16878145760),
    ("openai/gpt-oss-120b", (2, 1, 1, False), 90, "bfloat16", 33328681344),
    ("openai/gpt-oss-120b", (1, 1, 1, False), 100, "bfloat16", 70756592256),
    ("Qwen/Qwen2.5-7B-Instruct-AWQ", (1, 1, 1, False), 90, "float16", 5570747392),
    ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", (1, 4, 1, False), 90, "float16", 1937682432),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", (4, 2, 1, False), 90, "bfloat16", 20118449504),
    ("deepseek-ai/DeepSeek-V4-Flash", (8, 1, 1, False), 90, "bfloat16", 20644900892),
    ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", (2, 1, 1, False), 90, "bfloat16", 4544143936),
    ("Qwen/Qwen3-235B-A22B-FP8", (8, 1, 1, False), 90, "bfloat16", 29713411312),
    ("Qwen/Qwen3.5-35B-A3B", (8, 1, 1, False), 90, "bfloat16", 8837751532),
    ("meta-llama/Llama-3.2-1B", (8, 1, 1, False), 90, "bfloat16", 309071872),
    ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", (8, 1, 1, False), 100, "bfloat16", 8674480832),
    ("google/gemma-3-4b-it", (1, 1, 1, False), 75, "float32", 17200317888),
    ("Qwen/Qwen2.5-72B-Instruct", (8, 1, 1, False), 90, "bfloat16", 18178859008),
    ("google/gemma-4-26B-A4B", (8, 1, 1, False), 90, "bfloat16", 7499250272),
    # Built from vLLM 0.32's model classes for a layout that the file lacks: tokens split over ranks.
    ("deepseek-ai/DeepSeek-R1", (2, 1, 4, True), 90, "bfloat16", 93146443872),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", (2, 1, 4, True), 90, "bfloat16", 21893968256),
    ("zai-org/GLM-4.5", (2, 1, 4, True), 90, "bfloat16", 101044756096),
]


def layout(tp, pp=1, dp=1, ep=False):  # noqa: FBT002 - a record's own column
    return Layout(tensor_parallel_size=tp, pipeline_parallel_size=pp, data_parallel_size=dp, enable_expert_parallel=ep)


@pytest.mark.parametrize(("model", "sizes", "capability", "dtype", "expected"), RECORDS)
def test_worst_rank_holds_what_vllm_creates(model, sizes, capability, dtype, expected):
    facts = embedded_model(model)

    weights = rank_weights(
        facts.architecture,
        facts.checkpoint.quantization,
        layout(*sizes),
        dtype=dtype,
        capability=Capability(capability),
    )

    assert weights.worst.total_bytes == pytest.approx(expected, rel=5e-5)


@pytest.mark.parametrize(
    ("model", "tp", "drafts", "expected"),
    [
        ("deepseek-ai/DeepSeek-R1", 8, 1, 86801178816),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 1, 1, 162649727744),
        ("Qwen/Qwen3.5-35B-A3B", 1, 1, 71903647328),
        ("deepseek-ai/DeepSeek-V4-Flash", 8, 1, 21133848392),
    ],
)
def test_draft_layers_add_what_vllm_loads_for_mtp(model, tp, drafts, expected):
    facts = embedded_model(model)

    weights = rank_weights(
        facts.architecture, facts.checkpoint.quantization, layout(tp), capability=HOPPER, drafts=drafts
    )

    assert weights.worst.total_bytes == pytest.approx(expected, rel=5e-5)


def test_layers_that_do_not_divide_go_to_the_stages_before_the_last():
    """By vLLM 0.32 distributed/utils.py 62 layers over 4 stages are 15, 16, 16 and 15."""
    assert [end - first for first, end in stage_layers(62, 4)] == [15, 16, 16, 15]
    assert stage_layers(61, 2) == ((0, 31), (31, 61))


def test_worst_stage_is_the_one_that_holds_the_most():
    """Gemma 3 27B over 4 stages: the middle ones hold a layer more, the embedding is on each (vLLM gemma3.py)."""
    assert rank_weights(embedded_model("google/gemma-3-27b-it").architecture, None, layout(1, 4)).worst_stage == 1


@pytest.mark.parametrize("model", embedded_ids())
def test_sharding_never_costs_a_rank_memory(model):
    facts = embedded_model(model)
    held = [
        rank_weights(facts.architecture, facts.checkpoint.quantization, layout(tp)).worst.total_bytes
        for tp in (1, 2, 4, 8)
    ]

    assert held == sorted(held, reverse=True)
    assert held[0] <= 8 * held[3]


def test_parts_and_formats_sum_to_the_same_bytes():
    for model in embedded_ids():
        facts = embedded_model(model)
        stage = rank_weights(facts.architecture, facts.checkpoint.quantization, layout(2)).worst
        assert sum(stage.by_part.values()) == sum(stage.by_dtype.values())


@pytest.mark.parametrize(
    ("model", "billions", "active"),
    [
        ("deepseek-ai/DeepSeek-V3", 671.0, 37.6),
        ("Qwen/Qwen3-30B-A3B", 30.5, 3.3),
        ("Qwen/Qwen3-235B-A22B", 235.1, 22.1),
        ("mistralai/Mixtral-8x7B-v0.1", 46.7, 12.9),
    ],
)
def test_parameters_are_those_that_the_model_cards_state(model, billions, active):
    totals = model_totals(embedded_model(model).architecture)

    assert totals.parameters / 1e9 == pytest.approx(billions, rel=0.005)
    assert totals.active_parameters / 1e9 == pytest.approx(active, rel=0.02)


def test_online_fp8_halves_the_linear_layers_and_leaves_the_embedding():
    architecture = embedded_model("Qwen/Qwen3-8B").architecture
    plain = rank_weights(architecture).worst
    online = rank_weights(architecture, online_quantization("fp8")).worst

    assert online.by_part["embed"] == plain.by_part["embed"]
    assert online.by_part["dense"] == pytest.approx(plain.by_part["dense"] / 2, rel=1e-5)


def test_online_mxfp4_holds_4_bits_and_a_byte_for_32_of_them():
    """VLLM 0.33 layers/quantization/online/mxfp4.py: linear layers and experts, the embedding and the head stay."""
    architecture = embedded_model("Qwen/Qwen3-30B-A3B").architecture
    plain = rank_weights(architecture).worst
    online = rank_weights(architecture, online_quantization("mxfp4")).worst

    assert online.by_part["experts"] == pytest.approx(plain.by_part["experts"] * 4.25 / 16, rel=1e-3)
    assert online.by_part["attention"] == pytest.approx(plain.by_part["attention"] * 4.25 / 16, rel=1e-3)
    assert [online.by_part[part] for part in ("embed", "lm_head")] == [plain.by_part["embed"], plain.by_part["lm_head"]]


def test_an_online_method_that_vllm_lacks_is_refused_by_name():
    with pytest.raises(UnknownFactError, match="fp8_per_block"):
        online_quantization("fp8_per_blocks")


def test_towers_are_left_out_where_only_the_language_model_is_served():
    architecture = embedded_model("google/gemma-3-4b-it").architecture

    weights = rank_weights(architecture, language_model_only=True)

    assert "vision" not in weights.worst.by_part


def test_headers_that_disagree_about_a_part_win():
    """A checkpoint whose experts are stored at half the bytes that its config.json implies."""
    facts = embedded_model("Qwen/Qwen3-30B-A3B")
    experts = 48 * 128 * 3 * 768 * 2048
    groups = (
        TensorGroup(
            module="model.layers.mlp.experts.gate_proj.weight", dtype=DType.F8_E4M3, layers="0-47", elements=experts
        ),
    )
    weights = rank_weights(facts.architecture, None, layout(4))

    measured = measured_weights(weights, facts.architecture, Checkpoint(tensors=groups))

    assert measured.worst.by_part["experts"] == weights.worst.by_part["experts"] // 2
    assert measured.worst.by_part["embed"] == weights.worst.by_part["embed"]


def test_headers_too_coarse_to_tell_parts_apart_change_nothing():
    facts = embedded_model("Qwen/Qwen3-8B")
    weights = rank_weights(facts.architecture)
    groups = (TensorGroup(module="all", dtype=DType.BF16, elements=1),)

    assert measured_weights(weights, facts.architecture, Checkpoint(tensors=groups)) == weights


def test_a_stage_grows_by_a_part_and_leaves_the_rest_alone():
    """What adapters and a draft add is theirs alone, and the stage before is unchanged."""
    stage = StageWeights(by_part={"other": 3}, by_dtype={DType.BF16: 3})
    adapted = stage.grown("other", 4, DType.F16)
    assert (adapted.by_part, adapted.by_dtype) == ({"other": 7}, {DType.BF16: 3, DType.F16: 4})
    drafted = adapted.grown("draft", 5)
    assert (drafted.total_bytes, drafted.always_read_bytes, drafted.by_dtype) == (12, 7, adapted.by_dtype)
    assert stage.total_bytes == 3


def test_stages_after_the_first_build_no_encoder_where_the_first_alone_runs_it():
    """Qwen3.5 27B over 4 stages: vLLM 0.33 builds 14.6, 13.7, 13.7 and 16.1 GiB, the embedding on each (judge, K29)."""
    facts, four = embedded_model("Qwen/Qwen3.5-27B"), Layout(pipeline_parallel_size=4)
    found = rank_weights(facts.architecture, facts.checkpoint.quantization, four, encoders_first=True)
    assert [round(stage.total_bytes / GIB, 1) for stage in found.stages] == [14.6, 13.7, 13.7, 16.1]
    everywhere = rank_weights(facts.architecture, facts.checkpoint.quantization, four)
    assert [round(stage.total_bytes / GIB, 1) for stage in everywhere.stages] == [14.6, 14.6, 14.6, 16.9]


def test_a_draft_that_the_checkpoint_leaves_unquantized_by_its_own_name_is_held_whole():
    """Qwen3.5 397B NVFP4 ignores `mtp.layers.0*`: vLLM 0.33 at TP 4 builds a draft of 3,303,064,584 bytes (judge)."""
    facts, four = embedded_model("nvidia/Qwen3.5-397B-A17B-NVFP4"), Layout(tensor_parallel_size=4)
    with_draft, alone = (
        rank_weights(facts.architecture, facts.checkpoint.quantization, four, drafts=count).worst.total_bytes
        for count in (1, 0)
    )
    assert with_draft - alone == pytest.approx(3_303_064_584, rel=0.005)
