"""Figures of the overhead mechanisms; expected numbers are vLLM's logs and constants, named at each test."""

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.gpus import custom_gpu, find_gpu
from generator.catalogue.overheads import overheads
from generator.errors import UnknownFactError
from generator.models.architecture import Architecture, Layer, Tower
from generator.models.dtype import DType
from generator.models.feed_forward import Dense, MoE
from generator.models.parallelism import Layout
from generator.models.quantization import Format, Quantization, QuantRule
from generator.models.release import release_key
from generator.planning.memory import encoder, graphs, overhead, workspace
from generator.units import GIB
from tests.replicas import card, replica_of

TABLE = overheads()
NEW, OLD = release_of("0.32.0"), release_of("0.12.0")


def shape(hidden_size, block, vocab_size, layers, towers=()):
    return Architecture(
        model_type="shape",
        architecture="shape",
        hidden_size=hidden_size,
        vocab_size=vocab_size,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        layer_kinds=(Layer(feed_forward=block),),
        layer_pattern=f"0*{layers}",
        towers=towers,
    )


QWEN3_4B = shape(2560, Dense(intermediate_size=9728), 151936, 36)
QWEN3_30B = shape(2048, MoE(num_experts=128, num_experts_per_tok=8, moe_intermediate_size=768), 151936, 48)


def gib(value):
    return value.expected / GIB


@pytest.mark.parametrize(
    ("gpu", "logged"),
    [
        ("H100-SXM-80GB", 79.18),
        ("A100-SXM-80GB", 79.25),
        ("L40S-48GB", 44.39),
        ("H200-SXM-141GB", 139.80),
        ("B200-180GB", 178.35),
        ("T4-16GB", 14.56),
        ("RTX-5090-32GB", 31.40),
    ],
)
def test_cuda_sees_less_than_nvml(gpu, logged):
    """Totals as torch and vLLM log them (startup_logs.csv, gpus.csv)."""
    assert gib(overhead.device_total(find_gpu(gpu), TABLE)) == pytest.approx(logged, abs=0.04)


def test_a_card_without_a_measurement_has_a_range():
    """Torch reports 23.52 to 23.64 GiB on 24 GB cards (out-of-memory messages of public issues)."""
    total = overhead.device_total(find_gpu("RTX-4090-24GB"), TABLE)
    assert total.low / GIB < 23.52
    assert total.high / GIB > 23.64


def test_a_measured_total_and_unified_memory_are_taken_as_they_are():
    measured = find_gpu("L4-24GB").model_copy(update={"cuda_total_bytes": 22 * GIB})
    assert overhead.device_total(measured, TABLE).low == 22 * GIB
    assert overhead.device_total(find_gpu("GB10-128GB"), TABLE).low == find_gpu("GB10-128GB").memory_bytes
    assert overhead.device_total(custom_gpu(24, "8.9"), TABLE).expected < 24 * GIB


def test_the_forward_pass_decides_the_peak_where_few_sequences_sample():
    """Qwen3-4B, 8192 tokens: 0.59 GiB logged by vLLM 0.12 (startup_logs.csv T223)."""
    bytes_ = overhead.token_bytes(replica_of(QWEN3_4B, release="0.12.0"))
    assert bytes_ / GIB == pytest.approx(0.59, rel=0.05)


def test_a_network_that_is_whole_on_every_rank_takes_its_whole_width():
    """StarCoder's: no plan of splits (vLLM 0.32 model_executor/models/transformers/base.py)."""
    (layer,) = QWEN3_4B.layer_kinds
    whole = layer.model_copy(update={"feed_forward": layer.feed_forward.model_copy(update={"whole": True})})
    kept = QWEN3_4B.model_copy(update={"layer_kinds": (whole,)})
    one, two, split = (
        overhead.token_bytes(replica_of(model, Layout(tensor_parallel_size=size)))
        for model, size in ((kept, 1), (kept, 2), (QWEN3_4B, 2))
    )
    assert one == two > split


