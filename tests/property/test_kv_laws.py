"""Laws of the cache over random architectures of every kind, layouts and GPUs."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from generator.catalogue.behaviours import release_of
from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.capability import Capability
from generator.models.parallelism import Layout
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.kv_cache.settings import CacheSettings
from tests.every_kind import KINDS, built

GIB = 2**30
HEADS = st.sampled_from([(8, 8), (16, 8), (32, 8), (32, 4), (64, 2), (8, 1)])
SIZES = st.sampled_from([64, 128, 256])


@st.composite
def softmax(draw):
    """A layer with key and value heads: full, sliding or chunked."""
    queries, kv = draw(HEADS)
    size = draw(SIZES)
    shape = {"num_attention_heads": queries, "num_key_value_heads": kv, "head_dim": size, "head_dim_v": size}
    kind = draw(st.sampled_from(["full", "sliding_window", "chunked_local"]))
    extra = {"sliding_window": {"sliding_window": draw(st.sampled_from([128, 1024, 4096]))}}
    extra["chunked_local"] = {"attention_chunk_size": 8192}
    return {"kind": kind, **shape, **extra.get(kind, {})}


_LATENT = {
    "num_attention_heads": 64, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip
_INDEXER = {"index_n_heads": 32, "index_head_dim": 128, "index_topk": 2048}
_COMPRESSED = {
    "kind": "compressed_mla", "num_attention_heads": 64, "head_dim": 512, "qk_rope_head_dim": 64,
    "q_lora_rank": 1024, "o_lora_rank": 1024, "o_groups": 8, "sliding_window": 128,
}  # fmt: skip
FULL = {"kind": "full", "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "head_dim_v": 128}
STATES = [
    {"kind": "mamba1", "intermediate_size": 4096, "state_size": 16, "conv_kernel": 4, "time_step_rank": 128},
    {"kind": "mamba2", "num_heads": 64, "head_dim": 64, "n_groups": 8, "state_size": 128, "conv_kernel": 4},
    {
        "kind": "gated_delta_net", "num_k_heads": 16, "num_v_heads": 32, "head_k_dim": 128, "head_v_dim": 128,
        "conv_kernel": 4,
    },
    {"kind": "kimi_delta_attention", "num_heads": 32, "head_dim": 128, "conv_kernel": 4},
    {"kind": "linear_attention", "num_heads": 64, "head_dim": 128},
    {"kind": "short_conv", "conv_dim": 2048, "conv_kernel": 3},
]  # fmt: skip
MAMBA2 = STATES[1]
MIXES = st.one_of(
    st.sampled_from(KINDS).map(lambda kind: [built(kind).model_dump()]),
    st.lists(softmax(), min_size=1, max_size=2),
    st.just([{"kind": "mla", **_LATENT}]),
    st.just([{"kind": "sparse_mla", **_LATENT, "indexer": _INDEXER}]),
    st.just([
        {**_COMPRESSED, "compress_ratio": 0},
        {**_COMPRESSED, "compress_ratio": 4, "indexer": _INDEXER},
        {**_COMPRESSED, "compress_ratio": 128},
    ]),
    st.sampled_from(STATES).map(lambda state: [state, FULL]),
    st.just([{"kind": "kimi_delta_attention", "num_heads": 32, "head_dim": 128, "conv_kernel": 4},
             {"kind": "mla", **_LATENT}]),
    st.just([{"kind": "parallel", "attention": FULL, "state_space": MAMBA2}]),
)  # fmt: skip
LENGTHS = st.integers(1, 200_000)


@st.composite
def architectures(draw):
    """A model that repeats a pattern of one to three kinds."""
    kinds = draw(MIXES)
    pattern = draw(st.permutations(range(len(kinds))))
    repeats = draw(st.integers(1, 12))
    return Architecture.model_validate({
        "model_type": "any", "architecture": "any", "hidden_size": 4096, "vocab_size": 32000,
        "max_position_embeddings": 262144, "tie_word_embeddings": False,
        "layer_kinds": [{"mixer": kind} for kind in kinds],
        "layer_pattern": " ".join(str(kind) for _ in range(repeats) for kind in pattern),
    })  # fmt: skip


@st.composite
def engines(draw):
    """Engine values on a GPU between Ampere and Blackwell."""
    return CacheSettings(
        release=release_of(draw(st.sampled_from(["0.32.0", "0.33.0"]))),
        capability=Capability(draw(st.sampled_from([80, 89, 90, 100, 120]))),
        max_num_batched_tokens=draw(st.sampled_from([2048, 8192, 16384])),
        max_num_seqs=256,
        max_model_len=262144,
        kv_cache_dtype=draw(st.sampled_from(["auto", "fp8"])),
        enable_prefix_caching=draw(st.booleans()),
        num_speculative_tokens=draw(st.sampled_from([0, 2])),
    )


def planned(architecture, settings, **sizes):
    """The cache; an example that vLLM refuses is no example."""
    try:
        return cache_layout(architecture, Layout(**sizes), settings)
    except RequestError:
        assume(condition=False)
        raise


@given(architectures(), engines(), LENGTHS, LENGTHS)
def test_longer_requests_never_take_fewer_blocks(architecture, settings, one, other):
    """Cache of a request is monotone in its length, and so are the bytes to start."""
    cache = planned(architecture, settings)
    short, long = sorted((one, other))
    assert cache.blocks_per_request(short) <= cache.blocks_per_request(long)
    assert cache.min_bytes_to_start(short) <= cache.min_bytes_to_start(long)


@given(architectures(), engines(), st.integers(0, 80 * GIB), st.integers(0, 80 * GIB), LENGTHS)
def test_more_memory_never_gives_less(architecture, settings, one, other, length):
    """Blocks, concurrency and the fitted context grow with memory."""
    cache = planned(architecture, settings)
    less, more = sorted((one, other))
    assert cache.num_blocks(less) <= cache.num_blocks(more)
    assert cache.max_concurrency(less, length) <= cache.max_concurrency(more, length)
    assert cache.max_model_len(less, length) <= cache.max_model_len(more, length)


@given(architectures(), engines(), st.integers(0, 80 * GIB), LENGTHS)
def test_the_fitted_context_starts_and_the_next_does_not(architecture, settings, available, limit):
    """`--max-model-len auto` gives the longest context that starts."""
    cache = planned(architecture, settings)
    longest = cache.max_model_len(available, limit)
    assert 0 <= longest <= limit
    assert longest == 0 or cache.starts(available, longest)
    assert longest == limit or not cache.starts(available, longest + 1)


@given(architectures(), engines(), st.sampled_from([2, 4, 8]))
def test_tensor_parallelism_never_costs_a_rank_cache(architecture, settings, ranks):
    """With blocks of as many tokens, a block of one of many ranks is no larger than the only rank's."""
    whole, part = planned(architecture, settings), planned(architecture, settings, tensor_parallel_size=ranks)
    assume(whole.block_size_tokens == part.block_size_tokens)
    assert part.bytes_per_block <= whole.bytes_per_block


@given(architectures(), engines(), st.sampled_from([2, 3, 4]))
def test_pipeline_stages_together_hold_every_layer(architecture, settings, stages):
    """A stage holds no more than the whole, and the stages together no less."""
    assume(architecture.num_hidden_layers >= stages)
    whole = planned(architecture, settings)
    split = planned(architecture, settings, pipeline_parallel_size=stages)
    assert max(split.bytes_per_block) <= whole.bytes_per_block[0]
    assert sum(split.bytes_per_block) >= whole.bytes_per_block[0]


@given(architectures(), engines())
def test_the_same_case_gives_the_same_cache(architecture, settings):
    """Equal inputs give equal values."""
    assert planned(architecture, settings) == planned(architecture, settings)
