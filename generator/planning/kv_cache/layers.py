"""Mixers -> cache specs: what each layer keeps on one rank, with vLLM's backend and block size for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.attention import (
    MLA,
    ChunkedLocal,
    CompressedMLA,
    CrossAttention,
    FullAttention,
    Indexer,
    SlidingWindow,
    SparseMLA,
)
from generator.planning.kinds.unknown import unknown_kind
from generator.planning.kv_cache import packing
from generator.planning.kv_cache.backends import narrowed
from generator.planning.kv_cache.blocks import Blocks, block_sizes
from generator.planning.kv_cache.compressed import compressed_specs
from generator.planning.kv_cache.grouping import CacheLayer
from generator.planning.kv_cache.selection import INDEXER, rank_kv_heads, serve
from generator.planning.kv_cache.settings import mamba_cache_mode
from generator.planning.kv_cache.specs import (
    AttentionSpec,
    ChunkedLocalAttentionSpec,
    CrossAttentionSpec,
    FullAttentionSpec,
    KVCacheSpec,
    MambaSpec,
    MLAAttentionSpec,
    SlidingWindowSpec,
)
from generator.planning.kv_cache.states import checkpoint_blocks, state_mixer, state_of
from generator.planning.weights.sharding import stage_layers

if TYPE_CHECKING:
    from generator.models.attention import Mixer
    from generator.planning.kv_cache.selection import Context, Served, Softmax
    from generator.planning.kv_cache.states import StateMixer


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
    specs: list[KVCacheSpec] = []
    for one in served:
        match one.mixer:
            case CompressedMLA():
                specs += compressed_specs(one.mixer, blocks.attention)
            case MLA():
                specs += _latent(one, one.mixer, ctx, blocks) * one.mixer.per_layer
            case FullAttention() | SlidingWindow() | ChunkedLocal() | CrossAttention():
                specs += [*_block_indexer(one.mixer, ctx, blocks), _softmax(one, one.mixer, ctx, blocks)]
            case _:
                raise unknown_kind(one.mixer, "what it caches")
    state = state_mixer(mixer)
    if state is not None:
        specs.append(_state(state, ctx, blocks))
    return tuple(specs)


def _block_indexer(mixer: Softmax, ctx: Context, blocks: Blocks) -> tuple[KVCacheSpec, ...]:
    """One key a token in the model's dtype for layers that pick blocks (models/minimax_m3/common/indexer.py:145)."""
    if not mixer.index_heads:
        return ()
    size = mixer.index_head_dim
    return (
        MLAAttentionSpec(block_size=blocks.attention, num_kv_heads=1, head_size=size, dtype=ctx.dtype, role="indexer"),
    )


def _softmax(one: Served, mixer: Softmax, ctx: Context, blocks: Blocks) -> AttentionSpec:
    fields = {
        "block_size": blocks.attention,
        "num_kv_heads": rank_kv_heads(mixer.num_key_value_heads, ctx.tp),
        "head_size": mixer.head_dim,
        "head_size_v": mixer.head_dim_v,
        "dtype": packing.storage_dtype(one.query.kv_cache_dtype, ctx.dtype),
        "quant": packing.quant_mode(one.query.kv_cache_dtype),
    }
    backend = narrowed(one.backend, one.query)
    spec: AttentionSpec
    match mixer:
        case SlidingWindow():
            fields["block_size"] = _window_block(backend.block_sizes, backend.block_multiple, blocks.attention)
            spec = SlidingWindowSpec(**fields, sliding_window=mixer.sliding_window)
        case ChunkedLocal():
            spec = ChunkedLocalAttentionSpec(**fields, attention_chunk_size=mixer.attention_chunk_size)
        case CrossAttention():
            spec = CrossAttentionSpec(**fields, encoder_tokens=ctx.settings.max_num_batched_tokens)
        case FullAttention():
            spec = FullAttentionSpec(**fields)
        case _:
            raise unknown_kind(mixer, "what it caches")
    return packing.packed(spec, backend, ctx.settings.capability)


def _window_block(exact: tuple[int, ...], multiple: int | None, block: int) -> int:
    """The largest block of the backend's kernels within the model's block (attention.py:101)."""
    candidates = exact or ((max(multiple, block // multiple * multiple),) if multiple else ())
    if not candidates:
        return block
    return max((size for size in candidates if size <= block), default=min(candidates))


def _latent(one: Served, mixer: MLA, ctx: Context, blocks: Blocks) -> list[KVCacheSpec]:
    dtype = one.query.kv_cache_dtype
    spec = MLAAttentionSpec(
        block_size=blocks.attention,
        num_kv_heads=1,
        head_size=mixer.kv_lora_rank + mixer.qk_rope_head_dim,
        dtype=packing.storage_dtype(dtype, ctx.dtype),
        quant=packing.quant_mode(dtype),
        cache_dtype=dtype,
        state_content_bytes=packing.DS_MLA_BYTES.get(dtype),
        leads_index_group=isinstance(mixer, SparseMLA) and mixer.indexer is not None,
    )
    own: list[KVCacheSpec] = [packing.packed(spec, narrowed(one.backend, one.query), ctx.settings.capability)]
    if isinstance(mixer, SparseMLA) and mixer.indexer is not None:
        return [_indexer(mixer.indexer, ctx, blocks), *own]
    return own


def _indexer(indexer: Indexer, ctx: Context, blocks: Blocks) -> KVCacheSpec:
    """The indexer's keys in FP8 with a float32 scale for each 128 of them (models/deepseek_v2.py:658)."""
    spec = MLAAttentionSpec(
        block_size=blocks.attention,
        num_kv_heads=1,
        head_size=indexer.index_head_dim + indexer.index_head_dim // 128 * 4,
        dtype="uint8",
        role="indexer",
    )
    return packing.packed(spec, INDEXER, ctx.settings.capability)


def _state(mixer: StateMixer, ctx: Context, blocks: Blocks) -> MambaSpec:
    state = state_of(mixer, tp=ctx.tp, dtype=ctx.dtype, settings=ctx.settings)
    aligned = mamba_cache_mode(ctx.architecture, ctx.settings) == "align"
    return MambaSpec(
        block_size=blocks.attention if aligned else ctx.settings.max_model_len or blocks.attention,
        shapes=state.shapes,
        dtypes=state.dtypes,
        page_size_padded=blocks.state_page,
        num_speculative_blocks=ctx.settings.num_speculative_tokens,
        num_prefill_checkpoint_blocks=checkpoint_blocks(mixer, ctx.dtype, ctx.settings),
    )
