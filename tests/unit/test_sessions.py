"""Sessions: lengths, what is kept where, what bounds, the cache in the host's memory, and what is refused."""

from __future__ import annotations

import json

import pytest
from fixtures.sessions import option_of, planned
from typer.testing import CliRunner

from generator.cli.app import app
from generator.errors import InfeasiblePlanError, RequestError
from generator.models.sessions import Sessions
from generator.planning.memory.offload import chunk_bytes, offload, size_for
from generator.units import GIB, MIB

WORDS = ["sessions", "Qwen/Qwen3-8B", "--gpu", "L40S", "--offline"]


def test_lengths_grow_by_a_turn_and_its_answer():
    """Three turns of 100 and answers of 50 after 1,000 shared: prompts of 1,100, 1,250 and 1,400, 1,450 at the end."""
    one = Sessions(live=1, turns=3, shared_tokens=1000, turn_tokens=100, answer_tokens=50)
    assert (one.mean_prompt_tokens, one.last_tokens) == (1250, 1450)
    assert [one.computed_tokens(where) for where in ("gpu", "host", "nowhere")] == [100, 134, 250]


def test_a_chunk_is_a_block_of_every_rank_and_one_copy_of_a_latent():
    """Qwen3-8B keeps 36 layers x 2 x 8 heads x 128 x 2 bytes a token: 16 tokens are 2,359,296, whatever the ranks."""
    for tp in (1, 2):
        case, option = option_of("Qwen/Qwen3-8B", gpu="L40S", gpus=tp, overrides={"tensor_parallel_size": tp})
        assert chunk_bytes(case, option) == 2_359_296
    case, option = option_of(
        "deepseek-ai/DeepSeek-R1", gpu="H200", gpus=8, overrides={"tensor_parallel_size": 8}, vllm="0.33"
    )
    assert chunk_bytes(case, option) == -(-max(option.cache.bytes_per_block) // 4096) * 4096


def test_a_buffer_holds_whole_chunks():
    """Of 7 GiB, 3,185 chunks of 2,359,296 bytes; the least size for so many is 7 GiB again."""
    one = offload(7, 2_359_296)
    assert (one.chunks, one.held_bytes) == (3185, 3185 * 2_359_296)
    assert one.held_bytes <= 7 * GIB
    assert (size_for(3185, 2_359_296), size_for(3186, 2_359_296)) == (7.0, 8.0)


def test_what_the_gpus_keep_needs_no_host_and_more_does():
    """A handful stays on the GPU; a hundred take the host's memory, which the plan asks for and /dev/shm must hold."""
    few, many = planned(load={"live": 5}), planned(load={"live": 100, "pause_s": 20})
    assert (few.offload, few.plan.engine.get("kv_offloading_size")) == (None, None)
    assert many.kept.gpu < 100 <= many.kept.host
    size = many.plan.engine["kv_offloading_size"]
    assert many.plan.runtime.host_ram_bytes == size * GIB
    assert many.plan.runtime.shm_bytes - few.plan.runtime.shm_bytes == size * GIB
    more = many.plan.runtime.host.memory_request_mib - few.plan.runtime.host.memory_request_mib
    assert more * MIB == size * GIB


def test_a_host_with_less_memory_keeps_fewer_and_the_plan_counts_on_none():
    """Half of what it takes keeps half; prompts are then planned as computed but for what all share."""
    whole = planned(load={"pause_s": 20, "shared_tokens": 1000})
    half = planned(load={"pause_s": 20, "shared_tokens": 1000}, host_gb=whole.offload.size_gib // 2)
    assert 40 <= half.kept.host < 60
    assert half.plan.inputs.prefix_hit_ratio < 0.4 < whole.plan.inputs.prefix_hit_ratio
    assert next(one for one in half.ceilings if one.limit == "cache").sessions == half.kept.most


def test_a_release_whose_connector_was_not_read_offloads_nothing():
    """0.31 has the argument, and how it lays chunks out is not known: none are counted on."""
    found = planned(vllm="0.31", load={"live": 200})
    assert found.offload is None
    assert "kv_offloading_size" not in found.plan.engine


def test_lmcache_keeps_a_size_of_its_own():
    """Its server holds the cache, so that no chunks of vLLM's are counted and none are chosen."""
    assert planned(overrides={"kv_offloading_backend": "lmcache"}).offload is None


def test_what_does_not_fit_is_refused_before_anything_is_promised():
    """Status 5 and one line, with no word on sessions."""
    words = ["sessions", "Qwen/Qwen3-32B", "--gpu", "L4", "--offline", "--sessions", "3"]
    done = CliRunner().invoke(app, words)
    assert (type(done.exception), done.stdout) == (InfeasiblePlanError, "")


def test_the_users_own_buffer_is_kept():
    """A stated kv_offloading_size is what is planned with."""
    found = planned(overrides={"kv_offloading_size": 10})
    assert (found.offload.size_gib, found.plan.engine["kv_offloading_size"]) == (10, 10)


def test_without_speed_only_the_cache_bounds():
    """A GPU of one's own description has no times: all sessions count as busy, and two ceilings are not known."""
    found = planned(gpu="custom", vram_gb=48, capability="8.9")
    assert found.busy == 100
    assert [one.sessions is None for one in found.ceilings] == [False, True, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sessions", "0"], "--sessions"),
        (["--sessions", "5", "--turns", "0"], "--turns"),
        (["--sessions", "5", "--turn-tokens", "-1"], "--turn-tokens"),
        (["--sessions", "5", "--pause-s", "nan"], "--pause-s"),
        (["--sessions", "5", "--turns", "500"], "after 500 turns"),
        (["--sessions", "5", "--max-model-len", "1000"], "1,000 is the context"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, said):
    """Status 2, and the option's name."""
    done = CliRunner().invoke(app, [*WORDS, *words])
    assert isinstance(done.exception, RequestError)
    assert said in str(done.exception)


def test_a_model_that_pools_has_no_sessions():
    """Each of its calls is whole."""
    with pytest.raises(RequestError, match="pools"):
        planned("BAAI/bge-m3", load={"live": 2, "turns": 1})


def test_the_command_prints_one_object_and_its_flags_plan_the_same():
    """`--json`; the flags, given to `plan`, make the plan that was shown."""
    words = ["--sessions", "60", "--turns", "6", "--turn-tokens", "700", "--pause-s", "15"]
    done = CliRunner().invoke(app, [*WORDS, *words, "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    again = CliRunner().invoke(app, ["plan", *WORDS[1:], *told["flags"], "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["engine"] == told["plan"]["engine"]
    assert told["offload"]["held_bytes"] <= told["plan"]["runtime"]["host_ram_bytes"]
