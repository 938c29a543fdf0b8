"""Which figure of a benchmark row is held against the estimate."""

import json
from pathlib import Path

import pytest

from generator.catalogue.speed import speed
from tests.accuracy.bench_rows import Row, case, read_rows
from tests.accuracy.bench_scores import kind_of, scores
from tests.accuracy.startup_rows import DATA

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}
SPREAD = "TTFT left out: arrivals were spread by the rate cap"
EMPTY = dict.fromkeys(read_rows(DATA / "bench_added.csv")[0], "")


def row(**own: str) -> Row:
    """A run of 1,024 prompts by 256 clients on one H100, whose mean and median of TPOT differ."""
    known = {"id": "x", "tier": "A", "core": "1", "config_dir": "llama", "weights": "bf16", "kv_dtype": "auto",
             "gpu": "H100-SXM5-80GB", "n_gpus": "1", "tp": "1", "vllm_version": "0.18.0", "input_len": "512",
             "output_len": "256", "length_kind": "fixed", "concurrency": "256", "request_rate": "inf",
             "num_prompts": "1024", "spec_decode": "none", "mean_tpot_ms": "27", "median_tpot_ms": "30"}  # fmt: skip
    return EMPTY | known | own


@pytest.mark.parametrize(
    ("own", "held"),
    [
        ({"notes": SPREAD}, 30.0),
        ({"notes": ""}, 27.0),
        ({"notes": SPREAD, "num_prompts": "4096"}, 27.0),
        ({"notes": SPREAD, "median_tpot_ms": ""}, 27.0),
    ],
    ids=["spread and short", "all at once", "spread and long", "no median"],
)
def test_the_mean_of_a_run_that_rises_and_ends_is_not_its_load(tmp_path: Path, own: dict[str, str], held: float):
    """Clients that come one by one to a run of few rounds meet fewer others than stated, but for the median one."""
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama/config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    (found,) = scores(case(row(**own), tmp_path), speed())
    assert (found.figure, found.measured) == ("tpot", held)


def test_a_run_whose_clients_start_at_once_is_followed_to_its_end(tmp_path: Path):
    """The estimate follows the start and the end itself; where arrivals were spread it cannot, and says what lasts."""
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama/config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    kinds = [kind_of(case(row(notes=notes), tmp_path)) for notes in ("", SPREAD)]
    assert kinds == ["finite", "lasting"]
