"""Which backend serves each kind of layer, and the cache dtype that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from generator.models.architecture import Architecture
from generator.models.attention import Mixer
from generator.models.backend import Backend
from generator.models.parallelism import Layout
from generator.planning.kinds.of import attentions_of, is_hybrid, kinds_of, of, states_of
from generator.planning.kv_cache.context import Context
from generator.planning.kv_cache.settings import model_dtype

if TYPE_CHECKING:
    from generator.planning.kinds.kind import Attention
    from generator.planning.kv_cache.attention_query import AttentionQuery
    from generator.planning.kv_cache.settings import CacheSettings

_BOUNDARY_LAYERS = 2
"""Layers at each end of a dense model that TurboQuant leaves alone (turboquant/config.py:178)."""


def context(architecture: Architecture, layout: Layout, settings: CacheSettings) -> Context:
    """The values of one layout, with the cache dtype as the chosen backend stores it."""
    asked = cache_dtype(architecture, settings)
    first = Context(
        architecture,
        layout,
        settings,
        model_dtype(architecture, settings),
        asked,
        _skipped(architecture, asked),
        mamba_cache_mode(architecture, settings) == "align",
        settings.speculative_method == "dflash" and settings.release.has("drafts_at_once_in_every_layer"),
    )
    stored = (attention.stored_dtype(first) for attention in attentions_of(architecture))
    return first._replace(kv_cache_dtype=next((dtype for dtype in stored if dtype != asked), asked))


def cache_dtype(architecture: Architecture, settings: CacheSettings) -> str:
    """The cache dtype that `--kv-cache-dtype` resolves to, before a backend renames it.

    `auto` takes the checkpoint's own scheme (vLLM 0.32 utils/torch_utils.py: resolve_kv_cache_dtype_string).
    """
    attentions, asked = tuple(attentions_of(architecture)), settings.kv_cache_dtype
    if asked == "auto":
        asked = _checkpoint_dtype(settings, attentions)
    for attention in attentions:
        asked = attention.resolved_dtype(asked)
    name = architecture.architecture
    quantized = settings.release.has("quantizes_cache_by_default", capability=settings.capability, architecture=name)
    return "fp8_e4m3" if asked == "auto" and quantized else asked


def _checkpoint_dtype(settings: CacheSettings, attentions: Sequence[Attention]) -> str:
    """What the checkpoint asks for; compressed-tensors' `fp8` reaches only layers with key and value heads.

    vLLM 0.32 model_executor/layers/attention/attention.py:287; MLA layers do not look at the scheme.
    """
    asked = settings.checkpoint_kv_cache_dtype or "auto"
    return "auto" if asked == "fp8" and all(attention.latent for attention in attentions) else asked


def prefix_caching(architecture: Architecture, settings: CacheSettings) -> bool:
    """Whether prefix caching is on, by default for all with attention, beside states in newer releases alone.

    vLLM 0.25.1 and 0.32 config/model.py: is_prefix_caching_supported.
    """
    if settings.enable_prefix_caching is not None:
        return settings.enable_prefix_caching
    if is_hybrid(architecture):
        return settings.release.has("caches_prefixes_beside_states")
    return any(kind.attentions() for kind in kinds_of(architecture))


def mamba_cache_mode(architecture: Architecture, settings: CacheSettings) -> str:
    """`align` where states are kept at block boundaries for prefix caching, else `none`.

    vLLM 0.32 model_executor/models/config.py: MambaModelConfig.
    """
    if not any(states_of(architecture)) or not prefix_caching(architecture, settings):
        return "none"
    return settings.mamba_cache_mode if settings.mamba_cache_mode not in {None, "none"} else "align"


def _skipped(architecture: Architecture, asked: str) -> frozenset[int]:
    """Layers that a packed cache leaves in the model's dtype: the ends of a model without states."""
    if not asked.startswith("turboquant_") or is_hybrid(architecture):
        return frozenset()
    count = architecture.num_hidden_layers
    ends = min(_BOUNDARY_LAYERS, count // 2)
    return frozenset({*range(ends), *range(count - ends, count)})


class Served(NamedTuple):
    """One attention block, what it asks, and the backend that serves it."""

    attention: Attention
    query: AttentionQuery
    backend: Backend


def serve(mixer: Mixer | None, ctx: Context, *, skipped: bool = False) -> tuple[Served, ...]:
    """The attention blocks of one decoder layer that keep tokens, each with its backend."""
    if mixer is None:
        return ()
    cached = (one for attention in of(mixer).attentions() for one in attention.cached())
    asked = ((one, one.query(ctx, skipped=skipped)) for one in cached)
    return tuple(Served(one, query, one.backend(query)) for one, query in asked)
