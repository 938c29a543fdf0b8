"""DeepSeek-V4: compressed attention, hyper-connections between layers, experts routed by token at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from generator.models.architecture import Layer
from generator.models.dtype import DType
from generator.models.matrix import Matrix
from generator.sources.architectures.attention import draft_mixers
from generator.sources.architectures.blocks import MixtureTraits, layer_count, mixture
from generator.sources.architectures.decoder import Decoder

if TYPE_CHECKING:
    from generator.models.attention import Mixers
    from generator.sources.architectures.fields import Config


def deepseek_v4_decoder(text: Config, found: Mixers) -> Decoder:
    """Layers of DeepSeek-V4 (vLLM 0.32 models/deepseek_v4/nvidia/model.py)."""
    hashed = int(text.get("num_hash_layers") or 0)
    layers = tuple(
        _layer(text, mixer, by_token=i < hashed) for i, mixer in zip(range(layer_count(text)), found, strict=True)
    )
    drafts = tuple(_layer(text, mixer, by_token=False, joined=True) for mixer in draft_mixers(text, found))
    streams = int(text.get("hc_mult") or 0)
    width = streams * int(text["hidden_size"])
    head = (_fixed("hc_head", streams * width + streams + 1),) if streams else ()
    return Decoder(layers=layers, drafts=drafts, extra=head)


def _layer(text: Config, mixer: Any, *, by_token: bool, joined: bool = False) -> Layer:
    block = mixture(text, MixtureTraits(name="ffn", correction_bias=not by_token, shared_whole=True))
    extra = [*_connections(text)]
    if by_token:
        rows, columns = int(text["vocab_size"]), block.num_experts_per_tok
        table = Matrix(name="ffn.gate.tid2eid", rows=rows, columns=columns, part="other", dtype=DType.I32, linear=False)
        extra.append(table)
    if joined:
        extra += _joints(text)
    return Layer(mixer=mixer, feed_forward=block, extra=tuple(extra), mixer_name="attn")


def _connections(text: Config) -> tuple[Matrix, ...]:
    """Hyper-connections around both blocks: `hc_mult` residual streams mixed by float32 maps."""
    streams = int(text.get("hc_mult") or 0)
    if not streams:
        return ()
    outputs = streams * (2 + streams)
    return (_fixed("hc", 2 * (outputs * streams * int(text["hidden_size"]) + outputs + 3)),)


def _joints(text: Config) -> tuple[Matrix, ...]:
    """What joins the draft layer to the target: projections of the state and of the embedding, norms, a head map."""
    hidden, streams = int(text["hidden_size"]), int(text.get("hc_mult") or 1)
    return (
        Matrix(name="e_proj", rows=hidden, columns=hidden, part="dense"),
        Matrix(name="h_proj", rows=hidden, columns=hidden, part="dense"),
        Matrix(name="mtp_norms", rows=hidden, copies=3, part="other", linear=False),
        _fixed("hc_head", streams * streams * hidden + streams + 1),
    )


def _fixed(name: str, count: int) -> Matrix:
    return Matrix(name=name, rows=count, dtype=DType.F32, part="other", linear=False)
