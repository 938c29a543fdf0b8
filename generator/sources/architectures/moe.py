"""Families of mixtures of experts with ordinary or latent attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.errors import UnsupportedArchitectureError
from generator.models.architecture import Layer
from generator.models.dtype import DType
from generator.models.feed_forward import Dense
from generator.models.matrix import Matrix
from generator.sources.architectures.attention import draft_mixers, mixers
from generator.sources.architectures.blocks import EXPERTS, MixtureTraits, dense, feed_forwards, layer_count, mixture
from generator.sources.architectures.decoder import Decoder, stack
from generator.sources.architectures.fields import first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Config = Mapping[str, Any]

_DEEPSEEK = MixtureTraits(shared_whole=True)

TRAITS: dict[str, MixtureTraits] = {
    "mixtral": MixtureTraits(name="block_sparse_moe"),
    "phimoe": MixtureTraits(name="block_sparse_moe"),
    "granitemoe": MixtureTraits(name="block_sparse_moe", router_name="router.layer"),
    "granitemoeshared": MixtureTraits(name="block_sparse_moe", router_name="router.layer"),
    "qwen2_moe": MixtureTraits(shared_name="shared_expert", shared_gate=True, shared_whole=True),
    **dict.fromkeys(
        ("qwen3_moe", "qwen3_vl_moe_text", "qwen3_omni_moe_text"), MixtureTraits(router_quantized=True)
    ),
    "olmoe": MixtureTraits(), "dots1": MixtureTraits(correction_bias=True),
    "glm4_moe": MixtureTraits(correction_bias=True, router_dtype=DType.F32),
    "glm4v_moe_text": MixtureTraits(correction_bias=True, router_dtype=DType.F32),
    "minimax_m2": MixtureTraits(name="block_sparse_moe", correction_bias=True, router_dtype=DType.F32),
    "gpt_oss": MixtureTraits(bias=True, router_bias=True, router_name="router", activation="swigluoai"),
    "cohere2_moe": MixtureTraits(), "minicpm": MixtureTraits(),
    "pangu_ultra_moe": _DEEPSEEK, "sarvam_mla": _DEEPSEEK._replace(router_dtype=DType.BF16),
    **dict.fromkeys(("mimo_v2", "mimo_v2_flash"), MixtureTraits(correction_bias=True, router_dtype=DType.F32)),
    **dict.fromkeys(("bailing_moe", "bailing_moe_v2", "sarvam_moe"), MixtureTraits(shared_whole=True)),
    "param2moe": MixtureTraits(router_dtype=DType.F32),
    "ernie4_5_moe": MixtureTraits(correction_bias=True, router_dtype=DType.F32),
    "exaone_moe": MixtureTraits(correction_bias=True),
    "hunyuan_v1_moe": MixtureTraits(shared_name="shared_mlp"),
    **dict.fromkeys(("deepseek", "deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "axk1"), _DEEPSEEK),
    "glm_moe_dsa": _DEEPSEEK._replace(correction_bias=True),
    "glm4_moe_lite": _DEEPSEEK._replace(correction_bias=True, router_dtype=DType.F32),
    **dict.fromkeys(("hy_v3", "afmoe"), MixtureTraits(correction_bias=True, router_dtype=DType.F32)),
}  # fmt: skip
"""What each vLLM class of mixtures fixes (vLLM 0.32 model_executor/models)."""


_NORMS = {"afmoe": 4, "cohere2_moe": 1, "pangu_ultra_moe": 4}
"""Norms of a layer where it has not two."""

_TIED = frozenset({"cohere2_moe", "ernie4_5_moe"})
"""Model types whose Transformers config ties the head where config.json does not say."""


def moe_decoder(text: Config) -> Decoder:
    """Layers of a mixture of experts, with its multi-token-prediction layers."""
    traits = TRAITS.get(str(text.get("model_type", "")), MixtureTraits())
    _refuse_unnamed(text)
    shared = {"num_shared_expert": 1} if text.get("model_type") == "hunyuan_v1_moe" else {}
    blocks = feed_forwards({**shared, **text}, traits, bias=bool(text.get("mlp_bias") or text.get("use_bias")))
    model_type = str(text.get("model_type", ""))
    layers = stack(mixers(text), blocks, norms=2 if text.get("sandwich_norm") is False else _NORMS.get(model_type, 2))
    return Decoder(
        layers=layers, drafts=drafts(text, layers), tied=model_type in _TIED, norm_bias=model_type == "phimoe"
    )


def _refuse_unnamed(text: Config) -> None:
    """Refuse a family of experts whose config.json does not say how many, which Transformers would fill in.

    Raises:
        UnsupportedArchitectureError: it would be read as a dense model.
    """
    model_type = text.get("model_type")
    if model_type in TRAITS and model_type != "minicpm" and first(text, *EXPERTS) is None:
        raise UnsupportedArchitectureError(
            f"config.json of model_type {model_type!r} does not say how many experts it has; "
            "fetch the model's own config.json"
        )


def drafts(text: Config, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Multi-token-prediction layers: a decoder layer each, with a projection of state and embedding joined."""
    hidden = int(text["hidden_size"])
    joined = Matrix(name="eh_proj", rows=hidden, columns=2 * hidden, part="dense", linear=False)
    return tuple(
        Layer(mixer=mixer, feed_forward=layers[-1].feed_forward, norms=5, extra=(joined,))
        for mixer in draft_mixers(text)
    )


