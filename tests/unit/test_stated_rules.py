"""Values of the user's that contradict each other are refused as vLLM refuses them, and planned where they do not."""

import json

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import facts_for, plan_for


def planned(own, model="Qwen/Qwen3-8B"):
    asked = Request(model=model, gpu="H100", gpus=2, source="embedded", vllm="0.33.0", overrides=own)
    return plan_for(asked, embedded_model(model))


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"long_prefill_token_threshold": 99999, "max_model_len": 8192}, "cannot be greater than the context"),
        ({"kv_transfer_config": {"kv_connector": "NixlConnector"}}, "add kv_role, like kv_both"),
        (
            {"speculative_config": {
                "method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 5, "prompt_lookup_max": 2}},
            "must be at most prompt_lookup_max",
        ),
        (
            {"cudagraph_capture_sizes": [1, 2], "compilation_config": {"cudagraph_capture_sizes": [1, 2]}},
            "drop one of them",
        ),
        ({"enable_dbo": True}, "needs an all2all_backend that overlaps"),
        ({"enable_mamba_cache_stochastic_rounding": True}, "set mamba_ssm_cache_dtype to float16"),
        ({"distributed_executor_backend": "foo"}, "'foo' is none of external_launcher, mp, ray, uni"),
        ({"enable_eplb": True}, "between ranks, and this model has none"),
        ({"eplb_config": {"num_redundant_experts": 4}}, "set enable_eplb=true"),
        ({"load_format": "gguf"}, "load-format"),
        ({"prefill_context_parallel_size": 2}, "prefill context parallelism"),
        ({"structured_outputs_config": {"disable_any_whitespace": True}}, "needs a backend, xgrammar or guidance"),
        ({"structured_outputs_config": {"disable_additional_properties": True}}, "needs the backend guidance"),
        (
            {"compilation_config": {"max_cudagraph_capture_size": 64, "cudagraph_capture_sizes": [1, 2, 128]}},
            "is not the largest of cudagraph_capture_sizes",
        ),
        (
            {"speculative_config": {"method": "ngram", "num_speculative_tokens": 3, "use_heterogeneous_vocab": True}},
            "is for method draft_model",
        ),
        (
            {"speculative_config": {
                "method": "ngram", "num_speculative_tokens": 1, "rejection_sample_method": "fly"}},
            "fly needs num_speculative_tokens of at least 2",
        ),
        ({"hf_overrides": [1]}, "hf_overrides must be a mapping"),
        ({"eplb_config": {"num_redundant_experts": "x"}}, "num_redundant_experts must be a whole number, got 'x'"),
        ({"limit_mm_per_prompt": {"image": "many"}}, "limit_mm_per_prompt.image must be a whole number, got 'many'"),
        ({"runner": "pooling", "convert": "none"}, "needs a conversion: leave convert out"),
        ({"runner": "generate", "convert": "embed"}, "makes a pooling model"),
        ({"distributed_executor_backend": "uni", "tensor_parallel_size": 2}, "uni drives one rank"),
    ],
)  # fmt: skip
def test_what_vllm_033_refuses_is_refused(own, says):
    """By its own code's words, most of them asked of it (tests/oracle)."""
    with pytest.raises(RequestError, match=says):
        planned(own)


@pytest.mark.parametrize(
    "own",
    [
        {"long_prefill_token_threshold": 4096, "max_model_len": 8192},
        {"kv_transfer_config": {"kv_connector": "NixlConnector", "kv_role": "kv_both"}},
        {"speculative_config": {"method": "ngram", "num_speculative_tokens": 3}},
        {"distributed_executor_backend": "mp"},
        {"cudagraph_capture_sizes": [1, 2]},
        {"load_format": "runai_streamer"},
        {"structured_outputs_config": {"disable_any_whitespace": True, "backend": "xgrammar"}},
        {"speculative_config": {"method": "ngram_gpu", "num_speculative_tokens": 3}},
        {"max_model_len": "-1"},
    ],
)
def test_what_it_starts_is_planned(own):
    assert planned(own).feasibility.fits


def test_balanced_experts_are_spread_over_the_ranks():
    """The planner takes the layout that balancing needs."""
    made = planned({"enable_eplb": True}, "Qwen/Qwen3-30B-A3B")
    assert made.layout.enable_expert_parallel


