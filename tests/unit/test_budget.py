"""The budget, its verdict and the utilization that it allows; expected numbers are vLLM's own lines."""

import pytest

from generator.catalogue.gpus import find_gpu
from generator.catalogue.overheads import overheads
from generator.models.architecture import Architecture, Layer
from generator.models.attention import SparseMLA
from generator.models.feed_forward import Dense
from generator.models.hardware import Cluster
from generator.models.interval import ByteInterval
from generator.models.parallelism import Layout
from generator.planning.memory.budget import budget, remainder, verdict
from generator.planning.memory.evidence import uncalibrated, widening
from generator.planning.memory.unbudgeted import choose_utilization, free_memory_refusal, outside_bytes
from generator.units import GIB, gib
from tests.replicas import replica_of

TABLE = overheads()
LLAMA_8B = Architecture(
    model_type="llama",
    architecture="LlamaForCausalLM",
    hidden_size=4096,
    vocab_size=128256,
    max_position_embeddings=131072,
    tie_word_embeddings=False,
    layer_kinds=(Layer(feed_forward=Dense(intermediate_size=14336)),),
    layer_pattern="0*32",
    rotary_bytes=131072 * 128 * 2,
)
DEFAULTS = {"max_model_len": 131072, "max_num_seqs": 256, "max_num_batched_tokens": 2048}


def cluster(gpu, reserved=0):
    return Cluster(gpu=find_gpu(gpu), gpus_per_node=1, reserved_bytes=reserved)


def plan(gpu="A100-SXM-80GB", architecture=LLAMA_8B, release="0.31.0", utilization=0.92, **more):
    start = replica_of(architecture, gpu=gpu, release=release, **DEFAULTS)
    return budget(start, weights_bytes=gib("14.96"), utilization=utilization, table=TABLE, **more)


def test_a_default_start_of_llama_8b():
    """An A100 with vLLM 0.31: 72.91 GiB requested, 15.0 loaded, 56.21 for the cache (startup log T202)."""
    memory = plan()
    assert memory.requested_bytes.expected / GIB == pytest.approx(72.91, abs=0.01)
    assert memory.weights_bytes.expected / GIB == pytest.approx(15.0, abs=0.03)
    stated = memory.kv_cache_available_bytes
    assert stated.low / GIB < 56.21 < stated.high / GIB
    assert stated.expected / GIB == pytest.approx(56.21, rel=0.02)


def test_the_items_leave_exactly_the_cache():
    memory = plan(headroom_bytes=GIB)
    items = (
        memory.weights_bytes,
        memory.non_torch_bytes,
        memory.activation_peak_bytes,
        memory.cuda_graph_bytes,
        memory.kv_cache_available_bytes,
    )
    assert sum(item.expected for item in items) + memory.headroom_bytes == memory.requested_bytes.expected


def test_independent_errors_combine_as_a_root_of_squares():
    left = remainder(
        ByteInterval.exact(100),
        (ByteInterval(expected=10, low=7, high=13), ByteInterval(expected=20, low=20, high=24)),
    )
    assert (left.low, left.expected, left.high) == (65, 70, 73)


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        (5, ("fits", "LOW")),
        (8, ("fits", "MEDIUM")),
        (9.5, ("tight", "HIGH")),
        (10.1, ("does_not_fit", "HIGH")),
    ],
)
def test_the_verdict_follows_the_interval(needed, expected):
    """DESIGN section 5 on 9 to 11 GiB available, 10 expected; 2 % of an A100 is 1.6 GiB."""
    available = ByteInterval(expected=10 * GIB, low=9 * GIB, high=11 * GIB)
    memory = plan().model_copy(update={"kv_cache_available_bytes": available})
    assert verdict(memory, gib(needed)) == expected


def test_a_start_that_vllm_refuses_at_once():
    """A card with 13.58 of 15.99 GiB free, 13.59 desired at 0.85 (startup_logs.csv T007)."""
    gpu = find_gpu("RTX-4080-16GB").model_copy(update={"cuda_total_bytes": gib("15.99")})
    memory = plan(gpu=gpu, utilization=0.85)
    taken = gib("15.99") - gib("13.58")
    refusal = free_memory_refusal(memory, reserved_bytes=taken, context_bytes=0, utilization=0.85)
    assert refusal is not None
    assert refusal.startswith(
        "Free memory on device (13.58/15.99 GiB) on startup is less than desired GPU memory utilization"
        " (0.85, 13.59 GiB)"
    )
    assert free_memory_refusal(memory, reserved_bytes=0, context_bytes=0, utilization=0.85) is None


