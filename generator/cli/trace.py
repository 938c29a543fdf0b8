"""`vllm-wizard trace`: what recorded requests come to as a workload."""

import json
from pathlib import Path
from typing import Annotated

import typer

from generator.cli import console


def trace(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A trace of Azure, BurstGPT, Mooncake or vllm bench.")],
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Summarise recorded requests by what a plan counts with: lengths, rates, requests in flight.

    `plan --trace FILE` and every other command that plans take the figures from there.

    Example: vllm-wizard trace AzureLLMInferenceTrace_conv.csv --json
    """
    from generator.presenting.trace import lines_of  # noqa: PLC0415 - start-up time
    from generator.sources.trace import read_trace  # noqa: PLC0415 - likewise

    found = read_trace(file)
    if json_:
        console.out(json.dumps(found.model_dump(mode="json") | {"answers": found.answers}, indent=2))
        return
    for line in lines_of(found):
        console.show(line)