def test_a_way_to_read_weights_goes_with_its_quantization():
    """0.27.1 still has bitsandbytes (model_executor/model_loader/__init__.py)."""
    asked = Request(
        model="Qwen/Qwen3-8B", gpu="H100", source="embedded", vllm="0.27.1", overrides={"load_format": "bitsandbytes"}
    )
    assert plan_for(asked, embedded_model("Qwen/Qwen3-8B")).feasibility.fits


def test_a_value_that_nobody_counts_leaves_the_start_in_doubt():
    """What it makes of the model is vLLM's to say."""
    made = planned({"hf_overrides": {"num_hidden_layers": 3}})
    assert made.feasibility.starts.answer == "doubtful"
    assert "hf_overrides is yours, and not counted here: make preflight" in made.feasibility.starts.why
    assert planned({"hf_overrides": {"max_position_embeddings": 8192}}).feasibility.starts.answer == "yes"


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("nvidia/Gemma-4-31B-IT-NVFP4", "modelopt"),
        ("nvidia/Gemma-4-31B-IT-NVFP4", "fp8"),
        ("openai/gpt-oss-120b", "fp8"),
        ("deepseek-ai/DeepSeek-V4-Flash", "fp8"),
    ],
)
def test_a_checkpoint_that_vllm_detects_wins_over_what_is_named(model, named):
    """Its own start-up code accepts each: an override replaces the user's word (config/model.py)."""
    asked = Request(
        model=model, gpu="B200", gpus=4, source="embedded", vllm="0.33.0", overrides={"quantization": named}
    )
    assert plan_for(asked, embedded_model(model)).feasibility.fits


@pytest.mark.parametrize(
    ("model", "named"), [("Qwen/Qwen3-32B-FP8", "awq"), ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "fp8")]
)
def test_a_checkpoint_that_vllm_does_not_detect_refuses_another_name(model, named):
    """The word and the file have to agree."""
    asked = Request(
        model=model, gpu="H100", gpus=1, source="embedded", vllm="0.33.0", overrides={"quantization": named}
    )
    with pytest.raises(RequestError, match="already: drop --quantization"):
        plan_for(asked, embedded_model(model))


@pytest.mark.parametrize(("method", "release", "taken"), [
    ("ngram", "0.33.0", True), ("ngram", "0.32.0", False), ("ngram", "0.31.0", False), ("suffix", "0.33.0", False),
])  # fmt: skip
def test_drafts_are_scheduled_ahead_where_the_release_can(method, release, taken):
    """Its own start-up code says so of 0.33, and its list of what the second model runner lacks of the others."""
    own = {"async_scheduling": True, "speculative_config": {"method": method, "num_speculative_tokens": 4}}
    asked = Request(model="Qwen/Qwen3-8B", gpu="H100", gpus=1, source="embedded", vllm=release, overrides=own)
    if taken:
        assert plan_for(asked, embedded_model("Qwen/Qwen3-8B")).feasibility.fits
    else:
        with pytest.raises(RequestError, match="leave async_scheduling out"):
            plan_for(asked, embedded_model("Qwen/Qwen3-8B"))


@pytest.mark.parametrize(
    ("model", "release", "asked", "says"),
    [
        ("Qwen/Qwen3.5-27B", "0.26.0", {"max_num_batched_tokens": 512}, "must be at least .*, the block at whose ends"),
        ("Qwen/Qwen3-8B", "0.26.0", {"max_num_partial_prefills": 4}, "max_num_partial_prefills must be"),
        (
            "Qwen/Qwen3-30B-A3B", "0.28.0",
            {"enable_return_routed_experts": True, "pipeline_parallel_size": 2, "tensor_parallel_size": 1},
            "goes with one stage",
        ),
    ],
)  # fmt: skip
def test_what_a_release_refuses_is_refused_of_it(model, release, asked, says):
    """By the code of that release (public cases of vLLM's issues)."""
    own = Request(model=model, gpu="H100", gpus=2, source="embedded", vllm=release, overrides=asked)
    with pytest.raises(RequestError, match=says):
        plan_for(own, embedded_model(model))


