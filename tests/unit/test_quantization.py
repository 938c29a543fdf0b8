"""quantization_config -> formats of modules, and the bytes that vLLM's create_weights makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.checkpoints import declaring

from generator.catalogue.models import embedded_model
from generator.catalogue.quantizations import all_quantizations
from generator.errors import RequestError, UnknownFactError
from generator.models.capability import HOPPER
from generator.models.dtype import DType
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.planning.weights.expansion import modules
from generator.planning.weights.formats import stored_formats
from generator.planning.weights.rank import rank_weights
from generator.sources.architectures import names_no_method, read_architecture, read_quantization
from generator.sources.architectures.patterns import module_patterns
from generator.workflow import plan_for

_FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures" / "quantizations.json").read_text(encoding="utf-8"))
MODELS, SCHEMES = _FIXTURE["models"], _FIXTURE["schemes"]
"""Two small models, and the bytes of rank 0 of TP 2 on an H100 that vLLM 0.32 creates for each under each scheme."""

MIXTURE = {
    "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 2048,
    "moe_intermediate_size": 768, "intermediate_size": 6144, "num_attention_heads": 32, "num_hidden_layers": 4,
    "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8,
    "vocab_size": 151936, "max_position_embeddings": 40960, "tie_word_embeddings": False,
}  # fmt: skip


def formats(declared, other=None, config=MIXTURE):
    """Storage format of each module by layer: `{name: {layer: dtype}}`, None for unquantized."""
    config = {**config, "quantization_config": declared} if declared else config
    scheme = read_quantization(config, other)
    found = {}
    for module in modules(read_architecture(config)):
        for stored in stored_formats(module, scheme):
            for layer in stored.layers or (0,):
                found.setdefault(module.name, {})[layer] = stored.form and stored.form.weights
    return found


def test_a_checkpoint_without_a_scheme_has_none():
    assert read_quantization(MIXTURE) is None


def test_fp8_leaves_head_embedding_and_norms_alone():
    found = formats({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]})

    assert found["lm_head"][0] is None
    assert found["model.embed_tokens"][0] is None
    assert found["model.layers.{L}.norms"][0] is None
    assert found["model.layers.{L}.mlp.experts.gate_proj"][3] is DType.F8_E4M3
    assert found["model.layers.{L}.self_attn.q_proj"][3] is DType.F8_E4M3


def test_modules_not_to_convert_are_matched_by_their_whole_name():
    ignored = ["model.layers.1.self_attn.q_proj", "lm_head"]
    found = formats({
        "quant_method": "fp8", "activation_scheme": "dynamic", "modules_to_not_convert": ignored
    })  # fmt: skip

    assert found["model.layers.{L}.self_attn.q_proj"] == {
        0: DType.F8_E4M3, 1: None, 2: DType.F8_E4M3, 3: DType.F8_E4M3
    }  # fmt: skip


def test_compressed_tensors_ignores_by_expression():
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True}
    found = formats({
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": ["lm_head", "re:.*self_attn.*"],
    })  # fmt: skip

    assert found["model.layers.{L}.self_attn.o_proj"][2] is None
    assert found["model.layers.{L}.mlp.experts.down_proj"][2] is DType.I32


def test_modelopt_excludes_by_glob_and_says_the_cache_dtype():
    declared = {
        "quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", "model.layers.0.self_attn*"],
        "kv_cache_scheme": {"dynamic": False, "num_bits": 8, "type": "float"}, "producer": {"name": "modelopt"},
    }  # fmt: skip
    found = formats(declared)

    assert found["model.layers.{L}.self_attn.k_proj"][0] is None
    assert found["model.layers.{L}.self_attn.k_proj"][1] is DType.U8
    scheme = read_quantization({**MIXTURE, "quantization_config": declared})
    assert scheme is not None
    assert scheme.kv_cache_dtype == "fp8_e4m3"


def test_mixed_precision_follows_the_layers_that_it_lists():
    layers = {
        "backbone.layers.0.mlp.experts.0.up_proj": {"quant_algo": "NVFP4", "group_size": 16},
        "backbone.layers.1.self_attn.q_proj": {"quant_algo": "FP8"},
    }
    found = formats({
        "quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers,
        "producer": {"name": "modelopt"},
    })  # fmt: skip

    assert found["model.layers.{L}.mlp.experts.up_proj"] == {0: DType.U8, 1: None, 2: None, 3: None}
    assert found["model.layers.{L}.self_attn.q_proj"][1] is DType.F8_E4M3


def test_hf_quant_config_counts_only_where_modelopt_says_that_it_wrote_it():
    """As vLLM 0.32 transformers_utils/model_arch_config_convertor.py:263."""
    named = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
    nameless = {"quantization": {"quant_algo": "FP8"}}

    scheme = read_quantization(MIXTURE, named)
    assert scheme is not None
    assert scheme.method == "modelopt"
    assert read_quantization(MIXTURE, nameless) is None


@pytest.mark.parametrize(
    ("config", "beside", "expected"),
    [
        (MIXTURE, {"quantization": {"quant_algo": "FP8"}}, True),
        (MIXTURE, {"producer": "modelopt", "quantization": {"quant_algo": "FP8"}}, True),
        (MIXTURE | {"quantization_config": {"bits": 4}}, None, True),
        (MIXTURE, {"quantization": {"quant_algo": "FP8", "modelopt_quant_config": {}}}, False),
        (MIXTURE | {"quantization_config": {"quant_method": "fp8"}}, {"quantization": {}}, False),
        (MIXTURE, None, False),
    ],
)
def test_a_scheme_without_its_method_is_remembered(config, beside, expected):
    """VLLM takes no `--quantization` beside one (0.33 config/model.py: _verify_quantization)."""
    assert names_no_method(config, beside) is expected


def test_mxfp4_covers_routed_experts_only():
    found = formats({"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]})

    assert found["model.layers.{L}.mlp.experts.up_proj"][0] is DType.U8
    assert found["model.layers.{L}.self_attn.v_proj"][0] is None


AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
MODELOPT = {"quant_method": "modelopt", "producer": {"name": "modelopt"}, "quant_algo": "FP8", "ignore": ["lm_head"]}
DYNAMIC = {"-:.*gate.*": {}}
EIGHT = {"load_in_8bit": True, "quant_method": "bitsandbytes"}


@pytest.mark.parametrize(
    "declared",
    [
        AWQ | {"modules_to_not_convert": ["gate"]},
        AWQ | {"modules_to_not_convert": ["mlp.gate"]},
        GPTQ | {"dynamic": DYNAMIC},
        EIGHT | {"llm_int8_skip_modules": ["gate"]},
        {"quant_method": "fp8", "activation_scheme": "dynamic", "modules_to_not_convert": ["gate"]},
    ],
)
def test_a_router_left_alone_leaves_no_expert_alone(declared):
    """VLLM asks a list about the layer of all experts, in whose name there is no gate (0.32 auto_awq.py:335)."""
    found = formats(declared)
    experts = {name: set(kinds.values()) for name, kinds in found.items() if ".experts." in name}
    assert len(experts) == 3
    assert None not in set().union(*experts.values())


def test_a_list_that_names_the_experts_leaves_all_of_them_alone():
    """A part of the layer's name is enough for AWQ: all three projections of the layers that it means."""
    found = formats(AWQ | {"modules_to_not_convert": ["layers.1.mlp.experts"]})
    for projection in ("gate_proj", "up_proj", "down_proj"):
        kinds = found[f"model.layers.{{L}}.mlp.experts.{projection}"]
        assert (kinds[0], kinds[1]) == (DType.I32, None)


