"""Keys of the arguments that are mappings: what vLLM's own configuration classes refuse."""

import pytest

from generator.catalogue.engines import engine, known_versions
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import facts_for, plan_for


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("compilation_config", {"cudagraph_mode": "BOGUS"}, r"cudagraph_mode takes one of NONE, .*, not 'BOGUS'"),
        ("compilation_config", {"cudagraph_mode": "2"}, "not '2'"),
        ("compilation_config", {"mode": 9}, "compilation_config.mode takes one of NONE, .*, 3, not 9"),
        ("compilation_config", '{"mode": "foo"}', "not 'foo'"),
        ("compilation_config", {"level": 3}, "compilation_config has no key 'level'; remove it"),
        ("compilation_config", {"cudagraph_modes": 2}, "nearest: cudagraph_mode"),
        ("compilation_config", {"pass_config": {"zz": True}}, "compilation_config.pass_config has no key 'zz'"),
        ("compilation_config", [3], "must be a mapping"),
        ("kv_transfer_config", {"kv_connector": "NixlConnector", "kv_role": "x"}, "kv_producer, kv_both, kv_consumer"),
        ("kv_transfer_config", {"kv_rank": 0}, r"vLLM 0\.31\.0 and older has it"),
        ("speculative_config", {"method": "mtp", "num_spec_tokens": 1}, "nearest: num_speculative_tokens"),
        ("speculative_config", {"rejection_sample_method": "fly"}, "one of standard, synthetic, block, not 'fly'"),
        ("structured_outputs_config", {"backend": "zz"}, "takes one of auto, xgrammar, guidance"),
    ],
)
def test_what_vllm_032_refuses_in_a_mapping_is_refused(name, given, said):
    """Each was given to the class of vLLM 0.32, which raises on it."""
    with pytest.raises(RequestError, match=said):
        engine("0.32.0").check(name, given)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("compilation_config", {"cudagraph_mode": "full_and_piecewise", "mode": 3, "cudagraph_capture_sizes": [1, 2]}),
        ("compilation_config", {"mode": "vllm_compile", "pass_config": {"fuse_norm_quant": True}}),
        ("compilation_config", {"cudagraph_mode": None}),
        ("kv_transfer_config", {"kv_connector": "mine", "kv_role": "kv_both", "kv_connector_extra_config": {"any": 1}}),
        ("speculative_config", {"method": "ngram", "num-speculative-tokens": 3}),
        ("hf_overrides", {"anything": 1}),
    ],
)
def test_what_vllm_032_takes_in_a_mapping_passes(name, given):
    assert engine("0.32.0").check(name, given) == given


def test_a_key_belongs_to_the_releases_that_have_it():
    """PassConfig.enable_sp left with 0.32; SpeculativeConfig.xpress_topc came with 0.33."""
    engine("0.31.0").check("compilation_config", {"pass_config": {"enable_sp": True}})
    engine("0.33.0").check("speculative_config", {"xpress_topc": 4})
    with pytest.raises(RequestError, match=r"vLLM 0\.31\.0 and older has it: remove it or pin that release"):
        engine("0.32.0").check("compilation_config", {"pass_config": {"enable_sp": True}})
    with pytest.raises(RequestError, match=r"vLLM 0\.33\.0 and newer has it"):
        engine("0.32.0").check("speculative_config", {"xpress_topc": 4})
    engine("0.33.0").check("speculative_config", {"rejection_sample_method": "fly"})


@pytest.mark.parametrize("version", known_versions())
def test_every_mapping_of_the_table_is_an_argument_or_a_key_of_one(version):
    release = engine(version)
    for name, held in release.mappings.items():
        above, _, key = name.rpartition(".")
        if above:
            assert key in {*release.mappings[above].keys, *release.mappings[above].elsewhere}
        elif name in release.by_name:
            assert release.by_name[name].type == "json"
            assert held.keys


def test_a_plan_is_refused_for_it_in_one_line():
    request = Request(
        model="Qwen/Qwen3-8B", gpu="L4", source="embedded", overrides={"compilation_config": {"cudagraph_mode": "X"}}
    )
    with pytest.raises(RequestError, match=r"^vLLM 0\.33\.0: compilation_config\.cudagraph_mode takes one of [^\n]*$"):
        plan_for(request, facts_for(request, offline=True))
