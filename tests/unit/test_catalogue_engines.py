"""The tables of vLLM releases, against what the releases' own parsers say (shared data flags/)."""

from __future__ import annotations

import pytest

from generator.catalogue.engine_dump import EngineDump
from generator.catalogue.engines import (
    DEFAULT_VERSION,
    compare,
    engine,
    engine_from_dump,
    known_versions,
    read_table,
)
from generator.errors import GeneratorError, RequestError, UnknownFactError
from generator.models.engine import human_readable_int

VERSIONS = known_versions()
each_version = pytest.mark.parametrize("version", VERSIONS)

ADDED_IN_0_33 = ("monokernel", "reasoning_effort_map", "sleep_mode_backend", "watchdog_config")


def test_every_release_with_recorded_flags_from_0_19_is_known():
    """The releases of flags/versions.json."""
    recorded = [
        "0.19.1",
        "0.20.2",
        "0.21.0",
        "0.23.0",
        "0.26.0",
        "0.27.1",
        "0.28.0",
        "0.29.0",
        "0.32.0",
        "0.33.0",
    ]
    assert set(recorded) <= set(VERSIONS)
    assert VERSIONS[0] == "0.19.1"
    assert VERSIONS[-1] == DEFAULT_VERSION == engine().version


@pytest.mark.parametrize("spelling", ["0.33", "0.33.0", "v0.33.0", " 0.33.0"])
def test_a_release_is_found_by_each_of_its_spellings(spelling):
    assert engine(spelling) is engine("0.33.0")


def test_a_version_without_its_last_number_is_the_newest_such_release():
    assert engine("0.27").version == "0.27.1"


@pytest.mark.parametrize("version", ["0.8.5", "9.9.9", "0.3", "latest", "0"])
def test_an_unknown_release_names_the_newest_and_the_oldest_known(version):
    with pytest.raises(UnknownFactError, match=r"the newest known is 0\.33\.0, the oldest 0\.19\.1"):
        engine(version)


@each_version
def test_a_release_is_complete_and_sourced(version):
    release = engine(version)
    assert release.image == f"vllm/vllm-openai:v{version}"
    assert version in release.source
    assert {"auto", "fp8"} <= set(release.kv_cache_dtypes)
    assert {"fp8", "awq", "compressed-tensors"} <= set(release.quantization_methods)
    assert not [flag.name for flag in release.flags if flag.type == "unknown"]


@pytest.mark.parametrize(("version", "flags"), [("0.32.0", 318), ("0.33.0", 322)])
def test_the_table_has_every_flag_of_the_parser(version, flags):
    """Counts of flags/*.json, less the positional model, --help and --config."""
    assert len(engine(version).flags) == flags - 3


@pytest.mark.parametrize(
    ("version", "default"), [("0.19.1", 0.9), ("0.20.2", 0.92), ("0.32.0", 0.92), ("0.33.0", 0.92)]
)
def test_the_default_utilization_rose_in_0_20(version, default):
    assert engine(version).default_gpu_memory_utilization == default


@pytest.mark.parametrize(
    ("version", "has", "lacks"),
    [
        ("0.19.1", "auto", "nvfp4"),
        ("0.20.2", "turboquant_k8v4", "int4_per_token_head"),
        ("0.26.0", "int4_per_token_head", "nvfp4_4over6"),
        ("0.29.0", "nvfp4_4over6", "nvfp4_ds_mla"),
        ("0.32.0", "nvfp4_ds_mla", "octave_k3v4"),
        ("0.33.0", "octave_k3v3_compact", "fp4"),
    ],
)
def test_kv_cache_dtypes_are_those_of_the_release(version, has, lacks):
    assert engine(version).check("kv_cache_dtype", has) == has
    with pytest.raises(RequestError, match=rf"--kv-cache-dtype takes (no|one of .*, not) '{lacks}'"):
        engine(version).check("kv_cache_dtype", lacks)


@pytest.mark.parametrize(
    ("method", "last", "first_without"),
    [("bitsandbytes", "0.27.1", "0.28.0"), ("gguf", "0.23.0", "0.26.0")],
)
def test_a_quantization_that_was_dropped_is_refused_from_then_on(method, last, first_without):
    assert engine(last).check("quantization", method) == method
    with pytest.raises(RequestError, match=f"--quantization takes no '{method}'"):
        engine(first_without).check("quantization", method)


