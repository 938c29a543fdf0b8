"""What a plan offers beside itself, and what it refuses, as further questions to the judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from generator.catalogue.engines import engine as find_engine
from generator.cluster import cluster_for
from generator.errors import GeneratorError
from generator.models.vllm import VLLMConfig
from generator.workflow import facts_for, fit_for, plan_for
from tests.oracle.draws import GPUS, Draw, directory_of
from tests.oracle.planning import MALFORMED, planned
from tests.oracle.questions import bare_question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from generator.models.parallelism import Layout
    from generator.models.request import Request

UNKNOWN = 7
_SIZES = {"--tp": "tensor_parallel_size", "--pp": "pipeline_parallel_size", "--dp": "data_parallel_size"}
_ASKED = {"--gpu": "gpu", "--gpus": "gpus", "--nodes": "nodes", "--concurrency": "concurrency", "--model": "model"}
_OURS = ("prompt and answer take", "world size", "ranks need")
"""Refusals of what vLLM is never told: the workload, and GPUs that the machine lacks."""


def offers(draw: Draw) -> Iterator[tuple[str, Draw]]:
    """Each alternative, runner-up, repair and fitting row of a deployment, as a deployment of its own."""
    asked = draw.request
    facts = facts_for(asked, offline=True)
    made = plan_for(asked, facts)
    beside = [(one.kind, one.flags) for one in made.alternatives]
    beside += [("runner-up", made.runner_up.flags)] if made.runner_up else []
    for number, (kind, flags) in enumerate(beside):
        yield kind, _again(draw, f"{kind}-{number}", _stated(flags, asked))
    for number, repair in enumerate(made.repairs):
        yield f"repair: {repair.title}", _again(draw, f"repair-{number}", dict(repair.changes))
    for row in fit_for(asked, facts, gpus=asked.gpus, nodes=asked.nodes):
        if row.verdict == "fits" and row.layout is not None and row.gpu in GPUS:
            own = {**asked.overrides, **_sizes(row.layout)}
            yield f"fit: {row.gpu}", _again(draw, f"fit-{row.gpu}", {"gpu": row.gpu, "overrides": own})


def planned_offers(draw: Draw, directories: Mapping[str, Path], wanted: int) -> list[dict[str, Any]]:
    """Rows of some of what a deployment offers, spread over its kinds; none where it is no plan itself."""
    try:
        found = [pair for pair in offers(draw) if pair[1].model in directories]
    except GeneratorError:
        return []
    step = max(1, len(found) // wanted)
    return [planned(one, directories[one.model]) | {"offered": kind} for kind, one in found[::step][:wanted]]


def refused(rows: Iterable[Mapping[str, Any]], directories: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
    """Rows that the planner refused for a reason of vLLM's, with the user's own values as the question."""
    from generator.models.request import Request  # noqa: PLC0415 - the rows are read back

    for row in rows:
        if row["status"] not in {MALFORMED, UNKNOWN} or row["said"].startswith(_OURS):
            continue
        asked = Request.model_validate(row["request"])
        question = bare_question(argv_of(asked), directories[row["model"]], asked.vllm, cluster_for(asked))
        yield {**row, "status": 0, "key": f"refused-{row['name']}", "question": question | {"id": row["name"]}}


def argv_of(asked: Request) -> list[str]:
    """The user's own values as words of `vllm serve`, the model left out."""
    engine = find_engine(asked.vllm)
    return list(VLLMConfig(model=asked.model, arguments=dict(asked.overrides)).args(engine)[3:])


def _again(draw: Draw, name: str, update: Mapping[str, Any]) -> Draw:
    values = {**draw.request.model_dump(exclude_defaults=True), **update}
    request = type(draw.request).model_validate(values)
    model = draw.model if request.model == draw.request.model else directory_of(request.model)
    return Draw(f"{draw.name}-{name}", model, request, dict(request.overrides))


def _sizes(layout: Layout) -> dict[str, Any]:
    """The layout as the user would state it; a size of one too, so that nothing is chosen anew."""
    own: dict[str, Any] = {
        "tensor_parallel_size": layout.tensor_parallel_size,
        "pipeline_parallel_size": layout.pipeline_parallel_size,
        "data_parallel_size": layout.data_parallel_size,
    }
    if layout.decode_context_parallel_size > 1:
        own["decode_context_parallel_size"] = layout.decode_context_parallel_size
    return own | ({"enable_expert_parallel": True} if layout.enable_expert_parallel else {})


def _stated(flags: Iterable[str], asked: Request) -> dict[str, Any]:
    """Flags of the command line as fields of the request."""
    words, own = list(flags), dict(asked.overrides)
    found: dict[str, Any] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        if flag in _ASKED:
            found[_ASKED[flag]] = value
        elif flag == "--set":
            name, _, text = value.partition("=")
            own[name] = _read(text)
        else:
            own[_SIZES.get(flag, flag.removeprefix("--").replace("-", "_"))] = _read(value)
    return found | {"overrides": own}


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
