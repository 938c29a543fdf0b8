"""Laws of sessions."""

from __future__ import annotations

from fixtures.sessions import planned
from hypothesis import given, settings
from hypothesis import strategies as st

some = settings(max_examples=8, deadline=None)
loads = st.fixed_dictionaries(
    {
        "live": st.integers(1, 300),
        "turns": st.integers(1, 12),
        "turn_tokens": st.integers(1, 900),
        "answer_tokens": st.integers(1, 400),
        "shared_tokens": st.integers(0, 4000),
        "pause_s": st.sampled_from((0.0, 5.0, 60.0)),
    }
)
models = st.sampled_from(("Qwen/Qwen3-8B", "Qwen/Qwen3-0.6B", "openai/gpt-oss-20b"))


@some
@given(loads, models, st.integers(1, 200))
def test_more_sessions_never_need_less_memory(load, model, more):
    """Neither of the host's memory nor of blocks; and never fewer of them are busy."""
    few, many = planned(model, load=load), planned(model, load=load | {"live": load["live"] + more})
    assert held(few) <= held(many)
    assert few.busy <= many.busy


@some
@given(loads, models)
def test_what_is_chosen_keeps_all_sessions_and_no_whole_gib_less_would(load, model):
    """The host's memory is asked for only where the GPUs keep too few, and then as little as does."""
    found = planned(model, load=load)
    assert found.kept.most >= load["live"]
    if found.offload is not None:
        less = planned(model, load=load, host_gb=found.offload.size_gib - 1)
        assert less.kept.host < load["live"]


@some
@given(loads, models, st.floats(0.0, 64.0))
def test_more_of_the_hosts_memory_never_keeps_fewer(load, model, size):
    """Whole sessions in a buffer of one size, and of a larger one."""
    few, many = (planned(model, load=load, host_gb=round(given_, 2)) for given_ in (size, 2 * size + 1))
    assert few.kept.host <= many.kept.host or many.kept.gpu >= load["live"]


def held(found):
    """Bytes of the host's memory that the plan asks for."""
    return found.plan.runtime.host_ram_bytes
