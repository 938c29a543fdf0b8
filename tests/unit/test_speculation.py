"""speculative_config: what the user gives, by any spelling; and what vLLM refuses of it."""

from __future__ import annotations

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.models import embedded_model
from generator.errors import RequestError, UnknownFactError
from generator.models.capability import HOPPER
from generator.models.draft_heads import Taps, eagle3_head
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.models.speculation import asked_draft, folded
from generator.planning.kv_cache.settings import CacheSettings, max_in_flight_tokens
from generator.workflow import facts_for, plan_for

TARGET, DRAFT = "Qwen/Qwen3-32B", "Qwen/Qwen3-0.6B"
GIVEN = {"method": "draft_model", "model": DRAFT, "num_speculative_tokens": 3}


def planned(config, model=TARGET, facts=None, gpus=2, **stated):
    overrides = {"speculative_config": config} | stated.pop("overrides", {})
    request = Request(model=model, gpu="H100", gpus=gpus, source="embedded", overrides=overrides, **stated)
    return plan_for(request, facts or facts_for(request, offline=True))


@pytest.mark.parametrize(
    "overrides",
    [
        {"speculative_config": GIVEN},
        {"--speculative-config": GIVEN},
        {"speculative_config": '{"model": "Qwen/Qwen3-0.6B", "num-speculative-tokens": 3}'},
        {"spec_model": DRAFT, "spec_tokens": 3},
        {"spec_model": DRAFT, "speculative_config": {"num_speculative_tokens": 3}},
    ],
)
def test_a_draft_is_found_under_every_spelling(overrides):
    assert asked_draft(overrides) == {"model": DRAFT, "revision": ""}


@pytest.mark.parametrize(
    "config",
    [
        None, {"method": "mtp", "num_speculative_tokens": 1}, {"method": "ngram", "model": "ngram"}, "{broken",
        {"method": "medusa", "model": "a/b"}, {"model": 7},
    ],
)  # fmt: skip
def test_nothing_is_looked_up_where_no_checkpoint_is_planned(config):
    assert asked_draft({"speculative_config": config}) is None


def test_a_value_given_twice_is_refused_as_vllm_does():
    with pytest.raises(RequestError, match="drop one of them"):
        folded({"spec_model": DRAFT, "speculative_config": {"model": DRAFT}})


def test_a_plan_tells_what_its_draft_takes():
    """0.6 billion parameters by the model card (751 million with both vocabularies), 28 layers of 8 KV heads.

    Each rank also holds the whole rotary table: 40,960 positions of 128 bfloat16 numbers.
    """
    plain, made = planned(None), planned(GIVEN, overrides={"tensor_parallel_size": 2})
    assert made.draft.id == DRAFT
    assert (made.draft.method, made.draft.num_speculative_tokens) == ("draft_model", 3)
    held = 1192099840 / 2 + 40960 * 128 * 2
    assert made.memory.draft_weights_bytes == made.draft.weights_bytes == pytest.approx(held, rel=0.001)
    assert made.draft.cache_bytes_per_token == 28 * 2 * 8 * 128 * 2 / 2
    assert made.runtime.startup_s > plain.runtime.startup_s
    assert plain.draft is None
    assert plain.memory.draft_weights_bytes == 0
    reason = next(one.reason for one in made.decisions if one.field == "speculative_config")
    assert "0.56 GiB of weights" in reason
    assert any("without speculation" in text for text in made.advisories)


@pytest.mark.parametrize(("release", "least"), [("0.32.0", 1), ("0.33.0", 4)])
def test_a_step_holds_the_tokens_of_a_draft(release, least):
    """0.33 asks for more tokens than a whole draft (config/vllm.py:2369), 0.32 for its additional slots alone."""
    own = {"max_num_seqs": 1, "max_num_batched_tokens": least}
    config = {"method": "mtp", "num_speculative_tokens": 3}
    assert (
        planned(config, model="Qwen/Qwen3.5-27B", vllm=release, overrides=own).engine["max_num_batched_tokens"] == least
    )
    if least > 1:
        with pytest.raises(RequestError, match="leaves no room beside 3 draft tokens"):
            planned(config, model="Qwen/Qwen3.5-27B", vllm=release, overrides=own | {"max_num_batched_tokens": 3})


