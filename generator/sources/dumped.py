"""Facts from a dump of vLLM's own: what it built of a model that no reader knows (`preflight.py --facts FILE`)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Architecture, Layer
from generator.models.attention import MLA, FullAttention, GatedDeltaNet, Mamba2, Mixer, SlidingWindow
from generator.models.checkpoint import Checkpoint, ModelFacts
from generator.models.feed_forward import MoE
from generator.models.matrix import Matrix
from generator.models.parallelism import Layout
from generator.models.value import Value
from generator.planning.weights.rank import rank_weights
from generator.sources.report_file import read_written

_SCRIPT = "scripts/preflight.py --facts FILE writes it, with the vLLM that will serve"
_SIZES = {"bfloat16": 2, "float16": 2, "float32": 4}
Count = Annotated[int, Field(ge=0, le=1 << 50)]


class _Dumped(Value):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Layer(_Dumped):
    mixers: tuple[dict[str, Any], ...]
    experts: dict[str, Any] | None
    bytes: Count


class _Outside(_Dumped):
    embedding: Count
    head: Count
    rest: Count


class _Text(_Dumped):
    model_type: str
    hidden_size: Annotated[int, Field(gt=0, le=1 << 20)]
    vocab_size: Annotated[int, Field(gt=0, le=1 << 24)]
    tie_word_embeddings: bool | None = None


class _Build(_Dumped):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    class_: str = Field(alias="class")
    dtype: str
    quantization: str | None = None
    max_model_len: Annotated[int, Field(gt=0)]
    text: _Text
    buffer_bytes: Count
    layers: tuple[tuple[_Layer, Annotated[int, Field(gt=0, le=1000)]], ...]
    outside: _Outside


class Dump(_Dumped):
    """The file: one build at tensor parallel size 1 and, where vLLM takes it, one at 2."""

    vllm: str
    model: str
    tp1: _Build
    tp2: _Build | None = None


def dumped_facts(file: Path) -> ModelFacts:
    """The facts in a file that `preflight.py --facts` wrote.

    Raises:
        SourceError: it cannot be read, or is no dump.
        UnsupportedArchitectureError: a layer is of a kind that no room of the planner knows.
    """
    dump = read_written(file, Dump, what="dump of vLLM's facts", script=_SCRIPT)
    return ModelFacts(
        id=dump.model,
        revision=None,
        source="hub",
        architecture=_architecture(dump),
        checkpoint=Checkpoint(),
        built_by=dump.vllm,
    )


def _architecture(dump: Dump) -> Architecture:
    """The model's shapes: what keeps a cache as it is declared, all other parameters by how they split."""
    one = dump.tp1
    keys = [json.dumps(layer.model_dump(), sort_keys=True) for layer, _ in one.layers]
    kinds = list(dict.fromkeys(keys))
    bare = _bare(one, (), "")
    outside = _rest(_sizes(dump, lambda build: sum(build.outside.model_dump().values())), bare)
    layers = tuple(_layer(dump, keys.index(kind), bare) for kind in kinds)
    pattern = " ".join(f"{kinds.index(key)}*{count}" for key, (_, count) in zip(keys, one.layers, strict=True))
    return _bare(one, layers, pattern).model_copy(update={"extra": outside})


def _layer(dump: Dump, at: int, bare: Architecture) -> Layer:
    """The layer of a run, with what it holds beyond its mixer and its experts."""
    declared = _declared(dump.tp1.layers[at][0], dump.tp1)
    sizes = _sizes(dump, lambda build: build.layers[at][0].bytes)
    return declared.model_copy(update={"extra": _rest(sizes, _bare(dump.tp1, (declared,), "0"), bare)})


def _sizes(dump: Dump, size: Callable[[_Build], int]) -> tuple[int, int]:
    """Bytes at tensor parallel size 1 and 2; equal where only one build is known."""
    both = dump.tp2 is not None and len(dump.tp2.layers) == len(dump.tp1.layers)
    whole = size(dump.tp1)
    return whole, size(dump.tp2) if dump.tp2 is not None and both else whole