@pytest.mark.parametrize("name", ADDED_IN_0_33)
def test_a_flag_that_came_with_0_33_is_refused_in_0_32_naming_the_release(name):
    assert name in engine("0.33").by_name
    with pytest.raises(RequestError, match=r"vLLM 0\.32\.0 has no argument .*; vLLM 0\.33\.0 (to .* )?has it"):
        engine("0.32").check(name, value=True)


def test_a_flag_that_was_removed_names_the_releases_that_have_it():
    with pytest.raises(RequestError, match=r"or pin vLLM 0\.19\.1 to 0\.27\.1, which has it"):
        engine("0.33").check("calculate_kv_scales", value=True)


@pytest.mark.parametrize("name", ["kv_cache_memory", "device", "ep", "gpu-memory", "tensor_parallel", "enable_prefix"])
def test_a_prefix_that_argparse_would_complete_is_refused(name):
    """`--kv-cache-memory 20G` is taken as --kv-cache-memory-bytes, `--ep 2` as --eplb-config (vLLM 0.32)."""
    with pytest.raises(RequestError, match="has no argument"):
        engine("0.32").check(name, 2)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("disable_log_requests", "leave it out, requests are not logged"),
        ("no_enable_prefix_caching", "set enable_prefix_caching instead"),
        ("max_model_length", "nearest: max_model_len"),
        ("zzz", "remove it"),
    ],
)
def test_an_unknown_flag_says_what_to_do(name, hint):
    with pytest.raises(RequestError, match=hint):
        engine().check(name, value=True)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("max_model_len", "32k", 32000),
        ("max-model-len", "32K", 32768),
        ("max_model_len", "auto", -1),
        ("max_model_len", -1, -1),
        ("kv_cache_memory_bytes", "20G", 21474836480),
        ("max_num_seqs", 256, 256),
        ("gpu_memory_utilization", 0.9, 0.9),
        ("enforce_eager", False, False),
        ("disable_log_stats", True, True),
        ("compilation_config", {"mode": 3}, {"mode": 3}),
        ("compilation_config", '{"mode": 3}', '{"mode": 3}'),
        ("pt_load_map_location", "cpu", "cpu"),
        ("optimization_level", 3, 3),
        ("cudagraph_capture_sizes", [1, 2, 4], [1, 2, 4]),
        ("served_model_name", "chat", "chat"),
        ("served_model_name", ["a", "b"], ["a", "b"]),
        ("max_lora_rank", 64, 64),
        ("all2all_backend", "deepep_low_latency", "deepep_low_latency"),
        ("quantization", None, None),
    ],
)
def test_a_value_is_read_as_vllm_reads_it(name, value, read):
    assert engine("0.33").check(name, value) == read


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("max_num_seqs", "256", "takes a whole number, not '256'"),
        ("max_num_seqs", "2k", "takes a whole number"),
        ("max_num_seqs", True, "takes a whole number"),
        ("max_model_len", "32768.5", "not a whole number such as"),
        ("max_model_len", 1.5, "takes a whole number .* or auto"),
        ("max_num_batched_tokens", "auto", "not a whole number such as"),
        ("gpu_memory_utilization", "high", "takes a number"),
        ("enforce_eager", "yes", "takes true or false"),
        ("disable_log_stats", False, "leave it out"),
        ("compilation_config", 3, "takes a JSON object"),
        ("compilation_config", '"3"', "takes a JSON object"),
        ("compilation_config", "{mode", "takes a JSON object"),
        ("dtype", "bf16", "takes one of auto, bfloat16"),
        ("max_lora_rank", 12, "takes one of 1, 8, 16"),
        ("cudagraph_capture_sizes", ["1"], "takes a list"),
        ("served_model_name", [], "takes a list"),
        ("revision", 12, "takes text"),
        (
            "quantization",
            "int8",
            r"vLLM 0\.33\.0: --quantization takes no 'int8'; nearest: experts_int8, int8_per_channel_weight_only",
        ),
    ],
)
def test_a_value_that_vllm_would_refuse_is_refused(name, value, reason):
    with pytest.raises(RequestError, match=reason):
        engine("0.33").check(name, value)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1k", 1000), ("1K", 1024), ("25.6k", 25600), ("2m", 2_000_000), ("1T", 1024**4), ("4096", 4096)],
)
def test_human_readable_integers_are_vllm_s(text, number):
    """The examples of vLLM 0.32 utils/argparse_utils.py."""
    assert human_readable_int(text) == number


