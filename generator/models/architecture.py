"""Architecture: the shapes of a model, independent of how a checkpoint stores them."""

from functools import cached_property
from typing import Self

from pydantic import model_validator

from generator.models.attention import Mixer
from generator.models.feed_forward import FeedForward, MoE
from generator.models.matrix import Matrix
from generator.models.value import Value


class Layer(Value):
    """One decoder layer: its token mixer and its feed-forward block, either absent where None."""

    mixer: Mixer | None = None
    feed_forward: FeedForward | None = None
    norms: int = 2
    """Norms of `hidden_size` in the layer."""
    extra: tuple[Matrix, ...] = ()
    """Tensors that neither the mixer nor the feed-forward block implies."""
    mixer_name: str = "self_attn"
    """The mixer's name below its layer, as the checkpoint spells it."""
    streams: int = 1
    """Residual streams that a token has beside the layer (hyper-connections)."""


class LayerRun(Value):
    """`count` consecutive layers of kind `kind`, an index into `Architecture.layer_kinds`."""

    kind: int
    count: int


class Tower(Value):
    """An encoder beside the decoder (vision, audio) with its projector: `count` equal blocks and the rest."""

    name: str
    count: int = 0
    block: tuple[Matrix, ...] = ()
    """Tensors of one block."""
    outer: tuple[Matrix, ...] = ()
    """Tensors outside the blocks: patch and position embeddings, norms, projector."""
    hidden_size: int = 0
    intermediate_size: int = 0
    num_heads: int = 0
    """Attention heads that tensor parallelism splits and therefore must divide; 0 where ranks hold them whole."""
    patches_per_token: int = 1
    """Patches that become one token of the decoder: merged, pooled or shuffled."""
    any_resolution: bool = False
    """True where the encoder takes images of any resolution."""
    early_outputs: int = 0
    """Blocks whose output feeds the decoder too, beside the last one's (DeepStack)."""


class Architecture(Value):
    """Shapes of one model, by Transformers' config names."""

    model_type: str
    architecture: str
    """The class named in config.json's `architectures`."""
    hidden_size: int
    vocab_size: int
    max_position_embeddings: int
    """The context that vLLM derives from config.json, scaled RoPE included."""
    context_stated: bool = True
    """False where config.json names none, and its class fills one in or vLLM assumes one."""
    tie_word_embeddings: bool
    layer_kinds: tuple[Layer, ...]
    layer_pattern: str
    """Layers in order as `kind*count` words: `0*5 1 0*5 1`."""
    dtype: str = "bfloat16"
    """The checkpoint's own computing dtype, as vLLM's `dtype=auto` reads it."""
    norm_bias: bool = False
    """True where norms have biases (LayerNorm)."""
    lm_head: bool = True
    """False where no logits are computed from a head (embedding and reward models)."""
    lm_head_bias: bool = False
    layers_name: str = "model.layers"
    """Where the decoder layers lie, as quantization lists spell it once tower prefixes are dropped."""
    extra: tuple[Matrix, ...] = ()
    """Tensors of the decoder outside its layers, beyond embedding, final norm and head."""
    shared: tuple[Matrix, ...] = ()
    """Tensors of the blocks that hybrid layers share, `copies` of each block; the layers run them in turn (Zamba2)."""
    towers: tuple[Tower, ...] = ()
    drafts: tuple[Layer, ...] = ()
    """Multi-token-prediction layers of the checkpoint, loaded only for speculative decoding."""
    prefix_lm: bool = False
    """True where image tokens attend to each other both ways, which some attention backends cannot do."""
    attn_logit_softcapping: bool = False
    """True where attention scores are capped (Gemma 2)."""
    embedding: bool = True
    """False where a draft uses the target's embedding (EAGLE)."""
    embed_whole: bool = False
    """True where every rank holds the whole embedding (Whisper)."""
    embed_every_stage: bool = False
    """True where vLLM's class builds the embedding on each pipeline stage, not on the first alone."""
    head_every_stage: bool = False
    """True where vLLM's class builds the head on each pipeline stage, not on the last alone."""
    rotary_bytes: int = 0
    """Bytes of the rotary tables that vLLM builds beside the weights on every rank."""
    multi_axis_rotary: bool = False
    """True where positions have several axes (M-RoPE of Qwen's multimodal families)."""
    generic: bool = False
    """True where no reader knows the family and standard fields alone were read."""

    @cached_property
    def runs(self) -> tuple[LayerRun, ...]:
        """The layer pattern, parsed."""
        words = (word.partition("*") for word in self.layer_pattern.split())
        return tuple(LayerRun(kind=int(kind), count=int(count or 1)) for kind, _, count in words)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every decoder layer in order."""
        return tuple(self.layer_kinds[run.kind] for run in self.runs for _ in range(run.count))

    @property
    def num_hidden_layers(self) -> int:
        """Decoder layers."""
        return len(self.layers)

    @property
    def draft_depth(self) -> int:
        """Modules of multi-token prediction, a token of each pass: each attends once, whatever layers it is made of."""
        return sum(layer.mixer is not None for layer in self.drafts)

    @cached_property
    def is_moe(self) -> bool:
        """Whether any layer routes tokens to experts."""
        return any(isinstance(layer.feed_forward, MoE) for layer in self.layer_kinds)

    @model_validator(mode="after")
    def _pattern_names_known_kinds(self) -> Self:
        if any(not 0 <= run.kind < len(self.layer_kinds) for run in self.runs):
            raise ValueError(f"layer_pattern {self.layer_pattern!r} names a kind that layer_kinds lacks")
        return self
