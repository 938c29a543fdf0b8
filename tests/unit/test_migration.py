"""Engine arguments between vLLM releases, up and down; the words are those of the releases' own parsers."""

from __future__ import annotations

import re
from itertools import pairwise, permutations

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.engines import compare, engine, known_versions
from generator.catalogue.migrations import migrations
from generator.errors import RequestError
from generator.models.engine import Engine, Flag
from generator.models.migration import MigrationRow
from generator.planning.migration import migrate

VERSIONS = known_versions()
PAIRS = (*pairwise(VERSIONS), *pairwise(VERSIONS[::-1]))


def moved(overrides, before, after, **options):
    return migrate(overrides, engine(before), engine(after), migrations(), **options)


def told(migration):
    return {(note.kind, note.flag, note.flag_after) for note in migration.notes if note.kind != "default"}


def invented(version, *flags, elsewhere=None):
    return Engine(
        version=version,
        release=release_of(version),
        image="",
        rocm_image="",
        flags=flags,
        default_gpu_memory_utilization=0.9,
        elsewhere=elsewhere or {},
        source="test",
    )


@pytest.mark.parametrize(("before", "after"), [("0.30.0", "0.31.0"), ("0.30.0", "0.33.0")])
def test_a_renamed_argument_is_renamed(before, after):
    """Pull request 53945 of vLLM gave it another name and left its meaning."""
    done = moved({"enable_mamba_fine_grained_prefix_cache": True, "max_num_seqs": 8}, before, after)
    assert done.overrides == {"enable_mamba_shared_prefix_checkpoint": True, "max_num_seqs": 8}
    assert told(done) == {
        ("renamed", "enable_mamba_fine_grained_prefix_cache", "enable_mamba_shared_prefix_checkpoint")
    }


def test_a_downgrade_renames_back():
    done = moved({"enable_mamba_shared_prefix_checkpoint": True}, "0.33.0", "0.30.0")
    assert done.overrides == {"enable_mamba_fine_grained_prefix_cache": True}
    with pytest.raises(RequestError, match=r"0\.31\.0 to 0\.33\.0"):
        moved({"enable_mamba_shared_prefix_checkpoint": True}, "0.33.0", "0.29.0")


@pytest.mark.parametrize(
    ("flag", "value", "before", "after"),
    [
        ("calculate_kv_scales", True, "0.27.1", "0.28.0"),
        ("override_attention_dtype", "fp8", "0.26.0", "0.33.0"),
        ("max_num_partial_prefills", 1, "0.19.1", "0.27.1"),
        ("enable_bf16x3_router_gemm", True, "0.29.0", "0.30.0"),
    ],
)
def test_a_removed_argument_is_dropped_with_its_reason(flag, value, before, after):
    done = moved({flag: value}, before, after)
    assert done.overrides == {}
    assert told(done) == {("dropped", flag, None)}
    assert all(note.reason for note in done.notes)


@pytest.mark.parametrize(
    ("flag", "value", "before", "after", "new"),
    [
        ("all2all_backend", "mori", "0.22.1", "0.33.0", "mori_high_throughput"),
        ("all2all_backend", "mori_high_throughput", "0.23.0", "0.22.1", "mori"),
        ("moe_backend", "flashinfer_moe_ep_mega_cutedsl", "0.31.0", "0.32.0", "flashinfer_moe_ep_cutedsl"),
        ("mamba_cache_mode", "all", "0.31.0", "0.33.0", "align"),
    ],
)
def test_a_value_that_got_another_word_is_replaced(flag, value, before, after, new):
    done = moved({flag: value}, before, after)
    assert done.overrides == {flag: new}
    assert told(done) == {("replaced", flag, flag)}


@pytest.mark.parametrize(
    ("overrides", "before", "after", "said"),
    [
        ({"quantization": "bitsandbytes"}, "0.27.1", "0.28.0", "vllm-bnb-plugin"),
        ({"quantization": "gguf"}, "0.23.0", "0.33.0", "vllm-gguf-plugin"),
        ({"spec_method": "medusa"}, "0.32.0", "0.33.0", "medusa"),
        ({"monokernel": True}, "0.33.0", "0.32.0", r"vLLM 0\.33\.0 has it"),
        ({"kv_cache_dtype": "octave_k3v4"}, "0.33.0", "0.32.0", "octave_k3v4"),
        ({"max_num_queued_tokens": 5}, "0.33.0", "0.19.1", r"0\.29\.0 to 0\.33\.0"),
    ],
)
def test_what_a_release_lacks_without_a_successor_is_an_error(overrides, before, after, said):
    with pytest.raises(RequestError, match=said) as refused:
        moved(overrides, before, after)
    assert "\n" not in str(refused.value)


