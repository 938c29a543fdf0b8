"""What vLLM refuses of a model's class: stages that it has not or that part its caches, and classes of the past.

Each rule returns only where it holds: else it raises RequestError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.planning.kinds.of import of
from generator.planning.weights.sharding import stage_layers

if TYPE_CHECKING:
    from generator.planning.case import Case
    from generator.planning.replica import Replica


def class_is_served(case: Case) -> None:
    """The release has the model's class (vLLM 0.32 model_executor/models/registry.py: _raise_for_unsupported)."""
    found, release = case.model_class, case.release
    if found.last_release:
        raise RequestError(
            f"{found.name} was supported until vLLM {found.last_release} and is not in {release}: pin an engine that "
            "old, or serve another model"
        )
    if found.first_release:
        raise RequestError(
            f"{found.name} is in vLLM from {found.first_release} on and not in {release}: pin that or a newer one with "
            "--vllm"
        )


def shared_caches_stay_in_a_stage(start: Replica) -> None:
    """A layer that reads an earlier layer's cache has it in its own stage (model_executor/layers/attention.py:65).

    It reads that of the last layer of its kind that keeps one (Gemma 4: models/gemma4.py:480).
    """
    stages, layers = start.layout.pipeline_parallel_size, start.architecture.layers
    if stages == 1:
        return
    keepers: dict[str, int] = {}
    for first, end in stage_layers(len(layers), stages):
        for number in range(first, end):
            mixer = layers[number].mixer
            for attention in of(mixer).attentions() if mixer else ():
                if not attention.shares_kv_cache:
                    keepers[attention.name] = number
                elif not attention.runs_again and keepers.get(attention.name, first) < first:
                    raise RequestError(
                        f"layer {number} reads the cache of layer {keepers[attention.name]}, which another of the "
                        f"{stages} pipeline stages has: use --pipeline-parallel-size 1"
                    )
