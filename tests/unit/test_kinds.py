"""Every kind of mixer that the union has is known in every room: weights, cache, rules, speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from generator.catalogue.behaviours import release_of
from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models import attention
from generator.models.architecture import Architecture, Layer
from generator.models.attention import EncoderOnly, ShortConv
from generator.models.capability import HOPPER
from generator.models.parallelism import Layout
from generator.models.value import Value
from generator.planning.kinds.of import of
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.kv_cache.settings import CacheSettings
from generator.planning.rules.start import check_start
from generator.planning.speed.footprint import footprint
from generator.planning.weights.rank import rank_weights
from tests.every_kind import KINDS, built
from tests.replicas import replica_of

if TYPE_CHECKING:
    from generator.planning.replica import Replica

HIDDEN = 4096


def model_of(mixer: Value) -> Architecture:
    """Two layers of one kind."""
    return Architecture(
        model_type="any",
        architecture="any",
        hidden_size=HIDDEN,
        vocab_size=32000,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        layer_kinds=(Layer(mixer=mixer),),
        layer_pattern="0*2",
    )


def engine() -> CacheSettings:
    """Values on an H100."""
    return CacheSettings(
        release=release_of("0.33.0"),
        capability=HOPPER,
        max_num_batched_tokens=8192,
        max_num_seqs=256,
        max_model_len=32768,
    )


def start(mixer: Value, tensor_parallel_size: int) -> Replica:
    """A start of the model on four GPUs of one node."""
    return replica_of(model_of(mixer), Layout(tensor_parallel_size=tensor_parallel_size), gpus=4, asked_context=4096)


def test_the_union_is_read_and_not_typed():
    """The union has members, and each names its kind."""
    assert len(KINDS) > 10
    assert len({kind.model_fields["kind"].default for kind in KINDS}) == len(KINDS)


def test_every_class_that_names_a_kind_is_in_the_union():
    """Otherwise nothing could hold it."""
    named = [one for one in vars(attention).values() if isinstance(one, type) and issubclass(one, Value)]
    assert [one.__name__ for one in named if "kind" in one.model_fields and one not in KINDS] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_weights(kind):
    """A mixer holds tensors."""
    assert rank_weights(model_of(built(kind)), None, Layout()).worst.by_part["attention"] > HIDDEN


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_keeps_a_cache(kind):
    """A sequence costs cache memory, except where every token sees every other and nothing is generated."""
    cache = cache_layout(model_of(built(kind)), Layout(), engine())
    assert bool(cache.request_bytes(1000)[0]) == (kind is not EncoderOnly)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_heads_or_channels_that_must_divide(kind):
    """A layout that divides starts; one over three ranks does not, as no size here is a multiple of three."""
    check_start(start(built(kind), 2))
    with pytest.raises(RequestError, match="divi"):
        check_start(start(built(kind), 3))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_read_in_a_step(kind):
    """A step reads a cache or a state; a convolution's kilobytes are not counted."""
    found = footprint(model_of(built(kind)), Layout())
    reads = sum(read.bytes_per_token for read in found.kv_reads)
    assert (reads + found.state_bytes > 0) == (kind is not ShortConv)


class Invented(Value):
    """A kind that no rule knows."""

    kind: str = "invented"
    num_heads: int = 8


def test_an_unknown_kind_is_refused_in_every_room():
    """Nobody plans an unknown kind without its weights, cache, rules or reads."""
    mixer = Invented()
    model = model_of(built(KINDS[0]))
    model = model.model_copy(update={"layer_kinds": (Layer.model_construct(mixer=mixer),)})
    rooms = (
        lambda: of(mixer),
        lambda: rank_weights(model, None, Layout()),
        lambda: cache_layout(model, Layout(), engine()),
        lambda: check_start(start(built(KINDS[0]), 1).changed(architecture=model)),
        lambda: footprint(model, Layout()),
    )
    for room in rooms:
        with pytest.raises(UnsupportedArchitectureError, match="invented"):
            room()
