"""Drafts that are published: their shapes against counts of their publishers, their offer, and when one is chosen."""

from __future__ import annotations

import pytest

from generator.catalogue.draft_heads import all_published, head_of, published_head
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.capability import HOPPER
from generator.models.parallelism import Layout
from generator.models.published_drafts import Kept
from generator.models.request import Request
from generator.models.speculation import Speculation
from generator.planning.drafts.draft import draft_of, draft_weights
from generator.planning.weights.rank import rank_weights
from generator.sources.architectures import read_architecture
from generator.sources.facts import draft_facts
from generator.workflow import facts_for, fit_for, plan_for

GPT_OSS, R1, LLAMA = "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-R1", "meta-llama/Llama-3.1-8B-Instruct"
EAGLE3 = "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"
PLANNED = [row for row in all_published() if row.shapes]


def planned(model, gpu="H100", gpus=1, **stated):
    request = Request(model=model, gpu=gpu, gpus=gpus, source="embedded", **stated)
    return plan_for(request, facts_for(request, offline=True))


def drafting(plan):
    """What a plan says of drafted tokens: its reason where it drafts, else the alternative's gain."""
    made = [one.reason for one in plan.decisions if one.field == "speculative_config"]
    return made[0] if made else next((one.gain for one in plan.alternatives if one.kind == "drafted tokens"), "")


@pytest.mark.parametrize("row", PLANNED, ids=lambda row: row.draft)
def test_a_row_is_what_the_reader_makes_of_the_same_config(row):
    """The table's shapes and the reader of config.json are two ways to one value."""
    shapes, built = row.shapes, row.facts.architecture
    names = ("model_type", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
             "head_dim", "vocab_size", "num_hidden_layers")  # fmt: skip
    config = {name: getattr(shapes, name) for name in names} | {
        "architectures": [shapes.architecture], "tie_word_embeddings": False, "torch_dtype": "bfloat16",
        "draft_vocab_size": shapes.draft_vocab_size, "norm_before_fc": bool(shapes.norms),
        "max_position_embeddings": built.max_position_embeddings,
        "dflash_config": {"target_layer_ids": list(range(shapes.states))},
    }  # fmt: skip
    read = read_architecture(config)
    assert built.model_copy(update={"layer_pattern": read.layer_pattern}) == read
    assert built.layers == read.layers
    assert head_of(shapes.architecture).method == row.method


@pytest.mark.parametrize(
    ("name", "millions", "beside"),
    [
        ("nvidia/gpt-oss-120b-Eagle3-v3", 787, 0),
        ("lmsys/SGLang-EAGLE3-Qwen3-30B-A3B-Instruct-2507-SpecForge-Nex", 183, 0),
        ("lmsys/SGLang-EAGLE3-Llama-4-Scout-17B-16E-Instruct-SpecForge", 846, 0),
        # one embedding as large as the head, which its target holds already
        ("lightseekorg/kimi-k2.5-eagle3", 3180, 163840 * 7168),
        # no output head of their own, but a copy of the layers' key and value projections
        ("z-lab/gpt-oss-120b-DFlash", 785, -201088 * 2880 - 8 * 2 * 512 * 2880),
        ("z-lab/Qwen3-Coder-30B-A3B-DFlash", 474, -151936 * 2048 - 8 * 2 * 512 * 2048),
    ],
)
def test_a_head_has_as_many_parameters_as_its_publisher_counts(name, millions, beside):
    """Counts on the Hub's pages, in millions; tables of 64-bit numbers count as four bfloat16 each here."""
    held = rank_weights(published_head(name).architecture, None, Layout()).worst.total_bytes / 2
    assert held + beside == pytest.approx(millions * 1e6, rel=0.002)


def test_the_head_of_qwen3_32b_and_its_targets_embedding_are_its_file_to_the_byte():
    """3,121,274,856 bytes (huggingface.co/RedHatAI/Qwen3-32B-speculator.eagle3 at dc84fe7): 1,640 are the header."""
    target = embedded_model("Qwen/Qwen3-32B").architecture
    rows = (one for one in all_published() if one.draft == "RedHatAI/Qwen3-32B-speculator.eagle3")
    facts = next(rows).facts
    spoken = Speculation(method="eagle3", model=facts.id, num_speculative_tokens=3)
    heads = (head_of(facts.architecture.architecture),)
    draft = draft_of(spoken, facts, target, heads)
    weights = draft_weights(draft, target, Layout(), capability=HOPPER, dtype="bfloat16")
    embedding, flags = 151936 * 5120 * 2, 151936
    assert weights + embedding + flags + 1640 == 3121274856


@pytest.mark.parametrize(("length", "tokens", "rate"), [(1.85, 1, 0.85), (2.952, 3, 0.8), (4.0, 3, 1.0)])
def test_a_length_of_steps_is_a_chance_that_a_token_is_kept(length, tokens, rate):
    """(1 - a^(k + 1)) / (1 - a) (arXiv 2211.17192, equation 1): 2.952 at a = 0.8 and k = 3."""
    assert Kept(length=length, tokens=tokens, source="equation").rate == pytest.approx(rate, abs=1e-4)


