"""Options of another kind on the chosen layout, each with something that a plan does not take by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from generator.errors import RequestError
from generator.models.attention import MLA
from generator.models.parallelism import Layout
from generator.planning.choosing.drafting import EXAMPLE, drafted, without_memory
from generator.planning.choosing.scored import Scored, scored
from generator.planning.choosing.smaller import sibling_cases
from generator.planning.choosing.variants import cache_variants, context_parallel_variants, with_values
from generator.planning.choosing.words import rate
from generator.planning.evaluation import evaluate
from generator.planning.rules.checks import check_layout
from generator.presenting.text import gib_text, tokens_text

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.planning.choosing.drafting import Drafted
    from generator.planning.choosing.variants import Variant

WORTH = 0.02
"""Share by which a figure must be better: below it, estimates do not tell two layouts apart."""


class Other(NamedTuple):
    """One such option: what it gains, how many times better that is, and what it costs."""

    kind: str
    option: Scored
    flags: tuple[str, ...]
    gain: str
    costs: str
    times: float


def others(case: Case, chosen: Scored) -> Iterator[Other]:
    """Divided caches, a smaller cache dtype, a smaller checkpoint, drafted tokens: on the chosen layout."""
    if chosen.candidate.verdict == "does_not_fit":
        return
    for find in (_divided_cache, _smaller_cache, _sibling, _drafted):
        found = find(case, chosen)
        if found is not None:
            yield found


def _divided_cache(case: Case, chosen: Scored) -> Other | None:
    """The fewest ranks that share a cache for the longest context, or else for the highest rate."""
    own, pace = int(chosen.candidate.context.value), rate(chosen.estimate)
    longer = faster = None
    longest, fastest = own, pace * (1 + WORTH)
    for layout, variant in _divided(case, chosen.candidate.layout):
        divided = with_values(case, variant.values)
        candidate = _evaluated(divided, layout.model_copy(update=variant.values))
        if candidate is None or candidate.verdict != "fits":
            continue
        option = scored(divided, (candidate,))[0]
        if not case.asked_context and int(candidate.context.value) > longest:
            longest = int(candidate.context.value)
            gain = f"context {tokens_text(longest)} against {tokens_text(own)}"
            longer = Other("longer context", option, variant.flags, gain, variant.costs, longest / max(own, 1))
        elif rate(option.estimate) > fastest:
            fastest = rate(option.estimate)
            gain = f"{fastest:,.0f} tokens/s against {pace:,.0f}"
            faster = Other("divided caches", option, variant.flags, gain, variant.costs, fastest / max(pace, 1.0))
    return longer or faster


def _divided(case: Case, own: Layout) -> Iterator[tuple[Layout, Variant]]:
    """Layouts with the ways to divide their caches: the chosen one, and one group of all GPUs of the node.

    Latents are no heads, so that each rank of a group keeps all of them unless they are divided: replicas are
    chosen for their caches, where one wide group would read less of the weights.
    """
    layouts = [own]
    kinds = case.architecture.layer_kinds
    sized = any(name.endswith("_parallel_size") for name in case.fixed)
    if not sized and case.cluster.nodes == 1 and any(isinstance(kind.mixer, MLA) for kind in kinds):
        wide = {"tensor_parallel_size": case.cluster.total_gpus, "pipeline_parallel_size": 1, "data_parallel_size": 1}
        layouts += [own.model_copy(update=wide)] * (own.tensor_parallel_size < case.cluster.total_gpus)
    for layout in layouts:
        for variant in context_parallel_variants(case, layout):
            yield layout, variant


def _smaller_cache(case: Case, chosen: Scored) -> Other | None:
    for variant in cache_variants(case):
        candidate = _evaluated(with_values(case, variant.values), chosen.candidate.layout)
        own = chosen.candidate.concurrency
        if candidate is not None and candidate.concurrency > own:
            option = scored(with_values(case, variant.values), (candidate,))[0]
            gain = f"room for {candidate.concurrency:,} requests against {own:,}"
            if option.estimate and chosen.estimate:
                gaps = (one.tpot_ms.mean for one in (option.estimate, chosen.estimate))
                gain += ", {:,.1f} ms a token against {:,.1f}".format(*gaps)
            times = rate(option.estimate) / max(rate(chosen.estimate), 1.0)
            return Other(variant.title.removeprefix("an "), option, variant.flags, gain, variant.costs, times)
    return None


def _sibling(case: Case, chosen: Scored) -> Other | None:
    """The checkpoint of the same weights that is fastest on this GPU."""
    found = [one for one in _siblings(case, chosen) if one.times > 1]
    return max(found, key=lambda one: one.times, default=None)


def _siblings(case: Case, chosen: Scored) -> Iterator[Other]:
    for sibling in sibling_cases(case):
        candidate = _evaluated(sibling.case, chosen.candidate.layout)
        if candidate is None or candidate.verdict != "fits":
            continue
        option = scored(sibling.case, (candidate,))[0]
        held, own = (gib_text(one.held_bytes) for one in (candidate, chosen.candidate))
        rates = f"{rate(option.estimate):,.0f} tokens/s against {rate(chosen.estimate):,.0f}"
        gain = f"{rates}, {held} of weights on a GPU against {own}"
        costs = f"weights in {sibling.method}, {sibling.verdict} on {case.gpu.name}: costs accuracy"
        times = rate(option.estimate) / max(rate(chosen.estimate), 1.0)
        yield Other("smaller checkpoint", option, sibling.flags, gain, costs, times)


def _drafted(case: Case, chosen: Scored) -> Other | None:
    """The fastest way to draft at the stated load, with as many tokens kept as were measured of it, or as an example.

    How many are kept is the traffic's, so that what nobody measured comes behind what gains surely.
    """
    found = drafted(case, chosen)
    if not found or chosen.estimate is None:
        return None
    best, own = found[0], chosen.estimate.tpot_ms.mean
    least = best.pays_from(own)
    if least is None or best.gap >= own:
        return None
    gain = f"{_way_words(case, best, chosen)} against {own:,.1f}{_rivals(case, chosen, found[1:])}"
    costs = f"{_lost(best.option, chosen)}, and no gain where fewer than {least} of 10 are kept"
    spoken = json.dumps(best.way.config, separators=(",", ":"))
    stated = case.load.acceptance_rate
    example = () if best.way.rate or stated else ("--acceptance-rate", str(EXAMPLE))
    times = own / best.gap if best.way.rate or stated else 1.0
    return Other("drafted tokens", best.option, ("--set", f"speculative_config={spoken}", *example), gain, costs, times)


def _lost(drafting: Scored, chosen: Scored) -> str:
    """What the draft's memory takes of the cache: room, and context where that is shorter."""
    one, own = drafting.candidate, chosen.candidate
    context, longer = int(one.context.value), int(own.context.value)
    shorter = f"context {tokens_text(context)} against {tokens_text(longer)}, " if context < longer else ""
    return f"{shorter}room for {one.concurrency:,} requests against {own.concurrency:,}"


