"""fit(): one model against every GPU of the table and every count: fits, or how short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from statistics import median
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.fit import FitRow
from generator.models.hardware import GPU
from generator.models.parallelism import Layout
from generator.planning import answers
from generator.planning.choosing.choice import has_targets
from generator.planning.choosing.servers import copies
from generator.planning.choosing.smaller import smaller_weights
from generator.planning.costs import cost, dated_offers, source_of
from generator.planning.evaluation import evaluate
from generator.planning.parts import stored_bytes
from generator.planning.planner import weighed
from generator.planning.rules.checks import check_layout, check_request
from generator.planning.speed.estimates import meets_targets
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case
    from generator.planning.choosing.scored import Scored
    from generator.planning.planner import Weighed

GPUS_OF_A_NODE = 8
_RENTED = (1, 2, 4, 8)
"""GPUs of one node that machines are rented out with."""


def fit(
    case: Case, gpus: Iterable[GPU], sizes: Iterable[tuple[int, int]], *, with_speed: bool = False
) -> tuple[FitRow, ...]:
    """A row for each GPU and size (GPUs of a node, nodes); where vLLM refuses, the row carries its reason.

    `with_speed` adds what the best layout of all these GPUs delivers and costs; then only sizes that are rented out
    have a row, and a second one for each quantized form of the same weights that does.

    Raises:
        RequestError: speed is asked for a model that generates nothing, or for sizes that nobody rents out.
    """
    asked = tuple(sizes)
    if not with_speed:
        return tuple(_row(_on(case, gpu, *size)) for gpu in gpus for size in asked)
    if case.pooling:
        raise RequestError(
            f"{case.facts.id} gives no output tokens to price: leave --cheapest out to see which GPUs hold it"
        )
    if not any(count in _RENTED for count, _ in asked):
        raise RequestError(
            f"machines are rented out with {', '.join(map(str, _RENTED))} GPUs, not with {asked[0][0]}: choose one of "
            "these for --gpus, or leave it or --cheapest out"
        )
    rented = [size for size in asked if size[0] in _RENTED]
    return tuple(row for gpu in gpus for row in _offers(case, gpu, rented))


def unpriced(rows: Iterable[FitRow]) -> tuple[FitRow, ...]:
    """The rows that do and have no known price, the fastest first."""
    able = [row for row in rows if row.meets_targets and row.cost_per_hour is None]
    return tuple(sorted(able, key=lambda row: (-(row.output_tokens_per_s or 0.0), row.gpus * row.nodes, row.gpu)))


def cheapest(rows: Iterable[FitRow], *, by_hour: bool = False) -> tuple[FitRow, ...]:
    """The rows that fit, carry the workload, meet the targets and have a price, the cheapest first.

    By cost of a million output tokens; with `by_hour`, for a service level that is met or not, by cost of an hour.
    Ties go to the weights that are asked for, then to fewer GPUs.
    """
    able = [row for row in rows if row.meets_targets and row.cost_per_million_output_tokens is not None]

    def key(row: FitRow) -> tuple[object, ...]:
        costs = (row.cost_per_hour, row.cost_per_million_output_tokens)
        primary, secondary = costs if by_hour else costs[::-1]
        return (primary, bool(row.flags), secondary, row.gpus * row.nodes * row.replicas, row.gpu)

    return tuple(sorted(able, key=key))


def _row(case: Case) -> FitRow:
    try:
        check_request(case)
        return _held(case, evaluate(case, widest_layout(case)))
    except RequestError as refusal:
        return _bare(case).model_copy(update={"refusal": str(refusal)})


def _offers(case: Case, gpu: GPU, sizes: Sequence[tuple[int, int]]) -> Iterator[FitRow]:
    """A row for each size, then those of fewer bytes of the same weights that do: up to the first size that does alone.

    More GPUs than do never serve the same requests for less; nor are fewer bytes worth what costs no less.
    """
    case = _on(case, gpu, *sizes[0])
    own = [_offer(_on(case, gpu, *size)) for size in sizes]
    yield from own
    most = min((row.cost_per_hour for row in own if row.meets_targets and row.cost_per_hour), default=inf)
    worth = [size for size in sizes if not has_targets(case) or _least(case, gpu, size) < most]
    for smaller in smaller_weights(case):
        rows = (_offer(_on(smaller.case, gpu, *size)) for size in worth)
        for row in rows:
            if row.meets_targets:
                yield row.model_copy(update={"flags": smaller.flags})
            if row.meets_targets and row.replicas == 1:
                break


def _least(case: Case, gpu: GPU, size: tuple[int, int]) -> float:
    """What an hour of so many GPUs costs at least."""
    offer = next(iter(dated_offers(_on(case, gpu, *size))), None)
    each = case.request.price or (offer.usd_per_gpu_hour if offer else 0.0)
    return each * size[0] * size[1]


def _offer(case: Case) -> FitRow:
    """The row of what `plan` takes on these GPUs, with what it delivers and costs; of copies where one is too few."""
    if too_large(case):
        return _bare(case).model_copy(update={"verdict": "does_not_fit"})
    try:
        found = weighed(case)
        number = _copies(found)
        if number > 1:
            found = weighed(_with_share(case, number))
    except RequestError as refusal:
        return _bare(case).model_copy(update={"refusal": str(refusal)})
    row = _paid(case, _filled(case, found).model_copy(update=_speed(found.case, found.chosen)))
    if number > 1 and row.cost_per_hour is not None:
        return row.model_copy(update={"replicas": number, "cost_per_hour": round(row.cost_per_hour * number, 4)})
    return row


def _paid(case: Case, row: FitRow) -> FitRow:
    """The row with GPUs that stay idle paid for as well."""
    used = row.layout.ranks * row.servers if row.layout else 0
    if row.cost_per_hour is None or row.cost_per_million_output_tokens is None or used >= case.cluster.total_gpus:
        return row
    times = case.cluster.total_gpus / used
    million = round(row.cost_per_million_output_tokens * times, 4)
    hour = round(row.cost_per_hour * times, 4)
    return row.model_copy(update={"cost_per_hour": hour, "cost_per_million_output_tokens": million})


def _copies(found: Weighed) -> int:
    """Copies of the deployment over which the stated requests are spread: one where it carries them by itself."""
    case, chosen = found.case, found.chosen
    able = chosen.candidate.carries_load and meets_targets(case, chosen.estimate)
    if able or not case.request.concurrency or case.request.targets.requests_per_s is not None:
        return 1
    return copies(case, found.options)


def _with_share(case: Case, number: int) -> Case:
    share = ceil_div(case.request.concurrency, number)
    return case.beside(request=case.request.model_copy(update={"concurrency": share}))


def too_large(case: Case) -> bool:
    """Whether the stored weights alone, unless they are changed while loading, outgrow all GPUs."""
    if case.on_gpu != case.quantization or case.language_model_only:
        return False
    return stored_bytes(case) > case.cluster.total_gpus * case.gpu.memory_bytes


def _bare(case: Case) -> FitRow:
    cluster, offers = case.cluster, dated_offers(case)
    prices = [offer.usd_per_gpu_hour for offer in offers]
    return FitRow(
        model=case.facts.id,
        gpu=cluster.gpu.name,
        gpus=cluster.gpus_per_node,
        nodes=cluster.nodes,
        price_per_gpu_hour=prices[0] if prices else None,
        price_median_per_gpu_hour=round(median(prices), 4) if prices else None,
        price_offers=len(prices),
        price_source=source_of(offers[0]) if offers else "",
    )


def _filled(case: Case, found: Weighed) -> FitRow:
    """The row of all GPUs: of one server, or of the equal ones that they are cut into."""
    one, servers = _held(case, found.chosen.candidate), found.case.servers
    return one.model_copy(update={"servers": servers, "concurrency": one.concurrency * servers})


def _held(case: Case, chosen: Candidate) -> FitRow:
    return _bare(case).model_copy(
        update={
            "layout": chosen.layout,
            "verdict": chosen.verdict,
            "shortfall_bytes": chosen.shortfall_bytes,
            "max_model_len": 0 if chosen.verdict == "does_not_fit" else int(chosen.context.value),
            "concurrency": chosen.concurrency,
        }
    )


def _speed(case: Case, option: Scored) -> dict[str, object]:
    """Fields of a row that say what it delivers and costs; none where its speed is unknown."""
    chosen, found = option.candidate, option.estimate
    if found is None:
        return {}
    price = cost(case, chosen, found)
    return {
        "ttft_ms": found.ttft_ms.mean,
        "tpot_ms": found.tpot_ms.mean,
        "output_tokens_per_s": found.output_tokens_per_s.mean,
        "cost_per_million_output_tokens": price.cost_per_million_output_tokens if price else None,
        "cost_per_hour": price.cost_per_hour if price else None,
        **({"price_source": price.price_source} if price else {}),
        "replicas": (price.replicas if price else None) or 1,
        "meets_targets": chosen.verdict == "fits" and chosen.carries_load and meets_targets(case, found),
        "doubtful": "doubtful" in (answers.carries(case, chosen).answer, answers.meets(case, found).answer),
    }


def widest_layout(case: Case) -> Layout:
    """The layout over all these GPUs with the widest tensor-parallel group inside a node, one replica.

    Raises:
        RequestError: vLLM accepts none; its first reason.
    """
    cluster = case.cluster
    refusal: RequestError | None = None
    for tp in range(cluster.gpus_per_node, 0, -1):
        if cluster.total_gpus % tp:
            continue
        layout = Layout(tensor_parallel_size=tp, pipeline_parallel_size=cluster.total_gpus // tp)
        try:
            check_layout(case, layout)
        except RequestError as error:
            refusal = refusal or error
        else:
            return layout
    raise refusal or RequestError("no layout fills these GPUs")


def _on(case: Case, gpu: GPU, gpus: int, nodes: int) -> Case:
    cluster = case.cluster.model_copy(update={"gpu": gpu, "gpus_per_node": gpus, "nodes": nodes})
    alike = gpu == case.gpu and nodes == case.cluster.nodes
    return case.beside(cluster=cluster) if alike else case.changed(cluster=cluster)
