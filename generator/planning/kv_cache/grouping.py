"""Groups: layers that share one block table, as vLLM forms them.

Every group draws blocks of one size in bytes from one pool, so pages are made equal first: bigger blocks
where they divide, padding where they do not (vLLM 0.32 v1/core/kv_cache_utils.py:1292, 1362, 1860, 2196).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from generator.errors import RequestError
from generator.planning.kv_cache.specs import (
    ChunkedLocalAttentionSpec,
    FullAttentionSpec,
    KVCacheSpec,
    MambaSpec,
    MLAAttentionSpec,
    SlidingWindowMLASpec,
    SlidingWindowSpec,
)
from generator.units import ceil_div

_PADDING_TOLERANCE = 1.5
"""Counts closer than this factor are padded to the larger one (v1/core/kv_cache_utils.py:1470)."""


class CacheLayer(NamedTuple):
    """One layer's cache and the pipeline stage that keeps it."""

    spec: KVCacheSpec
    stage: int


class LayerGroup(NamedTuple):
    """Layers of one block table; `uniform` where their pages differ and are added up."""

    layers: tuple[CacheLayer, ...]
    uniform: bool


def group_layers(
    layers: Sequence[CacheLayer], *, block_outermost: bool, disable_hybrid: bool
) -> tuple[LayerGroup, ...]:
    """The groups of all layers of all stages, in vLLM's order.

    Raises:
        RequestError: the pages cannot be made equal.
    """
    if not layers:
        return ()
    if disable_hybrid:
        layers = _promote_local(layers)
        if not _one_group(layers):
            raise RequestError(
                "these layers' caches cannot be kept as one group: leave out --disable-hybrid-kv-cache-manager, and "
                "a KV connector that does not work with that manager"
            )
    if _one_key(layers):
        return (LayerGroup(tuple(layers), uniform=False),)
    if len({layer.spec.uniform_key for layer in _distinct(layers)}) == 1:
        return (LayerGroup(tuple(layers), uniform=True),)
    pages = {layer.spec.page_size_bytes for layer in _distinct(layers)}
    if block_outermost and len(pages) > 1:
        return _packed(layers)
    unified = _unify_pages(layers, max(pages))
    return _fallback(layers) if unified is None else _equal_counts(unified)


def _distinct(layers: Iterable[CacheLayer]) -> tuple[CacheLayer, ...]:
    """One layer for each spec object; equal layers are one object, so few remain after the first step."""
    every = tuple(layers)
    few = dict(zip(map(id, every), every, strict=True)).values()
    return tuple({id(layer.spec): layer for layer in few}.values())


def _one_key(layers: Sequence[CacheLayer]) -> bool:
    keys = [layer.spec.merge_key for layer in _distinct(layers)]
    return all(key == keys[0] for key in keys[1:])


def _one_group(layers: Sequence[CacheLayer]) -> bool:
    return _one_key(layers) or len({layer.spec.uniform_key for layer in _distinct(layers)}) == 1


def _replace(layers: Sequence[CacheLayer], new: dict[int, KVCacheSpec]) -> tuple[CacheLayer, ...]:
    made = {id(layer): CacheLayer(new[id(layer.spec)], layer.stage) for layer in layers}
    return tuple(made[id(layer)] for layer in layers)


