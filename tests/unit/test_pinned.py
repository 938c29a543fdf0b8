"""Arguments that fix memory themselves: vLLM 0.32's arithmetic, on Qwen3-8B (2,359,296 bytes a block of 16 tokens)."""

from generator.models.request import Request
from generator.units import GIB
from generator.workflow import plan

BLOCK_BYTES = 36 * 2 * 8 * 128 * 16 * 2
"""36 layers of keys and values, 8 heads of 128 in 16 bits: kv_truth.json has the same for Qwen3-8B at 16 tokens."""


def planned(gpus=1, **overrides):
    return plan(Request(model="Qwen/Qwen3-8B", source="embedded", gpu="L4-24GB", gpus=gpus, overrides=overrides))


def test_a_cache_of_given_bytes_is_taken_whatever_the_utilization():
    made = planned(kv_cache_memory_bytes=2 * GIB, max_model_len=8192)
    cache = made.memory.kv_cache_available_bytes
    assert cache.low == cache.expected == cache.high == 2 * GIB
    assert made.kv_cache.num_blocks == 2 * GIB // BLOCK_BYTES
    assert not any("not counted" in warning for warning in made.warnings)


def test_a_cache_that_the_gpu_cannot_hold_is_no_plan():
    """An L4 has 22 GiB, the weights take 15.3 of them."""
    for asked in ({"kv_cache_memory_bytes": 12 * GIB}, {"num_gpu_blocks_override": 12 * GIB // BLOCK_BYTES}):
        made = planned(**asked, max_model_len=8192)
        assert made.feasibility.verdict == "does_not_fit"
        assert made.feasibility.shortfall_bytes > 5 * GIB


def test_an_override_of_blocks_takes_their_bytes():
    made = planned(num_gpu_blocks_override=600, max_model_len=8192)
    assert made.kv_cache.num_blocks == 600
    assert made.memory.kv_cache_available_bytes.expected == 600 * BLOCK_BYTES


def test_offloaded_weights_leave_each_gpu_and_take_the_host():
    whole, offloaded = planned(2, tensor_parallel_size=2), planned(2, tensor_parallel_size=2, cpu_offload_gb=3)
    moved = whole.memory.weights_bytes.expected - offloaded.memory.weights_bytes.expected
    assert moved == 3 * GIB
    assert offloaded.runtime.host_ram_bytes == 2 * 3 * GIB
    assert offloaded.runtime.host_ram_mib == 6 * 1024


def test_embedding_and_head_are_never_offloaded():
    """2 x 151,936 x 4,096 parameters in 16 bits stay (vLLM wraps decoder layers alone)."""
    made = planned(cpu_offload_gb=40)
    assert made.memory.weights_bytes.low >= 2 * 151936 * 4096 * 2


def test_an_offloaded_cache_takes_only_the_host():
    whole, offloaded = planned(), planned(kv_offloading_size=8)
    assert offloaded.memory == whole.memory
    assert offloaded.runtime.host_ram_bytes == 8 * GIB
    assert whole.runtime.host_ram_mib == 0
