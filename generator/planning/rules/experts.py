"""A kernel of experts that the user names (`moe_backend`): whether it runs them as they are stored, on this GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.feed_forward import MoE
from generator.models.kernels import ExpertKernels
from generator.models.parallelism import Layout
from generator.planning.speed.kernels import kernels

if TYPE_CHECKING:
    from generator.planning.case import Case

_EXCHANGES = ("allgather_reducescatter", "naive", "pplx")
"""What needs no library beside vLLM; the last two are the first since 0.19 (config/parallel.py: __post_init__)."""
_FINE, _BLOCK = "triton", 128
"""The kernel that takes blocks of any size, and the side of those that the others take."""
PADS = "pads_blocks_made_while_loading"
_MEGA = ("deep_gemm_mega_moe",)
"""Mega kernels that a class calls itself (0.33 config/kernel.py: NATIVE_MEGA_MOE_BACKENDS)."""
_SAME_FOR = frozenset({"silu", "swigluoai"})
"""Activations of the experts that vLLM was asked about; kernels refuse others one by one."""
GELU = frozenset({"gelu_pytorch_tanh", "gelu_tanh"})
"""Activations that Triton's kernel takes besides, and TRT-LLM's does not (fused_moe/experts: _supports_activation)."""


def check_expert_kernel(case: Case) -> None:
    """Return only where vLLM runs the experts in the kernel that the user names, as far as its choice was asked.

    vLLM 0.33 model_executor/layers/fused_moe/oracle: each way to store experts has its own choice.

    Raises:
        RequestError: it does not; names the kernels that do.
    """
    name = named_kernel(case)
    held = None if name is None or _own_kernels(case, name) else _runs(case)
    if held is None:
        return
    able = held.able(case.gpu.capability)
    if name not in able:
        raise RequestError(
            f"moe_backend {name} does not run experts stored as {way_of(case)} on {case.gpu.name} in vLLM {case.vllm}: "
            f"leave it out, or choose {' or '.join(able) or 'another GPU'}"
        )


def check_biases(case: Case) -> None:
    """Return only where experts that have biases are stored in a way that the release has a place for them in.

    The model's class asks for them by name (vLLM 0.19.1 to 0.33.0 models/gpt_oss.py: _load_weights_other).

    Raises:
        RequestError: it has none; names the ways to store them that have.
    """
    own, method = case.quantization, case.method
    if own is None or method is None or not any(block.bias for block in expert_blocks(case)):
        return
    form = kernels(case.architecture, own)[1]
    if not method.keeps_biases(case.release, form):
        last = method.unbiased[form]
        newer = f"pin one after vLLM {last} (--vllm), or " if last else ""
        raise RequestError(
            f"vLLM {case.release} has no place for the biases of this model's experts where they are stored as "
            f"{way_of(case)}, and ends while it loads them: {newer}choose a checkpoint in MXFP4, FP8 or 16 bits"
        )


def check_blocks(case: Case, layout: Layout) -> None:
    """Return only where experts that are quantized by blocks while loading are whole blocks, or may run broken.

    Triton's kernel asserts it of what goes into it (vLLM 0.24.0 fused_moe/utils.py: _fp8_quantize).

    Raises:
        RequestError: a rank's are not; says what to change.
    """
    width = broken_width(case, layout)
    if width and (named_kernel(case) or expert_kernel(case, layout)) == _FINE:
        since = case.vllm.since[PADS]
        whole = any(block.moe_intermediate_size % _BLOCK for block in expert_blocks(case))
        spread = "" if whole or layout.enable_expert_parallel else "add --enable-expert-parallel, "
        raise RequestError(
            f"vLLM {case.release} quantizes experts in blocks of {_BLOCK} while it loads them, and ends where a rank's "
            f"are {width:,} channels wide: {spread}pin vLLM {since} or newer, or set --quantization fp8_per_tensor"
        )


def broken_width(case: Case, layout: Layout) -> int:
    """Channels of a rank's experts that end in a broken block made while loading; 0 for none (online/fp8.py)."""
    if way_of(case) != "fp8_per_block online" or case.vllm.has(PADS):
        return 0
    ranks, hidden = layout.expert_slices, case.architecture.hidden_size
    widths = (hidden, *(block.moe_intermediate_size // ranks for block in expert_blocks(case)))
    return next((width for width in widths if width % _BLOCK), 0)


def unasked(case: Case, layout: Layout) -> tuple[str, ...]:
    """The user's arguments about experts whose kernels decide at the start, in ways that vLLM was not asked about."""
    exchanged = layout.enable_expert_parallel and layout.data_parallel_size > 1
    exchange = case.fixed.get("all2all_backend", _EXCHANGES[0]) if exchanged else _EXCHANGES[0]
    named = named_kernel(case)
    unsure = {"all2all_backend": exchange not in _EXCHANGES, "moe_backend": named is not None and _unsure(case, named)}
    return tuple(argument for argument, is_so in unsure.items() if is_so)


def _unsure(case: Case, name: str) -> bool:
    """Whether the kernel was not put to vLLM's choice for such layers."""
    return _runs(case) is None or not _is_plain(case, fine=name == _FINE) or _own_kernels(case, name)


def named_kernel(case: Case) -> str | None:
    """The kernel of experts that the user names, by vLLM's spelling; None where vLLM chooses or no experts are."""
    inner, flag = case.mapping("kernel_config").get("moe_backend"), case.fixed.get("moe_backend")
    name = str(inner if flag in (None, "auto") and inner else flag or "auto").lower().replace("-", "_")
    return None if name == "auto" or not expert_blocks(case) else name


def way_of(case: Case) -> str:
    """How the experts are stored: vLLM's name of the quantization and the format, "fp8 fp8_block"."""
    form, method = kernels(case.architecture, case.on_gpu)[1], case.method
    if form == "native" or method is None:
        return "unquantized"
    return f"{method.name} online" if case.quantization is None else f"{method.name} {form}"


def expert_kernel(case: Case, layout: Layout) -> str:
    """The kernel that the experts run in; empty for a model without, and where vLLM was not asked about such layers."""
    named = named_kernel(case)
    held = _runs(case) if named is None and _is_plain(case) else None
    if held is None:
        return named or ""
    if _cuts_blocks(case, layout):
        return _FINE if _FINE in held.able(case.gpu.capability) else ""
    return held.unasked(case.gpu.capability, whole=layout.enable_expert_parallel)


def kernels_here(case: Case) -> tuple[str, ...]:
    """The kernels that run the experts as they are stored, on this GPU; none where vLLM was not asked."""
    held = _runs(case)
    return held.able(case.gpu.capability) if held else ()


def _cuts_blocks(case: Case, layout: Layout) -> bool:
    """Whether a rank's slice of an expert holds broken blocks of FP8, whose scales are then made finer.

    vLLM 0.33 fused_moe/oracle/fp8.py: refine_fp8_moe_block_shape.
    """
    shards = layout.expert_slices
    cut = any(block.moe_intermediate_size // shards % _BLOCK for block in expert_blocks(case))
    return cut and way_of(case).endswith("fp8_block")


def _is_plain(case: Case, *, fine: bool = False) -> bool:
    """Whether the case has experts, and such as vLLM was asked about, or as Triton's kernel takes too (`fine`)."""
    activations = {block.activation for block in expert_blocks(case)}
    known = _SAME_FOR | GELU if fine else _SAME_FOR
    return bool(activations) and activations <= known and not case.fixed.get("enable_lora")


def _runs(case: Case) -> ExpertKernels | None:
    """Kernels of experts that are stored like the case's; None where vLLM was not asked."""
    if case.gpu.capability.is_rocm:
        return None
    return case.tables.engine.expert_kernels.get(way_of(case))


def _own_kernels(case: Case, name: str) -> bool:
    """Whether the model's own class runs its experts in that kernel."""
    own = case.architecture.architecture
    return "mega" in name and case.vllm.has("runs_experts_itself", architecture=own)


def runs_mega_kernel(case: Case) -> bool:
    """Whether the user names a kernel of vLLM's own that the model's class runs on whole experts."""
    return named_kernel(case) in _MEGA and _own_kernels(case, *_MEGA)


def expert_blocks(case: Case) -> list[MoE]:
    """The model's kinds of routed experts."""
    kinds = (kind.feed_forward for kind in case.architecture.layer_kinds)
    return [block for block in kinds if isinstance(block, MoE)]
