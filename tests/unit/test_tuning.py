"""What a search by measuring tries, scores and keeps, and how it starts a server by the repository's Makefile."""

import pytest

from generator import recording
from generator.catalogue.engines import engine
from generator.errors import RequestError, SourceError
from generator.models.measured import BenchRun
from generator.models.request import Request
from generator.models.tuning import HeldOut
from generator.models.workload import Targets
from generator.operations.tuning.score import held, score, wins
from generator.operations.tuning.server import MadeServer
from generator.operations.tuning.space import space_of
from generator.workflow import facts_for

RUN = BenchRun(
    concurrency=8, completed=8, duration_s=1, ttft_ms=100, tpot_ms=20, output_tokens_per_s=400, requests_per_s=2
)


def plan_for(**fields):
    request = Request(model="Qwen/Qwen3-8B", gpu="L4", gpus=2, vllm="0.33", source="embedded", **fields)
    return recording.prove(request, facts_for(request, offline=True)).plan


def test_the_few_values_that_matter_are_searched_from_the_plan_on():
    """The plan's own value comes first; layouts are those that the plan itself names."""
    plan = plan_for()
    knobs = {knob.name: knob for knob in space_of(plan, {}, engine("0.33"))}
    assert list(knobs) == ["max_num_seqs", "max_num_batched_tokens", "layout", "graphs"]
    planned = plan.engine["max_num_seqs"]
    assert [one.values["max_num_seqs"] for one in knobs["max_num_seqs"].options] == [
        planned, planned // 2, planned * 2, planned // 4,
    ]  # fmt: skip
    layouts = {one.word: one.values for one in knobs["layout"].options}
    assert len(layouts) > 1
    assert layouts["tp2"] == {"tensor_parallel_size": 2, "pipeline_parallel_size": 1, "data_parallel_size": 1}
    assert all(one["tensor_parallel_size"] * one["data_parallel_size"] <= 2 for one in layouts.values())
    assert knobs["graphs"].options[0].values == {}


def test_what_the_user_decided_is_not_searched():
    own = {"max_num_seqs": 16, "enforce_eager": True, "tensor_parallel_size": 1, "max_num_batched_tokens": 2048}
    with pytest.raises(RequestError, match="nothing is left to search beside your own values"):
        space_of(plan_for(overrides=own), {}, engine("0.33"))
    named = space_of(plan_for(overrides=own), {"max_num_seqs": (16, 32)}, engine("0.33"))
    assert [one.values for one in named[0].options] == [{"max_num_seqs": 16}, {"max_num_seqs": 32}]


def test_a_missed_target_and_a_failed_request_take_off_their_share():
    assert score(RUN, Targets(), "balanced") == 400
    assert score(RUN, Targets(), "latency") == 50
    assert score(RUN, Targets(tpot_ms=10), "balanced") == 200
    assert score(RUN, Targets(tpot_ms=30, ttft_ms=50), "balanced") == 200
    assert score(RUN.model_copy(update={"failed": 8}), Targets(), "balanced") == 200


@pytest.mark.parametrize(
    ("new", "best", "kept"),
    [((101, 0), (100, 0), False), ((102, 0), (100, 0), True), ((104, 0.05), (100, 0), False),
     ((104, 0), (100, 0.05), False), ((106, 0.05), (100, 0.01), True)],
)  # fmt: skip
def test_a_gain_within_what_servers_differ_from_themselves_is_none(new, best, kept):
    """At least one percent, and more than the larger spread."""
    assert wins(HeldOut(mean=new[0], spread=new[1]), HeldOut(mean=best[0], spread=best[1])) is kept


def test_the_spread_is_a_share_of_the_mean():
    assert held([90, 110]) == HeldOut(mean=100, spread=0.2)


def test_a_server_of_the_makefile_is_started_and_stopped_by_its_targets(tmp_path):
    (tmp_path / "Makefile").write_text(
        'up:\n\t@echo up "$$DOCKER_COMPOSE" >>called\n\t@test ! -e broken || { echo no room; exit 1; }\n'
        "down:\n\t@echo down >>called\n"
    )
    server = MadeServer(tmp_path, tmp_path / "log", up="up", down="down", docker="podman compose")
    server.stop()
    assert server.start() == ""
    (tmp_path / "broken").touch()
    assert server.start() == "make up failed: no room"
    assert (tmp_path / "called").read_text().splitlines() == ["down", "up podman compose", "up podman compose"]
    with pytest.raises(SourceError, match="make stop failed"):
        MadeServer(tmp_path, tmp_path / "log", up="up", down="stop", docker="docker compose").stop()
