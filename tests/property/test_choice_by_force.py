"""The choice against every other by force: rates, equal servers, prices and what a plan says of those it did not take.

Fifty random cases each in the suite, 500 in the long checks.
"""

from __future__ import annotations

import os
from math import ceil

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import MODELS, REAL_GPUS, case_of

from generator.cli.options import changes_of
from generator.errors import RequestError
from generator.planning.case import Case
from generator.planning.choosing.choice import best, gpus_that_count
from generator.planning.choosing.packing import packed
from generator.planning.choosing.servers import servers
from generator.planning.fit import cheapest, fit
from generator.planning.planner import options_of, planned, weighed
from generator.planning.speed.estimates import meets_targets, speed
from generator.planning.speed.roofline import replicas_for
from generator.workflow import tables_for

laws = settings(max_examples=500 if os.environ.get("HYPOTHESIS_PROFILE") == "full" else 50, deadline=None)
shapes = st.fixed_dictionaries(
    {"prompt_tokens": st.sampled_from((128, 1024, 4000)), "gen_tokens": st.sampled_from((32, 256, 1000))}
)
modes = st.sampled_from(("latency", "balanced", "throughput"))
APART = 1.127
"""Times by which the estimates of two layouts of experts are told apart: eighteen of twenty pairs of public servers."""
_TOLD = 0.02
"""Share by which a figure that was told may differ from the plan of its own options: batch limits are chosen anew."""


def drawn(draw, models=MODELS, most=4, **stated):
    """A case of any of these models at a drawn shape."""
    gpu, gpus = draw(st.sampled_from(REAL_GPUS)), draw(st.integers(1, most))
    return case_of(draw(st.sampled_from(models)), gpu, gpus, **draw(shapes), **stated)


@st.composite
def rates(draw):
    """A case with a rate and, in half of the draws, a target."""
    targets = draw(st.sampled_from(({}, {"ttft_ms": 500.0}, {"tpot_ms": 40.0})))
    rate = draw(st.sampled_from((1.0, 20.0, 400.0)))
    return drawn(draw, requests_per_s=rate, batching_mode=draw(modes), **targets)


@st.composite
def loads(draw):
    """A case with requests in flight."""
    return drawn(draw, concurrency=draw(st.sampled_from((1, 8, 64, 300))), batching_mode=draw(modes))


@st.composite
def nodes(draw):
    """A mixture of experts on a node of 2, 4 or 8 GPUs, its load stated or not."""
    model = draw(st.sampled_from(("Qwen/Qwen3-30B-A3B", "mistralai/Mixtral-8x7B-v0.1", "openai/gpt-oss-20b")))
    gpu, gpus = draw(st.sampled_from(REAL_GPUS)), draw(st.sampled_from((2, 4, 8)))
    return case_of(model, gpu, gpus, **draw(shapes), concurrency=draw(st.sampled_from((0, 8, 64, 256))))


def asked(case, **stated):
    """The case of the same facts, GPUs and tables, with more that is asked for."""
    return Case.of(case.request.model_copy(update=stated), case.facts, case.cluster, case.tables)


def accepted(case, find):
    """What `find` makes of a case; one that vLLM refuses is no example."""
    try:
        return find(case)
    except RequestError:
        assume(condition=False)


@laws
@given(rates(), st.integers(1, 400))
def test_no_number_of_requests_in_flight_carries_a_rate_on_fewer_gpus(case, in_flight):
    """Little's law gives the requests in flight; any other number that a layout surely holds takes as many GPUs."""
    options = accepted(case, options_of)
    full = packed(case, [one.candidate for one in options])
    chosen = best(full, accepted(full, options_of))
    assume(chosen.candidate.doubt == 0 and chosen.candidate.carries_load and meets_targets(full, chosen.estimate))
    taken, rate = gpus_that_count(full, chosen), case.request.requests_per_s
    for option in options:
        candidate = option.candidate
        most = min(candidate.sure_concurrency, int(candidate.sequences.value) * candidate.layout.data_parallel_size)
        if candidate.doubt or in_flight > most or in_flight < case.load.concurrency:
            continue
        found = speed(case, candidate, in_flight=in_flight)
        if found is not None and meets_targets(case, found):
            least = candidate.layout.ranks * replicas_for(rate, found)
            assert taken <= max(least, ceil(least * 1.05)), (candidate.layout, in_flight)


@laws
@given(nodes())
def test_the_best_way_to_cut_a_node_into_servers_is_the_first(case):
    """Each server alone at its share, times their number; and the figure is what a plan of these options gives."""
    found = servers(case, accepted(case, options_of))
    assume(found)
    rated = [one.option.estimate.output_tokens_per_s.low for one in found]
    assert rated[0] == max(rated)
    first = found[0]
    layout = first.option.candidate.layout
    again = asked(
        case,
        servers=first.number,
        concurrency=first.in_flight,
        overrides={
            "tensor_parallel_size": layout.tensor_parallel_size,
            "pipeline_parallel_size": 1,
            "data_parallel_size": 1,
            "enable_expert_parallel": False,
        },
    )
    made = weighed(again).chosen.estimate.output_tokens_per_s.mean
    assert made >= first.option.estimate.output_tokens_per_s.mean * (1 - _TOLD)


