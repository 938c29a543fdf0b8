"""Weights of one rank corrected by what the checkpoint's headers say that it stores.

Shapes and the quantization config say how tensors are split; the headers say how many bytes there are. Where
the two disagree about a part of the model, the headers are right, and the part is scaled.
"""

from collections import Counter
from typing import Literal

from generator.models.architecture import Architecture
from generator.models.checkpoint import Checkpoint, TensorGroup
from generator.models.dtype import DType
from generator.models.matrix import Part
from generator.models.parallelism import Layout
from generator.planning.weights.rank import DTYPES, RankWeights, rank_weights

_Bin = Literal["experts", "embed", "lm_head", "vision", "rest"]
_TOWER_WORDS = ("visual", "vision", "audio", "image", "multi_modal_projector", "mm_projector", "mlp1")
_ENCODER_WORDS = (
    "adaptor", "apm", "connector", "embed_audio", "embed_tokens_extend", "embed_vision", "encoder", "img_projection",
    "mlp_AR", "projector", "qformer", "resampler", "sam_model", "sound", "speech", "vit_", "vpm", "vte",
    "whisper_encoder",
)  # fmt: skip
"""Names of encoders and projectors that mean something else in a model without towers."""
_UNLOADED = frozenset({"code2wav", "talker", "token2wav", "tts"})
"""Parts of omni checkpoints that speak, which vLLM 0.32 leaves on the disk (qwen3_omni_moe_thinker.py, minicpmo.py)."""
_EMBEDDINGS = frozenset({
    "embed_in", "embed_tokens", "embed_tokens_per_layer", "embeddings", "tok_embeddings", "word_embeddings", "wpe",
    "wte",
})  # fmt: skip
_HEADS = frozenset({"lm_head", "output", "embed_out"})
TOLERANCE = 0.01
"""Share of a part that may differ without a correction: scalars, buffers, padding."""


def measured_weights(
    weights: RankWeights, architecture: Architecture, checkpoint: Checkpoint, *, dtype: str | None = None
) -> RankWeights:
    """`weights` with each part scaled by stored over derived bytes where the headers differ from the shapes.

    Unchanged where no header is known, or the headers' groups are too coarse to tell parts apart.
    """
    stored = _stored(architecture, checkpoint, DTYPES[dtype or architecture.dtype])
    if not stored:
        return weights
    whole = rank_weights(architecture, checkpoint.quantization, Layout(), dtype=dtype).stages[0].by_part
    derived: Counter[_Bin] = Counter()
    for part, size in whole.items():
        derived[_bin(part)] += size
    factors = {
        one: stored[one] / derived[one]
        for one in derived
        if stored[one] and abs(stored[one] / derived[one] - 1) > TOLERANCE
    }
    return _scaled(weights, factors) if factors else weights


def _scaled(weights: RankWeights, factors: dict[_Bin, float]) -> RankWeights:
    stages = tuple(
        stage.changed(
            by_part={part: round(size * factors.get(_bin(part), 1.0)) for part, size in stage.by_part.items()}
        )
        for stage in weights.stages
    )
    return RankWeights(stages=stages)


def _bin(part: Part) -> _Bin:
    return part if part in {"experts", "embed", "lm_head", "vision"} else "rest"


def _stored(architecture: Architecture, checkpoint: Checkpoint, own: DType) -> Counter[_Bin]:
    """Bytes by part as they will lie on the GPU, draft layers left out; empty where groups are too coarse."""
    found: Counter[_Bin] = Counter()
    for group in checkpoint.tensors:
        if architecture.towers and _UNLOADED & set(group.module.split(".")):
            continue
        one = _place(group.module, _TOWER_WORDS + (_ENCODER_WORDS if architecture.towers else ()))
        if one is None:
            return Counter()
        wide = group.dtype is DType.F32 and checkpoint.quantization is None
        size = (own if wide else group.dtype).bytes_for(group.elements)
        found[one] += size * _kept(group, architecture.num_hidden_layers) // 1000
    if architecture.tie_word_embeddings:
        del found["lm_head"]
    return found


def _place(module: str, tower_words: tuple[str, ...]) -> _Bin | None:
    """The part that a module class belongs to; None where the class is too coarse to say."""
    words = module.split(".")
    if any(word.startswith(tower_words) for word in words):
        return "vision"
    if "experts" in words:
        return "experts"
    if _EMBEDDINGS & set(words):
        return "embed"
    if _HEADS & {words[0], words[-2] if len(words) > 1 else ""}:
        return "lm_head"
    return None if words == ["all"] or words[-1] in {"mlp", "layers", "model", "block_sparse_moe"} else "rest"


def _kept(group: TensorGroup, layers: int) -> int:
    """Thousandths of the group's layers that the model itself has; the others are drafts."""
    if not group.layers:
        return 0 if group.module.startswith("mtp") else 1000
    total = kept = 0
    for word in group.layers.split(","):
        first, _, last = word.partition("-")
        end = int(last or first) + 1
        total += end - int(first)
        kept += max(min(end, layers) - int(first), 0)
    return 1000 * kept // total
