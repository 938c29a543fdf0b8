"""Memory that vLLM sets aside for LoRA adapters: low-rank pairs beside the matrices that adapters may change."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.architecture import Architecture
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.models.model_class import ModelClass
from generator.models.parallelism import Layout
from generator.planning.weights.expansion import WeightModule, modules
from generator.planning.weights.rank import DTYPES, RankWeights
from generator.planning.weights.sharding import rank_shape, stage_layers
from generator.presenting.text import some

if TYPE_CHECKING:
    from generator.planning.case import Case

MOST_VOCABULARY = 258_048
"""Largest vocabulary of a head that adapters may change (vLLM 0.32 lora/layers/logits_processor.py:91)."""

_NOT_COUNTED = ("enable_moe_shared_loras", "lora_target_modules", "enable_tower_connector_lora")
_DEFAULT_RANK = 16
_GATHERS = "allgather_reducescatter"


def lora_bytes(
    architecture: Architecture,
    model_class: ModelClass,
    layout: Layout,
    *,
    max_loras: int,
    max_lora_rank: int,
    dtype: DType,
    fully_sharded: bool = False,
) -> tuple[int, ...]:
    """Bytes that `max_loras` adapters take on the worst rank of every pipeline stage.

    Each matrix gets a pair of `max_lora_rank`: the half on the side that tensor parallelism splits is split, the other
    is whole on each rank (vLLM 0.32 lora/layers/base_linear.py:133, column_parallel_linear.py:224, fused_moe.py:162);
    `fully_sharded` splits it too: the rank before split outputs, the outputs behind split inputs.
    """
    bounds = stage_layers(architecture.num_hidden_layers, layout.pipeline_parallel_size)
    elements: Counter[int] = Counter()
    for module in modules(architecture):
        if _is_adapted(module):
            for stage, (first, end) in enumerate(bounds):
                held = sum(first <= layer < end for layer in module.layers)
                elements[stage] += held * _pair_elements(
                    module.matrix, layout, max_lora_rank, fully_sharded=fully_sharded, shared=model_class.one_pair
                )
    end = (architecture.vocab_size + architecture.hidden_size) * max_lora_rank
    elements[0] += end * ("embedding" in model_class.adapted_ends)
    elements[len(bounds) - 1] += end * _adapts_head(architecture, model_class)
    return tuple(dtype.bytes_for(elements[stage] * max_loras) for stage in range(len(bounds)))


def check_sharding(case: Case, layout: Layout) -> None:
    """Return only where vLLM can spread the adapters over the layout's ranks.

    Raises:
        RequestError: the rank does not divide, or experts are spread over ranks (0.32 lora/layers/fused_moe.py:239).
    """
    if not case.fixed.get("enable_lora"):
        return
    _check_spread_experts(case, layout)
    if not case.fixed.get("fully_sharded_loras"):
        return
    rank, tensor = int(case.fixed.get("max_lora_rank", _DEFAULT_RANK)), layout.tensor_parallel_size
    if rank % tensor:
        raise RequestError(f"fully_sharded_loras splits max_lora_rank ({rank}) over {tensor} GPUs: choose a multiple")
    if layout.enable_expert_parallel:
        raise RequestError("vLLM has no fully_sharded_loras with expert parallelism: leave one of them out")


def _check_spread_experts(case: Case, layout: Layout) -> None:
    """Experts lie on one rank where the release wants them so, else ranks gather every token (fused_moe.py:234)."""
    if layout.expert_parallel_size == 1 or not case.architecture.is_moe:
        return
    backend = case.fixed.get("all2all_backend") or _GATHERS
    if backend != _GATHERS:
        raise RequestError(
            f"LoRA adapters of spread experts take all2all_backend {_GATHERS}, not {backend}: leave it out"
        )
    if layout.tensor_parallel_size > 1 and layout.data_parallel_size > 1:
        raise RequestError(
            f"LoRA adapters do not go with experts that tensor-parallel and data-parallel ranks share "
            f"({layout.tensor_parallel_size} and {layout.data_parallel_size}), which split the tokens: use one of them"
        )
    if case.vllm.has("adapters_keep_experts_together"):
        raise RequestError(
            f"vLLM {case.release} has no LoRA adapters with expert parallelism: leave one of them out, or pin a later "
            "release (--vllm)"
        )


def with_adapters(case: Case, layout: Layout, weights: RankWeights) -> RankWeights:
    """The weights with the adapters' memory where the user enables adapters; vLLM allocates it while loading.

    Raises:
        UnsupportedArchitectureError: no one measured adapters of the model's class.
        RequestError: vLLM would refuse the adapters.
    """
    if not case.fixed.get("enable_lora"):
        return weights
    check_sharding(case, layout)
    _check_class(case)
    dtype = _dtype(case)
    sizes = lora_bytes(
        case.architecture,
        case.model_class,
        layout,
        max_loras=case.fixed.get("max_loras", 1),
        max_lora_rank=int(case.fixed.get("max_lora_rank", _DEFAULT_RANK)),
        dtype=dtype,
        fully_sharded=bool(case.fixed.get("fully_sharded_loras")),
    )
    stages = zip(weights.stages, sizes, strict=True)
    return RankWeights(stages=tuple(stage.grown("other", size, dtype) for stage, size in stages))


def check_lora(case: Case) -> None:
    """Return only where the adapters' settings are such as vLLM takes and this planner counts.

    Raises:
        RequestError: they are not; names the setting.
    """
    if not case.fixed.get("enable_lora"):
        return
    _check_experts(case)
    slots, held = case.fixed.get("max_loras", 1), case.fixed.get("max_cpu_loras")
    if slots < 1:
        raise RequestError(f"max_loras must be at least 1, got {slots}")
    if held is not None and held < slots:
        raise RequestError(f"max_cpu_loras ({held}) must be at least max_loras ({slots})")
    for name in _NOT_COUNTED:
        if case.fixed.get(name):
            raise RequestError(f"memory of adapters with {name} is not planned: leave it out")


def _check_experts(case: Case) -> None:
    """The class tells its experts to the adapters, or is not asked."""
    name = case.model_class.name or case.architecture.architecture
    if case.architecture.is_moe and case.vllm.has("adapters_need_a_list_of_experts", architecture=name):
        raise RequestError(
            f"vLLM {case.release} ends with --enable-lora beside {name}, whose experts it cannot list "
            "('get_expert_mapping' must be implemented): leave it out, or pin a later release (--vllm)"
        )


def _check_class(case: Case) -> None:
    architecture, model_class = case.architecture, case.model_class
    if not model_class.adapters_counted:
        raise UnsupportedArchitectureError(
            f"LoRA adapters of {model_class.name or architecture.model_type} are not planned: leave --set enable_lora "
            f"out, or choose a model of {some(case.tables.classes.with_adapters, 3)}"
        )
    if _adapts_head(architecture, model_class) and architecture.vocab_size > MOST_VOCABULARY:
        raise RequestError(
            f"vLLM takes adapters up to a vocabulary of {MOST_VOCABULARY:,}, this model has "
            f"{architecture.vocab_size:,}: leave --set enable_lora out"
        )


def _adapts_head(architecture: Architecture, model_class: ModelClass) -> bool:
    return architecture.lm_head and "head" in model_class.adapted_ends


def _is_adapted(module: WeightModule) -> bool:
    """Every linear layer of the decoder, routers included; norms and biases are vectors."""
    return module.place == "layer" and module.matrix.columns > 1


def _pair_elements(matrix: Matrix, layout: Layout, rank: int, *, fully_sharded: bool, shared: frozenset[str]) -> int:
    """Elements of the pair `rank x inputs` and `outputs x rank` that one rank holds of one adapter."""
    shape = rank_shape(matrix, layout)
    whole = matrix.shard == "replicated" or (matrix.undivided > 0 and shape.rows == matrix.rows)
    ranks = layout.tensor_parallel_size if fully_sharded and not whole else 1
    if matrix.shard == "row":
        pair = shape.columns * rank + matrix.rows // ranks * rank
    else:
        own = matrix.name.rpartition(".")[2] not in shared
        pair = own * matrix.columns * (rank // ranks) + shape.rows * rank
    return pair * shape.copies


def _dtype(case: Case) -> DType:
    """The adapters' own dtype; the model's where `lora_dtype` is left to it, float16 where the GPU has no bfloat16."""
    named = next((case.fixed[name] for name in ("lora_dtype", "dtype") if case.fixed.get(name, "auto") != "auto"), None)
    found = DTYPES[named or case.architecture.dtype]
    return DType.F16 if found == DType.BF16 and not case.gpu.supports_bf16 else found