def as_good(several, engine, *, mode, stated):
    """How many times better servers surely are than an engine; without a stated load, within what is told apart."""
    if mode == "latency":
        return engine.e2e_ms.mean / several.e2e_ms.high
    own, other = several.output_tokens_per_s, engine.output_tokens_per_s
    return own.low / other.mean if stated else own.mean * APART / other.mean


@settings(laws, max_examples=laws.max_examples // 2)
@given(nodes(), modes)
def test_servers_are_chosen_where_no_engine_serves_better_and_nowhere_else(case, mode):
    """Surely better at a stated load, else not told apart; each cut and the best engine are planned anew for it."""
    aimed, stated, gpus = asked(case, batching_mode=mode), bool(case.request.concurrency), case.cluster.gpus_per_node
    found = accepted(aimed, weighed)
    load = case.request.concurrency or case.load.concurrency * gpus
    rival = weighed(asked(aimed, servers=1, concurrency=load)).chosen
    assume(rival.candidate.doubt == 0 and rival.estimate)
    if found.over is not None:
        several = weighed(asked(aimed, servers=found.case.servers, concurrency=load)).chosen.estimate
        assert as_good(several, rival.estimate, mode=mode, stated=stated) >= 1 - _TOLD
        return
    context = weighed(asked(aimed, servers=1)).chosen.candidate.context.value
    for number in (2, 4, 8) if stated else (gpus,):
        if gpus % number or load % number or (mode == "latency" and not stated):
            continue
        sizes = {"tensor_parallel_size": gpus // number, "data_parallel_size": 1, "enable_expert_parallel": False}
        try:
            cut = weighed(asked(aimed, servers=number, concurrency=load, overrides=sizes)).chosen
        except RequestError:
            continue
        one = cut.candidate
        able = one.verdict == "fits" and one.carries_load and one.context.value >= context
        if able and (stated or one.concurrency >= 2 * load // number) and cut.estimate:
            assert as_good(cut.estimate, rival.estimate, mode=mode, stated=stated) <= 1 + _TOLD, number


@laws
@given(nodes())
def test_a_number_of_servers_or_sizes_that_are_stated_stay(case):
    """One server where one is asked for, and an engine whose sizes are the user's is cut into none."""
    for stated in ({"servers": 1}, {"overrides": {"tensor_parallel_size": 1}}):
        assert accepted(asked(case, **stated), weighed).over is None


@laws
@given(loads())
def test_what_is_said_of_the_runner_up_and_of_alternatives_is_true(case):
    """Their options, planned, give the layout and the figure that the plan names."""
    made = accepted(case, planned)
    others = [(one.flags, one.layout, one.estimate.output_tokens_per_s.mean) for one in (made.runner_up,) if one]
    others += [
        (one.flags, one.layout, one.output_tokens_per_s)
        for one in made.alternatives
        if one.servers == 1 and one.output_tokens_per_s and "--model" not in one.flags
    ]
    for flags, layout, rate in others:
        changes = changes_of(flags)
        stated = changes | {"overrides": case.request.overrides | changes.get("overrides", {})}
        again = planned(asked(case, **stated))
        assert again.layout == layout, flags
        assert abs(again.estimate.output_tokens_per_s.mean - rate) <= _TOLD * rate, flags


@st.composite
def priced(draw):
    """A case of a model with tables that know prices and quantized checkpoints, and two kinds of GPU."""
    case = drawn(draw, ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B"), most=1)
    stated = {
        "concurrency": draw(st.sampled_from((4, 64, 200))),
        "ttft_ms": draw(st.sampled_from((0.0, 400.0, 3000.0))),
    }
    request = case.request.model_copy(update=stated)
    tables = tables_for(request, case.facts)
    return Case.of(request, case.facts, case.cluster, tables), draw(
        st.lists(st.sampled_from(REAL_GPUS), min_size=2, max_size=2, unique=True)
    )


@settings(laws, max_examples=laws.max_examples // 5)
@given(priced())
def test_the_cheapest_is_the_cheapest_and_is_what_a_plan_of_it_gives(drawn_case):
    """Over the GPUs and counts that are rented out, the quantized forms of the weights included."""
    case, names = drawn_case
    gpus = [gpu for gpu in case.tables.gpus if gpu.name in names]
    by_hour = bool(case.request.ttft_ms)
    rows = cheapest(
        accepted(case, lambda one: fit(one, gpus, [(1, 1), (2, 1), (4, 1)], with_speed=True)), by_hour=by_hour
    )
    figure = "cost_per_hour" if by_hour else "cost_per_million_output_tokens"
    costs = [getattr(row, figure) for row in rows]
    assert costs == sorted(costs)
    for row in [row for row in rows if not row.flags][:3]:
        gpu = next(gpu for gpu in gpus if gpu.name == row.gpu)
        share = ceil(case.request.concurrency / row.replicas)
        request = case.request.model_copy(update={"gpu": gpu.name, "gpus": row.gpus, "concurrency": share})
        cluster = case.cluster.model_copy(update={"gpu": gpu, "gpus_per_node": row.gpus})
        chosen = weighed(Case.of(request, case.facts, cluster, case.tables)).chosen
        assert chosen.candidate.layout == row.layout
        assert chosen.estimate.output_tokens_per_s.mean == row.output_tokens_per_s