@pytest.mark.parametrize(("tokens", "starts"), [(1, True), (2, True), (3, False), (4, True), (5, False)])
def test_drafts_beyond_the_trained_depth_are_a_multiple_of_it(tokens, starts):
    """Two layers of multi-token prediction draft one, two, or two at a time (config/speculative.py)."""
    facts = embedded_model("Qwen/Qwen3.5-27B")
    drafts = facts.architecture.drafts * 2
    twice = facts.model_copy(update={"architecture": facts.architecture.model_copy(update={"drafts": drafts})})
    config = {"method": "mtp", "num_speculative_tokens": tokens}
    if starts:
        assert planned(config, model=facts.id, facts=twice).engine["speculative_config"] == config
    else:
        with pytest.raises(RequestError, match=rf"must be divisible by the 2 modules .*: choose {tokens - 1}"):
            planned(config, model=facts.id, facts=twice)


@pytest.mark.parametrize(("word", "release", "known"), [
    ("qwen3_5_mtp", "0.33.0", True), ("deepseek_mtp", "0.26.0", True), ("qwen4_exp_mtp", "0.26.0", False),
])  # fmt: skip
def test_a_familys_name_of_multi_token_prediction_is_read_as_mtp(word, release, known):
    """VLLM warns that the word is deprecated, and reads `mtp` (config/speculative.py: MTPModelTypes)."""
    config = {"method": word, "num_speculative_tokens": 1}
    if not known:
        with pytest.raises(RequestError, match=f"does not draft by {word}"):
            planned(config, model="Qwen/Qwen3.5-27B", vllm=release)
        return
    named = planned(config, model="Qwen/Qwen3.5-27B", vllm=release)
    plain = planned(config | {"method": "mtp"}, model="Qwen/Qwen3.5-27B", vllm=release)
    assert named.engine["speculative_config"] == config
    assert named.kv_cache == plain.kv_cache


def test_a_module_of_several_layers_drafts_one_token():
    """Nemotron-H's module is a layer of attention and one of experts, that drafts any number (n_predict of 1)."""
    facts = embedded_model("Qwen/Qwen3.5-27B")
    attends = facts.architecture.drafts[0].model_copy(update={"feed_forward": None})
    computes = facts.architecture.drafts[0].model_copy(update={"mixer": None})
    architecture = facts.architecture.model_copy(update={"drafts": (attends, computes)})
    assert architecture.draft_depth == 1
    config = {"method": "mtp", "num_speculative_tokens": 3}
    made = planned(config, model=facts.id, facts=facts.model_copy(update={"architecture": architecture}))
    assert made.engine["speculative_config"] == config


def test_the_commit_of_the_draft_is_pinned_in_the_engine_values():
    draft = embedded_model(DRAFT).model_copy(update={"revision": "c" * 40, "source": "hub"})
    facts = embedded_model(TARGET).model_copy(update={"draft": draft})
    made = planned(GIVEN, facts=facts)
    assert made.engine["speculative_config"] == GIVEN | {"revision": "c" * 40}
    assert made.inputs.overrides["speculative_config"] == GIVEN


def test_flags_of_speculation_become_one_mapping():
    overrides = {"spec_method": "draft_model", "spec_model": DRAFT, "spec_tokens": 3}
    request = Request(model=TARGET, gpu="H100", gpus=2, source="embedded", overrides=overrides)
    made = plan_for(request, facts_for(request, offline=True))
    assert made.engine["speculative_config"] == GIVEN
    assert "spec_model" not in made.engine