@pytest.mark.parametrize("declared", [AWQ | {"modules_to_not_convert": ["gate"]}, GPTQ | {"dynamic": DYNAMIC}])
def test_a_merged_layer_is_left_alone_as_a_whole(declared):
    """The name of a dense network's merged layer has `gate` in it (vLLM 0.32 utils/quant_utils.py:662)."""
    found = formats(declared, config={**MIXTURE, "mlp_only_layers": [2]})
    assert found["model.layers.{L}.mlp.gate_proj"] == {2: None}
    assert found["model.layers.{L}.mlp.up_proj"] == {2: None}
    assert found["model.layers.{L}.mlp.down_proj"] == {2: DType.I32}


def test_experts_beside_a_skipped_router_take_the_bytes_that_vllm_creates():
    """A list with the router alone changes nothing, for vLLM's routers are plain anyway."""
    declared = SCHEMES["awq"]["quantization_config"] | {"modules_to_not_convert": ["gate"]}
    config = {**MODELS["experts"], "quantization_config": declared}
    scheme = read_quantization(config)
    weights = rank_weights(read_architecture(config), scheme, Layout(tensor_parallel_size=2), capability=HOPPER)
    assert weights.worst.total_bytes == pytest.approx(SCHEMES["awq"]["experts"], rel=0.005)