@pytest.mark.parametrize("text", ["1.5K", "k", "-1", "1e3", "", "12 k"])
def test_other_spellings_of_integers_are_refused(text):
    with pytest.raises(RequestError):
        human_readable_int(text)


def test_two_releases_are_compared_by_flag():
    difference = compare(engine("0.32"), engine("0.33"))
    assert difference.added == ADDED_IN_0_33
    assert difference.removed == ()
    changed = {change.before.name: change for change in difference.changed}
    assert changed["mamba_cache_mode"].before.default == "none"
    assert changed["mamba_cache_mode"].after.default is None
    assert "sycl" in changed["gdn_prefill_backend"].after.choices
    assert compare(engine("0.26"), engine("0.27.1")).removed == (
        "max_long_partial_prefills",
        "max_num_partial_prefills",
    )


def dump(**changes):
    flag = {"aliases": ["--x"], "dest": "x", "action": "_StoreAction", "type": "int", "inner_type": "int"}
    utilization = flag | {
        "dest": "gpu_memory_utilization",
        "type": "float",
        "inner_type": "float",
        "default": 0.92,
    }
    flags = {"--x": flag | changes, "--gpu-memory-utilization": utilization}
    return EngineDump.model_validate(
        {"version": "0.99.0", "platform": "CudaPlatform", "n_flags": len(flags), "flags": flags}
    )


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "int"),
        ({"type": "_optional_type", "inner_type": None}, "unknown"),
        ({"type": None, "inner_type": None}, "str"),
        ({"action": "_StoreTrueAction", "nargs": 0, "type": None, "inner_type": None}, "bool"),
        ({"nargs": "+"}, "list"),
        ({"type": "_optional_type", "inner_type": "parse_dataclass"}, "json"),
    ],
)
def test_a_dump_of_a_release_that_the_tables_lack_is_read(changes, kind):
    release = engine_from_dump(dump(**changes))
    assert release.by_name["x"].type == kind
    assert release.image == "vllm/vllm-openai:v0.99.0"
    assert release.elsewhere["max_model_len"] == f"{VERSIONS[0]} to {VERSIONS[-1]}"


def test_an_unknown_type_takes_any_value():
    assert engine_from_dump(dump(type="_optional_type", inner_type=None)).check("x", {"any": 1}) == {"any": 1}


@pytest.mark.parametrize(
    "text",
    [
        'version = "1.0.0"\n[flags]\n',
        'version = "1.0"\nsource = "s"\n[flags]\n',
        'version = "1.0.0"\nsource = "s"\n',
        'version = "1.0.0"\nsource = "s"\nimage = "x"\n[flags]\n',
        'version = "1.0.0"\nsource = "s"\n[flags]\nx = { type = "integer" }\n',
        'version = "1.0.0"\nsource = "s"\n[flags]\nx = { type = "int", help = "x" }\n',
    ],
)
def test_a_broken_release_file_is_refused(tmp_path, text):
    file = tmp_path / "1.0.0.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(GeneratorError, match=r"1\.0\.0\.toml: release: "):
        read_table(file)


@pytest.mark.parametrize(("asked", "table"), [("0.19.0", "0.19.1"), ("v0.20.1", "0.20.2"), ("0.27.0", "0.27.1")])
def test_an_earlier_patch_takes_the_table_of_its_minor_release(asked, table):
    """Under its own number and image: 0.19.0, 0.20.1 and 0.27.0 are releases of their own."""
    found = engine(asked)
    assert found.image == f"vllm/vllm-openai:v{asked.removeprefix('v')}"
    assert (found.version, found.flags) == (asked.removeprefix("v"), engine(table).flags)


@pytest.mark.parametrize("asked", ["0.19.2", "0.33.1", "0.19.0rc1"])
def test_a_patch_that_nobody_read_is_unknown(asked):
    with pytest.raises(UnknownFactError, match="no table for vLLM"):
        engine(asked)