def test_facts_of_another_draft_are_not_taken_for_the_named_one():
    facts = embedded_model(TARGET).model_copy(update={"draft": embedded_model("Qwen/Qwen3-8B")})
    with pytest.raises(UnknownFactError, match=r"Qwen3-0\.6B are not recorded"):
        planned(GIVEN, facts=facts)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (["mtp"], "must be a mapping"),
        ({"method": 3}, "method must be a name"),
        (GIVEN | {"num_speculative_tokens": 0}, "must be at least 1, got 0"),
        (GIVEN | {"num_speculative_tokens": True}, "whole number of at least 1, got True"),
        ({"method": "draft_model", "model": DRAFT}, "num_speculative_tokens must be provided"),
        ({"method": "eagle3", "num_speculative_tokens": 3}, "need a checkpoint"),
        ({"method": "mtp", "num_speculative_tokens": 1}, "ships no layers of multi-token prediction"),
        ({"method": "mlp_speculator", "model": "a/b", "num_speculative_tokens": 3}, "out of its registry"),
        ({"method": "medusa", "model": "a/b", "num_speculative_tokens": 3}, r"0\.33\.0 does not draft by medusa"),
        ({"method": "dspark", "model": "a/b", "num_speculative_tokens": 3}, "are not planned"),
        ({"num_speculative_tokens": 3}, "no named method"),
        (GIVEN | {"tensor_parallel_size": 1}, "draft_tensor_parallel_size, not"),
        (GIVEN | {"max_model_len": 50000}, "cannot be larger than the draft's own"),
        (GIVEN | {"draft_tensor_parallel_size": 4}, "can be 1 or the target's"),
    ],
)
def test_what_vllm_refuses_is_refused(config, said):
    with pytest.raises(RequestError, match=said):
        planned(config)


def test_heads_of_the_draft_divide_over_the_targets_ranks():
    """Qwen3-0.6B has 16 query heads."""
    with pytest.raises(RequestError, match="16 attention heads of the draft"):
        planned(GIVEN, gpus=8, nodes=4, overrides={"tensor_parallel_size": 32})


def test_a_draft_under_decode_context_parallelism_is_refused_by_name():
    with pytest.raises(RequestError, match="decode context parallelism is not planned"):
        planned(GIVEN, gpus=8, overrides={"tensor_parallel_size": 8, "decode_context_parallel_size": 2})


def test_stages_hand_on_the_states_of_few_models():
    """As of vLLM 0.32: Qwen3Model does, Qwen3MoeModel does not (supports_aux_hidden_states_over_pp)."""
    head = embedded_model(DRAFT)
    facts = embedded_model("Qwen/Qwen3-30B-A3B").model_copy(
        update={"draft": head.model_copy(update={"id": "a/eagle3", "architecture": _as_eagle3(head.architecture)})}
    )
    config = {"method": "eagle3", "model": "a/eagle3", "num_speculative_tokens": 3}
    sizes = {"tensor_parallel_size": 1, "pipeline_parallel_size": 2}
    with pytest.raises(RequestError, match="Qwen3MoeForCausalLM does not support eagle3 with pipeline parallelism"):
        planned(config, facts=facts, model="Qwen/Qwen3-30B-A3B", overrides=sizes)
    assert planned(config, facts=facts, model="Qwen/Qwen3-30B-A3B", gpus=1).draft.method == "eagle3"


def _as_eagle3(architecture):
    """A head as wide as Qwen3-30B-A3B."""
    named = architecture.model_copy(update={"architecture": "Eagle3Qwen3ForCausalLM"})
    return eagle3_head(named, Taps(width=2048))


@pytest.mark.parametrize(
    ("model", "release", "starts"),
    [
        ("zai-org/GLM-5-FP8", "0.26.0", False),
        ("zai-org/GLM-5-FP8", "0.29.0", False),
        ("zai-org/GLM-5-FP8", "0.30.0", True),
        ("zai-org/GLM-5-FP8", "0.33.0", True),
    ],
)
def test_layers_of_multi_token_prediction_have_stages_where_the_release_gives_them_one(model, release, starts):
    """NotImplementedError until 0.29.0, one stage from 0.30.0 (config/speculative.py, recipes issue 875)."""
    stages = {"tensor_parallel_size": 8, "pipeline_parallel_size": 2}
    mtp = {"method": "mtp", "num_speculative_tokens": 1}
    request = Request(model=model, gpu="H200", gpus=8, nodes=2, vllm=release, overrides=stages)
    drafting = request.model_copy(update={"overrides": stages | {"speculative_config": mtp}})
    advised = any("draft layer" in said for said in plan_for(request, embedded_model(model)).advisories)
    assert advised is starts
    if starts:
        assert plan_for(drafting, embedded_model(model)).layout.pipeline_parallel_size == 2
    else:
        with pytest.raises(RequestError, match=r"pin vLLM 0\.30 or newer"):
            plan_for(drafting, embedded_model(model))


