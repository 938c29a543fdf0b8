"""Several models on one host: places, shares, what is refused, and what all hold together."""

from __future__ import annotations

import json

import pytest
from fixtures.hosts import profile, proven
from typer.testing import CliRunner

from generator.cli.app import app
from generator.errors import InfeasiblePlanError, RequestError, SourceError
from generator.operations.hosting.render import refuse_unfit
from generator.planning.sharing import placed
from generator.sources.host_profile import load_host
from generator.units import GIB

CHAT = {"name": "chat", "model": "Qwen/Qwen3-8B"}
EMBED = {"name": "embed", "model": "BAAI/bge-m3"}


def test_two_models_hold_no_more_than_the_gpu_even_at_the_high_end(tmp_path):
    """Each plan reserves what its neighbour has: 79.1 GiB is what CUDA reports of an H100's 81,559 MiB."""
    found = proven(profile(tmp_path, CHAT, EMBED)).plan
    chat, embed = found.members
    assert chat.held_bytes.high + embed.held_bytes.high <= found.gpus[0].total_bytes < 79.2 * GIB
    assert chat.plan.inputs.reserve_gb + embed.plan.inputs.reserve_gb >= 79.6
    assert (chat.plan.engine["gpu_memory_utilization"], embed.starts_after) != (0.92, "")


def test_the_share_of_a_model_is_what_it_states_and_the_rest_is_the_others(tmp_path):
    """A quarter stated leaves three quarters, which two models divide by what they need."""
    found = proven(profile(tmp_path, CHAT | {"share": 0.25}, EMBED, CHAT | {"name": "more"})).plan
    assert found.members[0].share == 0.25
    assert 0.73 <= sum(one.share for one in found.members[1:]) <= 0.75
    assert found.members[1].share < found.members[2].share


@pytest.mark.parametrize(
    ("gpus", "models", "expected"),
    [
        (2, [{}, {}], [(0,), (1,)]),
        (2, [{}, {}, {}], [(0,), (1,), (0,)]),
        (4, [{"gpus": 2}, {"gpus": 2}], [(0, 1), (2, 3)]),
        (4, [{}, {"first_gpu": 0, "gpus": 2}], [(2,), (0, 1)]),
        (1, [{}, {}], [(0,), (0,)]),
    ],
)
def test_a_model_is_put_where_the_fewest_are(tmp_path, gpus, models, expected):
    """A place that is stated is kept; the others go beside it."""
    asked = [CHAT | {"name": f"m{number}"} | one for number, one in enumerate(models)]
    host = load_host(profile(tmp_path, *asked, gpus=gpus))
    assert [tuple(placed(host)[one.name]) for one in host.members] == expected


def test_models_on_gpus_of_their_own_are_planned_as_alone(tmp_path):
    """Nothing is reserved where nobody is beside it."""
    found = proven(profile(tmp_path, CHAT, EMBED, gpus=2)).plan
    assert [(one.share, one.plan.inputs.reserve_gb, one.gpu_ids) for one in found.members] == [
        (1.0, 0.0, (0,)),
        (1.0, 0.0, (1,)),
    ]


@pytest.mark.parametrize(
    ("models", "host", "said"),
    [
        ([CHAT | {"share": 0.7}, EMBED | {"share": 0.4}], {}, "shares of GPU 0 come to 1.1"),
        ([CHAT | {"share": 1.0}, EMBED], {}, "has nothing left for embed"),
        ([CHAT, CHAT], {}, "two models of the host are called chat"),
        ([CHAT | {"name": "gateway"}], {}, "one of the gateway's own"),
        ([CHAT | {"name": "Chat"}], {}, "lower-case letters"),
        ([CHAT | {"gpus": 2}], {}, "takes 2 GPUs"),
        ([CHAT | {"first_gpu": 1}], {}, "from number 1 on"),
        ([CHAT | {"share": 1.5}], {}, "model 1: share"),
        ([CHAT | {"gpu": "H200"}], {}, "gpu is the host's"),
        ([CHAT | {"colour": "red"}], {}, "unknown key 'colour'"),
        ([{"name": "chat"}], {}, "model 1 has no `model:`"),
        ([], {}, "list the models"),
        ([CHAT], {"gpus": 0}, "the host: gpus"),
        ([CHAT | {"share": True}], {}, "share of model 1: yes and no"),
        ([CHAT], {"gpus": True}, "gpus of the host: yes and no"),
        ([CHAT], {"reserve_gb": 200}, "others would hold all of it"),
        ([CHAT, EMBED], {"reserve_gb": 70, "gpus": "two"}, "the host: gpus"),
        ([CHAT], {"models_": 1}, "unknown key"),
        ([CHAT, EMBED], {"gpu": "MI300X"}, "NVIDIA"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, models, host, said):
    """Each line names the model or the host, and what to do."""
    with pytest.raises(RequestError) as refused:
        proven(profile(tmp_path, *models, **host))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_share_that_is_too_small_is_said_with_the_model(tmp_path):
    """8B parameters do not fit a tenth of an H100."""
    found = proven(profile(tmp_path, CHAT | {"share": 0.1}, EMBED))
    with pytest.raises(InfeasiblePlanError, match=r"chat has 0.1 of each of its GPUs: .* short") as refused:
        refuse_unfit(found)
    assert refused.value.shortfall_bytes > 5 * GIB


def test_a_utilization_of_the_users_that_takes_the_neighbours_memory_is_refused(tmp_path):
    """The reason is vLLM's own: less is free at the start than it asks for."""
    greedy = CHAT | {"overrides": {"gpu_memory_utilization": 0.9}}
    with pytest.raises(RequestError, match="Free memory on device"):
        proven(profile(tmp_path, greedy, EMBED | {"share": 0.3}))


def test_the_command_prints_one_object_that_names_shares_order_and_paths(tmp_path):
    """`host plan --json`, status 0; where a model does not fit, status 5 after the object."""
    file = profile(tmp_path, CHAT, EMBED)
    done = CliRunner().invoke(app, ["host", "plan", str(file), "--json", "--offline"])
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [(one["path"], one["starts_after"], one["port"]) for one in told["members"]] == [
        ("", "", 8000),
        ("/embed", "chat", 8001),
    ]
    assert told["gpus"][0]["members"] == ["chat", "embed"]
    short = CliRunner().invoke(app, ["host", "plan", str(profile(tmp_path, CHAT | {"share": 0.1})), "--offline"])
    assert isinstance(short.exception, InfeasiblePlanError)


def test_a_profile_that_is_no_file_is_said(tmp_path):
    """Status 4."""
    with pytest.raises(SourceError, match="cannot read the host's profile"):
        load_host(tmp_path / "none.yaml")