def _way_words(case: Case, one: Drafted, chosen: Scored) -> str:
    """A way to draft, what its weights take beside the chosen deployment's, and its gap between two tokens."""
    kept = one.way.known.kept if one.way.known else None
    who = str(one.way.config.get("model") or one.way.config["method"])
    who += f" x {one.way.config['num_speculative_tokens']}"
    last, own = (option.candidate.weights.stages[-1].total_bytes for option in (one.option, chosen))
    weights = gib_text(max(0, last - own))
    stated = case.load.acceptance_rate
    how = f"{stated * 10:.1f} of 10 kept as you state" if stated else f"if {EXAMPLE * 10:.0f} of 10 are kept"
    if kept and not stated:
        how = f"{kept.rate * 10:.1f} of 10 kept as measured, {kept.source}"
    return f"{who} ({weights} more on a GPU; {how}): {one.gap:,.1f} ms a token"


def _rivals(case: Case, chosen: Scored, rest: Sequence[Drafted]) -> str:
    """The other ways beside the fastest, one clause each."""
    told = [_way_words(case, one, chosen) for one in rest]
    free = without_memory(case, chosen)
    least = free.pays_from(chosen.estimate.tpot_ms.mean) if free and chosen.estimate else None
    if least is not None:
        told.append(f"n-grams of the prompt, for no memory: a gain from {least} of 10 kept on")
    return "".join(f"; {one}" for one in told)


def _evaluated(case: Case, layout: Layout) -> Candidate | None:
    """The layout worked out; None where vLLM refuses it."""
    try:
        check_layout(case, layout)
        return evaluate(case, layout)
    except RequestError:
        return None