def test_a_head_of_the_table_is_planned_without_the_hub():
    """The user names it; its weights, its cache and the chance of its tokens come from the table."""
    own = {"method": "eagle3", "model": EAGLE3, "num_speculative_tokens": 3}
    made = planned(LLAMA, overrides={"speculative_config": own})
    assert made.draft.id == EAGLE3
    assert made.draft.weights_bytes == 587491328 + 262144000
    assert made.draft.cache_bytes_per_token == 2 * 8 * 128 * 2
    assert made.estimate.tpot_ms.mean < planned(LLAMA).estimate.tpot_ms.mean
    assert any("MT-bench" in text for text in made.advisories)


def test_the_table_is_asked_where_the_hub_is_not():
    assert draft_facts(EAGLE3.upper(), offline=True).id == EAGLE3


def test_a_head_alone_is_no_model_to_serve():
    with pytest.raises(RequestError, match="is a draft"):
        planned(EAGLE3)


def test_every_way_to_draft_is_compared_at_the_stated_load():
    """Both heads of gpt-oss-120b, with the memory of each, and n-grams, which take none."""
    told = drafting(planned(GPT_OSS, concurrency=4))
    assert "z-lab/gpt-oss-120b-DFlash x 9 (1.51 GiB" in told
    assert "nvidia/gpt-oss-120b-Eagle3-v3 x 7 (1.47 GiB" in told
    assert "n-grams of the prompt, for no memory" in told


def test_latency_drafts_with_what_was_measured_and_nothing_else_does():
    """DeepSeek-R1 ships a layer that 2.7 tokens a step were measured of; without latency it is offered alone."""
    asked = {"gpu": "H200", "gpus": 8, "concurrency": 4}
    plain, fast = planned(R1, **asked), planned(R1, batching_mode="latency", **asked)
    assert "speculative_config" not in plain.engine
    assert fast.engine["speculative_config"] == {"method": "mtp", "num_speculative_tokens": 1}
    assert "2604.12374" in drafting(fast)
    assert (
        fast.estimate.e2e_ms.high
        < planned(R1, batching_mode="latency", overrides={"speculative_config": None}, **asked).estimate.e2e_ms.high
    )
    assert fast.inputs.overrides == {}


def test_a_head_that_reads_less_than_the_context_is_offered_and_not_chosen():
    """The head of Llama 3.1 8B was made for 2,048 tokens."""
    long, short = (
        planned(LLAMA, batching_mode="latency", concurrency=4, overrides=own) for own in ({}, {"max_model_len": 2048})
    )
    assert "speculative_config" not in long.engine
    assert EAGLE3 in drafting(long)
    assert short.engine["speculative_config"]["model"] == EAGLE3
    assert short.draft.weights_bytes == short.memory.draft_weights_bytes > 0


def test_what_the_users_traffic_keeps_goes_before_what_was_measured():
    """With one token of ten kept drafting only costs; with nine of ten a head that nobody measured is taken too."""
    few, many = (planned(R1, "H200", 8, batching_mode="latency", concurrency=4, acceptance_rate=x) for x in (0.1, 0.9))
    assert "speculative_config" not in few.engine
    assert "as you state" in drafting(many)
    own = {"max_model_len": 8192}
    qwen = planned("Qwen/Qwen3-8B", batching_mode="latency", concurrency=4, acceptance_rate=0.9, overrides=own)
    assert qwen.engine["speculative_config"]["model"] == "z-lab/Qwen3-8B-DFlash-b16"


def test_fit_drafts_where_plan_does():
    """One question, one answer."""
    request = Request(model=R1, gpu="H200", gpus=8, source="embedded", batching_mode="latency", concurrency=4)
    facts = facts_for(request, offline=True)
    made = plan_for(request, facts)
    (row,) = fit_for(request, facts, gpus=8, nodes=1, kinds=(find_gpu("H200"),), with_speed=True)
    assert row.tpot_ms == made.estimate.tpot_ms.mean


def test_the_states_that_a_head_reads_are_in_the_activation():
    """Three states of 4,096 bfloat16 numbers for each of 8,192 tokens of a step; compiling would take more."""
    own = {"method": "eagle3", "model": EAGLE3, "num_speculative_tokens": 3}
    sizes = {"max_num_batched_tokens": 8192, "max_num_seqs": 16, "enforce_eager": True}
    plain = planned(LLAMA, overrides=sizes)
    made = planned(LLAMA, overrides=sizes | {"speculative_config": own})
    more = made.memory.activation_peak_bytes.expected - plain.memory.activation_peak_bytes.expected
    assert more == 3 * 4096 * 2 * 8192
