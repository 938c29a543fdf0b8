"""Mixers -> cache specs: what each layer keeps on one rank, with vLLM's backend and block size for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.planning.kinds.of import of
from generator.planning.kv_cache.blocks import block_sizes
from generator.planning.kv_cache.grouping import CacheLayer
from generator.planning.kv_cache.selection import serve
from generator.planning.weights.sharding import stage_layers

if TYPE_CHECKING:
    from generator.models.attention import Mixer
    from generator.planning.kv_cache.context import Blocks, Context
    from generator.planning.kv_cache.selection import Served
    from generator.planning.kv_cache.specs import KVCacheSpec


class Key(NamedTuple):
    """Layers of one key keep the same cache: an index into the kinds, and whether it stays unquantized."""

    kind: int
    skipped: bool


class CacheLayers(NamedTuple):
    """Caches of all layers in vLLM's order of registration, and the block size of the model."""

    layers: tuple[CacheLayer, ...]
    blocks: Blocks
    backends: tuple[str, ...]


def cache_layers(ctx: Context) -> CacheLayers:
    """What every layer keeps, on one rank of the stage that holds it; draft layers follow on the last stage."""
    kinds = [layer.mixer for layer in ctx.architecture.layer_kinds]
    keys = _keys(ctx)
    drafts, aside = _drafts(ctx), _beside(ctx)
    served = {key: serve(kinds[key.kind], ctx, skipped=key.skipped) for key in dict.fromkeys(keys)}
    flat = [one for blocks_of in served.values() for one in blocks_of]
    beside = {id(mixer): (mixer, serve(mixer, aside)) for mixer in {id(mixer): mixer for mixer in drafts}.values()}
    flat += [one for _, blocks_of in beside.values() for one in blocks_of]
    blocks = block_sizes(ctx, flat)
    specs = {key: _specs(kinds[key.kind], found, ctx, blocks) for key, found in served.items()}
    layers = _placed(keys, specs, ctx)
    last = ctx.layout.pipeline_parallel_size - 1
    known = {kinds[key.kind]: found for key, found in specs.items()} if aside is ctx else {}
    own = {key: known.get(mixer) or _specs(mixer, found, aside, blocks) for key, (mixer, found) in beside.items()}
    layers += [CacheLayer(spec, last) for mixer in drafts for spec in own[id(mixer)]]
    return CacheLayers(tuple(layers), blocks, tuple(dict.fromkeys(one.backend.name for one in flat)))


def _keys(ctx: Context) -> list[Key]:
    order = [run.kind for run in ctx.architecture.runs for _ in range(run.count)]
    if not ctx.skipped:
        table = {kind: Key(kind, skipped=False) for kind in set(order)}
        return [table[kind] for kind in order]
    return [Key(kind, skipped=index in ctx.skipped) for index, kind in enumerate(order)]


def _drafts(ctx: Context) -> list[Mixer]:
    """Mixers of the layers that speculative decoding loads: a draft model's, or those of multi-token prediction."""
    if ctx.settings.draft is not None:
        return [layer.mixer for layer in ctx.settings.draft.layers if layer.mixer is not None]
    if ctx.settings.speculative_method != "mtp":
        return []
    return [layer.mixer for layer in ctx.architecture.drafts if layer.mixer is not None]


def _beside(ctx: Context) -> Context:
    """What a draft model's layers see: the target's dtypes and block size, their own shapes.

    vLLM 0.32 config/speculative.py: the draft's dtype is the target's, and its cache's unless it is given one.
    """
    draft = ctx.settings.draft
    if draft is None:
        return ctx
    cache = ctx.settings.draft_kv_cache_dtype or ctx.kv_cache_dtype
    return ctx._replace(architecture=draft, kv_cache_dtype=cache, skipped=frozenset())


def _placed(keys: list[Key], specs: dict[Key, tuple[KVCacheSpec, ...]], ctx: Context) -> list[CacheLayer]:
    layers: list[CacheLayer] = []
    for stage, (first, end) in enumerate(stage_layers(len(keys), ctx.layout.pipeline_parallel_size)):
        held = {key: [CacheLayer(spec, stage) for spec in found] for key, found in specs.items()}
        for key in keys[first:end]:
            layers += held[key]
    return layers


def _specs(mixer: Mixer | None, served: tuple[Served, ...], ctx: Context, blocks: Blocks) -> tuple[KVCacheSpec, ...]:
    """Every cache of one decoder layer, in vLLM's order of registration."""
    specs = [spec for one in served for spec in one.attention.specs(one.query, one.backend, ctx, blocks)]
    state = of(mixer).state() if mixer is not None else None
    if state is not None:
        specs.append(state.spec(ctx, blocks))
    return tuple(specs)
