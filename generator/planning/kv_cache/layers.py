"""Mixers -> cache specs: what each layer keeps on one rank, with vLLM's backend and block size for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.attention import Mixer, SlidingWindow
from generator.planning.kinds.of import of
from generator.planning.kv_cache.blocks import block_sizes
from generator.planning.kv_cache.grouping import CacheLayer
from generator.planning.kv_cache.selection import serve
from generator.planning.weights.sharding import stage_layers

if TYPE_CHECKING:
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
    beside = {id(mixer): (mixer, serve(mixer, aside)) for mixer in {id(mixer): mixer for mixer in drafts}.values()}
    drafted = [one for _, blocks_of in beside.values() for one in blocks_of]
    stages = [keys[first:end] for first, end in stage_layers(len(keys), ctx.layout.pipeline_parallel_size)]
    blocks = _stage_blocks(stages, served, drafted, ctx)
    specs = {
        (key, of_stage): _specs(kinds[key.kind], found, ctx, of_stage)
        for key, found in served.items()
        for of_stage in dict.fromkeys(blocks)
    }
    layers = _placed(stages, specs, blocks)
    own = {key: _specs(mixer, found, aside, blocks[-1]) for key, (mixer, found) in beside.items()}
    layers += [CacheLayer(spec, len(blocks) - 1) for mixer in drafts for spec in own[id(mixer)]]
    flat = [one for blocks_of in served.values() for one in blocks_of] + drafted
    return CacheLayers(tuple(layers), blocks[0], tuple(dict.fromkeys(one.backend.name for one in flat)))


def _keys(ctx: Context) -> list[Key]:
    order = [run.kind for run in ctx.architecture.runs for _ in range(run.count)]
    if not ctx.skipped:
        table = {kind: Key(kind, skipped=False) for kind in set(order)}
        return [table[kind] for kind in order]
    return [Key(kind, skipped=index in ctx.skipped) for index, kind in enumerate(order)]


def drafted_layers(ctx: Context) -> tuple[Served, ...]:
    """Attention of the layers that draft, each kind once, with its backend.

    Raises:
        RequestError: no backend takes one.
    """
    aside = _beside(ctx)
    return tuple(one for mixer in dict.fromkeys(_drafts(ctx)) for one in serve(mixer, aside))


def _drafts(ctx: Context) -> list[Mixer]:
    """Mixers of the layers that speculative decoding loads: a draft model's, or those of multi-token prediction."""
    if ctx.settings.draft is not None:
        return [layer.mixer for layer in ctx.settings.draft.layers if layer.mixer is not None]
    if ctx.settings.speculative_method != "mtp":
        return []
    return [layer.mixer for layer in ctx.architecture.drafts if layer.mixer is not None]


def _beside(ctx: Context) -> Context:
    """What a draft model's layers see: the target's dtypes and block size, their own shapes.

    vLLM 0.32 config/speculative.py: the draft's dtype is the target's, and its cache's unless it is given one. DFlash's
    tokens attend each other both ways, in a backend of the draft's own (0.33 worker/gpu/spec_decode/dflash/utils.py).
    """
    settings, draft = ctx.settings, ctx.settings.draft
    if draft is None:
        return ctx
    cache = settings.draft_kv_cache_dtype or ctx.kv_cache_dtype
    seen = ctx._replace(architecture=draft, kv_cache_dtype=cache, skipped=frozenset())
    if settings.speculative_method != "dflash":
        return seen
    plain = settings.release.has("windows_of_dflash_are_causal")
    wide = not plain or any(not isinstance(layer.mixer, SlidingWindow) for layer in draft.layers)
    own = (
        settings if settings.release.has("drafts_at_once_in_every_layer") else settings.changed(attention_backend=None)
    )
    return seen._replace(settings=own, non_causal=wide)


def _stage_blocks(
    stages: list[list[Key]], served: dict[Key, tuple[Served, ...]], drafted: list[Served], ctx: Context
) -> tuple[Blocks, ...]:
    """Block sizes of every stage: each worker settles them by its own layers, the first one's backend leading.

    vLLM 0.32 v1/executor/multiproc_executor.py:701 calls platforms/interface.py:750 in each of them.
    """
    held = [tuple(dict.fromkeys(keys)) for keys in stages]
    sizes = {own: block_sizes(ctx, [one for key in own for one in served[key]]) for own in dict.fromkeys(held)}
    found = [sizes[own] for own in held]
    if drafted:
        found[-1] = block_sizes(ctx, [one for key in held[-1] for one in served[key]] + drafted)
    return tuple(found)


def _placed(
    stages: list[list[Key]], specs: dict[tuple[Key, Blocks], tuple[KVCacheSpec, ...]], blocks: tuple[Blocks, ...]
) -> list[CacheLayer]:
    layers: list[CacheLayer] = []
    for stage, keys in enumerate(stages):
        held = {key: [CacheLayer(spec, stage) for spec in specs[key, blocks[stage]]] for key in set(keys)}
        for key in keys:
            layers += held[key]
    return layers


def _specs(mixer: Mixer | None, served: tuple[Served, ...], ctx: Context, blocks: Blocks) -> tuple[KVCacheSpec, ...]:
    """Every cache of one decoder layer, in vLLM's order of registration."""
    specs = [spec for one in served for spec in one.attention.specs(one.query, one.backend, ctx, blocks)]
    state = of(mixer).state() if mixer is not None else None
    if state is not None:
        specs.append(state.spec(ctx, blocks))
    return tuple(specs)
