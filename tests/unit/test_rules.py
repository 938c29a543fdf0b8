"""Refusals against vLLM's own (refusals.json: configurations and words of 0.32.0 and 0.33.0)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from generator.catalogue.classes import classes_of
from generator.errors import RequestError
from generator.models.architecture import Architecture
from generator.models.parallelism import Layout
from generator.models.quantization import NVFP4, Quantization, QuantRule, fp8, packed_integers
from generator.planning.rules.classes import class_is_served
from generator.planning.rules.start import check_start
from generator.planning.weights.online import online_quantization
from tests.replicas import card, replica_of


def heads(queries, kv, size=128):
    """A full attention layer."""
    shape = {"num_attention_heads": queries, "num_key_value_heads": kv, "head_dim": size, "head_dim_v": size}
    return {"kind": "full", **shape}


def model(mixer, **more):
    """A model of 24 equal layers."""
    fields = {
        "model_type": "qwen2", "architecture": "Qwen2ForCausalLM", "hidden_size": 896, "vocab_size": 151936,
        "max_position_embeddings": 32768, "tie_word_embeddings": True, "layer_pattern": "0*24",
        "layer_kinds": [{"mixer": mixer}],
    }  # fmt: skip
    return Architecture.model_validate({**fields, **more})


def start(architecture, *, capability=90, tp=1, layout=None, settings=None, **more):
    """A start on one node of eight GPUs."""
    values = {"max_num_seqs": 1024, "max_model_len": None} | (settings or {})
    layout = layout or Layout(tensor_parallel_size=tp)
    named = classes_of(more.get("release", "0.32.0")).of(architecture.architecture)
    return replica_of(architecture, layout, gpu=card(capability), **values | {"model_class": named} | more)


def stored(form, method="fp8"):
    """Every matrix stored in one format."""
    rules = (QuantRule(targets=("*",), format=form),)
    return {"stored": Quantization(method=method, bits=form.bits, rules=rules), "quantization": method}


QWEN_05B = heads(14, 2, 64)
LLAMA_70B = heads(64, 8)
PHI_4 = heads(40, 10)


@pytest.mark.parametrize("tp", [4, 8])
def test_heads_divide(tp):
    """Qwen2.5-0.5B: "Total number of attention heads (14) must be divisible by tensor parallel size (4)"."""
    with pytest.raises(
        RequestError, match=rf"attention heads \(14\).*parallel size \({tp}\); use --tensor-parallel-size 2"
    ):
        check_start(start(model(QWEN_05B), tp=tp))


@pytest.mark.parametrize("tp", [4, 8])
def test_kv_heads_divide_or_replicate(tp):
    """phi-4 (10 KV heads) stops with an AssertionError at TP 4 and 8 (vLLM 0.32 layers/linear.py:1051)."""
    with pytest.raises(RequestError, match="10 KV heads"):
        check_start(start(model(PHI_4), tp=tp))


def test_kv_heads_replicate_evenly():
    """Two KV heads serve eight ranks, four each."""
    check_start(start(model(heads(32, 2)), tp=8))


def test_context_is_at_most_the_models():
    """gemma-2-9b-it at 32,768: "User-specified max_model_len (32768) is greater than the derived"."""
    with pytest.raises(RequestError, match="max_model_len 32768 is greater"):
        check_start(start(model(LLAMA_70B, max_position_embeddings=8192), asked_context=32768))


def test_world_size_fits_the_node():
    """Llama-3.1-70B at TP 16: "World size (16) is larger than the number of available GPUs (8)"."""
    with pytest.raises(RequestError, match="world size 16 is larger than the 8 available GPUs"):
        check_start(start(model(LLAMA_70B), tp=16))
    check_start(start(model(LLAMA_70B), tp=16, nodes=2))


def test_decode_context_parallelism_needs_replicated_heads():
    """Llama-3.1-70B at TP 8, DCP 2: "requires `--tensor-parallel-size` (8) to be greater than ... KV heads (8)"."""
    layout = Layout(tensor_parallel_size=8, decode_context_parallel_size=2)
    with pytest.raises(RequestError, match="decode context parallelism for GQA"):
        check_start(start(model(LLAMA_70B), layout=layout))
    check_start(start(model(heads(64, 4)), layout=layout))


def test_query_heads_of_a_kv_head_divide_by_the_decode_ranks():
    """Six query heads of a KV head on four decode ranks (vLLM 0.32 config/model.py)."""
    layout = Layout(tensor_parallel_size=12, decode_context_parallel_size=4)
    with pytest.raises(RequestError, match=r"query heads per KV head \(6\) must be divisible .* size \(4\)"):
        check_start(start(model(heads(12, 2)), layout=layout, gpus=16))


def test_fp8_cache_on_turing():
    """T4: "FP8 KV cache is not supported by the Triton attention backend ... requires SM89+"."""
    with pytest.raises(RequestError, match="FP8 KV cache is not supported by the Triton attention backend"):
        check_start(start(model(LLAMA_70B), capability=75, settings={"kv_cache_dtype": "fp8"}))


@pytest.mark.parametrize(
    ("stated", "settings", "advised"),
    [
        ("bfloat16", {"kv_cache_dtype": "fp8"}, "auto"),
        ("bfloat16", {"checkpoint_kv_cache_dtype": "fp8_e4m3"}, "float16"),
    ],
    ids=["asked for", "the checkpoint's own"],
)
def test_the_advised_cache_dtype_is_no_fp8(stated, settings, advised):
    """`auto` takes the checkpoint's FP8 (utils/torch_utils.py), and a T4 computes in float16."""
    served = model(LLAMA_70B).model_copy(update={"dtype": stated})
    with pytest.raises(RequestError, match=f"set --kv-cache-dtype {advised}$"):
        check_start(start(served, capability=75, settings=settings))
    check_start(start(served, capability=75, settings=settings | {"kv_cache_dtype": advised}))


