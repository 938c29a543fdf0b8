"""Regions: the kinds of server and load by which published runs were missed, and what widens a range there.

A region is a kernel on a GPU generation, or a kind of load. Where three sources and more show it, it is widened until
the stated ranges hold with each source left out (`tests/accuracy/bench_ranges.py`). Where fewer do it is wider, and
most where none does: by what the kernels of other regions were missed by when nothing like them was in the fit.
"""

from collections.abc import Iterator

from generator.models.hardware import GPU
from generator.models.speed import Coefficients, Footprint, Scenario
from generator.planning.speed.rates import generation, running_kernel

UNSEEN = "no source"
"""The entry of the table for kernels that no source shows."""
_SHORT_ANSWER = 64
_CROWD = 128


def kernel_region(footprint: Footprint, gpu: GPU) -> str:
    """The kernel that most of the weights are read through, and the GPU's generation.

    Raises:
        UnknownFactError: nothing of the GPU's generation was ever timed.
    """
    part = "experts" if footprint.moe_layers else "dense"
    kernel = running_kernel(footprint.expert_kernel if footprint.moe_layers else footprint.dense_kernel, gpu)
    return f"{part} {kernel} on {generation(gpu)}"


def load_regions(scenario: Scenario) -> Iterator[str]:
    """The kinds of load that are harder to foretell."""
    if scenario.gen_tokens <= _SHORT_ANSWER:
        yield "answers of up to 64 tokens"
    if scenario.concurrency >= _CROWD:
        yield "128 requests in flight and more"


def added_width(table: Coefficients, footprint: Footprint, gpu: GPU, scenario: Scenario) -> float:
    """What is added to the natural logarithm of each range's factor: the most that one of its regions asks for."""
    name = kernel_region(footprint, gpu)
    known = table.regions.get(name, table.few_sources.get(name, table.few_sources.get(UNSEEN, 0.0)))
    return max([known, *(table.regions.get(one, 0.0) for one in load_regions(scenario))])


def in_region(table: Coefficients, footprint: Footprint, gpu: GPU, scenario: Scenario) -> Coefficients:
    """The table with the ranges of the region."""
    return table.widened(added_width(table, footprint, gpu, scenario))


def doubt(table: Coefficients, footprint: Footprint, gpu: GPU) -> str:
    """What few sources mean for the estimate, in one clause; empty where three and more show the kernel."""
    name = kernel_region(footprint, gpu)
    if name in table.regions or not table.few_sources:
        return ""
    shown = "fewer than three sources show" if name in table.few_sources else "no published run shows"
    return f"{shown} {name}: the ranges are wider"