def _bare(build: _Build, layers: tuple[Layer, ...], pattern: str) -> Architecture:
    text = build.text
    return Architecture(
        model_type=text.model_type,
        architecture=build.class_,
        hidden_size=text.hidden_size,
        vocab_size=text.vocab_size,
        max_position_embeddings=build.max_model_len,
        tie_word_embeddings=bool(build.outside.embedding) and not build.outside.head,
        layer_kinds=layers,
        layer_pattern=pattern,
        dtype=build.dtype,
        embedding=bool(build.outside.embedding),
        rotary_bytes=build.buffer_bytes,
    )


def _rest(sizes: tuple[int, int], counted: Architecture, less: Architecture | None = None) -> tuple[Matrix, ...]:
    """What vLLM holds beyond what the shapes imply: one matrix that is split, one that is whole."""
    size = _SIZES.get(counted.dtype, 2)
    left = []
    for tensor, held in zip((1, 2), sizes, strict=True):
        layout = Layout(tensor_parallel_size=tensor)
        implied = rank_weights(counted, None, layout).worst.total_bytes
        left.append(held - implied + (rank_weights(less, None, layout).worst.total_bytes if less else 0))
    split = max(0, 2 * (left[0] - left[1])) // size
    whole = max(0, left[0] // size - split)
    found = [Matrix(name="split", rows=split, part="dense", shard="column")] if split else []
    return (*found, *([Matrix(name="whole", rows=whole, part="dense")] if whole else []))


def _declared(layer: _Layer, build: _Build) -> Layer:
    """A layer with its mixer and its experts; no norm and no dense block, which the rest holds."""
    mixers = tuple(_mixer(one, build) for one in layer.mixers)
    if len(mixers) > 1:
        raise UnsupportedArchitectureError(
            f"{build.class_}: layers with {len(mixers)} caches are not planned from a dump"
        )
    return Layer(mixer=mixers[0] if mixers else None, feed_forward=_experts(layer.experts), norms=0)


def _experts(shape: dict[str, Any] | None) -> MoE | None:
    if shape is None:
        return None
    return MoE(
        num_experts=int(shape["num_experts"]),
        num_experts_per_tok=int(shape["experts_per_token"]),
        moe_intermediate_size=int(shape["intermediate_size"]),
    )


def _mixer(shape: dict[str, Any], build: _Build) -> Mixer:
    kind = shape.get("kind")
    if kind == "Attention":
        return _softmax(shape)
    if kind == "MLAAttention" and not shape.get("indexer"):
        latent = ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        return MLA(num_attention_heads=shape["num_heads"], **{name: shape[name] for name in latent})
    if kind == "GatedDeltaNet":
        heads = ("num_k_heads", "num_v_heads", "head_k_dim", "head_v_dim")
        return GatedDeltaNet(conv_kernel=shape["conv_kernel_size"], **{name: shape[name] for name in heads})
    if kind == "MambaMixer2":
        names = ("num_heads", "head_dim", "n_groups")
        return Mamba2(
            state_size=shape["ssm_state_size"],
            conv_kernel=shape["conv_kernel_size"],
            **{name: shape[name] for name in names},
        )
    raise UnsupportedArchitectureError(
        f"{build.class_}: layers of vLLM's {kind} are not planned from a dump yet; "
        "attention, MLA, gated delta nets and Mamba 2 are"
    )


def _softmax(shape: dict[str, Any]) -> Mixer:
    heads = {
        "num_attention_heads": shape["num_heads"],
        "num_key_value_heads": shape["num_kv_heads"],
        "head_dim": shape["head_size"],
        "head_dim_v": shape.get("head_size_v") or shape["head_size"],
    }
    window = shape.get("sliding_window")
    return SlidingWindow(sliding_window=window, **heads) if window else FullAttention(**heads)
