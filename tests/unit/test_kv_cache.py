"""The cache of one layout against vLLM's own figures, a record of each kind (tests/fixtures/kv_records.json)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.capability import HOPPER, Capability
from generator.models.parallelism import Layout
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.kv_cache.settings import CacheSettings

_FILE = Path(__file__).parents[1] / "fixtures" / "kv_records.json"
_DATA = json.loads(_FILE.read_text(encoding="utf-8"))
RECORDS = _DATA["records"]


LABELS = [f"{number}-{record['model']}-{record['gpu']}" for number, record in enumerate(RECORDS)]


def settings_of(record, **more):
    """The record's engine values."""
    given = record["settings"]
    own = given | {"release": release_of(given["release"]), "capability": Capability(given["capability"])}
    return CacheSettings(**own | more)


def architecture_of(name):
    """Our own reading of a model."""
    return Architecture.model_validate(_DATA["architectures"][name])


def cache_of(record, **more):
    """The cache of a record."""
    layout = Layout(**record["layout"])
    return cache_layout(architecture_of(record["model"]), layout, settings_of(record, **more))


def find(model, **wanted):
    """The first record of a model whose engine values are exactly those beyond the usual ones."""
    return next(
        record
        for record in RECORDS
        if record["model"] == model and all(record["settings"].get(k) == v for k, v in wanted.items())
    )


@pytest.mark.parametrize("record", RECORDS, ids=LABELS)
def test_every_layer_keeps_vllms_pages(record):
    """Kinds, block sizes and page sizes of all layers, and the number of groups, are vLLM's."""
    cache = cache_of(record)
    ours, theirs = Counter(), Counter()
    for count, *spec in cache.specs:
        ours[tuple(spec)] += count
    for count, *spec in record["vllm"]["specs"]:
        theirs[tuple(spec)] += count
    assert ours == theirs
    assert len(cache.groups) == record["vllm"]["groups"]
    assert cache.block_size_tokens == record["vllm"]["block_size"]


@pytest.mark.parametrize("record", RECORDS, ids=LABELS)
def test_pool_and_start_are_vllms(record):
    """Bytes of a block on every stage, bytes to start, blocks, concurrency and tokens are vLLM's."""
    cache, vllm = cache_of(record), record["vllm"]
    assert list(cache.bytes_per_block) == vllm["bytes_per_block"]
    assert list(cache.min_bytes_to_start(vllm["length"])) == vllm["min_bytes"]
    if vllm["num_blocks"] is None:
        assert not cache.starts(vllm["available_bytes"], vllm["length"])
        return
    assert cache.num_blocks(vllm["available_bytes"]) == vllm["num_blocks"]
    assert cache.max_concurrency(vllm["available_bytes"], vllm["final_length"]) == pytest.approx(vllm["concurrency"])
    assert cache.capacity_tokens(vllm["available_bytes"], vllm["final_length"]) == vllm["tokens"]


@pytest.mark.parametrize("record", [record for record in RECORDS if record["vllm"]["estimated_length"]])
def test_context_is_fitted_as_vllm_fits_it(record):
    """The longest context is the one that vLLM's refusal names: "the estimated maximum model length is ..."."""
    cache, vllm = cache_of(record), record["vllm"]
    assert cache.max_model_len(vllm["available_bytes"], vllm["length"]) == vllm["estimated_length"]


def test_one_token_that_does_not_fit_leaves_no_context():
    """A pool smaller than one request of one token fits no context at all."""
    cache = cache_of(RECORDS[0])
    assert cache.max_model_len(1, 4096) == 0


def test_the_override_sets_the_blocks():
    """`--num-gpu-blocks-override` replaces what memory would give."""
    assert cache_of(RECORDS[0], num_gpu_blocks_override=1000).num_blocks(10**12) == 1000


def test_the_smallest_stage_sets_the_blocks():
    """Under pipeline parallelism the pool is as large as the stage with the least room allows."""
    record = next(r for r in RECORDS if len(r["vllm"]["bytes_per_block"]) == 2)
    cache = cache_of(record)
    first, second = cache.bytes_per_block
    assert cache.num_blocks((first * 10, second * 100)) == 10
    assert cache.num_blocks((first * 100, second * 10)) == 10


def test_hybrids_refuse_to_run_without_the_hybrid_manager():
    """In vLLM 0.32: "Failed to promote local KV cache specs to one unified type"."""
    with pytest.raises(RequestError, match="--disable-hybrid-kv-cache-manager"):
        cache_of(find("Qwen--Qwen3-Next-80B-A3B-Instruct"), disable_hybrid_kv_cache_manager=True)


def test_encoder_models_keep_no_cache():
    """Bidirectional layers contribute no spec (vLLM 0.32 layers/attention/encoder_only_attention.py:94)."""
    mixer = {"kind": "encoder_only", "num_attention_heads": 12, "num_key_value_heads": 12, "head_dim": 64}
    bert = Architecture(
        model_type="bert",
        architecture="BertModel",
        hidden_size=768,
        vocab_size=30522,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        layer_kinds=({"mixer": {**mixer, "head_dim_v": 64}},),
        layer_pattern="0*12",
    )
    settings = CacheSettings(
        release=release_of("0.32.0"), capability=HOPPER, max_num_batched_tokens=8192, max_num_seqs=1024
    )
    cache = cache_layout(bert, Layout(), settings)
    assert cache.groups == ()
    assert cache.num_blocks(10**9) == 1
    assert cache.min_bytes_to_start(512) == (0,)


def test_each_stage_settles_its_blocks_by_its_own_first_layer():
    """VLLM 0.33 (judge) of Qwen3-32B-FP8 in two stages on an RTX 5090: 15.62 GiB for 40,960 tokens, 28,384 at most.

    TurboQuant leaves two layers at each end alone: the first stage begins with one of them, the second does not, so
    their blocks hold 32 and 64 tokens and all pages grow to the largest.
    """
    layout = Layout(pipeline_parallel_size=2)
    settings = CacheSettings(
        release=release_of("0.33.0"),
        capability=Capability(120),
        kv_cache_dtype="turboquant_4bit_nc",
        max_num_seqs=40,
        max_num_batched_tokens=2048,
    )
    cache = cache_layout(embedded_model("Qwen/Qwen3-32B-FP8").architecture, layout, settings)
    assert cache.bytes_per_block == (1048576, 1048576)
    assert len(cache.groups) == 17
    assert max(cache.min_bytes_to_start(40_960)) / 2**30 == pytest.approx(15.62, abs=0.01)
    assert cache.max_model_len(11636771717, 40_960) == 28_384