def _unify_pages(layers: Sequence[CacheLayer], page: int) -> tuple[CacheLayer, ...] | None:
    """The layers with pages of `page` bytes, or None where a page can neither grow nor be padded to it."""
    new: dict[int, KVCacheSpec] = {}
    for layer in _distinct(layers):
        spec = layer.spec
        if spec.page_size_bytes == page:
            new[id(spec)] = spec
        elif not isinstance(spec, MambaSpec) and page % spec.page_size_bytes == 0:
            new[id(spec)] = spec.at_block_size(spec.block_size * (page // spec.page_size_bytes))
        elif isinstance(spec, MLAAttentionSpec):
            return None
        else:
            new[id(spec)] = spec.changed(page_size_padded=page)
    return _replace(layers, new)


def _equal_counts(layers: Sequence[CacheLayer]) -> tuple[LayerGroup, ...]:
    """Groups of as many layers each, one kind a group; the last of a kind may be short.

    The smallest kind sets the size, unless the largest is close to it. Layers are dealt out in turn, so that
    each pipeline stage holds its share of each group (v1/core/kv_cache_utils.py:1440).
    """
    buckets: dict[KVCacheSpec, list[CacheLayer]] = {}
    by_spec: dict[int, list[CacheLayer]] = {}
    for layer in layers:
        by_spec.setdefault(id(layer.spec), []).append(layer)
    for same in by_spec.values():
        buckets.setdefault(same[0].spec.merge_key, []).extend(same)
    counts = [len(bucket) for bucket in buckets.values()]
    size = max(counts) if max(counts) < min(counts) * _PADDING_TOLERANCE else min(counts)
    groups = []
    for bucket in buckets.values():
        number = ceil_div(len(bucket), size)
        groups += [LayerGroup(tuple(bucket[i::number]), uniform=False) for i in range(number)]
    return tuple(groups)


def _fallback(layers: Sequence[CacheLayer]) -> tuple[LayerGroup, ...]:
    """One group that keeps every token of sliding-window layers beside MLA.

    Raises:
        RequestError: vLLM has no such allocation for these kinds.
    """
    kinds = tuple(layer.spec for layer in _distinct(layers))
    mixed = any(isinstance(spec, SlidingWindowMLASpec | ChunkedLocalAttentionSpec) for spec in kinds)
    promoted = () if mixed else _promote_local(layers)
    if promoted and len({layer.spec.uniform_key for layer in _distinct(promoted)}) == 1:
        return (LayerGroup(tuple(promoted), uniform=True),)
    raise RequestError(
        "vLLM cannot give these layers cache pages of one size; leave --block-size and --kv-cache-dtype to vLLM"
    )


def _promote_local(layers: Sequence[CacheLayer]) -> tuple[CacheLayer, ...]:
    """The layers with windows and chunks kept as full attention, where full attention is there too."""
    kinds = tuple(layer.spec for layer in _distinct(layers))
    full = [spec for spec in kinds if isinstance(spec, FullAttentionSpec)]
    if not full or _one_key(layers):
        return tuple(layers)
    sizes = {spec.block_size for spec in full}
    block = sizes.pop() if len(sizes) == 1 else None
    return _replace(layers, {id(spec): _promoted(spec, block) for spec in kinds})


def _promoted(spec: KVCacheSpec, block_size: int | None) -> KVCacheSpec:
    if not isinstance(spec, SlidingWindowSpec | ChunkedLocalAttentionSpec):
        return spec
    fields = {name: held for name, held in spec.given().items() if name != "kind"}
    target = MLAAttentionSpec if isinstance(spec, SlidingWindowMLASpec) else FullAttentionSpec
    return target(**{**fields, "block_size": block_size or spec.block_size})


class _Bucket(NamedTuple):
    """Layers of one uniform key, by page size; balanced where every page size has as many."""

    layers: tuple[CacheLayer, ...]
    by_page: dict[int, list[CacheLayer]]

    @property
    def balanced(self) -> bool:
        """Whether the layers repeat a pattern of one layer a page size."""
        return len({len(same) for same in self.by_page.values()}) == 1

    @property
    def repeats(self) -> int:
        """Repetitions of that pattern."""
        return max(len(same) for same in self.by_page.values())

    @property
    def holds_states(self) -> bool:
        """Whether its layers are states, which can be split down to one a group."""
        return isinstance(self.layers[0].spec, MambaSpec)

    def widest_bytes(self, number: int) -> int:
        """Bytes of the largest of `number` groups that the layers split into."""
        return sum(ceil_div(len(same), number) * page for page, same in self.by_page.items())


def _packed(layers: Sequence[CacheLayer]) -> tuple[LayerGroup, ...]:
    """Groups of mixed pages, packed side by side in a block (v1/core/kv_cache_utils.py:1860)."""
    buckets = _buckets(layers)
    mixed = [bucket.repeats for bucket in buckets if bucket.balanced and len(bucket.by_page) > 1]
    repeats = _approximate_gcd([bucket.repeats for bucket in buckets if bucket.balanced], max(mixed)) if mixed else None
    numbers = [ceil_div(bucket.repeats, repeats) if bucket.balanced and repeats else 1 for bucket in buckets]
    anchor = max(
        bucket.widest_bytes(len(bucket.layers) if _is_state(bucket, repeats) else number)
        for bucket, number in zip(buckets, numbers, strict=True)
    )
    groups: list[LayerGroup] = []
    for bucket, number in zip(buckets, numbers, strict=True):
        groups += _split(bucket, _state_groups(bucket, repeats, anchor, number))
    return tuple(groups)


def _buckets(layers: Sequence[CacheLayer]) -> tuple[_Bucket, ...]:
    kinds = _distinct(layers)
    keys = {id(layer.spec): layer.spec.uniform_key for layer in kinds}
    pages = {id(layer.spec): layer.spec.page_size_bytes for layer in kinds}
    by_key: dict[tuple[object, ...], list[CacheLayer]] = {}
    for layer in layers:
        by_key.setdefault(keys[id(layer.spec)], []).append(layer)
    buckets = []
    for same in by_key.values():
        by_page: dict[int, list[CacheLayer]] = {}
        for layer in same:
            by_page.setdefault(pages[id(layer.spec)], []).append(layer)
        buckets.append(_Bucket(tuple(same), by_page))
    return tuple(buckets)


def _is_state(bucket: _Bucket, repeats: int | None) -> bool:
    windows = repeats is None and isinstance(bucket.layers[0].spec, SlidingWindowSpec)
    return bucket.holds_states or windows


def _state_groups(bucket: _Bucket, repeats: int | None, anchor: int, number: int) -> int:
    """At least as many groups as keep the states of one within the bytes that a block has anyway."""
    if not _is_state(bucket, repeats):
        return number
    per_block = max(anchor // bucket.layers[0].spec.page_size_bytes, 1)
    return max(number, ceil_div(len(bucket.layers), per_block))


def _split(bucket: _Bucket, number: int) -> list[LayerGroup]:
    if number == 1:
        return [LayerGroup(bucket.layers, uniform=True)]
    pattern = list(zip(*bucket.by_page.values(), strict=False))
    if len(pattern) < number:
        raise RequestError("vLLM cannot split these layers' caches over its blocks; leave --block-size to vLLM")
    return [
        LayerGroup(tuple(layer for repeat in pattern[i::number] for layer in repeat), uniform=True)
        for i in range(number)
    ]


def _approximate_gcd(values: Sequence[int], lower: int) -> int:
    """The size that pads `values` least when each is rounded up to a multiple of it; ties take the larger."""
    sizes = range(max(1, lower), max(values) + 1)
    return min(sizes, key=lambda size: (sum(-value % size for value in values), -size), default=max(1, lower))