@pytest.mark.parametrize(
    ("declared", "method", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, "awq", 4),
        ({"quant_method": "gptq", "bits": 8, "group_size": 32, "desc_act": True, "sym": True}, "gptq", 8),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}, "inc", 4),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", 4),
        ({"quant_method": "experts_int8"}, "experts_int8", 8),
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": []}, "fbgemm_fp8", 8),
    ],
)
def test_each_method_is_read_by_its_name(declared, method, bits):
    scheme = read_quantization({**MIXTURE, "quantization_config": declared})

    assert scheme is not None
    assert (scheme.method, scheme.bits) == (method, bits)


@pytest.mark.parametrize(
    ("declared", "missing"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "zero_point of awq"),
        ({"quant_method": "gptq", "bits": 4}, "group_size, desc_act, sym of gptq"),
        ({"quant_method": "awq"}, "w_bit or bits, q_group_size or group_size, zero_point of awq"),
        ({"quant_method": "fp8"}, "activation_scheme of fp8"),
    ],
)
def test_a_key_that_vllm_reads_without_a_default_has_to_be_there(declared, missing):
    """VLLM: "Cannot find any of ['zero_point'] in the model's quantization config" (quantization/base_config.py)."""
    with pytest.raises(LookupError, match=f"{missing} is missing"):
        read_quantization({**MIXTURE, "quantization_config": declared})


@pytest.mark.parametrize(
    ("release", "bits", "symmetric", "loads"),
    [
        ("0.33.0", 4, True, True),
        ("0.33.0", 8, True, True),
        ("0.33.0", 3, True, False),
        ("0.33.0", 4, False, False),
        ("0.20.2", 3, True, True),
    ],
)
def test_gptq_is_loaded_in_the_widths_of_its_release(release, bits, symmetric, loads):
    """Where a release has no zero points left for GPTQ, or no 3 bits, the table says so (auto_gptq.py: TYPE_MAP)."""
    row = next(row for row in all_quantizations() if row.name == "gptq")
    assert row.loads(release, bits=bits, group=128, symmetric=symmetric) is loads


@pytest.mark.parametrize("method", ["novelq", "torchao", "hqq", "eetq", "aqlm"])
def test_an_unknown_method_is_refused_by_name(method):
    """One line says the method, few others, and the way on."""
    with pytest.raises(UnknownFactError, match=rf"'{method}' is not known.*choose another checkpoint.*--facts") as said:
        read_quantization({**MIXTURE, "quantization_config": {"quant_method": method}})
    assert len(str(said.value)) < 320


