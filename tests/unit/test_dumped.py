"""`--facts FILE`: what vLLM built of a model takes a reader's place."""

import json

import pytest
from typer.testing import CliRunner

from generator.cli.app import app
from generator.errors import SourceError, UnsupportedArchitectureError
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.planning.weights.rank import rank_weights
from generator.recording import facts_answer, facts_of
from generator.sources.dumped import dumped_facts
from generator.sources.given import given
from generator.workflow import facts_for, plan_for

HIDDEN, WIDTH, VOCAB, LAYERS = 4096, 12288, 151936, 36
BUILT_BYTES = 16_381_470_720
"""Parameters of Qwen3-8B as vLLM 0.33's classes hold them on one rank (the judge's answer)."""


def layer(tensor, **more):
    query, keys = 32 * 128 // tensor, 8 * 128 // tensor
    attention = (query + 2 * keys) * HIDDEN + HIDDEN * query + 2 * 128
    held = attention + 3 * (WIDTH // tensor) * HIDDEN + 2 * HIDDEN
    mixer = {"kind": "Attention", "num_heads": 32 // tensor, "num_kv_heads": 8 // tensor, "head_size": 128}
    return {"mixers": [mixer | {"head_size_v": 128, "sliding_window": None}], "experts": None, "bytes": 2 * held} | more


def build(tensor, **more):
    outside = {"embedding": 2 * VOCAB * HIDDEN // tensor, "head": 2 * VOCAB * HIDDEN // tensor, "rest": 2 * HIDDEN}
    text = {"model_type": "new", "hidden_size": HIDDEN, "vocab_size": VOCAB, "tie_word_embeddings": False}
    return {
        "class": "NewForCausalLM", "dtype": "bfloat16", "max_model_len": 40960, "text": text, "block": 16,
        "buffer_bytes": 10486336, "layers": [[layer(tensor, **more), LAYERS]], "outside": outside,
    }  # fmt: skip


def written(place, **more):
    dump = {"schema": 1, "vllm": "0.33.0", "model": "some/new", "tp1": build(1), "tp2": build(2)} | more
    place.write_text(json.dumps(dump))
    return place


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "facts.json")


@pytest.mark.parametrize("tensor", [1, 2, 4, 8])
def test_weights_are_those_that_vllm_builds(file, tensor):
    """The build at one rank is vLLM's figure; the others are the reader's of the same model, to the byte."""
    layout = Layout(tensor_parallel_size=tensor)
    held = rank_weights(dumped_facts(file).architecture, None, layout).worst.total_bytes
    reader = facts_for(Request(model="Qwen/Qwen3-8B", source="embedded", gpu="L4")).architecture
    assert held == rank_weights(reader, None, layout).worst.total_bytes
    if tensor == 1:
        assert held == BUILT_BYTES


def test_facts_and_reader_give_one_plan(file):
    request = Request(model="Qwen/Qwen3-8B", source="embedded", gpu="L4", gpus=2, vllm="0.33")
    reader = plan_for(request, facts_for(request))
    with given(file):
        dumped = plan_for(request, facts_for(request))
    assert dumped.layout == reader.layout
    assert dumped.kv_cache == reader.kv_cache
    assert abs(dumped.memory.weights_bytes.expected - reader.memory.weights_bytes.expected) < 1024  # small buffers


def mixture(tensor):
    """VLLM 0.33's own build of Qwen3-30B-A3B, as its dump has it."""
    mixer = {"kind": "Attention", "num_heads": 32 // tensor, "num_kv_heads": 4 // tensor, "head_size": 128}
    experts = {"num_experts": 128, "experts_per_token": 8, "intermediate_size": 768, "hidden_dim": 2048}
    held = {1: 1246241280, 2: 623387136}[tensor]
    table = 622329856 // tensor
    text = {"model_type": "new", "hidden_size": 2048, "vocab_size": VOCAB, "tie_word_embeddings": False}
    return build(tensor) | {
        "layers": [[{"mixers": [mixer], "experts": experts, "bytes": held}, 48]],
        "outside": {"embedding": table, "head": table, "rest": 4096},
        "text": text,
    }


@pytest.mark.parametrize("tensor", [1, 2, 4, 8])
def test_experts_are_told_apart_from_what_every_token_reads(tmp_path, tensor):
    """At 4 and 8 ranks by the law alone; of 30.5 B parameters 3.35 B work on a token."""
    file = written(tmp_path / "it.json", tp1=mixture(1), tp2=mixture(2))
    layout = Layout(tensor_parallel_size=tensor)
    reader = facts_for(Request(model="Qwen/Qwen3-30B-A3B", source="embedded", gpu="L4")).architecture
    dumped = dumped_facts(file).architecture
    held, read = (rank_weights(one, None, layout).worst for one in (dumped, reader))
    assert held.total_bytes == read.total_bytes
    assert held.expert_bytes == read.expert_bytes


def test_they_are_recorded_with_the_release_that_said_so_in_8_kb(file):
    request = Request(model="some/new", gpu="L4")
    with given(file):
        facts = facts_for(request)
    recorded = facts_answer(request, facts)
    assert recorded["built_by"] == "0.33.0"
    assert len(json.dumps(recorded)) < 8192
    assert facts_of(recorded) == facts


def test_without_the_option_the_family_is_still_refused(file):
    """What a file gives is given for one command."""
    with given(file):
        pass
    with pytest.raises(SourceError):
        facts_for(Request(model="some/new", gpu="L4"), offline=True)


def test_the_command_line_takes_it(file):
    words = ["plan", "--model", "some/new", "--facts", str(file), "--gpu", "H100", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["model"]["architecture"] == "NewForCausalLM"
    assert any("vLLM 0.33.0 built the model" in one for one in made["advisories"])


def test_a_kind_that_no_room_knows_is_refused_by_vllms_name(tmp_path):
    file = written(tmp_path / "it.json", tp1=build(1, mixers=[{"kind": "HyenaMixer"}]))
    with pytest.raises(UnsupportedArchitectureError, match="vLLM's HyenaMixer"):
        dumped_facts(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "no dump"), ("{", "no JSON"), (None, "cannot be read"), ('{"vllm": "1", "model": "m", "tp1": {}}', "tp1")],
)
def test_another_file_is_refused_in_one_line(tmp_path, text, said):
    file = tmp_path / "it.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SourceError, match=said) as error:
        dumped_facts(file)
    assert "preflight.py --facts" in str(error.value)
