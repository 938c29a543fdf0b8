"""Laws of hosts that several models share."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import RequestError
from generator.models.request import Request
from generator.models.shared_host import AskedModel, SharedHost
from generator.operations.hosting.proof import host_plan
from generator.workflow import facts_for, plan_for

MODELS = ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "BAAI/bge-m3", "openai/gpt-oss-20b", "Qwen/Qwen3-14B")
FACTS = {name: facts_for(Request(model=name, source="embedded", gpu="H100")) for name in MODELS}
some = settings(max_examples=25, deadline=None)


@st.composite
def hosts(draw):
    """A host of one or two GPUs with two or three models, some with a share of their own."""
    members = tuple(
        AskedModel(
            name=f"m{number}",
            request=Request(
                model=draw(st.sampled_from(MODELS)), source="embedded", concurrency=draw(st.integers(1, 64))
            ),
            share=draw(st.sampled_from((None, None, 0.2, 0.3, 0.5))),
        )
        for number in range(draw(st.integers(2, 3)))
    )
    return SharedHost(
        gpu=draw(st.sampled_from(("H100", "A100-80GB", "L40S"))), gpus=draw(st.integers(1, 2)), members=members
    )


@some
@given(hosts())
def test_a_share_never_holds_what_the_whole_cannot(host):
    """Members of a GPU together hold no more than it has, and each no more requests than it would with all of it."""
    try:
        found = host_plan(host, lambda request: FACTS[request.model]).plan
    except RequestError:  # shares that are more than there is, or nothing left
        assert sum(one.share or 0 for one in host.members) > 0.75
        return
    for gpu in found.gpus:
        assert gpu.share <= 1
        here = [one for one in found.members if one.name in gpu.members]
        if all(one.plan.feasibility.fits for one in here):
            assert gpu.held_bytes.high <= gpu.total_bytes
    for one in found.members:
        alone = plan_for(one.plan.inputs.model_copy(update={"reserve_gb": 0.0}), FACTS[one.plan.inputs.model])
        whole, part = alone.memory.kv_cache_available_bytes, one.plan.memory.kv_cache_available_bytes
        assert part.expected <= whole.expected
        if one.plan.feasibility.fits:
            assert alone.feasibility.fits


@some
@given(st.integers(1, 9), st.sampled_from(MODELS))
def test_a_larger_share_holds_no_less(tenths, model):
    """The cache of a model grows with its share."""
    cache = []
    for share in (tenths / 10, (tenths + 1) / 10):
        asked = AskedModel(name="m", request=Request(model=model, source="embedded"), share=share)
        found = host_plan(SharedHost(gpu="H100", members=(asked,)), lambda request: FACTS[request.model]).plan
        cache.append(found.members[0].plan.memory.kv_cache_available_bytes.expected)
    assert cache[0] <= cache[1]