@pytest.mark.parametrize(
    ("architecture", "layout", "sequences", "release", "logged"),
    [
        (QWEN3_30B, Layout(tensor_parallel_size=2), 1024, "0.10.2", 5.58),
        (QWEN3_30B, Layout(tensor_parallel_size=8), 256, "0.10.2", 1.40),
    ],
)
def test_the_sampler_decides_the_peak_of_many_sequences(architecture, layout, sequences, release, logged):
    """Peaks that vLLM logged for a vocabulary of 151,936 (startup_logs.csv T075, T211)."""
    peak = overhead.activation_peak(replica_of(architecture, layout, release=release, max_num_seqs=sequences), TABLE)
    assert gib(peak) == pytest.approx(logged, rel=0.04)


def test_neither_an_embedding_server_nor_an_early_stage_samples():
    many = replica_of(QWEN3_4B, release="0.12.0", max_num_seqs=1024)
    peaks = [
        overhead.activation_peak(one, TABLE, last_stage=last)
        for one, last in ((many, True), (many.with_settings(samples=False), True), (many, False))
    ]
    assert peaks[0].expected > peaks[1].expected == peaks[2].expected


@pytest.mark.parametrize(("release", "runner"), [("0.25.1", "v1"), ("0.28.0", "v1"), ("0.29.0", "v2")])
def test_a_pooling_server_keeps_the_first_runner_until_the_second_is_every_models(release, runner):
    """Its graphs are estimated, and come off the cache (config/vllm.py: _is_default_v2_model_runner_model).

    vllm pull request 49351: an embedding model on an L4 missed its cache by 0.02 GiB.
    """
    made = replica_of(QWEN3_4B, release=release)
    pools = made.with_settings(samples=False)
    assert (overhead.runner_of(made), overhead.runner_of(pools)) == ("v2", runner)
    assert graphs.cuda_graph_estimate(pools, TABLE).expected > 0


def test_speculation_doubles_the_rows_of_the_first_runner():
    """One draft token for each sequence (vLLM 0.32 v1/worker/gpu_model_runner.py:5998)."""
    plain, drafted = replica_of(QWEN3_4B), replica_of(QWEN3_4B, num_speculative_tokens=3)
    assert overhead.logits(drafted, "v1") == 2 * overhead.logits(plain, "v1")
    assert overhead.logits(drafted, "v2") == overhead.logits(plain, "v2")


@pytest.mark.parametrize(
    ("architecture", "release", "runner"),
    [
        (QWEN3_4B, "0.24.0", "v1"),
        (QWEN3_4B, "0.25.0", "v2"),
        (QWEN3_4B.model_copy(update={"architecture": "Qwen3ForCausalLM"}), "0.22.1", "v2"),
        (QWEN3_4B.model_copy(update={"architecture": "LlamaForCausalLM"}), "0.22.1", "v1"),
        (QWEN3_30B, "0.28.0", "v1"),
        (QWEN3_30B.model_copy(update={"architecture": "DeepseekV4ForCausalLM"}), "0.28.0", "v2"),
        (QWEN3_30B, "0.29.0", "v2"),
    ],
)
def test_the_second_runner_became_the_default_class_by_class(architecture, release, runner):
    """DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES and use_v2_model_runner of 0.22.1 to 0.29.0 config/vllm.py."""
    assert overhead.model_runner(architecture, release_of(release)) == runner


@pytest.mark.parametrize(
    ("hidden_size", "intermediate_size", "vocab_size", "logged"),
    [(3584, 18944, 152064, 1.04), (896, 4864, 151936, 0.25)],
)
def test_a_first_compilation_holds_a_copy_of_the_embedding(hidden_size, intermediate_size, vocab_size, logged):
    """Peaks that vLLM 0.28 and 0.27.1 logged at 2,048 tokens (startup_logs.csv T233, T247); none from the cache."""
    dense = shape(hidden_size, Dense(intermediate_size=intermediate_size), vocab_size, 28)
    start = replica_of(dense, release="0.28.0", max_num_batched_tokens=2048)
    first, cached, eager = (
        overhead.activation_peak(one, table)
        for one, table in ((start, TABLE), (start, TABLE.other_way), (start.with_settings(enforce_eager=True), TABLE))
    )
    assert gib(first) == pytest.approx(logged, rel=0.05)
    assert gib(cached) == gib(eager) < logged / 2


