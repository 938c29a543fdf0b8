"""The two steps that the command line and the template share: facts of a model, then a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from generator import __version__
from generator.catalogue.argument_values import path_kinds
from generator.catalogue.classes import classes_of, model_type_of
from generator.catalogue.draft_heads import all_heads, drafts_of, heads_of
from generator.catalogue.engines import engine as find_engine
from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.models import embedded_ids, embedded_model, larger_of, siblings_of
from generator.catalogue.overheads import overheads
from generator.catalogue.prices import all_prices
from generator.catalogue.quantizations import all_quantizations
from generator.catalogue.schemes import schemes_of
from generator.catalogue.serving import serving_of
from generator.catalogue.speed import speed
from generator.cluster import cluster_for, detected_hardware
from generator.errors import RequestError
from generator.models.checkpoint import ModelFacts
from generator.models.fit import FitRow, ModelRow, Purpose
from generator.models.hardware import GPU, Cluster
from generator.models.plan import Plan
from generator.models.request import Request
from generator.models.scheme import KnownScheme
from generator.models.speculation import asked_draft
from generator.planning.case import Case
from generator.planning.planner import make_plan
from generator.planning.tables import Tables
from generator.units import gib

if TYPE_CHECKING:
    from generator.planning.held import Order


class Proof(NamedTuple):
    """A plan, and what it was made from."""

    request: Request
    facts: ModelFacts
    tables: Tables
    plan: Plan

    def is_of(self, wanted: Request) -> bool:
        """Whether its request is the one that is wanted, servers that nobody stated aside."""
        servers = wanted.servers or self.request.servers
        return self.request == wanted.model_copy(update={"servers": servers})

    @property
    def case(self) -> Case:
        """What the plan was worked out from."""
        return Case.of(self.request, self.facts, self.plan.cluster, self.tables)


def facts_for(
    request: Request, *, offline: bool = False, progress: Callable[[int, int], None] | None = None
) -> ModelFacts:
    """Facts of the requested model, and of the draft model that its engine arguments name, from the request's source.

    Raises:
        SourceError: no source delivers the model.
        UnsupportedArchitectureError: its config.json is of a class that no reader knows.
    """
    from generator.sources.facts import model_facts, refuse_partial  # noqa: PLC0415 - start-up time of `check`

    found = model_facts(
        request.model,
        revision=request.revision or None,
        source=request.source,
        offline=offline,
        progress=progress,
    )
    refuse_partial(found)
    return with_draft(request, found, offline=offline, progress=progress)


def with_draft(
    request: Request,
    facts: ModelFacts,
    *,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ModelFacts:
    """The facts with those of the request's draft model, read anew; without any where the request names none.

    Raises:
        SourceError: no source delivers the draft.
        UnsupportedArchitectureError: its config.json is of a class that no reader knows.
    """
    asked = asked_draft(request.overrides)
    if asked is None or asked["model"] in (request.model, facts.id):
        return facts.model_copy(update={"draft": None})
    from generator.sources.facts import draft_facts  # noqa: PLC0415 - start-up time of `check`

    draft = draft_facts(
        asked["model"],
        revision=asked["revision"] or None,
        source=request.source,
        offline=offline,
        progress=progress,
    )
    return facts.model_copy(update={"draft": draft})


def plan_for(request: Request, facts: ModelFacts, tables: Tables | None = None, *, compared: bool = True) -> Plan:
    """The plan of a request, proven against the tables of this installation, which are built where none are given.

    Unless `compared`, what else could be had is left out: nobody asks for it who reads the record alone.

    Raises:
        RequestError: vLLM would refuse what is asked for.
        UnknownFactError: the GPU or the vLLM release is not in the tables.
    """
    held = tables or tables_for(request, facts)
    return make_plan(request, facts, cluster_for(request), held, compared=compared)


def case_for(request: Request, facts: ModelFacts) -> Case:
    """What a plan of the request is worked out from, of the tables of this installation.

    Raises:
        RequestError: the release lacks or refuses an argument that the user sets, or the servers do not divide.
        UnknownFactError: the GPU or the vLLM release is not in the tables.
    """
    return Case.of(request, facts, cluster_for(request), tables_for(request, facts))


def prove(request: Request, facts: ModelFacts, *, compared: bool = True) -> Proof:
    """The plan of a request with all that it was made from; the request states the servers that the plan chose.

    Raises:
        RequestError: vLLM would refuse what is asked for.
        UnknownFactError: the GPU or the vLLM release is not in the tables.
    """
    tables = tables_for(request, facts)
    plan = plan_for(request, facts, tables, compared=compared)
    return Proof(request.model_copy(update={"servers": plan.inputs.servers}), facts, tables, plan)


def concrete(request: Request) -> Request:
    """The request with this machine's GPU for `auto`, and the newest vLLM release for an empty `vllm`.

    What a repository records means the same on every machine.

    Raises:
        HardwareDetectionError: this machine has no GPU that can be planned for.
        UnknownFactError: the tables lack the release.
    """
    stated = {"gpu": str(detected_hardware()["gpu"])} if request.gpu == "auto" else {}
    return request.model_copy(update={**stated, "vllm": find_engine(request.vllm).version})


def newest_release() -> str:
    """The vLLM release that a new deployment is pinned to."""
    return find_engine("").version


def fit_for(
    request: Request,
    facts: ModelFacts,
    *,
    gpus: int | None = None,
    nodes: int | None = None,
    kinds: tuple[GPU, ...] = (),
    with_speed: bool = False,
) -> tuple[FitRow, ...]:
    """The model on 1 to 8 of each of these kinds of GPU, and on two nodes of eight; the request's own is ignored.

    Without `kinds` it is every GPU of the table, `with_speed` every one with a price; `gpus` of a node and `nodes` are
    the only ones where they are given.

    Raises:
        RequestError: vLLM would refuse what is asked for.
    """
    from generator.planning.fit import GPUS_OF_A_NODE, fit  # noqa: PLC0415 - start-up time of every other command

    if request.servers > 1:
        raise RequestError("the GPUs of one server are compared here: leave --servers out")
    every = kinds or all_gpus()
    cluster = Cluster(
        gpu=every[0],
        gpus_per_node=1,
        interconnect=request.interconnect,
        reserved_bytes=gib(request.reserve_gb),
    )
    tables = tables_for(request, facts)
    case = Case.of(request, facts, cluster, tables)
    if with_speed and not (kinds or request.price):
        priced = {price.gpu for price in tables.prices}
        every = tuple(gpu for gpu in every if gpu.name in priced)
    counts = (gpus,) if gpus else range(1, GPUS_OF_A_NODE + 1)
    sizes = [(count, nodes or 1) for count in counts]
    sizes += [(GPUS_OF_A_NODE, 2)] * (nodes is None and GPUS_OF_A_NODE in counts)
    return fit(case, every, sizes, with_speed=with_speed)


class Holding(NamedTuple):
    """Embedded models that GPUs hold, and how many were looked at."""

    gpu: str
    """The GPU's name in the table."""
    rows: tuple[ModelRow, ...]
    tried: int