def test_the_chosen_step_holds_a_block_of_states():
    """VLLM's default of 2,048 tokens for a small GPU is less than the block of this model."""
    name = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"
    asked = Request(model=name, gpu="L4", gpus=4, source="embedded", vllm="0.26.0")
    plan = plan_for(asked, embedded_model(name))
    assert plan.engine["max_num_batched_tokens"] == plan.kv_cache.block_size_tokens > 2048


def test_a_step_need_not_hold_a_block_of_states_later():
    """Release 0.27 asserts it no more, and without prefix caching nothing is kept at block boundaries."""
    for release, more in (("0.28.0", {}), ("0.26.0", {"enable_prefix_caching": False})):
        own = {"max_num_batched_tokens": 512, "max_num_seqs": 64} | more
        asked = Request(model="Qwen/Qwen3.5-27B", gpu="H100", source="embedded", vllm=release, overrides=own)
        assert plan_for(asked, embedded_model("Qwen/Qwen3.5-27B")).feasibility.fits


@pytest.mark.parametrize(("release", "ignored"), [("0.26.0", True), ("0.28.0", False), ("0.20.2", False)])
def test_weights_stay_where_the_runner_leaves_them(release, ignored):
    """Model Runner V2 follows cpu_offload_gb from 0.28 on; before, all weights are counted, and that is said."""
    own = {"cpu_offload_gb": 45, "max_model_len": 8192}
    asked = Request(model="Qwen/Qwen3-32B", gpu="RTX-5090-32GB", source="embedded", vllm=release, overrides=own)
    plan = plan_for(asked, embedded_model("Qwen/Qwen3-32B"))
    assert plan.feasibility.fits is not ignored
    assert any("does not follow cpu_offload_gb" in text for text in plan.warnings) is ignored


@pytest.mark.parametrize(
    ("gpu", "release", "model", "own", "says"),
    [
        ("H100", "0.20.2", "Qwen/Qwen3-8B", {"kv_cache_dtype": "fp8_e5m2"}, "FLASH_ATTN .* fp8_e5m2, .* FLASHINFER"),
        ("H100", "0.20.2", "Qwen/Qwen3-8B", {"kv_cache_dtype": "int8_per_token_head"}, "TRITON_ATTN, or .* auto"),
        ("H100", "0.23.0", "Qwen/Qwen3-8B", {"kv_cache_dtype": "nvfp4"}, "takes FLASHINFER for a KV cache of nvfp4"),
        (
            "H100", "0.20.2", "Qwen/Qwen3-8B",
            {"block_size": 24, "attention_backend": "FLEX_ATTENTION"}, "block_size not supported",
        ),
        ("A100-80GB", "0.33.0", "deepseek-ai/DeepSeek-V4-Flash", {}, "no kernels of DeepSeek-V4's attention .* 8.0"),
        ("L40S", "0.27.1", "deepseek-ai/DeepSeek-V4-Flash", {}, "no kernels of DeepSeek-V4's attention .* 8.9"),
    ],
)  # fmt: skip
def test_a_cache_that_its_kernels_do_not_read_is_refused(gpu, release, model, own, says):
    """What a backend's class says that it takes is more than its kernels read, by release and GPU."""
    asked = Request(model=model, gpu=gpu, gpus=8, source="embedded", vllm=release, overrides=own)
    with pytest.raises(RequestError, match=says):
        plan_for(asked, embedded_model(model))


@pytest.mark.parametrize(
    ("gpu", "release", "model", "own"),
    [
        ("H100", "0.20.2", "Qwen/Qwen3-8B", {"kv_cache_dtype": "fp8_e5m2", "attention_backend": "FLASHINFER"}),
        ("H100", "0.20.2", "Qwen/Qwen3-8B", {"kv_cache_dtype": "fp8"}),
        ("B200", "0.23.0", "Qwen/Qwen3-8B", {"kv_cache_dtype": "nvfp4"}),
        ("H100", "0.33.0", "Qwen/Qwen3-8B", {"kv_cache_dtype": "nvfp4"}),
        ("RTX-PRO-6000", "0.27.1", "deepseek-ai/DeepSeek-V4-Flash", {}),
        ("H200", "0.20.2", "deepseek-ai/DeepSeek-V4-Flash", {}),
    ],
)
def test_a_cache_that_its_kernels_read_stands(gpu, release, model, own):
    """The same where the kernels do."""
    asked = Request(model=model, gpu=gpu, gpus=8, source="embedded", vllm=release, overrides=own)
    assert plan_for(asked, embedded_model(model)).feasibility.fits


