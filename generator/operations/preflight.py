"""preflight(): what the pinned vLLM's own start-up code said of a deployment, and what mends a refusal."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ConfigDict

from generator import recording
from generator.errors import GeneratorError
from generator.models.plan import Repair
from generator.models.request import Request
from generator.models.value import Value
from generator.operations.mending import own_value_back, stands
from generator.rendering.answers import read
from generator.sources.report_file import read_written

_SCRIPT = "scripts/preflight.py of the deployment writes it: make preflight"
_UNEQUAL = 0.02
"""Share by which a figure of vLLM's may leave the plan's: the plan's weights have the overhead of loading in them."""
_COMPARED = ("weights_bytes", "bytes_per_block", "block_size_tokens", "blocks")
_VLLM_SAYS = (
    (re.compile(r"estimated maximum model length is (\d+)"), "max_model_len", "a context of {} tokens"),
    (re.compile(r"available Mamba cache blocks \((\d+)\)"), "max_num_seqs", "{} sequences at once"),
    (re.compile(r"max_position_embeddings=(\d+)"), "max_model_len", "the model's own context, {} tokens"),
)
"""Figures in vLLM's messages, the argument that each is of, and how a repair is called."""


class BuiltFigure(Value):
    """One figure of vLLM's beside the plan's."""

    figure: str
    vllm: float | None = None
    plan: float | None = None

    @property
    def differs(self) -> bool:
        """Whether vLLM's figure leaves the plan's by more than what loading explains."""
        if not (self.vllm and self.plan and self.figure in _COMPARED):
            return False
        return abs(self.vllm / self.plan - 1) > _UNEQUAL


class Refusal(Value):
    """VLLM's message and its place in vLLM's source."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    text: str
    where: str = ""


class Report(Value):
    """The file that `scripts/preflight.py --json` writes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vllm: str
    model: str
    gpu: str | None = None
    starts: bool
    level: str
    error: Refusal | None = None
    backends: tuple[str, ...] | None = None
    figures: tuple[BuiltFigure, ...] = ()

    @property
    def differing(self) -> tuple[BuiltFigure, ...]:
        """Figures that leave the plan's; the CPU's own blocks are nobody's concern."""
        on_cpu = any(name.startswith("CPU") for name in self.backends or ())
        return () if on_cpu else tuple(one for one in self.figures if one.differs)


class Preflight(Value):
    """What vLLM said, and changes that are proven to fit."""

    report: Report
    planner: str = ""
    """What today's planner says of the same answers, where it refuses them as well."""
    repairs: tuple[Repair, ...] = ()


def preflight(root: Path, file: Path) -> Preflight:
    """VLLM's answer in `file` about the deployment at `root`; where it refuses, changes that the planner proves.

    Raises:
        SourceError: the file cannot be read, or is no preflight report.
        RequestError: `root` is no deployment.
    """
    report = read_written(file.expanduser(), Report, what="preflight report", script=_SCRIPT)
    if report.starts:
        return Preflight(report=report)
    answers = read(root.expanduser().absolute()).values
    request = recording.request_of(answers)
    facts = recording.facts_of(answers.get(recording.FACTS) or {})
    try:
        plan, said = recording.prove(request, facts).plan, ""
    except GeneratorError as error:
        plan, said = None, str(error)
    candidates = [*_by_message(report), *_own_values_back(report, request)]
    found = [one for one in candidates if stands(request, one, facts)]
    return Preflight(report=report, planner=said, repairs=(*found, *(plan.repairs if plan else ())))


def _by_message(report: Report) -> Iterator[Repair]:
    """Values that vLLM's message names itself."""
    text = report.error.text if report.error else ""
    for pattern, name, title in _VLLM_SAYS:
        found = pattern.search(text)
        if found and int(found[1]) > 0:
            value = int(found[1])
            flag = f"--{name.replace('_', '-')}"
            yield Repair(
                title=title.format(f"{value:,}"),
                flags=(flag, str(value)),
                effect="what vLLM's message allows",
                changes={"overrides": {name: value}},
            )


def _own_values_back(report: Report, request: Request) -> Iterator[Repair]:
    """The user's own values given back one by one, those first that vLLM's message names."""
    text = report.error.text if report.error else ""

    def named(name: str) -> bool:
        return any(word in text.lower() for word in (name, name.replace("_", "-"), name.replace("_", " ")))

    for name in sorted(request.overrides, key=lambda one: (not named(one), one)):
        yield from own_value_back(request, name)
