"""Laws of the budget over random shapes, settings and GPUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.catalogue.overheads import overheads
from generator.models.architecture import Architecture, Layer
from generator.models.feed_forward import Dense, MoE
from generator.models.hardware import GPU, Cluster
from generator.models.interval import ByteInterval
from generator.models.parallelism import Layout
from generator.planning.memory import overhead
from generator.planning.memory.budget import budget, verdict
from generator.planning.memory.unbudgeted import choose_utilization, outside_bytes
from generator.units import GIB
from tests.replicas import replica_of

TABLE = overheads()
RELEASES = ("0.10.2", "0.13.0", "0.19.1", "0.26.0", "0.32.0")

blocks = st.one_of(
    st.builds(Dense, intermediate_size=st.integers(1, 64).map(lambda n: n * 512), gated=st.booleans()),
    st.builds(
        MoE,
        num_experts=st.integers(8, 256),
        num_experts_per_tok=st.integers(1, 8),
        moe_intermediate_size=st.integers(1, 16).map(lambda n: n * 256),
    ),
)
shapes = st.builds(
    Architecture,
    model_type=st.just("any"),
    architecture=st.just("any"),
    hidden_size=st.integers(1, 32).map(lambda n: n * 256),
    vocab_size=st.integers(1000, 270_000),
    max_position_embeddings=st.just(8192),
    tie_word_embeddings=st.booleans(),
    layer_kinds=st.tuples(st.builds(Layer, feed_forward=blocks)),
    layer_pattern=st.integers(1, 96).map(lambda n: f"0*{n}"),
)
engines = st.fixed_dictionaries(
    {
        "max_model_len": st.integers(1, 1 << 20),
        "max_num_seqs": st.integers(1, 1024),
        "max_num_batched_tokens": st.integers(1024, 65536),
        "enforce_eager": st.booleans(),
        "num_speculative_tokens": st.integers(0, 4),
    }
)
gpus = st.builds(
    GPU,
    name=st.just("any"),
    memory_bytes=st.integers(4, 300).map(lambda n: n * GIB),
    capability=st.sampled_from((75, 80, 86, 89, 90, 100, 120)),
    unified_memory=st.booleans(),
)
layouts = st.builds(
    Layout, tensor_parallel_size=st.sampled_from((1, 2, 4, 8)), pipeline_parallel_size=st.sampled_from((1, 2))
)
starts = st.fixed_dictionaries(
    {
        "weights_bytes": st.integers(0, 200 * GIB),
        "architecture": shapes,
        "layout": layouts,
        "settings": engines,
        "gpu": gpus,
        "link": st.sampled_from(("nvlink", "pcie")),
        "release": st.sampled_from(RELEASES),
        "utilization": st.integers(1, 98).map(lambda n: n / 100),
        "headroom_bytes": st.integers(0, GIB),
    }
)


def replica(start):
    shape = {name: start[name] for name in ("gpu", "link", "release")}
    return replica_of(start["architecture"], start["layout"], **shape, **start["settings"])


def plan(start):
    costs = {name: start[name] for name in ("weights_bytes", "utilization", "headroom_bytes")}
    return budget(replica(start), table=TABLE, **costs)


@given(starts)
def test_the_budget_sums_exactly_and_brackets_itself(start):
    memory = plan(start)
    items = (
        memory.weights_bytes,
        memory.non_torch_bytes,
        memory.activation_peak_bytes,
        memory.cuda_graph_bytes,
        memory.kv_cache_available_bytes,
    )
    assert sum(item.expected for item in items) + memory.headroom_bytes == memory.requested_bytes.expected
    worst_case = memory.requested_bytes.low - sum(item.high for item in items[:-1]) - memory.headroom_bytes
    unmodelled = TABLE.term("unmodelled_share", start["release"]).times(memory.requested_bytes.expected).high
    stated, widest = memory.kv_cache_available_bytes, TABLE.widening.always * TABLE.widening.thin
    furthest = stated.expected - widest * (stated.expected - (worst_case - unmodelled))
    assert furthest <= stated.low <= stated.expected


@given(starts)
def test_the_same_inputs_give_the_same_budget(start):
    assert plan(start) == plan(start)


@given(starts, st.integers(1, 64))
def test_more_memory_never_shrinks_the_cache(start, more):
    larger = start["gpu"].model_copy(update={"memory_bytes": start["gpu"].memory_bytes + more * GIB})
    before, after = plan(start), plan(start | {"gpu": larger})
    assert after.kv_cache_available_bytes.expected >= before.kv_cache_available_bytes.expected
    assert after.kv_cache_available_bytes.low >= before.kv_cache_available_bytes.low


@pytest.mark.parametrize("field", ["max_num_seqs", "max_num_batched_tokens"])
@given(start=starts, more=st.integers(1, 512))
def test_larger_batches_never_grow_the_cache(field, start, more):
    settings = start["settings"]
    larger = settings | {field: settings[field] + more}
    before, after = plan(start), plan(start | {"settings": larger})
    assert after.kv_cache_available_bytes.expected <= before.kv_cache_available_bytes.expected


@given(shapes, engines)
def test_sharding_never_costs_the_forward_pass_memory(architecture, settings):
    layouts = [Layout(tensor_parallel_size=n) for n in (1, 2, 4, 8)]
    sizes = [overhead.token_bytes(replica_of(architecture, layout, **settings)) for layout in layouts]
    assert sizes == sorted(sizes, reverse=True)


@given(starts, st.integers(0, 300 * GIB), st.integers(0, GIB))
def test_a_smaller_need_is_never_judged_worse(start, needed, less):
    order = ("fits", "tight", "does_not_fit")
    memory = plan(start)
    lighter = verdict(memory, max(0, needed - less))
    assert order.index(lighter[0]) <= order.index(verdict(memory, needed)[0])


@given(starts, st.integers(0, 64 * GIB))
def test_the_chosen_utilization_leaves_the_rest_of_the_gpu_free(start, reserved):
    outside = outside_bytes(replica(start), TABLE)
    cluster = Cluster(gpu=start["gpu"], gpus_per_node=1, reserved_bytes=reserved)
    chosen = choose_utilization(cluster, outside.high, TABLE)
    total = overhead.device_total(start["gpu"], TABLE)
    assert 0 <= chosen < 1
    assert chosen == 0 or chosen * total.low + outside.high + reserved <= total.low + 1


@given(st.lists(st.tuples(st.integers(0, GIB), st.integers(0, GIB)), max_size=4))
def test_intervals_add(pairs):
    intervals = [ByteInterval(expected=low + more, low=low, high=low + 2 * more) for low, more in pairs]
    total = sum(intervals, ByteInterval.exact(0))
    assert total.expected == sum(interval.expected for interval in intervals)