DENSE = {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": {
    "targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (
            {"sparsity_config": {"format": "sparse-24-bitmask", "targets": ["Linear"]}},
            "its sparsity_config has targets",
        ),
        ({"sparsity_config": {"format": "dense", "targets": ["Linear"]}}, "its sparsity_config has targets"),
        ({"format": "marlin-24"}, "its format is marlin-24"),
        ({"config_groups": {"group_0": DENSE["config_groups"]["group_0"] | {"format": "marlin-24"}}}, "marlin-24"),
        ({"config_groups": {}, "sparsity_config": {"format": "sparse-24-bitmask", "targets": ["Linear"]}}, "targets"),
    ],
)
def test_sparse_weights_are_refused(changed, why):
    """One line says why vLLM no longer loads them, and to take a dense checkpoint."""
    with pytest.raises(UnknownFactError, match=rf"{why}.*choose a dense checkpoint"):
        read_quantization({**MIXTURE, "quantization_config": DENSE | changed})


@pytest.mark.parametrize("sparsity", [None, {}, {"format": "dense", "targets": [], "ignore": ["lm_head"]}])
def test_a_sparsity_without_targets_is_none(sparsity):
    """A checkpoint that names no sparse layer is dense, as vLLM reads it."""
    declared = DENSE | {"sparsity_config": sparsity}
    assert read_quantization({**MIXTURE, "quantization_config": declared}).bits == 8


def test_a_block_may_be_written_as_rows_by_columns():
    """compressed-tensors reads `128x128` as its two sides."""
    weights = {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": "128x128"}
    declared = DENSE | {"config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}
    scheme = read_quantization({**MIXTURE, "quantization_config": declared})
    assert (scheme.rules[-1].format.scale_rows, scheme.rules[-1].format.scale_columns) == (128, 128)


def test_many_names_become_few_patterns():
    names = [f"model.language_model.layers.{i}.mlp.experts.{j}.up_proj" for i in (0, 1, 2, 5) for j in range(8)]

    assert module_patterns(names) == ("model.layers.{0-2,5}.mlp.experts.{0-7}.up_proj",)


def test_gaps_in_the_names_stay_gaps():
    names = ["model.layers.0.mlp.experts.0", "model.layers.0.mlp.experts.1", "model.layers.3.mlp.experts.1"]

    assert set(module_patterns(names)) == {"model.layers.0.mlp.experts.{0-1}", "model.layers.3.mlp.experts.1"}


@pytest.mark.parametrize(
    ("scheme", "model"), [(scheme, model) for scheme in SCHEMES for model in MODELS if model in SCHEMES[scheme]]
)
def test_a_scheme_takes_the_bytes_that_vllm_creates(scheme, model):
    config = {**MODELS[model], "quantization_config": SCHEMES[scheme]["quantization_config"]}

    weights = rank_weights(
        read_architecture(config), read_quantization(config), Layout(tensor_parallel_size=2), capability=HOPPER
    )

    assert weights.worst.total_bytes == pytest.approx(SCHEMES[scheme][model], rel=0.005)


def test_a_deprecated_method_is_allowed_where_vllm_wants_to_be_told():
    """A start of vLLM 0.33 fails for fbgemm_fp8 without --allow-deprecated-quantization (0.32 config/model.py:1459)."""
    facts = embedded_model("meta-llama/Llama-3.1-8B-Instruct")
    declared = {"quantization_config": {"quant_method": "fbgemm_fp8", "modules_to_not_convert": []}}
    stored = facts.checkpoint.model_copy(update={"quantization": read_quantization(declared)})
    request = Request(model=facts.id, gpu="H100-SXM-80GB", source="embedded")
    engine = plan_for(request, facts.model_copy(update={"checkpoint": stored})).engine
    assert engine["allow_deprecated_quantization"] is True
    assert "allow_deprecated_quantization" not in plan_for(request, facts).engine


@pytest.mark.parametrize(
    ("declared", "release", "asked", "runs"),
    [
        (GPTQ, "0.20.2", "gptq", False),
        (GPTQ, "0.21.0", "gptq", False),
        (GPTQ, "0.23.0", "gptq", True),
        (GPTQ, "0.20.2", "gptq_marlin", True),
        (GPTQ, "0.20.2", None, True),
        (GPTQ | {"bits": 3}, "0.20.2", None, False),
        (GPTQ | {"sym": False}, "0.20.2", None, False),
        (GPTQ | {"group_size": 1024}, "0.20.2", None, False),
        (GPTQ | {"group_size": -1}, "0.20.2", None, True),
        (AWQ | {"group_size": 256}, "0.23.0", None, False),
        (AWQ | {"group_size": 256}, "0.26.0", None, True),
        (AWQ, "0.23.0", "awq", False),
        (AWQ, "0.23.0", "awq_marlin", True),
        (AWQ, "0.23.0", None, True),
        (AWQ, "0.26.0", "awq", True),
        (AWQ | {"zero_point": False}, "0.23.0", None, False),
        (AWQ | {"zero_point": False}, "0.26.0", None, True),
    ],
)
def test_a_method_that_is_asked_for_by_its_own_name_computes_in_float16(declared, release, asked, runs):
    """VLLM 0.20.2 config/vllm.py:542: its kernels are gptq.py's and awq.py's then, not those of Marlin."""
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    given = {"quantization": asked} if asked else {}
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm=release, overrides=given)
    if runs:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match="does not compute in bfloat16; set --dtype float16"):
        plan_for(request, facts)
    halves = request.model_copy(update={"overrides": given | {"dtype": "float16"}})
    assert plan_for(halves, facts).feasibility.fits