def test_a_value_that_means_nothing_is_set_needs_no_successor():
    done = moved({"enable_hc_sp": False, "grpc_port": None, "max_num_seqs": None}, "0.32.0", "0.31.0")
    assert done.overrides == {"max_num_seqs": None}
    assert told(done) == {("dropped", "enable_hc_sp", None), ("dropped", "grpc_port", None)}


def test_a_changed_default_is_noted_and_accepted():
    """0.20 raised it: the shared flag matrix has 0.9 for 0.19.1 and 0.92 for 0.26.0."""
    notes = {note.flag: note for note in moved({}, "0.19.1", "0.26.0").notes}
    assert (notes["gpu_memory_utilization"].before, notes["gpu_memory_utilization"].after) == (0.9, 0.92)
    assert notes["gpu_memory_utilization"].kind == "default"


def test_a_changed_default_can_be_pinned():
    done = moved({}, "0.19.1", "0.20.2", keep_defaults=True)
    assert done.overrides == {"gpu_memory_utilization": 0.9}
    assert [note.kind for note in done.notes] == ["pinned"]
    assert moved({}, "0.32.0", "0.33.0", keep_defaults=True).overrides == {
        "mamba_cache_mode": "none",
        "tool_strict_level": "auto",
    }
    assert moved({}, "0.29.0", "0.30.0", keep_defaults=True).overrides == {"cp_kv_cache_interleave_size": 1}


def test_what_is_stated_has_no_changed_default():
    assert moved({"gpu_memory_utilization": 0.8}, "0.19.1", "0.20.2").notes == ()
    assert moved({}, "0.19.1", "0.20.2", planned=frozenset({"gpu_memory_utilization"})).notes == ()


def test_the_same_release_changes_nothing():
    overrides = {"max_num_seqs": 7, "mamba_cache_mode": None}
    assert moved(overrides, "0.33.0", "0.33.0").overrides == overrides
    assert moved(overrides, "0.33.0", "0.33.0").notes == ()


def test_a_name_that_both_releases_of_a_rename_state_keeps_the_new_ones_value():
    old, new = Flag(name="old", type="int"), Flag(name="new", type="int")
    rows = (MigrationRow(release="2.0.0", flag="old", to="new", reason="renamed"),)
    done = migrate({"new": 2, "old": 1}, invented("1.0.0", old, new), invented("2.0.0", new), rows)
    assert done.overrides == {"new": 2}


def test_renames_chain_over_several_releases():
    first, last = invented("1.0.0", Flag(name="a", type="int")), invented("3.0.0", Flag(name="c", type="int"))
    rows = (
        MigrationRow(release="3.0.0", flag="b", to="c", reason="again"),
        MigrationRow(release="2.0.0", flag="a", to="b", reason="once"),
    )
    assert migrate({"a": 1}, first, last, rows).overrides == {"c": 1}
    assert migrate({"c": 1}, last, first, rows).overrides == {"a": 1}


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_argument_that_goes_has_a_row_or_an_error_that_names_its_releases(before, after):
    """Each removed argument of each neighbouring pair, set to some value that it takes."""
    old, new = engine(before), engine(after)
    upwards = VERSIONS.index(before) < VERSIONS.index(after)
    for name in compare(old, new).removed:
        flag = old.by_name[name]
        value = True if flag.type == "bool" else flag.choices[0] if flag.choices else _SOME[flag.type]
        if upwards or any(row.to == name and not row.value for row in migrations()):
            assert set(migrate({name: value}, old, new, migrations()).overrides) <= new.by_name.keys()
        else:
            with pytest.raises(RequestError, match=f"vLLM {re.escape(new.elsewhere[name])} has it"):
                migrate({name: value}, old, new, migrations())


_SOME = {"int": 1, "float": 0.5, "str": "x", "json": {}, "list": ["x"], "unknown": "x"}


def test_no_pair_of_releases_leaves_an_override_that_the_target_refuses():
    """Every default that can be written down, between any two releases, pinned or not."""
    for before, after in permutations((VERSIONS[0], "0.23.0", "0.27.1", "0.30.0", VERSIONS[-1]), 2):
        done = moved({}, before, after, keep_defaults=True)
        for name, value in done.overrides.items():
            engine(after).check(name, value)


def test_every_row_is_true_of_the_tables():
    """The old word is known to the release before and unknown to the row's; its successor is known there."""
    for row in migrations():
        new = engine(row.release)
        old = engine(VERSIONS[VERSIONS.index(row.release) - 1])
        if row.value is None:
            assert row.flag in old.by_name
            assert row.flag not in new.by_name
            assert (row.to in new.by_name) != row.dropped
        else:
            old.check(row.flag, row.value)
            with pytest.raises(RequestError):
                new.check(row.flag, row.value)
            new.check(row.flag, row.to)
