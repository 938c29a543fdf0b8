"""Feed-forward blocks by field names: dense networks, mixtures of experts, and which layers have which."""

from typing import NamedTuple

from generator.models.dtype import DType
from generator.models.feed_forward import Dense, FeedForward, MoE
from generator.sources.architectures.fields import Config, first, integer

EXPERTS = ("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "num_routed_experts")
ACTIVATED = (
    "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk", "moe_top_k", "moe_k",
    "moe_num_active_experts",
)  # fmt: skip


class MixtureTraits(NamedTuple):
    """What a family's vLLM class fixes about its experts and config.json does not say."""

    name: str = "mlp"
    experts_name: str = "experts"
    shared_name: str = "shared_experts"
    router_name: str = "gate"
    shared_gate: bool = False
    gated: bool = True
    bias: bool = False
    router_bias: bool = False
    correction_bias: bool = False
    router_dtype: DType | None = None
    activation: str = ""
    router_quantized: bool = False
    shared_whole: bool = False
    shared_count: int = 0
    """Shared experts where config.json does not say."""
    normalised: bool = True
    """Whether the weights of the chosen experts sum to one where config.json does not say (`norm_topk_prob`)."""
    plain_routing: bool = False
    """Whether the class routes in the plain way whatever config.json says."""
    always: bool = False
    """Whether each model of the family has experts, so that a config.json that counts none is not complete."""
    norms: int = 2
    """Norms of a layer."""
    norm_bias: bool = False
    tied: bool = False
    """Whether Transformers' config ties the head where config.json does not say."""


PLAIN = MixtureTraits()


def layer_count(text: Config) -> int:
    """Decoder layers."""
    return integer(text, "num_hidden_layers", "n_layer", "num_layers", "n_layers")


def dense(text: Config, *, gated: bool = True, bias: bool = False, name: str = "mlp") -> Dense:
    """One dense network by standard field names; non-gated ones default to four times the width."""
    hidden = first(text, "hidden_size", "n_embd", "d_model")
    four = 4 * int(hidden) if hidden and not gated else None
    inner = integer(
        text,
        "intermediate_size",
        "ffn_hidden_size",
        "n_inner",
        "ffn_dim",
        "ffn_intermediate_size",
        default=four,
    )
    return Dense(intermediate_size=inner, gated=gated, bias=bias, name=name)


def has_experts(text: Config) -> bool:
    """Whether the config declares routed experts."""
    count = first(text, *EXPERTS)
    return bool(count[0] if isinstance(count, list) else count) and integer(text, *EXPERTS) > 1


def mixture(text: Config, traits: MixtureTraits = PLAIN) -> MoE:
    """Routed experts by the field names of the families that vLLM serves."""
    width = integer(text, "moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size", "intermediate_size")
    corrected = traits.correction_bias or text.get("topk_method") == "noaux_tc" or _is_corrected(text)
    return MoE(
        num_experts=integer(text, *EXPERTS),
        num_experts_per_tok=integer(text, *ACTIVATED),
        moe_intermediate_size=width,
        gated=traits.gated,
        bias=traits.bias,
        shared_expert_intermediate_size=_shared_width(text, width),
        shared_expert_gate=traits.shared_gate,
        activation=traits.activation or str(first(text, "hidden_act", "mlp_hidden_act", "hidden_activation") or "silu"),
        plain_routing=_plain_routing(text, traits, corrected=corrected),
        router_bias=traits.router_bias,
        correction_bias=corrected,
        router_dtype=traits.router_dtype or (DType.F32 if text.get("router_dtype") == "fp32" else None),
        router_quantized=traits.router_quantized,
        shared_whole=traits.shared_whole,
        name=traits.name,
        experts_name=traits.experts_name,
        shared_name=traits.shared_name,
        router_name=traits.router_name,
    )


def _is_corrected(text: Config) -> bool:
    """Whether config.json asks for biases of the routing scores (bailing_moe.py, openpangu.py)."""
    return bool(text.get("moe_router_enable_expert_bias") or text.get("router_enable_expert_bias"))


def _plain_routing(text: Config, traits: MixtureTraits, *, corrected: bool) -> bool:
    """Whether the routing is a softmax over all experts without normalising, or biased without it.

    vLLM 0.32 fused_moe/config.py:135 names the kinds, experts/trtllm_bf16_moe.py:246 those of the fused kernel.
    """
    named = text.get("norm_topk_prob")
    normalised = traits.normalised if named is None else bool(named)
    sigmoid = text.get("scoring_func") == "sigmoid" and not corrected
    return traits.plain_routing or not (normalised or sigmoid)


def _shared_width(text: Config, width: int) -> int:
    """Width of all shared experts together."""
    named = first(
        text,
        "shared_expert_intermediate_size",
        "moe_shared_expert_intermediate_size",
        "shared_intermediate_size",
    )
    count = first(
        text,
        "n_shared_experts",
        "num_shared_experts",
        "moe_num_shared_experts",
        "num_experts_shared",
        "num_shared_expert",
    )
    if isinstance(count, list):
        count = count[0]
    if named:
        return int(named) * (int(count) if count else 1)
    return width * int(count or 0)


def sparse_layers(text: Config) -> tuple[bool, ...]:
    """Whether each layer has experts: first dense layers, strides and lists as the families name them."""
    count = layer_count(text)
    listed = text.get("moe_layers") or text.get("moe_layers_enum")
    if isinstance(listed, str):
        listed = [int(word) for word in listed.split(",") if word]
    if isinstance(listed, list):
        return tuple(i in set(listed) for i in range(count))
    words = text.get("mlp_layer_types")
    if isinstance(words, list) and words:
        return tuple(word == "sparse" for word in words[:count])
    frequency = text.get("moe_layer_freq")
    if isinstance(frequency, list):
        return tuple(bool(word) for word in frequency[:count])
    return tuple(_is_sparse(text, i) for i in range(count))


def _is_sparse(text: Config, layer: int) -> bool:
    start = int(first(text, "first_k_dense_replace", "num_dense_layers", "moe_layer_start_index") or 0)
    end = int(first(text, "moe_layer_end_index") or -1)
    step = int(first(text, "decoder_sparse_step", "moe_layer_interval", "moe_layer_freq") or 1)
    if layer < start or (end >= 0 and layer > end) or layer in (text.get("mlp_only_layers") or ()):
        return False
    if text.get("decoder_sparse_step") is not None or text.get("moe_layer_interval") is not None:
        return (layer + 1) % step == 0
    return layer % step == 0


def feed_forwards(
    text: Config,
    traits: MixtureTraits = PLAIN,
    *,
    bias: bool = False,
) -> tuple[FeedForward, ...]:
    """One block a layer: experts where the layer is sparse, else one dense network."""
    if not has_experts(text):
        return (dense(text, bias=bias),) * layer_count(text)
    experts = mixture(text, traits)
    sparse = sparse_layers(text)
    if all(sparse):
        return (experts,) * len(sparse)
    plain = dense(text, bias=bias)
    return tuple(experts if is_sparse else plain for is_sparse in sparse)