@pytest.mark.parametrize(
    ("model", "release", "starts"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "0.28.0", True),
        ("Qwen/Qwen3-30B-A3B", "0.29.0", False),
        ("Qwen/Qwen3-30B-A3B", "0.31.0", False),
        ("Qwen/Qwen3-30B-A3B", "0.32.0", True),
    ],
)
def test_experts_are_quantized_to_mxfp4_by_releases_with_a_kernel_for_them(model, release, starts):
    """VLLM 0.29.0: "No MXFP4 MoE backend supports the deployment configuration", on a card of every generation."""
    request = Request(model=model, gpu="H100", source="embedded", vllm=release, overrides={"quantization": "mxfp4"})
    if starts:
        assert plan_for(request, embedded_model(model)).feasibility.fits
        return
    with pytest.raises(RequestError, match=r"no kernel for experts that are quantized to MXFP4 .* pin vLLM 0\.32"):
        plan_for(request, embedded_model(model))


@pytest.mark.parametrize("declared", [AWQ, GPTQ, FP8])
@pytest.mark.parametrize("release", ["0.20.2", "0.33.0"])
def test_humming_loads_what_other_methods_stored(declared, release):
    """VLLM asks it first where the user names it; its kernels are compiled at the start, so a start stays in doubt."""
    model = "meta-llama/Llama-3.1-8B-Instruct"
    request = Request(model=model, gpu="H100", source="embedded", vllm=release)
    own = plan_for(request, declaring(model, declared))
    asked = request.model_copy(update={"overrides": {"quantization": "humming"}})
    made = plan_for(asked, declaring(model, declared))
    assert made.memory.weights_bytes == own.memory.weights_bytes
    assert made.feasibility.starts.why.startswith("quantization is yours")
    assert own.feasibility.starts.answer == "yes"


def test_humming_loads_no_unquantized_checkpoint_and_none_of_gpt_oss():
    """VLLM 0.33 humming.py: override_quantization_method; without a config it wants one in its environment."""
    for model, said in (
        ("meta-llama/Llama-3.1-8B-Instruct", "cannot quantize an unquantized checkpoint with humming"),
        ("openai/gpt-oss-20b", "does not load gpt-oss's experts"),
    ):
        request = Request(model=model, gpu="H100", source="embedded", overrides={"quantization": "humming"})
        with pytest.raises(RequestError, match=said):
            plan_for(request, embedded_model(model))