def test_layers_that_no_class_of_vllm_drafts_with():
    """MiniMax-M2.5 ships three; vLLM 0.33: "Unsupported speculative method: 'mtp'" (config/speculative.py:1499)."""
    request = Request(model="MiniMaxAI/MiniMax-M2.5", gpu="H200", gpus=8)
    drafting = request.model_copy(
        update={"overrides": {"speculative_config": {"method": "mtp", "num_speculative_tokens": 1}}}
    )
    with pytest.raises(RequestError, match="does not draft with the layers of multi-token prediction that MiniMaxM2"):
        plan_for(drafting, embedded_model(request.model))
    assert plan_for(request, embedded_model(request.model)).layout.ranks == 8


def test_a_step_without_room_for_drafts_is_refused():
    with pytest.raises(RequestError, match="leaves no room beside 3 draft tokens"):
        planned(GIVEN | {"parallel_drafting": True}, overrides={"max_num_batched_tokens": 3, "max_num_seqs": 1})


def test_a_model_that_hands_out_no_states_takes_no_eagle3():
    """As of vLLM 0.32: Gemma3ForConditionalGeneration lacks SupportsEagle3."""
    with pytest.raises(RequestError, match="does not hand out the states"):
        planned(GIVEN | {"method": "eagle3"}, model="google/gemma-3-27b-it")


def test_the_release_before_takes_medusa_no_more_than_we_plan_it():
    with pytest.raises(RequestError, match="medusa are not planned"):
        planned({"method": "medusa", "model": "a/b", "num_speculative_tokens": 3}, vllm="0.32.0")


def test_ngram_drafts_are_not_scheduled_ahead():
    """As of vLLM 0.32: asynchronous scheduling is turned off, or refused where it is asked for."""
    ngram = {"method": "ngram", "num_speculative_tokens": 3}
    with pytest.raises(RequestError, match="leave async_scheduling out"):
        planned(ngram, overrides={"async_scheduling": True}, vllm="0.32.0")
    settings = CacheSettings(
        release=release_of("0.32.0"),
        capability=HOPPER,
        max_num_seqs=8,
        max_num_batched_tokens=2048,
        speculative_method="ngram",
    )
    assert max_in_flight_tokens(Layout(), settings) == 2048


def test_wrong_states_of_a_shared_cache_are_no_drafts_input():
    with pytest.raises(RequestError, match="wrong states"):
        planned(
            {"method": "mtp", "num_speculative_tokens": 1},
            model="deepseek-ai/DeepSeek-V3",
            overrides={"kv_sharing_fast_prefill": True},
        )


@pytest.mark.parametrize(
    ("target", "draft", "said"),
    [
        ("hub", "local", "Containers see"),
        ("local", "hub", "fetch nothing"),
        ("hub", "embedded", "without a revision"),
    ],
)
def test_what_the_launchers_do_not_do_for_a_draft_is_said(target, draft, said):
    held = embedded_model(DRAFT).model_copy(update={"source": draft})
    facts = embedded_model(TARGET).model_copy(update={"source": target, "draft": held})
    assert any(said in text for text in planned(GIVEN, facts=facts).advisories)


def test_a_draft_that_reads_less_says_so():
    """By vLLM 0.32 config/speculative.py: the draft skips sequences beyond its own context."""
    short = embedded_model(DRAFT)
    short = short.model_copy(
        update={"architecture": short.architecture.model_copy(update={"max_position_embeddings": 4096})}
    )
    facts = embedded_model(TARGET).model_copy(update={"draft": short})
    assert any("reads 4,096 tokens at most" in text for text in planned(GIVEN, facts=facts).advisories)


@pytest.mark.parametrize(("release", "stands"), [("0.26.0", False), ("0.30.0", False), ("0.31.0", True)])
def test_a_draft_model_beside_stages_wants_the_second_runner(release, stands):
    """Model Runner V1 asks every stage for a drafter that only the last one loads."""
    stages = {"pipeline_parallel_size": 2, "tensor_parallel_size": 1}
    if stands:
        assert planned(GIVEN, vllm=release, overrides=stages).feasibility.fits
    else:
        with pytest.raises(RequestError, match="loads a draft model on the last stage alone"):
            planned(GIVEN, vllm=release, overrides=stages)
