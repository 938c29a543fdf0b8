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
    assert planned(gpus=8).servers == ()


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


def test_what_an_alternative_of_several_servers_promises_is_what_its_options_plan():
    made = planned(gpus=8)
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