def test_an_encoder_that_its_class_builds_plain_is_not_quantized():
    """Kimi-K2.5's packed integers ignore no encoder, and vLLM 0.32 builds it without them (kimi_k25.py:387)."""
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": True}
    declared = {
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}, "ignore": ["lm_head"],
    }  # fmt: skip
    ignored = {
        kind: read_quantization({"model_type": kind, "text_config": {**MIXTURE, "quantization_config": declared}})
        for kind in ("kimi_k25", "llava")
    }
    assert "vision_tower*" in ignored["kimi_k25"].ignored_modules
    assert "vision_tower*" not in ignored["llava"].ignored_modules


@pytest.mark.parametrize(
    ("declared", "release", "parted"),
    [
        (AWQ | {"modules_to_not_convert": ["q_proj"]}, "0.33.0", "model.layers.0.self_attn.qkv_proj"),
        (AWQ | {"modules_to_not_convert": ["gate"]}, "0.23.0", "model.layers.0.mlp.gate_up_proj"),
        (AWQ | {"modules_to_not_convert": ["gate"]}, "0.26.0", ""),
        (AWQ | {"modules_to_not_convert": ["self_attn", "lm_head"]}, "0.23.0", ""),
        (FP8 | {"modules_to_not_convert": ["model.layers.3.mlp.up_proj"]}, "0.33.0", "model.layers.3.mlp.gate_up_proj"),
        (FP8 | {"modules_to_not_convert": ["gate", "model.layers.3.mlp.down_proj"]}, "0.33.0", ""),
        (MODELOPT | {"ignore": ["lm_head", "model.layers.3.mlp.up_proj"]}, "0.33.0", "model.layers.3.mlp.gate_up_proj"),
        (MODELOPT | {"ignore": ["lm_head", "model.layers.3.mlp.gate"]}, "0.23.0", ""),
    ],
)
def test_a_list_that_parts_a_merged_layer_is_refused(declared, release, parted):
    """VLLM: some but not all shards are quantized (0.23.0 and 0.33.0 utils/quant_utils.py: is_layer_skipped)."""
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm=release)
    if not parted:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match=f"merges the projections of {parted}, of which"):
        plan_for(request, facts)


@pytest.mark.parametrize(
    ("pattern", "parted"),
    [
        (r"-:.*q_proj.*", "self_attn.qkv_proj"),
        (r"+:.*\.down_proj.*", ""),
        (r"-:.*self_attn.*", ""),
        (r"-:.*(q_proj|k_proj|v_proj).*", ""),
        (r"-:.*\.(q|k|v)_proj.*", "self_attn.qkv_proj"),
        (r"+:.*gate_proj.*", "mlp.gate_up_proj"),
        (r"+:.*qkv_proj.*", "self_attn.qkv_proj"),
    ],
)
def test_dynamic_of_gptq_says_the_same_of_a_merged_layer_and_its_parts(pattern, parted):
    """VLLM asks it about the merged layer's name alone (0.20.2, 0.33.0 utils/gptq_utils.py: get_dynamic_override)."""
    model = "meta-llama/Llama-3.1-8B-Instruct"
    facts = declaring(model, GPTQ | {"dynamic": {pattern: {"bits": 8} if pattern.startswith("+") else {}}})
    request = Request(model=model, gpu="H100", source="embedded")
    if not parted:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match=rf"projections of model\.layers\.0\.{parted}, and reads the .* dynamic"):
        plan_for(request, facts)


@pytest.mark.parametrize(
    ("model", "declared", "release", "said"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", AWQ | {"lm_head": True}, "0.26.0", "lm_head of AWQ: pin vLLM 0.31 or"),
        ("meta-llama/Llama-3.1-8B-Instruct", AWQ | {"lm_head": True}, "0.33.0", ""),
        (
            "Qwen/Qwen3-30B-A3B",
            AWQ | {"zero_point": False},
            "0.23.0",
            "experts of AWQ without zero points: pin vLLM 0.24",
        ),
        ("Qwen/Qwen3-30B-A3B", AWQ | {"zero_point": False}, "0.26.0", ""),
    ],
)
def test_heads_and_experts_of_awq_are_read_by_releases_that_can(model, declared, release, said):
    """VLLM 0.26.0: "'ParallelLMHead' object has no attribute 'output_size'"; 0.23.0: "Marlin does not support"."""
    request = Request(model=model, gpu="H100", source="embedded", vllm=release, overrides={"dtype": "float16"})
    if not said:
        assert plan_for(request, declaring(model, declared)).feasibility.fits
        return
    with pytest.raises(RequestError, match=said):
        plan_for(request, declaring(model, declared))


