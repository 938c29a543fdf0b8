"""status(): one reading of the running server beside its plan."""

import urllib.error
import urllib.request
from pathlib import Path

from generator import recording
from generator.errors import SourceError
from generator.models.host import Watch
from generator.models.plan import PlanRecord
from generator.models.value import Value
from generator.operations.running.reach import Reach, reach_of, why_not
from generator.presenting.text import duration_text
from generator.rendering.answers import read
from generator.sources.machine.facts import Unseen
from generator.sources.machine.programs import said
from generator.sources.metrics import Metrics, parse

_MS = 1000
_WAITS_S = 10
_TTFT = "vllm:time_to_first_token_seconds"
_TPOT = ("vllm:request_time_per_output_token_seconds", "vllm:time_per_output_token_seconds")
_E2E = "vllm:e2e_request_latency_seconds"
_USAGE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")


class Gauge(Value):
    """One line of the screen."""

    name: str
    now: str
    plan: str = ""
    good: bool | None = None
    """None where there is nothing to compare with."""


class Status(Value):
    """One server at one moment."""

    title: str
    gauges: tuple[Gauge, ...]
    metrics: Metrics


class Watched(Value):
    """The server that is watched, and what it is compared with."""

    service: str
    model: str
    reach: Reach
    watch: Watch | None
    planned: int
    """Requests at once of the planned workload."""
    room: int | None
    """Requests that it runs together at most, by cache and max_num_seqs; None where neither is recorded."""


def watched(root: Path, *, url: str = "", docker: str = "docker compose") -> Watched:
    """The running server of the deployment at `root`.

    Raises:
        RequestError: `root` is no deployment.
    """
    place = root.expanduser().absolute()
    answers = read(place, updated=False)
    return Watched(
        service=str(answers.values.get("service")),
        model=str((answers.values.get("model_facts") or {}).get("id")),
        reach=reach_of(place, answers, url=url, docker=docker),
        watch=answers.plan.runtime.watch,
        planned=recording.request_of(answers.values).load.concurrency,
        room=_room(answers.plan),
    )


def _room(plan: PlanRecord) -> int | None:
    limits = (plan.runtime.watch.requests if plan.runtime.watch else None, plan.engine.get("max_num_seqs"))
    return min((int(one) for one in limits if one), default=None)


def status(server: Watched, before: Metrics | None = None, seconds: float = 0) -> Status:
    """The server now; rates and latencies since an earlier reading, or since its start without one.

    Raises:
        SourceError: it does not answer.
    """
    now = parse(_text(server.reach).splitlines())
    return Status(title=f"{server.service}: {server.model}", gauges=_gauges(server, now, before, seconds), metrics=now)


def _text(reach: Reach) -> str:
    """What /metrics says."""
    address = f"{reach.url}/metrics"
    if reach.inside:
        words = ("curl", "--fail", "--silent", "--show-error", "--max-time", str(_WAITS_S), address)
        found = said(*reach.prefix, *words, limit_s=2 * _WAITS_S)
        if isinstance(found, Unseen):
            raise SourceError(
                f"the server does not answer ({why_not(found.why)}): `make up`, or name its address with --url"
            )
        return found
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=_WAITS_S) as answer:
            return str(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(
            f"{address} says {error.code}: a gateway keeps /metrics to itself, ask vLLM's own port"
        ) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise SourceError(f"{address} does not answer ({why}): start the server, or name it with --url") from error


def _gauges(server: Watched, now: Metrics, before: Metrics | None, seconds: float) -> tuple[Gauge, ...]:
    watch = server.watch
    running, room = now.value("vllm:num_requests_running") or 0, server.room
    waiting = now.value("vllm:num_requests_waiting") or 0
    usage = now.value(*_USAGE)
    stopped = _grown(now, before, "vllm:num_preemptions_total", "vllm:num_preemptions")
    load = (
        Gauge(name="running", now=f"{running:,.0f}",
              plan=f"{server.planned:,} planned" + ("" if room is None else f", room for {room:,}"),
              good=None if room is None else running <= room),
        Gauge(name="waiting", now=f"{waiting:,.0f}", plan="0", good=waiting == 0),
        Gauge(name="cache in use", now="not said" if usage is None else f"{usage:.0%}", plan="below 100%",
              good=None if usage is None else usage < 1),
        Gauge(name="preemptions", now=f"{stopped:,.0f}", plan="0", good=not stopped),
    )  # fmt: skip
    return (*load, *_latencies(watch, now, before), *_rates(now, before, seconds))


def _latencies(watch: Watch | None, now: Metrics, before: Metrics | None) -> tuple[Gauge, ...]:
    """The 95th percentile of each latency that requests had, beside the target or the plan's own."""
    rows = (
        ("first token, p95", (_TTFT,), watch.ttft_s if watch else None),
        ("each token, p95", _TPOT, watch.tpot_s if watch else None),
        ("whole request, p95", (_E2E,), watch.e2e_s if watch else None),
    )
    word = "target" if watch and watch.stated else "plan"
    made = []
    for name, names, limit in rows:
        seen = now.histogram(*names)
        late = (seen.since(before.histogram(*names)) if before else seen).percentile(0.95)
        if seen.buckets or limit is not None:
            said_limit = "" if limit is None else f"{word} {duration_text(limit * _MS)}"
            good = None if late is None or limit is None else late <= limit
            made.append(
                Gauge(
                    name=name, now="none yet" if late is None else duration_text(late * _MS), plan=said_limit, good=good
                )
            )
    return tuple(made)


def _rates(now: Metrics, before: Metrics | None, seconds: float) -> tuple[Gauge, ...]:
    """Tokens a second between two readings; all tokens so far without an earlier one."""
    rows = (("prompt tokens", "vllm:prompt_tokens_total"), ("output tokens", "vllm:generation_tokens_total"))
    if before is None or seconds <= 0:
        return tuple(Gauge(name=name, now=f"{now.value(key) or 0:,.0f}") for name, key in rows)
    return tuple(Gauge(name=f"{name}/s", now=f"{_grown(now, before, key) / seconds:,.0f}") for name, key in rows)


def _grown(now: Metrics, before: Metrics | None, *names: str) -> float:
    """What a counter gained since the earlier reading; all of it after a restart, or without one."""
    held, old = now.value(*names) or 0, (before.value(*names) or 0) if before else 0
    return held - old if held >= old else held
