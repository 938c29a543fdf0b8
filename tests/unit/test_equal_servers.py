"""Equal servers on one node: each is planned as if it were alone, and their rates add up."""

from __future__ import annotations

import pytest
from copier.errors import UserMessageError
from jinja2 import Environment

from generator.catalogue.models import embedded_model
from generator.cli.options import changes_of
from generator.copier_ext import PlannerV1
from generator.errors import RequestError
from generator.models.request import Request
from generator.recording import facts_answer, proven
from generator.workflow import plan_for, prove

MODEL = "openai/gpt-oss-20b"


def planned(**stated):
    request = Request(model=MODEL, gpu="H100-SXM-80GB", source="embedded", **stated)
    return plan_for(request, embedded_model(MODEL))


@pytest.mark.parametrize(("servers", "each"), [(8, 1), (4, 2), (2, 4)])
def test_each_server_is_what_it_would_be_alone_and_rates_add_up(servers, each):
    several = planned(gpus=servers * each, servers=servers, concurrency=16 * servers)
    alone = planned(gpus=each, concurrency=16)
    assert (several.layout, several.engine, several.memory) == (alone.layout, alone.engine, alone.memory)
    assert several.estimate.ttft_ms == alone.estimate.ttft_ms
    assert several.estimate.output_tokens_per_s.mean == pytest.approx(servers * alone.estimate.output_tokens_per_s.mean)
    assert several.cost.cost_per_million_output_tokens == pytest.approx(alone.cost.cost_per_million_output_tokens)
    assert several.cost.cost_per_hour == pytest.approx(servers * alone.cost.cost_per_hour)
    assert several.cluster.gpus_per_node == servers * each


def test_every_server_has_gpus_of_its_own():
    ids = [index for server in planned(gpus=8, servers=4).servers for index in server.gpu_ids]
    assert sorted(set(ids)) == sorted(ids)
    assert planned(gpus=8, servers=1).servers == ()


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"gpus": 8, "servers": 3}, "do not divide into 3"),
        ({"gpus": 8, "servers": 16}, "do not divide into 16"),
        ({"gpus": 8, "nodes": 2, "servers": 2}, "of one node"),
        ({"gpus": 8, "servers": 2, "requests_per_s": 5.0}, "leave --servers out"),
    ],
)
def test_what_does_not_divide_is_refused(stated, said):
    with pytest.raises(RequestError, match=said):
        planned(**stated)


def test_a_small_mixture_on_a_large_node_is_cut_into_servers_of_one_gpu_and_the_engine_is_second():
    """As vLLM's recipe of gpt-oss has it; the request states the number, so that a repository records it."""
    made = planned(gpus=8)
    assert (len(made.servers), made.inputs.servers, made.layout.ranks) == (8, 8, 1)
    assert (made.runner_up.servers, made.runner_up.layout.ranks) == (1, 8)
    assert "at 128 requests over all" in made.runner_up.why_not
    assert any(one.layout.ranks == 8 and one.servers == 1 for one in made.alternatives)


def test_a_mixture_that_fits_one_gpu_is_served_by_one_each_where_nobody_states_a_load():
    """As the recipe of Nemotron 3 Nano has it: one engine is a little faster, which estimates do not tell apart."""
    name = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"
    made = plan_for(Request(model=name, gpu="H200-SXM-141GB", gpus=4, source="embedded"), embedded_model(name))
    assert (len(made.servers), made.layout.ranks, made.runner_up.layout.tensor_parallel_size) == (4, 1, 4)
    assert made.runner_up.why_not.endswith("which estimates of two layouts of experts do not tell apart")