def outside(gpu, world=1):
    return outside_bytes(replica_of(LLAMA_8B, Layout(tensor_parallel_size=world), gpu=gpu, **DEFAULTS), TABLE)


def test_the_utilization_leaves_room_for_what_vllm_does_not_budget():
    """A free H100 starts with 78.66 of 79.19 GiB (public log, 0.10.2): nothing above 0.98 could start."""
    chosen = [
        choose_utilization(cluster(gpu, reserved), outside(gpu).high, TABLE)
        for gpu, reserved in (("H100-SXM-80GB", 0), ("L4-24GB", 0), ("H100-SXM-80GB", 20 * GIB))
    ]
    assert chosen[0] <= 0.98
    assert chosen[1] < chosen[0]
    assert chosen[2] == pytest.approx(chosen[0] - 20 / 79.18, abs=0.01)
    assert all(value == round(value, 2) for value in chosen)


def test_unified_memory_keeps_room_for_the_host_and_says_so():
    """GB10 rows start with 102 to 116 of 121.6 GiB free (startup_logs.csv)."""
    gpu = find_gpu("GB10-128GB")
    chosen = choose_utilization(cluster(gpu.name), outside("GB10-128GB").high, TABLE)
    assert chosen < 0.9
    assert "unified memory" in plan(gpu=gpu).calibration


def test_a_full_gpu_leaves_no_utilization():
    chosen = choose_utilization(cluster("L4-24GB", 30 * GIB), outside("L4-24GB").high, TABLE)
    assert chosen == 0.0


def test_what_was_not_calibrated_is_named():
    sparse = SparseMLA(
        num_attention_heads=64,
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        indexer=None,
    )
    model = LLAMA_8B.model_copy(update={"layer_kinds": (Layer(mixer=sparse),)})
    stated = uncalibrated(replica_of(model, gpu="V100-SXM2-32GB", release="0.40.0"), TABLE)
    assert stated[:2] == ("vLLM 0.40.0", "compute capability 7.0 (no public start shows it)")
    assert stated[2].startswith("sparse attention")
    assert "not calibrated" not in plan().calibration


@pytest.mark.parametrize(
    ("gpu", "layout", "thin"),
    [
        ("L4-24GB", Layout(), False),
        ("RTX-3090-24GB", Layout(), True),
        ("H100-SXM-80GB", Layout(tensor_parallel_size=8), False),
        ("H100-SXM-80GB", Layout(pipeline_parallel_size=2), True),
    ],
)
def test_a_start_that_few_sources_show_has_a_wider_range(gpu, layout, thin):
    """Two public sources show a card of capability 8.6 and one shows stages, eight an L4's (startup_logs.csv)."""
    factor = widening(replica_of(LLAMA_8B, layout, gpu=gpu, release="0.33.0"), TABLE)
    assert factor == pytest.approx(TABLE.widening.always * (TABLE.widening.thin if thin else 1))


def test_a_widened_range_keeps_its_middle():
    items = (ByteInterval(expected=100, low=70, high=140),)
    usual, wider = (remainder(ByteInterval.exact(1000), items, widening=factor) for factor in (1, 1.5))
    assert (usual.low, usual.expected, usual.high) == (860, 900, 930)
    assert (wider.low, wider.expected, wider.high) == (840, 900, 945)


def test_a_shared_memory_grows_while_the_engine_loads():
    """GB10 starts left 1.9 to 7.0 GiB less than the same budget of a discrete card (startup logs T019 to T065)."""
    shared = find_gpu("GB10-128GB")
    own = shared.model_copy(update={"unified_memory": False, "cuda_total_bytes": shared.memory_bytes})
    taken = plan(own).kv_cache_available_bytes.expected - plan(shared).kv_cache_available_bytes.expected
    assert 1.9 * GIB < taken < 7.0 * GIB
    assert plan(own).calibration != plan(shared).calibration
