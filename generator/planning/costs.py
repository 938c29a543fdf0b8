"""What a deployment costs and draws, and how many copies of it a request rate takes."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

from generator.models.cost import Cost, Energy, GPUPrice, Scaling
from generator.models.estimate import Estimate
from generator.planning.speed.roofline import HEAD_ROOM, cost_per_million_output_tokens, replicas_for

if TYPE_CHECKING:
    from generator.planning.candidate import Candidate
    from generator.planning.case import Case


class _Price(NamedTuple):
    """What one GPU costs an hour, and how many are paid for."""

    per_gpu_hour: float
    billed_gpus: int
    whose: str
    read_on: str
    currency: str


def cost(case: Case, chosen: Candidate, found: Estimate | None) -> Cost | None:
    """Cost of the answers, at the user's price or else the cheapest fitting offer; None without price or estimate.

    Per million tokens the GPUs in use count; per hour all that are paid for, of all replicas.
    """
    if found is None:
        return None
    price = _price(case, gpus_needed(case, chosen, found))
    if price is None:
        return None
    rate = case.request.targets.requests_per_s
    per_million = cost_per_million_output_tokens(
        price.per_gpu_hour, _used(case, chosen), found.output_tokens_per_s.mean
    )
    return Cost(
        price_per_gpu_hour=price.per_gpu_hour,
        price_source=price.whose,
        cost_per_million_output_tokens=round(per_million, 4),
        cost_per_hour=round(price.per_gpu_hour * price.billed_gpus, 4),
        currency=price.currency,
        read_on=price.read_on,
        replicas=replicas_for(rate, found) if rate else None,
    )


def energy(case: Case, chosen: Candidate, found: Estimate | None) -> Energy | None:
    """Energy of the answers with every GPU at its board's limit; None without an estimate or a known limit."""
    power = case.gpu.board_power_w
    if found is None or power is None:
        return None
    joules = power * _used(case, chosen) / found.output_tokens_per_s.mean
    return Energy(board_power_w=power, kwh_per_million_output_tokens=round(joules * 1e6 / 3.6e6, 4))


def gpus_needed(case: Case, chosen: Candidate, found: Estimate | None) -> int:
    """GPUs of one deployment, or of as many copies of it as the target request rate takes."""
    rate = case.request.targets.requests_per_s
    return _used(case, chosen) * (replicas_for(rate, found) if rate and found else 1)


def _used(case: Case, chosen: Candidate) -> int:
    """GPUs of all servers of one deployment."""
    return chosen.layout.ranks * case.servers


def scaling(case: Case, chosen: Candidate, found: Estimate | None) -> Scaling | None:
    """Replicas for the target request rate and an autoscaler's bounds; None without a rate or an estimate.

    A replica is planned for `HEAD_ROOM` of the low end of what it delivers, and for as much of the workload's
    requests in flight.
    """
    rate = case.request.targets.requests_per_s
    if not rate or found is None:
        return None
    replicas = replicas_for(rate, found)
    return Scaling(
        requests_per_s=rate,
        replica_requests_per_s=round(found.requests_per_s.low, 4),
        head_room=HEAD_ROOM,
        replicas=replicas,
        minimum=max(1, ceil(rate / found.requests_per_s.high)),
        maximum=replicas + 1,
        gpus=replicas * chosen.layout.ranks,
        requests_in_flight=max(1, floor(HEAD_ROOM * case.load.concurrency)),
        concurrency=case.load.concurrency,
    )


def dated_offers(case: Case) -> tuple[GPUPrice, ...]:
    """The dated offers of the case's GPU, the lowest price first; none where no price list has it."""
    offers = (price for price in case.tables.prices if price.gpu == case.gpu.name)
    return tuple(sorted(offers, key=lambda price: price.usd_per_gpu_hour))


def source_of(offer: GPUPrice, sold: str = "") -> str:
    """Whose price an offer is, and when it was read."""
    return f"{offer.provider} {offer.offer}{sold}, list price read on {offer.read_on}"


def _price(case: Case, gpus: int) -> _Price | None:
    if case.request.price:
        return _Price(case.request.price, gpus, "your price", "", "")
    offer = _offer(case, gpus)
    if offer is None:
        return None
    sold = f", sold by {offer.min_gpus}" if offer.min_gpus > gpus else ""
    return _Price(offer.usd_per_gpu_hour, max(gpus, offer.min_gpus), source_of(offer, sold), offer.read_on, "USD")


def _offer(case: Case, gpus: int) -> GPUPrice | None:
    """The cheapest offer of so many GPUs; where each is sold with more, the one that bills the least."""
    offers = [price for price in case.tables.prices if price.gpu == case.gpu.name]
    return min(offers, key=lambda price: price.usd_per_gpu_hour * max(gpus, price.min_gpus), default=None)