def test_the_second_runner_takes_graphs_off_from_0_29_on():
    """`profile_cudagraph_memory` returns 0 in 0.28.0 v1/worker/gpu/model_runner.py:843, an estimate in 0.29.0."""
    dense = QWEN3_4B.model_copy(update={"architecture": "LlamaForCausalLM"})
    sizes = [
        graphs.cuda_graph_estimate(replica_of(dense, release=release), TABLE).expected
        for release in ("0.22.1", "0.28.0", "0.29.0")
    ]
    assert sizes[0] > sizes[1] == 0 < sizes[2]


@pytest.mark.parametrize(("vocab_size", "expected"), [(151936, 0.58), (262144, 1.0)])
def test_penalty_counts_of_the_second_runner(vocab_size, expected):
    """Counts of 0.58 GiB for 1024 x 151,936, 1.0 for 262k (vLLM 0.32 penalties.py:45), and a 32nd more."""
    architecture = shape(2560, Dense(intermediate_size=9728), vocab_size, 36)
    buffers = overhead.persistent_buffers(replica_of(architecture, max_num_seqs=1024))
    assert gib(buffers) == pytest.approx(expected * 33 / 32, rel=0.01)
    assert gib(overhead.persistent_buffers(replica_of(architecture, release="0.12.0"))) == 0


@pytest.mark.parametrize(
    ("sequences", "capability", "logged"), [(256, 90, 51), (1, 89, 2), (1024, 80, 51), (1024, 100, 83)]
)
def test_capture_sizes(sequences, capability, logged):
    """Progress bars of public logs say 51/51 by default; the rest of the rule is 0.32 config/vllm.py:2292."""
    assert graphs.capture_sizes(replica_of(QWEN3_4B, gpu=card(capability), max_num_seqs=sequences)) == logged


def test_eager_engines_and_old_releases_reserve_nothing_for_graphs():
    """An estimate is logged by vLLM 0.19.1 and not subtracted (startup_logs.csv T038)."""
    estimates = [
        graphs.cuda_graph_estimate(replica_of(QWEN3_4B, release=release, enforce_eager=eager), TABLE)
        for eager, release in ((True, "0.32.0"), (False, "0.19.1"), (False, "0.32.0"))
    ]
    assert [estimate.high > 0 for estimate in estimates] == [False, False, True]


def outside(layout, architecture=QWEN3_4B, *, capability=90, release="0.19.0", **more):
    return overhead.non_torch(replica_of(architecture, layout, gpu=card(capability), release=release, **more), TABLE)


@pytest.mark.parametrize(
    ("layout", "eager", "logged"),
    [
        (Layout(), False, 0.25),
        (Layout(tensor_parallel_size=2), False, 2.08),
        (Layout(tensor_parallel_size=4), False, 2.21),
        (Layout(tensor_parallel_size=8), True, 0.9),
        (Layout(pipeline_parallel_size=2), False, 0.25),
    ],
)
def test_memory_outside_pytorch_on_an_h100(layout, eager, logged):
    """Logged by vLLM 0.19.0 (startup_logs.csv F020, F045, F037), by a build of 0.20 (T142: eager) and for stages."""
    assert gib(outside(layout, enforce_eager=eager)) == pytest.approx(logged, abs=0.1)


def test_the_fused_all_reduce_needs_nvlink_the_compiler_and_hopper_or_newer():
    """VLLM 0.33 config/vllm.py: enable_allreduce_rms_fusion."""
    pair = Layout(tensor_parallel_size=2)
    fused = outside(pair).expected
    for change in ({"link": "pcie"}, {"enforce_eager": True}, {"capability": 80}, {"release": "0.12.0"}):
        assert outside(pair, **change).expected < fused


def test_more_ranks_grow_the_collectives():
    worlds = [outside(Layout(tensor_parallel_size=n), release="0.12.0") for n in (1, 2, 8)]
    assert worlds[0].expected < worlds[1].expected < worlds[2].expected


def test_replicas_that_share_experts_join_the_collectives():
    """Eight replicas of DeepSeek-V4-Flash hold 19.6 requests each (startup_logs.csv T136); 2.5 % more without this."""
    eight, tensor = Layout(data_parallel_size=8), Layout(tensor_parallel_size=8)
    assert outside(eight, QWEN3_30B) == outside(tensor)
    assert outside(eight) == outside(Layout(), QWEN3_30B)