def test_stages_whose_mean_alone_is_better_hold_no_servers_up_and_lose_at_the_worse_end():
    """Two stages give two tokens/s more in the mean, and far less where they are as slow as published ones were."""
    asked = {"gpu": "A100-SXM-40GB", "gpus": 2, "prompt_tokens": 4000, "gen_tokens": 32}
    made = plan_for(Request(model=MODEL, source="embedded", **asked), embedded_model(MODEL))
    assert len(made.servers) == 2
    again = Request(model=MODEL, source="embedded", **asked, servers=1, overrides={"pipeline_parallel_size": 2})
    stages = plan_for(again.model_copy(update={"concurrency": 32}), embedded_model(MODEL)).estimate.output_tokens_per_s
    several = made.estimate.output_tokens_per_s
    assert stages.mean > several.mean
    assert stages.low < several.low


def test_requests_that_do_not_divide_are_spread_and_count_as_they_are():
    """Of 100 requests eight servers of a B200 have 13 each at most: their rate counts 100, not 104."""
    facts = embedded_model(MODEL)
    asked = {"model": MODEL, "gpu": "B200-180GB", "gpus": 8, "source": "embedded"}
    made, alone = (plan_for(Request(**asked, concurrency=100, servers=number), facts) for number in (0, 1))
    assert len(made.servers) == 8
    assert made.estimate.output_tokens_per_s.low * 100 / 104 > alone.estimate.output_tokens_per_s.mean


@pytest.mark.parametrize(
    "stated",
    [
        {"servers": 1},
        {"batching_mode": "latency"},
        {"overrides": {"tensor_parallel_size": 8}},
        {"overrides": {"kv_offloading_size": 8.0}},
        {"tpot_ms": 20.0},
        {"requests_per_s": 4.0},
        {"concurrency": 1},
    ],
)
def test_one_engine_is_kept_where_servers_are_not_the_planners_to_choose(stated):
    assert planned(gpus=8, **stated).servers == ()


def test_a_family_whose_recipe_spreads_whole_experts_is_not_cut_for_a_load_that_nobody_stated():
    """DeepSeek-V4 has `--enable-expert-parallel` over the node in vLLM's recipe (serving.toml, whole_experts)."""
    facts = embedded_model("deepseek-ai/DeepSeek-V4-Flash")
    stated = {"model": facts.id, "gpu": "B300-SXM-288GB", "gpus": 8, "source": "embedded"}
    assert plan_for(Request(**stated), facts).servers == ()
    assert len(plan_for(Request(**stated, concurrency=128), facts).servers) == 8


def test_what_an_alternative_of_several_servers_promises_is_what_its_options_plan():
    made = planned(gpus=8, servers=1)
    several = [one for one in made.alternatives if one.servers > 1]
    assert several
    for one in several:
        again = planned(gpus=8, **changes_of(one.flags))
        assert len(again.servers) == one.servers
        assert again.layout.tensor_parallel_size == one.layout.tensor_parallel_size
        assert again.estimate.output_tokens_per_s.mean == pytest.approx(one.output_tokens_per_s, rel=0.02)


def test_a_plan_that_does_not_do_names_one_server_on_all_gpus():
    """70B in BF16 does not fit two H100 of each of four servers at 200 requests."""
    request = Request(
        model="meta-llama/Llama-3.1-70B-Instruct", gpu="H100-SXM-80GB", gpus=8, servers=8, source="embedded"
    )
    made = plan_for(request, embedded_model(request.model))
    assert made.feasibility.verdict == "does_not_fit"
    assert ("--servers", "1") in [one.flags for one in made.repairs]


def test_a_template_that_knows_no_servers_does_not_render_one_of_them():
    """Templates before 1.7.0 pass no `servers` to the planner."""
    facts = embedded_model(MODEL)
    request = Request(model=MODEL, gpu="H100-SXM-80GB", gpus=8, servers=4, source="embedded")
    answers = request.model_dump(mode="json", exclude={"servers"})
    plan = Environment(extensions=[PlannerV1], autoescape=True).globals["vllm_plan"]
    with proven(prove(request, facts)), pytest.raises(UserMessageError, match="several equal servers"):
        plan(answers, facts_answer(request, facts))
