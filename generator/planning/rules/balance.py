"""Experts that move between ranks while serving (EPLB), and mega kernels, which hold whole experts on every rank."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.planning.memory.overhead import model_runner
from generator.planning.rules.experts import expert_blocks, expert_kernel, kernels_here, runs_mega_kernel, way_of

if TYPE_CHECKING:
    from generator.models.parallelism import Layout
    from generator.planning.case import Case

_TILE = 128
"""Channels of a mega kernel's tile."""


def check_balance(case: Case, layout: Layout) -> None:
    """Return only where experts may move between the layout's ranks, or need not, and a mega kernel may hold them.

    Raises:
        RequestError: vLLM refuses them; says what to change.
    """
    if _spares(case) and not case.fixed.get("enable_eplb"):
        raise RequestError(
            f"num_redundant_experts ({_spares(case)}) is for balancing: set enable_eplb=true, or leave it out"
        )
    if case.fixed.get("enable_eplb"):
        _ranks_hold_whole_experts(case, layout)
        _class_tells_its_experts(case)
    if runs_mega_kernel(case):
        _mega_kernel_has_its_ranks(case, layout)
    if case.fixed.get("all2all_backend") == "moonep":
        _experts_travel_whole(case)


def _experts_travel_whole(case: Case) -> None:
    """This way to exchange tokens takes experts in bfloat16 alone (0.31.0 and 0.33.0 config/vllm.py)."""
    own = case.method_name or case.dtype
    if own != "bfloat16":
        raise RequestError(
            f"all2all_backend moonep is for unquantized models in bfloat16, and this one is {own}: choose another, or "
            "leave it out"
        )


def _ranks_hold_whole_experts(case: Case, layout: Layout) -> None:
    """Ranks hold some experts each, at least two ranks (config/parallel.py: enable_eplb)."""
    if not case.architecture.is_moe:
        raise RequestError("enable_eplb moves experts between ranks, and this model has none: leave it out")
    if _ranks(layout) == 1:
        raise RequestError("enable_eplb moves experts between ranks, and there is one: use --tp 2, or leave it out")
    if not layout.enable_expert_parallel:
        raise RequestError("enable_eplb moves experts between ranks: add --enable-expert-parallel, or leave it out")
    if _tells(case):
        _experts_divide(case, layout, "enable_eplb")
        _kernel_moves_them(case, layout)


def _kernel_moves_them(case: Case, layout: Layout) -> None:
    """The way to store experts is one that moves, and so is their kernel, if it is known.

    vLLM 0.20.2 fused_moe/layer.py:546, 0.33.0 routed_experts.py:186.
    """
    way, kernel = way_of(case), expert_kernel(case, layout)
    moved = [able for ways, able in case.tables.engine.moved_experts.items() if fnmatchcase(way, ways)]
    if any(not (able and kernel) or kernel in able for able in moved):
        return
    others = [name for able in moved for name in able if name in kernels_here(case)]
    raise RequestError(
        f"EPLB is not supported for experts stored as {way}{f' in the kernel {kernel}' if moved else ''}: leave "
        f"enable_eplb out, {f'name --moe-backend {others[0]}, ' if others else ''}or choose FP8 or an unquantized "
        "checkpoint"
    )


def _class_tells_its_experts(case: Case) -> None:
    """Model Runner V1 ends in its profile where the class lists no experts; V2 leaves them where they are.

    vLLM 0.20.2 v1/worker/gpu_model_runner.py:3103, 0.23.0 :3307, 0.28.0: eplb_step.
    """
    architecture, release = case.architecture, case.vllm
    inner = bool(architecture.towers) and release.has("balances_language_models")
    if _tells(case) or inner or not case.model_class.served or model_runner(architecture, release) == "v2":
        return
    raise RequestError(
        f"vLLM {release} balances no experts of {architecture.architecture}, and its start ends where it tries: leave "
        f"enable_eplb out"
    )


def _mega_kernel_has_its_ranks(case: Case, layout: Layout) -> None:
    """A mega kernel exchanges whole experts itself, as many on each rank.

    vLLM 0.20.2 models/deepseek_v4.py:808, 0.27.1 models/deepseek_v4/nvidia/model.py:631, 0.33.0 :233, :356,
    kimi_k3/nvidia/model.py:406, :519, muse_spark/nvidia/model.py:492, :557.
    """
    if not case.vllm.has("multiplies_in_mega_kernels", capability=case.gpu.capability):
        raise RequestError(
            f"a mega kernel (moe_backend) requires a datacenter GPU of Blackwell, {case.gpu.name} is none: leave it out"
        )
    if not layout.enable_expert_parallel:
        raise RequestError(
            "a mega kernel (moe_backend) requires expert parallelism: add --enable-expert-parallel, or name another"
        )
    _experts_divide(case, layout, "a mega kernel (moe_backend)")
    _mega_kernel_has_whole_tiles(case)


def _mega_kernel_has_whole_tiles(case: Case) -> None:
    """The kernel cuts no tile (0.20.2 models/deepseek_v4.py:527, 0.33.0 fused_moe/deep_gemm_mega_moe.py:202)."""
    widths = {case.architecture.hidden_size, *(block.moe_intermediate_size for block in expert_blocks(case))}
    if odd := sorted(width for width in widths if width % _TILE):
        raise RequestError(
            f"a mega kernel (moe_backend) requires widths of whole multiples of {_TILE}, and the model has {odd[0]:,}: "
            "name another"
        )


def _experts_divide(case: Case, layout: Layout, what: str) -> None:
    """As many experts on each rank (0.20.2 fused_moe/layer.py:378, 0.33.0 :273)."""
    ranks, spares = _ranks(layout), _spares(case)
    for block in expert_blocks(case):
        if (block.num_experts + spares) % ranks:
            more = -block.num_experts % ranks
            balanced = f"enable_eplb with num_redundant_experts of {more}" if more else "no num_redundant_experts"
            raise RequestError(
                f"{what} puts as many experts on each rank, and {block.num_experts + spares} do not divide over "
                f"{ranks} ranks: use another number of ranks, or {balanced}"
            )


def _ranks(layout: Layout) -> int:
    return layout.tensor_parallel_size * layout.data_parallel_size


def _spares(case: Case) -> int:
    """Experts held twice, by the user's word."""
    spare = case.mapping("eplb_config").get("num_redundant_experts")
    return spare if isinstance(spare, int) else 0


def _tells(case: Case) -> bool:
    return case.vllm.has("balances_experts", architecture=case.architecture.architecture)
