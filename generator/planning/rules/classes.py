"""What vLLM refuses of a model's class: stages that it has not or that part what it keeps together, and past classes.

Each rule returns only where it holds: else it raises RequestError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.feed_forward import MoE
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


def stages_have_layers(start: Replica) -> None:
    """The class has stages (config/model.py:1556), each of them what it ties and a layer (distributed/utils.py:126)."""
    stages, layers = start.layout.pipeline_parallel_size, start.architecture.num_hidden_layers
    if stages > 1 and not start.model_class.stages:
        raise RequestError(
            f"pipeline parallelism is not supported for {start.model_class.name}: use --pipeline-parallel-size 1, and "
            "serve replicas with --data-parallel-size"
        )
    if stages > 1 and start.model_class.head_apart and start.architecture.tie_word_embeddings:
        raise RequestError(
            f"{start.model_class.name} cannot tie its head to the embedding over pipeline stages: use "
            "--pipeline-parallel-size 1"
        )
    if stages > layers:
        raise RequestError(f"{layers} layers do not fill {stages} pipeline stages; choose at most {layers}")


def stages_feed_the_first(start: Replica) -> None:
    """Layers that an encoder's earlier outputs feed lie in the first stage.

    vLLM 0.23.0 and 0.33.0 model_executor/models/qwen3_vl.py, qwen3_vl_moe.py: deepstack_visual_indexes.
    """
    stages, layers = start.layout.pipeline_parallel_size, start.architecture.num_hidden_layers
    fed = max((tower.early_outputs for tower in start.architecture.towers), default=0)
    name = start.architecture.architecture
    if stages == 1 or not fed or not start.release.has("feeds_the_first_stage", architecture=name):
        return
    _, end = stage_layers(layers, stages)[0]
    if end < fed:
        raise RequestError(
            f"the encoder feeds the first {fed} layers of {name}, and the first of {stages} pipeline stages has {end}: "
            f"use --pipeline-parallel-size {layers // fed} or fewer"
        )


def stages_have_experts(start: Replica) -> None:
    """Some classes look for their experts on each stage and stop where it has none ("No ... layer found")."""
    stages, name = start.layout.pipeline_parallel_size, start.architecture.architecture
    if stages == 1 or not start.architecture.is_moe:
        return
    if not start.release.has("looks_for_experts_on_each_stage", architecture=name):
        return
    layers = start.architecture.layers
    for number, (first, end) in enumerate(stage_layers(len(layers), stages), 1):
        if not any(isinstance(layer.feed_forward, MoE) for layer in layers[first:end]):
            raise RequestError(
                f"pipeline stage {number} of {stages} has no routed experts, which vLLM's {name} looks for on each: "
                "use fewer stages"
            )


def image_reads_config(case: Case) -> None:
    """The Transformers of the release's image gives vLLM what it reads of config.json."""
    name = "reads_one_head_size_of_varying"
    if case.vllm.has(name, architecture=case.architecture.architecture):
        last = case.vllm.until[name]
        raise RequestError(
            f"vLLM {case.release} reads one head size of {case.model_class.name}, whose layers differ, and "
            f"Transformers 5.15.0 in its image refuses that: pin a release after vLLM {last} or before it (--vllm)"
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