def llama4_decoder(text: Config) -> Decoder:
    """Llama 4: experts every `interleave_moe_layer_step` layers (model_executor/models/llama4.py)."""
    step = int(text.get("interleave_moe_layer_step") or 1)
    listed = text.get("moe_layers")
    sparse = set(listed) if listed else {i for i in range(layer_count(text)) if step and (i + 1) % step == 0}
    experts = mixture(
        {**text, "shared_expert_intermediate_size": text["intermediate_size"], "moe_intermediate_size": None},
        MixtureTraits(name="feed_forward", shared_name="shared_expert", router_name="router", shared_whole=True),
    )
    plain = Dense(
        intermediate_size=int(text.get("intermediate_size_mlp") or text["intermediate_size"]),
        name="feed_forward",
    )
    blocks = tuple(experts if i in sparse else plain for i in range(layer_count(text)))
    return Decoder(layers=stack(mixers(text), blocks))


def gemma4_decoder(text: Config) -> Decoder:
    """Gemma 4: a dense network and experts side by side (model_executor/models/gemma4.py)."""
    if not text.get("enable_moe_block") and not text.get("num_experts"):
        return Decoder(layers=stack(mixers(text), (dense(text),) * layer_count(text), norms=4), tied=True)
    traits = MixtureTraits(name="", shared_name="mlp", router_name="router.proj")
    inner = int(text["intermediate_size"])
    block = mixture({**text, "shared_expert_intermediate_size": inner}, traits)
    hidden = int(text["hidden_size"])
    scales = Matrix(name="router.scale", rows=hidden + block.num_experts, part="other", linear=False)
    layers = stack(mixers(text), (block,) * layer_count(text), norms=7, extra=(scales,))
    return Decoder(layers=layers, tied=True)


def minimax_m3_decoder(text: Config) -> Decoder:
    """MiniMax-M3: first layers are dense, of a width of their own (models/minimax_m3/nvidia/model.py)."""
    traits = MixtureTraits(
        name="block_sparse_moe", correction_bias=bool(text.get("use_routing_bias")), router_dtype=DType.F32
    )
    width = text.get("shared_intermediate_size") or text["intermediate_size"]
    fields = {**text, "moe_intermediate_size": text["intermediate_size"], "shared_expert_intermediate_size": width}
    blocks = feed_forwards({**fields, "intermediate_size": text["dense_intermediate_size"]}, traits)
    return Decoder(layers=stack(mixers(text), blocks))


MOE: dict[str, Callable[[Config], Decoder]] = {
    **dict.fromkeys(TRAITS, moe_decoder),
    "llama4_text": llama4_decoder, "llama4": llama4_decoder, "minimax_m3": minimax_m3_decoder,
    "minimax_m3_vl_text": minimax_m3_decoder, "gemma4_text": gemma4_decoder, "gemma4": gemma4_decoder,
}  # fmt: skip
"""Readers by `model_type` of the text config."""