def test_quantization_needs_its_capability():
    """Qwen3-32B-FP8 by ModelOpt on a T4: "Minimum capability: 80. Current capability: 75."."""
    quantized = {"quantization": "modelopt", "quantization_minimum_capability": 80}
    with pytest.raises(RequestError, match=r"modelopt is not supported.*minimum capability 80, its own 75"):
        check_start(start(model(LLAMA_70B), capability=75, **quantized))


def test_mixed_precision_of_modelopt_before_033():
    """Nemotron-3.5-Lightning NVFP4: "Unknown ModelOpt quant algo: MIXED_PRECISION" in 0.32, fine in 0.33."""
    mixed = {"modelopt_algorithm": "MIXED_PRECISION"}
    with pytest.raises(RequestError, match=r"pin vLLM 0\.33"):
        check_start(start(model(LLAMA_70B), **mixed))
    check_start(start(model(LLAMA_70B), release="0.33.0", **mixed))


def test_expert_parallelism_needs_experts():
    """In vLLM 0.32 config/model.py:1485: the number of experts must be greater than 0."""
    with pytest.raises(RequestError, match="--enable-expert-parallel"):
        check_start(start(model(LLAMA_70B), layout=Layout(tensor_parallel_size=2, enable_expert_parallel=True)))


def test_experts_are_sliced_without_expert_parallelism():
    """In vLLM 0.32 fused_moe/config.py:1341: the experts' width divides over tensor- and data-parallel ranks."""
    block = {"kind": "moe", "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 100}
    moe = model(LLAMA_70B, layer_kinds=[{"mixer": LLAMA_70B, "feed_forward": block}])
    with pytest.raises(RequestError, match="100 channels do not divide over 8 ranks"):
        check_start(start(moe, tp=8))
    check_start(start(moe, layout=Layout(tensor_parallel_size=8, enable_expert_parallel=True)))


def test_states_divide():
    """In vLLM 0.32 mamba_mixer2.py:315: Mamba heads divide over ranks."""
    mamba = {"kind": "mamba2", "num_heads": 6, "head_dim": 64, "n_groups": 1, "state_size": 128, "conv_kernel": 4}
    hybrid = model(LLAMA_70B, layer_kinds=[{"mixer": LLAMA_70B}, {"mixer": mamba}], layer_pattern="0 1*23")
    with pytest.raises(RequestError, match="6 heads of the model's recurrent layers"):
        check_start(start(hybrid, tp=4))


def test_a_step_holds_every_sequence():
    """In vLLM 0.32 config/scheduler.py:326: max_num_batched_tokens must be at least max_num_seqs."""
    with pytest.raises(RequestError, match="max_num_batched_tokens 512 must be at least max_num_seqs 1024"):
        check_start(start(model(LLAMA_70B), settings={"max_num_batched_tokens": 512}))


def test_bfloat16_on_turing():
    """In vLLM 0.32 platforms/cuda.py:640: bfloat16 needs compute capability 8.0; left alone it falls to float16."""
    with pytest.raises(RequestError, match="bfloat16 needs compute capability"):
        check_start(start(model(LLAMA_70B), capability=75, settings={"dtype": "bfloat16"}))
    check_start(start(model(LLAMA_70B), capability=75))


def test_more_stages_than_layers():
    """Every stage holds a layer."""
    short = model(LLAMA_70B, layer_pattern="0*4")
    with pytest.raises(RequestError, match="4 layers do not fill 8"):
        check_start(start(short, layout=Layout(pipeline_parallel_size=8)))


def test_a_layer_reads_no_cache_of_another_stage():
    """Gemma 4 E2B's last layers read those of layers 13 and 14 (vLLM 0.32 layers/attention/attention.py)."""
    kinds = [{"mixer": QWEN_05B}, {"mixer": QWEN_05B | {"shares_kv_cache": True}}]
    shared = model(QWEN_05B, layer_kinds=kinds, layer_pattern="0*14 1*10")
    with pytest.raises(RequestError, match="layer 18 reads the cache of layer 13, which another of the 4 pipeline"):
        check_start(start(shared, layout=Layout(pipeline_parallel_size=4)))
    check_start(start(shared, layout=Layout(pipeline_parallel_size=2)))
    check_start(start(shared))
    first_keeps = model(QWEN_05B, layer_kinds=kinds, layer_pattern="0*13 1*11")
    check_start(start(first_keeps, layout=Layout(pipeline_parallel_size=2)))


@pytest.mark.parametrize("name", ["Gemma3nForConditionalGeneration", "XLMRobertaModel", "ModernBertModel"])
def test_classes_without_stages(name):
    """Gemma 3n: "Pipeline parallelism is not supported for this model" (vLLM 0.32 config/model.py:1560)."""
    whole = model(LLAMA_70B, architecture=name)
    with pytest.raises(RequestError, match=f"pipeline parallelism is not supported for {name}"):
        check_start(start(whole, layout=Layout(pipeline_parallel_size=2)))
    check_start(start(whole))


@pytest.mark.parametrize(
    ("name", "release", "starts"),
    [
        ("Gemma4ForConditionalGeneration", "0.20.2", False),
        ("Gemma4ForConditionalGeneration", "0.21.0", True),
        ("FalconH1ForCausalLM", "0.28.0", True),
        ("FalconH1ForCausalLM", "0.29.0", False),
        ("FalconH1ForCausalLM", "0.30.0", True),
        ("MiniCPMForCausalLM", "0.33.0", False),
    ],
)
def test_stages_that_hand_on_what_is_not_there(name, release, starts):
    """TypeError of vllm#42516, KeyError of vllm#55913: a tensor that the next stage reads is None or missing."""
    two = start(model(LLAMA_70B, architecture=name), layout=Layout(pipeline_parallel_size=2), release=release)
    if starts:
        check_start(two)
        return
    with pytest.raises(RequestError, match=f"pipeline parallelism is not supported for {name}"):
        check_start(two)


def test_a_tied_head_that_its_class_cannot_part():
    """ERNIE 4.5's mixtures tie the head on each stage: "'PPMissingLayer' object has no attribute 'tie_weights'"."""
    tied = model(LLAMA_70B, architecture="Ernie4_5_MoeForCausalLM", tie_word_embeddings=True)
    with pytest.raises(RequestError, match="cannot tie its head to the embedding over pipeline stages"):
        check_start(start(tied, layout=Layout(pipeline_parallel_size=2)))
    check_start(start(tied))
    apart = model(LLAMA_70B, architecture="Ernie4_5_MoeForCausalLM", tie_word_embeddings=False)
    check_start(start(apart, layout=Layout(pipeline_parallel_size=2)))


@pytest.mark.parametrize(
    ("nodes", "gpus", "layout"),
    [(2, 8, (1, 16)), (2, 8, (8, 2)), (2, 8, (4, 4)), (4, 8, (16, 2)), (2, 8, (16, 1))],
)
def test_replicas_lie_in_one_node_or_fill_whole_ones(nodes, gpus, layout):
    """In vLLM 0.32 engine/arg_utils.py:2365 and config/parallel.py:823, which that release itself was asked about."""
    tp, dp = layout
    start_ = start(
        model(LLAMA_70B), layout=Layout(tensor_parallel_size=tp, data_parallel_size=dp), nodes=nodes, gpus=gpus
    )
    check_start(start_)


@pytest.mark.parametrize(("nodes", "gpus", "layout"), [(4, 6, (4, 6)), (2, 5, (2, 5))])
def test_replicas_that_split_nodes_unevenly_are_refused(nodes, gpus, layout):
    """The first is refused by vLLM 0.32 by name; of the second it would start four engines of five."""
    tp, dp = layout
    start_ = start(
        model(LLAMA_70B), layout=Layout(tensor_parallel_size=tp, data_parallel_size=dp), nodes=nodes, gpus=gpus
    )
    with pytest.raises(RequestError, match="neither fits into"):
        check_start(start_)


def test_a_class_that_the_release_no_longer_has():
    """MiniMax-Text-01: "supported in vLLM until v0.23.0, and is not supported anymore" (vLLM 0.32 registry.py)."""
    name = "MiniMaxText01ForCausalLM"
    with pytest.raises(RequestError, match=r"until vLLM 0\.23\.0 .*pin an engine that old"):
        class_is_served(SimpleNamespace(model_class=classes_of("0.32.0").of(name), release="0.32.0"))
    class_is_served(SimpleNamespace(model_class=classes_of("0.23.0").of(name), release="0.23.0"))


@pytest.mark.parametrize(
    ("release", "capability", "runs"), [("0.28.0", 90, False), ("0.32.0", 90, True), ("0.33.0", 80, False)]
)
def test_experts_of_fp8_blocks_are_cut_between_blocks(release, capability, runs):
    """Qwen3-235B-A22B-FP8 at TP 8: 192 of 1,536 channels, blocks of 128 (vLLM 0.28 fp8.py:534; kv_truth.json, 0.32).

    Finer blocks run on Triton alone, which wants FP8 arithmetic: vLLM 0.33 on eight A100 says "No FP8 MoE backend
    supports the deployment configuration".
    """
    mixture = {"kind": "moe", "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 1536}
    qwen = model(None, layer_kinds=[{"mixer": heads(64, 4), "feed_forward": mixture}], hidden_size=4096)
    on = {"release": release, "capability": capability, **stored(fp8([128, 128]))}
    if runs:
        check_start(start(qwen, tp=8, **on))
    else:
        with pytest.raises(
            RequestError, match=r"192 of 1,536 channels .* not divisible by the 128 .*expert_parallel=true"
        ):
            check_start(start(qwen, tp=8, **on))
    check_start(start(qwen, tp=4, **on))
    check_start(start(qwen, layout=Layout(tensor_parallel_size=8, enable_expert_parallel=True), **on))


@pytest.mark.parametrize(
    ("width", "tp", "form", "named"),
    [
        (9728, 8, fp8([128, 128]), "1,216 of 9,728"),
        (25600, 16, fp8([128, 128]), "1,600 of 25,600"),
        (25600, 8, fp8([128, 128]), ""),
        (29568, 2, packed_integers(4, 128), "14,784 of 29,568"),
        (29568, 1, packed_integers(4, 128), ""),
        (29696, 8, packed_integers(4, 128), ""),
        (29568, 8, packed_integers(4, -1), ""),
        (29568, 4, packed_integers(4, 32), ""),
        (29568, 8, packed_integers(4, 32, group_index=True), "3,696 of 29,568"),
    ],
)
def test_a_slice_of_a_dense_layer_cuts_no_group(width, tp, form, named):
    """Qwen3-4B-FP8, Qwen3-32B-FP8, Qwen2-72B-AWQ and its padded sibling.

    vLLM 0.32: "Weight input_size_per_partition = 1216 is not divisible by weight quantization block_k = 128", "The
    input size is not aligned with the quantized weight shape"; it builds Qwen3-32B-FP8 at TP 8.
    """
    dense = {"kind": "dense", "intermediate_size": width}
    made = model(None, layer_kinds=[{"mixer": heads(64, 16), "feed_forward": dense}], hidden_size=8192)
    one = start(made, tp=tp, gpus=16, **stored(form))
    if not named:
        check_start(one)
        return
    with pytest.raises(RequestError, match=rf"{named} channels of .*down_proj .*--tensor-parallel-size \d+"):
        check_start(one)


def test_the_advised_layout_uses_all_ranks():
    """Four slices hold whole blocks of 9,728 channels, and two stages keep the other ranks; of six ranks none stay."""
    dense = {"kind": "dense", "intermediate_size": 9728}
    made = model(None, layer_kinds=[{"mixer": heads(24, 24), "feed_forward": dense}], hidden_size=3072)
    for tp, advised in ((8, r"size 4 --pipeline-parallel-size 2$"), (6, r"size 4$")):
        with pytest.raises(RequestError, match=rf"use --tensor-parallel-{advised}"):
            check_start(start(made, tp=tp, gpus=16, **stored(fp8([128, 128]))))


def test_groups_of_16_are_not_cut_under_any_kernel():
    """vllm#49949: 1,856 channels over 8 ranks cut a group of 16, whose scale no rank then has; over 4 they do not."""
    experts = {"kind": "moe", "num_experts": 128, "num_experts_per_tok": 6, "moe_intermediate_size": 1856}
    cut = model(heads(32, 8), hidden_size=2688, layer_kinds=[{"mixer": heads(32, 8), "feed_forward": experts}])
    held = stored(NVFP4, "modelopt_fp4")
    with pytest.raises(RequestError, match=r"232 of 1,856 channels of .*down_proj are not divisible by the 16"):
        check_start(start(cut, tp=8, **held))
    check_start(start(cut, tp=4, **held))
    check_start(start(cut, layout=Layout(tensor_parallel_size=8, enable_expert_parallel=True), **held))


@pytest.mark.parametrize(
    ("form", "capability", "release", "starts"),
    [
        (NVFP4, 90, "0.23.0", False), (NVFP4, 90, "0.24.0", True), (NVFP4, 100, "0.23.0", True),
        (fp8(), 80, "0.24.0", False), (fp8(), 80, "0.25.1", True), (fp8(), 89, "0.24.0", True),
    ],
)  # fmt: skip
def test_experts_between_tiles_of_marlin(form, capability, release, starts):
    """2,688 over 4 ranks leaves 672, no multiple of 64: "size_n is not divisible by tile_n_size" (vllm#36807)."""
    experts = {"kind": "moe", "num_experts": 128, "num_experts_per_tok": 6, "moe_intermediate_size": 2688}
    moe = model(None, hidden_size=1024, layer_kinds=[{"mixer": heads(32, 8), "feed_forward": experts}])
    known = stored(form) | {"release": release, "capability": capability}
    check_start(start(moe, layout=Layout(tensor_parallel_size=4, enable_expert_parallel=True), **known))
    if starts:
        check_start(start(moe, tp=4, **known))
        return
    with pytest.raises(RequestError, match=r"672 channels of .* not divisible by the 64 of a tile of Marlin's"):
        check_start(start(moe, tp=4, **known))


def test_shared_experts_are_cut_with_expert_parallelism_too():
    """Qwen3.6-35B-A3B-FP8 at TP 8: 512 / 8 = 64 (vLLM issue 52997); TP 4 builds."""
    mixture = {
        "kind": "moe", "num_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512,
    }  # fmt: skip
    qwen = model(None, layer_kinds=[{"mixer": heads(16, 2), "feed_forward": mixture}], hidden_size=2048)
    for whole in (False, True):
        layout = Layout(tensor_parallel_size=8, enable_expert_parallel=whole)
        with pytest.raises(RequestError, match=r"64 of 512 channels of .*shared_expert"):
            check_start(start(qwen, layout=layout, **stored(fp8([128, 128]))))
        four = layout.model_copy(update={"tensor_parallel_size": 4})
        check_start(start(qwen, layout=four, **stored(fp8([128, 128]))))


def test_groups_of_compressed_tensors_experts_are_not_made_finer():
    """VLLM 0.33 compressed_tensors_moe_wna16.py:244; AWQ and GPTQ halve the group down to 32 (moe_wna16.py:283)."""
    mixture = {"kind": "moe", "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768}
    made = model(None, layer_kinds=[{"mixer": heads(32, 4), "feed_forward": mixture}], hidden_size=2048)
    form = packed_integers(4, 128)
    check_start(start(made, tp=4, **stored(form, "awq")))
    with pytest.raises(RequestError, match=r"192 of 768 .*expert_parallel=true"):
        check_start(start(made, tp=4, **stored(form, "compressed-tensors")))


def test_a_method_applied_while_loading_asks_for_whole_groups_everywhere():
    """Nemotron-3-Nano at TP 4 with mxfp8: 1856 / 4 = 464 is no multiple of 32 (vLLM 0.33 online/mxfp8.py:127)."""
    mixture = {
        "kind": "moe", "num_experts": 128, "num_experts_per_tok": 6, "moe_intermediate_size": 1856, "gated": False,
    }  # fmt: skip
    made = model(None, layer_kinds=[{"mixer": heads(32, 2), "feed_forward": mixture}], hidden_size=2688)
    asked = {"stored": online_quantization("mxfp8"), "quantization": "mxfp8", "quantizes_online": True}
    with pytest.raises(RequestError, match="464 of 1,856"):
        check_start(start(made, tp=4, **asked))
    check_start(start(made, tp=2, **asked))