def test_a_head_that_awq_quantized_takes_its_bytes():
    """A quarter of 128,256 rows of 4,096, with a scale and a zero point for each 128 of them (0.33 auto_awq.py)."""
    model = "meta-llama/Llama-3.1-8B-Instruct"
    request = Request(model=model, gpu="H100", source="embedded")
    plain, smaller = (
        plan_for(request, declaring(model, AWQ | changed)).memory.weights_bytes.expected
        for changed in ({}, {"lm_head": True})
    )
    weights = 128256 * 4096
    assert plain - smaller == weights * 2 - weights // 2 - weights // 128 * 2 - weights // 128 // 2


@pytest.mark.parametrize(
    ("layers", "parted"),
    [
        ({"q_proj": "FP8", "k_proj": "NVFP4", "v_proj": "FP8"}, True),
        ({"q_proj": "FP8", "k_proj": "FP8", "o_proj": "NVFP4"}, False),
    ],
)
def test_a_mixture_of_modelopt_quantizes_merged_projections_alike(layers, parted):
    """VLLM 0.33 modelopt.py: "Mixed quant_algo within fused layer"; what is not named goes with what is."""
    named = {f"model.layers.0.self_attn.{name}": {"quant_algo": algorithm} for name, algorithm in layers.items()}
    declared = MODELOPT | {"quant_algo": "MIXED_PRECISION", "quantized_layers": named}
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm="0.33.0")
    if not parted:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match="qkv_proj, which are quantized in several ways"):
        plan_for(request, facts)


@pytest.mark.parametrize("lacking", ["group_size", "kv_cache_quant_algo", "exclude_modules"])
def test_modelopts_own_file_has_the_keys_that_vllm_wants(lacking):
    """VLLM 0.20.2 to 0.33.0 modelopt.py: required_fields of NVFP4."""
    inner = {"quant_algo": "NVFP4", "group_size": 16, "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"]}
    del inner[lacking]
    with pytest.raises(LookupError, match=f"{lacking} of ModelOpt's NVFP4 is missing"):
        read_quantization(MIXTURE, {"producer": {"name": "modelopt"}, "quantization": inner})


def test_weights_of_nvfp4_alone_are_loaded_by_releases_that_know_them():
    """VLLM 0.20.2 modelopt.py: QUANT_ALGOS has no W4A16_NVFP4, that of 0.23.0 has."""
    declared = MODELOPT | {"quant_algo": "W4A16_NVFP4"}
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm="0.20.2")
    with pytest.raises(RequestError, match=r"does not know ModelOpt's W4A16_NVFP4: pin vLLM 0\.21 or newer"):
        plan_for(request, facts)
    assert plan_for(request.model_copy(update={"vllm": "0.23.0"}), facts).feasibility.fits


BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


@pytest.mark.parametrize(
    ("model", "declared", "own", "refused"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", BNB, {"tensor_parallel_size": 2}, "splits no matrix of a bitsandbytes"),
        ("meta-llama/Llama-3.1-8B-Instruct", BNB, {"pipeline_parallel_size": 2}, ""),
        ("meta-llama/Llama-3.1-8B-Instruct", BNB, {}, ""),
        ("Qwen/Qwen3-30B-A3B", BNB, {"tensor_parallel_size": 1}, ""),
        ("Qwen/Qwen3-30B-A3B", BNB | {"load_in_8bit": True}, {"tensor_parallel_size": 1}, "no experts of bitsandbytes"),
    ],
)
def test_states_of_bitsandbytes_are_loaded_whole(model, declared, own, refused):
    """VLLM 0.20.2 to 0.27.1 model_loader/bitsandbytes_loader.py; what is left to the planner takes stages."""
    facts = declaring(model, declared)
    request = Request(model=facts.id, gpu="H100", gpus=2, source="embedded", vllm="0.27.1", overrides=own)
    if not refused:
        assert plan_for(request, facts).layout.tensor_parallel_size == 1
        return
    with pytest.raises(RequestError, match=refused):
        plan_for(request, facts)