def models_for(request: Request, *, task: Purpose | None = None, by: Order = "size") -> Holding:
    """The embedded models that `plan` accepts on the request's GPUs, the best first; its own model is ignored.

    Raises:
        UnknownFactError: the GPU or the vLLM release is not in the tables.
        RequestError: a custom GPU lacks its memory or capability.
    """
    from generator.catalogue.serving import purposes_of  # noqa: PLC0415 - start-up time of every other command
    from generator.planning.held import held, ordered  # noqa: PLC0415 - likewise

    cluster, tried = cluster_for(request), 0
    rows: list[ModelRow] = []
    for name in embedded_ids():
        facts = embedded_model(name)
        own = request.model_copy(update={"model": name, "source": "embedded"})
        tables = tables_for(own, facts)
        case = Case.of(own, facts, cluster, tables)
        purposes = purposes_of(facts, tables.serving, pools=case.pooling is not None)
        if task is None or task in purposes:
            tried += 1
            row = held(case, purposes, larger_of(name))
            rows += [row] if row else []
    return Holding(cluster.gpu.name, ordered(rows, by), tried)


def plan(request: Request, *, offline: bool = False) -> Plan:
    """The plan of a request, facts included: the library's one-call door."""
    return plan_for(request, facts_for(request, offline=offline))


def tables_for(request: Request, facts: ModelFacts) -> Tables:
    """The tables of this installation that a plan of the request is proven against.

    Raises:
        UnknownFactError: there is none of the vLLM release.
    """
    engine, siblings = find_engine(request.vllm), siblings_of(facts.id)
    classes = classes_of(engine.version, _named_classes(facts, *siblings))
    return Tables(
        engine=engine,
        overheads=overheads(),
        methods=all_quantizations(),
        schemes=_schemes(facts, engine.version),
        speed=speed(),
        prices=tuple(sorted(all_prices(), key=lambda price: price.usd_per_gpu_hour)),
        serving=serving_of(facts, engine.version),
        classes=classes,
        heads=heads_of(classes),
        model_type=model_type_of(facts.architecture.model_type, engine.version),
        drafts=drafts_of(facts.id, larger_of(facts.id)),
        siblings=siblings,
        gpus=all_gpus(),
        path_kinds=dict(path_kinds()),
        planner=__version__,
    )


def _schemes(facts: ModelFacts, version: str) -> tuple[KnownScheme, ...]:
    """Schemes of the checkpoint's method; none where its method is said without."""
    own = facts.checkpoint.quantization
    if own is None or not own.schemes:
        return ()
    return schemes_of(version, own.method if own.method in ("inc", "quark") else "compressed-tensors")


def _named_classes(*models: ModelFacts) -> frozenset[str]:
    """Names of the classes that a plan may ask for: the models', their drafts' and those of draft heads."""
    every = (*models, *(model.draft for model in models if model.draft))
    return frozenset({*(model.architecture.architecture for model in every), *(head.name for head in all_heads())})