@pytest.mark.parametrize(("release", "answer"), [("0.23.0", "doubtful"), ("0.27.1", "yes")])
def test_a_start_that_forks_alone_make_is_doubted(release, answer):
    """DeepSeek-V4 on RTX Blackwell ran in a fork before vLLM had the kernels."""
    name = "deepseek-ai/DeepSeek-V4-Flash"
    asked = Request(model=name, gpu="RTX-PRO-6000", gpus=8, source="embedded", vllm=release)
    assert plan_for(asked, embedded_model(name)).feasibility.starts.answer == answer


@pytest.mark.parametrize(("release", "stands"), [("0.23.0", False), ("0.26.0", True)])
def test_caches_of_several_groups_are_divided_from_a_release_on(release, stands):
    """Its own start-up code says so of 0.23 (v1/core/kv_cache_utils.py:621)."""
    name, own = "Qwen/Qwen3.5-35B-A3B", {"decode_context_parallel_size": 2, "tensor_parallel_size": 4}
    asked = Request(model=name, gpu="H100", gpus=4, source="embedded", vllm=release, overrides=own)
    if stands:
        assert plan_for(asked, embedded_model(name)).feasibility.fits
    else:
        with pytest.raises(RequestError, match="divides no cache of several groups"):
            plan_for(asked, embedded_model(name))


@pytest.mark.parametrize(("release", "stands"), [("0.30.0", False), ("0.23.0", True)])
def test_a_tokenizer_that_the_release_lacks_is_refused(release, stands):
    """Its registry knows no such word, which the parser takes as free text."""
    word = "qwen_vl"
    asked = Request(
        model="Qwen/Qwen3-8B", gpu="H100", source="embedded", vllm=release, overrides={"tokenizer_mode": word}
    )
    if stands:
        assert plan_for(asked, embedded_model("Qwen/Qwen3-8B")).feasibility.fits
    else:
        with pytest.raises(RequestError, match=r"--tokenizer-mode .*qwen_vl"):
            plan_for(asked, embedded_model("Qwen/Qwen3-8B"))


@pytest.mark.parametrize(("head_dim", "stands"), [(96, False), (128, True)])
def test_a_cache_of_four_bits_takes_heads_of_a_power_of_two(head_dim, stands, tmp_path):
    """Its rotation is a Hadamard matrix."""
    config = embedded_config(tmp_path, head_dim=head_dim)
    own = {"kv_cache_dtype": "int4_per_token_head", "max_model_len": 4096}
    asked = Request(model=str(config), gpu="H100", source="local", vllm="0.33.0", overrides=own)
    if stands:
        assert plan_for(asked, facts_for(asked)).feasibility.fits
    else:
        with pytest.raises(RequestError, match="takes heads of a power of two, not of 96"):
            plan_for(asked, facts_for(asked))


def embedded_config(place, **changes):
    """A directory with the config.json of a small model, changed."""
    config = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072,
        "num_hidden_layers": 4, "num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 32000,
        "max_position_embeddings": 8192, "head_dim": 128, "dtype": "bfloat16", "tie_word_embeddings": True,
    }  # fmt: skip
    (place / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("model", "own", "answer"),
    [
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {"use_replayssm": True}, "doubtful"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", {"use_replayssm": False}, "yes"),
        ("meta-llama/Llama-3.1-8B-Instruct", {"use_replayssm": True}, ""),
    ],
)
def test_inputs_are_replayed_by_classes_that_say_so(model, own, answer):
    """VLLM 0.33 config/vllm.py: "not supported for architecture"; the buffers that it keeps are not counted here."""
    request = Request(model=model, gpu="H100", source="embedded", overrides=own)
    if answer:
        assert plan_for(request, embedded_model(model)).feasibility.starts.answer == answer
        return
    with pytest.raises(RequestError, match="replays no inputs of LlamaForCausalLM"):
        plan_for(request, embedded_model(model))