@pytest.mark.parametrize(
    ("hidden_size", "block", "layout", "vocabulary", "logged"),
    [
        (2048, MoE(num_experts=64, num_experts_per_tok=6, moe_intermediate_size=1408), 1, 102400, 1.93),
        (2048, MoE(num_experts=60, num_experts_per_tok=4, moe_intermediate_size=1408), 1, 151936, 2.47),
        (4096, MoE(num_experts=8, num_experts_per_tok=2, moe_intermediate_size=14336), 2, 32000, 1.21),
    ],
)
def test_workspaces_of_experts_stay_through_the_samplers_phase(hidden_size, block, layout, vocabulary, logged):
    """Peaks that vLLM 0.19.0 logged at 8,192 tokens and 1,024 sequences (startup_logs.csv F002, F043, F035)."""
    model, layout = shape(hidden_size, block, vocabulary, 24), Layout(tensor_parallel_size=layout)
    peak = overhead.activation_peak(replica_of(model, layout, release="0.19.0", max_num_seqs=1024), TABLE)
    assert gib(peak) == pytest.approx(logged, rel=0.03)


def test_experts_in_four_bit_floats_may_hold_buffers_or_none():
    """VLLM 0.20.2 flashinfer_cutlass_moe.py:235 asks for next to none, the Triton kernels for all of it."""
    form = Format(weights=DType.U8, bits=4, scales=DType.F8_E4M3, scale_rows=1, scale_columns=16)
    stored = Quantization(method="modelopt_fp4", bits=4, rules=(QuantRule(targets=("*",), format=form),))
    own = workspace.expert_workspace(replica_of(QWEN3_30B, stored=stored))
    full = workspace.expert_workspace(replica_of(QWEN3_30B))
    assert (own.expected, own.high) == (0, full.expected)


def vit(hidden_size, intermediate_size, merge):
    return (
        Tower(
            name="visual",
            count=27,
            hidden_size=hidden_size,
            intermediate_size=intermediate_size,
            patches_per_token=merge,
            any_resolution=merge > 1,
        ),
    )


def test_an_encoder_is_profiled_with_its_largest_input():
    """Qwen3-VL joins 4 patches a token and logs a budget of 16,384 tokens (startup_logs.csv T079)."""
    qwen = shape(2048, Dense(intermediate_size=6144), 151936, 28, vit(1152, 4304, 4))
    clip = shape(4096, Dense(intermediate_size=11008), 32064, 32, vit(1024, 4096, 1))
    assert encoder.tokens(replica_of(qwen)) == 16384
    assert encoder.tokens(replica_of(clip, max_num_batched_tokens=2048)) == 2048
    assert encoder.tokens(replica_of(QWEN3_4B)) == 0
    assert encoder.tokens(replica_of(clip, language_model_only=True)) == 0
    small, large = (replica_of(qwen, release=OLD, encoder_tokens=n, max_num_seqs=1) for n in (0, 16384))
    peaks = [overhead.activation_peak(one, TABLE) for one in (small, large)]
    assert peaks[0].expected < peaks[1].expected


def test_a_term_of_an_early_release_stands_until_the_next():
    assert release_key("0.27.1") > release_key("0.9.2")
    assert TABLE.term("sampler_v1", "0.13.0").expected > TABLE.term("sampler_v1", "0.17.1").expected
    assert TABLE.term("sampler_v1", "0.6.0") == TABLE.term("sampler_v1", "0.8.5")
    with pytest.raises(UnknownFactError, match="context_mib"):
        TABLE.term("nosuch", "0.32.0")


def test_every_coefficient_is_ordered_and_sourced():
    for term in TABLE.terms:
        assert term.low <= term.expected <= term.high, term.name
        assert term.source


def test_tables_of_several_axes_had_four_times_the_positions():
    """Qwen3-VL-2B loaded 0.25 GiB more than its parameters with vLLM 0.11 (T030); 0.0625 in 0.32 (kv_truth.json)."""
    qwen = QWEN3_4B.model_copy(update={"rotary_bytes": 262144 * 128 * 2, "multi_axis_rotary": True})
    assert overhead.rotary_tables(qwen, 2, release_of("0.11.0")) == GIB // 4
    assert overhead.rotary_tables(qwen, 2, release_of("0.32.0")) == GIB // 16