def test_a_quantized_head_of_modelopt_is_read_by_releases_that_ask_about_it():
    """VLLM 0.20.2 modelopt.py asks about linear layers alone; 0.23.0 :2393 about the head too."""
    declared = MODELOPT | {"quant_algo": "MIXED_PRECISION", "quantized_layers": {"lm_head": {"quant_algo": "FP8"}}}
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm="0.20.2")
    with pytest.raises(RequestError, match="reads no quantized lm_head of ModelOpt"):
        plan_for(request, facts)
    assert plan_for(request.model_copy(update={"vllm": "0.23.0"}), facts).feasibility.fits


ORDERED = GPTQ | {"desc_act": True}
IN_ORDER = {"type": "int", "num_bits": 4, "strategy": "group", "group_size": 128, "symmetric": True}


@pytest.mark.parametrize(
    ("declared", "release", "loads"),
    [
        (ORDERED, "0.29.0", True),
        (ORDERED, "0.30.0", False),
        (ORDERED | {"group_size": -1}, "0.33.0", True),
        (GPTQ | {"dynamic": {"+:.*mlp.*": {"desc_act": True}}}, "0.33.0", False),
        (ORDERED | {"dynamic": {"+:.*": {"desc_act": False}}}, "0.33.0", False),
        (
            {"config_groups": {"g": {"targets": ["Linear"], "weights": IN_ORDER | {"actorder": "group"}}}},
            "0.33.0",
            False,
        ),
        (
            {"config_groups": {"g": {"targets": ["Linear"], "weights": IN_ORDER | {"actorder": "weight"}}}},
            "0.33.0",
            True,
        ),
    ],
)
def test_groups_in_the_order_of_activations_are_loaded_until_a_release(declared, release, loads):
    """0.30 refuses them in GPTQ and compressed-tensors, but for one group a channel, which has no order."""
    declared = {"quant_method": "compressed-tensors", "format": "pack-quantized"} | declared
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm=release)
    if loads:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match="no longer loads groups in the order of activations"):
        plan_for(request, facts)


@pytest.mark.parametrize(
    ("declared", "release", "lacks"),
    [
        (
            GPTQ | {"group_size": 1024},
            "0.23.0",
            "4 bits by groups of 1024: choose a checkpoint of 4 or 8 bits, symmetric, by",
        ),
        (GPTQ | {"group_size": 64}, "0.33.0", ""),
        (GPTQ | {"dynamic": {"+:.*down_proj.*": {"bits": 3}}}, "0.33.0", "3 bits"),
        (GPTQ | {"dynamic": {"+:.*down_proj.*": {"bits": 8, "group_size": 32}}}, "0.33.0", ""),
        (GPTQ | {"dynamic": {"+:.*down_proj.*": {"group_size": 16}}}, "0.33.0", "4 bits by groups of 16"),
    ],
)
def test_widths_and_groups_that_no_kernel_of_gptq_takes_are_refused(declared, release, lacks):
    """VLLM 0.33 auto_gptq.py: verify_marlin_supported, and override_config for each override of `dynamic`."""
    facts = declaring("meta-llama/Llama-3.1-8B-Instruct", declared)
    request = Request(model=facts.id, gpu="H100", source="embedded", vllm=release)
    if not lacks:
        assert plan_for(request, facts).feasibility.fits
        return
    with pytest.raises(RequestError, match=f"loads no gptq of {lacks}"):
        plan_for(request, facts)
