"""What the judge's side of ours does without vLLM: keys, flags, and a plan against a recorded answer."""

from itertools import islice
from pathlib import Path

import pytest

from tests.oracle.draws import draws, models_in
from tests.oracle.questions import flags_of, key_of
from tests.oracle.replay import refusal

GIB = 1 << 30


def question(*argv, cache=20 * GIB, gpu="NVIDIA H100 80GB HBM3", **more):
    card = {"name": gpu, "capability": "9.0", "bytes": 80 * GIB, "multiprocessors": 132}
    return {
        "argv": list(argv), "release": "0.33.0", "gpu": card, "count": 8, "nodes": 1, "cache_bytes": cache,
        "cache_bytes_low": cache, "worst_stage": None,
    } | more  # fmt: skip


HYBRID = {
    "stands": True,
    "cudagraph_mode": "FULL_AND_PIECEWISE",
    "parameter_bytes": [35133026992],
    "bytes_per_block": [11141120],
    "groups": [[["MambaSpec", 10, 1088, 1114112, 3]] * 3 + [["FullAttentionSpec", 10, 1088, 1114112, 241]]],
    "states": True,
    "max_model_len": 262144,
}
"""VLLM 0.33 of Qwen3.5-35B-A3B, TP2 on H100: 1,927 blocks of 20 GiB."""


def test_flags_are_read_with_their_values():
    assert flags_of(["--tensor-parallel-size", "2", "--enforce-eager", "--dtype=auto"]) == {
        "--tensor-parallel-size": "2",
        "--enforce-eager": "",
        "--dtype": "auto",
    }


def test_a_key_is_of_what_the_answer_depends_on():
    """Lengths, sequences and bytes are compared here; parallel sizes, dtypes and the class of GPU are vLLM's."""
    base = key_of(question("--tensor-parallel-size", "2", "--max-num-seqs", "8"), "a model")
    assert base == key_of(question("--max-num-seqs", "512", "--tensor-parallel-size", "2", cache=GIB), "a model")
    for other in (
        key_of(question("--tensor-parallel-size", "4"), "a model"),
        key_of(question("--tensor-parallel-size", "2", "--kv-cache-dtype", "fp8"), "a model"),
        key_of(question("--tensor-parallel-size", "2", gpu="NVIDIA A100-SXM4-80GB"), "a model"),
        key_of(question("--tensor-parallel-size", "2", nodes=2), "a model"),
        key_of(question("--tensor-parallel-size", "2"), "another model"),
    ):
        assert other != base


@pytest.mark.parametrize(
    ("argv", "cache", "said"),
    [
        (("--max-num-seqs", "1024"), 20 * GIB, ""),
        (("--max-num-seqs", "1024"), 10 * GIB, "max_num_seqs (1024) exceeds available Mamba cache blocks (963)"),
        (("--max-num-seqs", "8"), 2 * GIB, "one request of the stated length takes 250 blocks, the cache has 192"),
        (("--max-num-seqs", "8", "--max-model-len", "4096"), 2 * GIB, ""),
    ],
)  # fmt: skip
def test_bytes_lengths_and_sequences_are_held_against_a_recorded_answer(argv, cache, said):
    assert refusal(HYBRID, question(*argv, cache=cache)).partition(": ")[2] == said


def test_what_stands_nowhere_is_refused_and_what_nobody_knows_is_said():
    refused = {"stands": False, "level": "config", "text": "heads (32) must be divisible"}
    assert refusal(refused, question()) == "config: heads (32) must be divisible"
    assert refusal({"stands": None, "text": "no answer"}, question()) == "not answerable: no answer"


def test_the_draws_of_a_seed_are_the_same_every_time():
    models = models_in([])
    first, again = (list(islice(draws(7, models), 40)) for _ in range(2))
    assert first == again
    assert len({one.model for one in first}) > 15
    assert {one.request.vllm for one in first} == {"0.32.0", "0.33.0"}
    assert all(not Path(one.request.model).is_absolute() for one in first)
