"""Footprints and estimates; expected numbers are model cards', papers' and published measurements."""

import json
from math import isclose

import pytest

from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import embedded_model
from generator.catalogue.speed import speed
from generator.errors import UnknownFactError
from generator.models.architecture import Architecture, Layer
from generator.models.attention import MLA, FullAttention, GatedDeltaNet, SlidingWindow
from generator.models.capability import Capability
from generator.models.dtype import DType
from generator.models.estimate import Estimate
from generator.models.feed_forward import Dense, MoE
from generator.models.parallelism import Layout
from generator.models.quantization import Format, Quantization, QuantRule
from generator.models.speed import Drafting, Limits, Scenario, release_range, speed_class
from generator.planning.speed.footprint import footprint
from generator.planning.speed.kernels import kernel_of, kernels
from generator.planning.speed.rates import rates, running_kernel
from generator.planning.speed.roofline import cost_per_million_output_tokens, estimate, replicas_for
from generator.planning.speed.steps import StepModel

GQA = FullAttention(num_attention_heads=32, num_key_value_heads=8, head_dim=128, head_dim_v=128)
FP8 = Quantization(
    method="fp8",
    bits=8,
    ignored_modules=("lm_head",),
    rules=(QuantRule(targets=("*",), format=Format(weights=DType.F8_E4M3, bits=8)),),
)


def llama(hidden: int, heads: int, layers: int, width: int) -> Architecture:
    """A Llama 3.1 with its card's shapes."""
    mixer = GQA.model_copy(update={"num_attention_heads": heads})
    return Architecture(
        model_type="llama",
        architecture="LlamaForCausalLM",
        hidden_size=hidden,
        vocab_size=128256,
        max_position_embeddings=131072,
        tie_word_embeddings=False,
        layer_kinds=(Layer(mixer=mixer, feed_forward=Dense(intermediate_size=width)),),
        layer_pattern=f"0*{layers}",
    )


def like_llama(**changes: object) -> Architecture:
    """Llama 3.1 8B with other layers."""
    return Architecture.model_validate(llama(4096, 32, 32, 14336).model_dump() | changes)


LLAMA_8B = llama(4096, 32, 32, 14336)
LLAMA_70B = llama(8192, 64, 80, 28672)
LIMITS = Limits(max_num_seqs=1024)
CLOSED = Scenario(prompt_tokens=922, gen_tokens=922, concurrency=4)


def planned(scenario: Scenario = CLOSED, limits: Limits = LIMITS, **more: object) -> Estimate:
    """Llama 3.1 70B in FP8 on one H200 unless told otherwise."""
    tp = int(str(more.pop("tp", 1)))
    held = footprint(LLAMA_70B, Layout(tensor_parallel_size=tp), FP8, kv_bytes=1)
    gpu = find_gpu(str(more.pop("gpu", "H200-SXM-141GB")))
    return estimate(held, gpu, scenario, limits, speed(), release=str(more.pop("release", "0.10.2")))


def test_a_dense_model_reads_and_computes_its_parameters():
    """8,030,261,248 parameters (model card); 525,336,576 of them the embedding, of which a step reads rows."""
    held = footprint(LLAMA_8B, Layout())
    assert isclose(held.dense_bytes, 2 * (8_030_261_248 - 525_336_576), rel_tol=1e-3)
    assert isclose(held.dense_flops + held.head_flops, 2 * (8_030_261_248 - 525_336_576), rel_tol=1e-3)


def test_llama_8b_reads_128_kib_of_cache_a_token():
    """A page of 16 tokens is 65,536 bytes in each of the 32 layers (kv_truth.json)."""
    assert sum(read.bytes_per_token for read in footprint(LLAMA_8B, Layout()).kv_reads) == 65536 * 32 / 16


def test_ranks_that_share_a_cache_read_a_part_and_pay_for_messages():
    """DeepSeek-V3 over 8 ranks: 128 heads / 8, latent 512 and rotary 64 (its config.json); 61 layers, 3 messages each.

    A rank receives the queries (512 + 64) and sends the outputs (512) of its 16 heads, two bytes each, to 7 others, and
    the log-sum-exps of 128 heads, 4 bytes each, from 7 others. A prompt's heads are expanded on their own rank.
    """
    model = embedded_model("deepseek-ai/DeepSeek-V3").architecture
    plain, shared = (
        footprint(model, Layout(tensor_parallel_size=8, decode_context_parallel_size=dcp)) for dcp in (1, 8)
    )
    assert plain.exchanges == ()
    (among,) = shared.exchanges
    assert (among.ranks, among.messages) == (8, 3 * 61)
    assert among.bytes_per_token == 61 * 7 * (16 * (576 + 512) * 2 + 128 * 4)
    assert among.prompt_bytes_per_token == 0
    gpu, table = find_gpu("H200-SXM-141GB"), speed()
    whole, part = (StepModel(held, rates(held, gpu, table, link="nvlink", release="late")) for held in (plain, shared))
    assert part.read_bytes(8192) == whole.read_bytes(8192) / 8
    few, many = ((part.step(n, 65536).total_s, whole.step(n, 65536).total_s) for n in (1, 64))
    assert few[0] > few[1]
    assert many[0] < many[1]


def test_replicas_that_share_experts_gather_each_others_tokens():
    """DeepSeek-V3: 58 of 61 layers are mixtures, hidden 7,168 (its config.json); gather and scatter in each.

    Of 8 replicas a rank brings one token, receives the 7 others, and sends as much back.
    """
    model = embedded_model("deepseek-ai/DeepSeek-V3").architecture
    (among,) = footprint(model, Layout(data_parallel_size=8, enable_expert_parallel=True)).exchanges
    assert (among.ranks, among.messages) == (8, 2 * 58)
    assert among.bytes_per_token == 2 * 58 * 7 * 7168 * 2
    assert among.prompt_bytes_per_token == among.bytes_per_token
    assert footprint(LLAMA_8B, Layout(data_parallel_size=8)).exchanges == ()


def test_pipeline_stages_read_one_prompt_no_faster_than_one_gpu():
    """A prompt passes every stage; of a long one the pieces follow each other, which halves it at best on two."""

    def first_token(stages: int, prompt: int) -> float:
        held = footprint(LLAMA_8B, Layout(pipeline_parallel_size=stages))
        one = Scenario(prompt_tokens=prompt, gen_tokens=64, concurrency=1)
        limits = Limits(max_num_batched_tokens=2048)
        found = estimate(held, find_gpu("L40S-48GB"), one, limits, speed(), release="0.32.0")
        return found.ttft_ms.mean

    assert first_token(8, 2000) >= 0.99 * first_token(1, 2000)
    assert first_token(1, 16384) / 2 <= first_token(2, 16384) < first_token(1, 16384)


def test_tensor_parallelism_divides_work_and_leaves_no_rank_without_a_kv_head():
    whole, shared = (footprint(LLAMA_8B, Layout(tensor_parallel_size=tp)) for tp in (1, 16))
    assert isclose(shared.dense_flops, whole.dense_flops / 16)
    assert shared.kv_reads[0].bytes_per_token == whole.kv_reads[0].bytes_per_token / 8


def test_the_latent_of_mla_is_whole_on_every_rank():
    """576 elements a token and layer (DeepSeek-V2, arXiv 2405.04434, section 2.1)."""
    mixer = MLA(
        num_attention_heads=128, q_lora_rank=1536, kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64,
        v_head_dim=128,
    )  # fmt: skip
    model = like_llama(layer_kinds=(Layer(mixer=mixer),), layer_pattern="0*61")
    (read,) = footprint(model, Layout(tensor_parallel_size=8)).kv_reads
    assert read.bytes_per_token == 61 * 576 * 2


def test_windows_and_states_are_told_apart():
    window = SlidingWindow(**GQA.model_dump(exclude={"kind"}), sliding_window=128)
    state = GatedDeltaNet(num_k_heads=16, num_v_heads=32, head_k_dim=128, head_v_dim=128, conv_kernel=4)
    kinds = (Layer(mixer=GQA), Layer(mixer=window), Layer(mixer=state))
    model = like_llama(layer_kinds=kinds, layer_pattern="0*2 1*3 2*5")
    held = footprint(model, Layout())
    assert [(read.window_tokens, read.bytes_per_token) for read in held.kv_reads] == [(None, 8192), (128, 12288)]
    assert (held.state_layers, held.state_bytes) == (5, 5 * 2 * 32 * 128 * 128 * 2)


def test_a_mixture_of_experts_tells_one_expert_from_what_is_always_read():
    """gpt-oss-120b: 128 experts of 3 x 2880 x 2880 elements, 4 of them active (model card)."""
    block = MoE(num_experts=128, num_experts_per_tok=4, moe_intermediate_size=2880)
    layers = (Layer(mixer=GQA, feed_forward=block),)
    model = like_llama(hidden_size=2880, layer_kinds=layers, layer_pattern="0*36")
    held = footprint(model, Layout())
    assert held.expert_bytes == 3 * 2880 * 2880 * 2
    assert held.expert_flops == 2 * 36 * 4 * 3 * 2880 * 2880
    assert footprint(model, Layout(tensor_parallel_size=4, enable_expert_parallel=True)).local_experts == 32


@pytest.mark.parametrize(
    ("form", "kernel"),
    [
        (None, "native"),
        (Format(weights=DType.F8_E4M3, bits=8), "fp8"),
        (Format(weights=DType.F8_E4M3, bits=8, scale_rows=128, scale_columns=128), "fp8_block"),
        (Format(weights=DType.I32, bits=4, scale_columns=128), "int4"),
        (Format(weights=DType.I8, bits=8), "int8"),
        (Format(weights=DType.U8, bits=4, scales=DType.F8_E4M3, scale_columns=16), "nvfp4"),
        (Format(weights=DType.U8, bits=4, scales=DType.F8_E8M0, scale_columns=32), "mxfp4"),
    ],
)
def test_a_stored_format_names_its_kernel(form, kernel):
    assert kernel_of(form) == kernel


def test_the_kernel_is_that_of_most_elements():
    assert kernels(LLAMA_8B, FP8) == ("fp8", "native")


def test_a_gpu_without_a_format_runs_another_kernel():
    """FP8 is native since SM89, FP4 on SM100 (vLLM docs, quantization support matrix)."""
    assert running_kernel("fp8", find_gpu("A100-SXM-80GB")) == "int8"
    assert running_kernel("fp8", find_gpu("L40S-48GB")) == "fp8"
    assert running_kernel("nvfp4", find_gpu("B200-180GB")) == "fp4"
    assert running_kernel("mxfp4", find_gpu("H100-SXM-80GB")) == "mxfp4"


@pytest.mark.parametrize(
    ("row", "tp", "concurrency", "prompt", "tpot_ms"),
    [
        ("p1235", 1, 4, 922, 21.47),
        ("p1295", 8, 4, 922, 7.93),
        ("p1307", 8, 16, 922, 9.71),
        ("p1330", 8, 16, 7373, 13.36),
    ],
)
def test_published_runs_lie_in_the_range(row, tp, concurrency, prompt, tpot_ms):
    """InferenceMAX, Llama 3.3 70B FP8 on H200, vLLM 0.10.2 (rows of bench.csv)."""
    scenario = CLOSED.changed(concurrency=concurrency, prompt_tokens=prompt)
    found = planned(scenario, tp=tp)
    assert found.tpot_ms.low <= tpot_ms <= found.tpot_ms.high


def test_speculation_gains_the_tokens_of_the_paper():
    """(1 - a^(k + 1)) / (1 - a) tokens a step (arXiv 2211.17192, equation 1): 2.952 at a = 0.8 and k = 3."""
    drafted = CLOSED.changed(num_speculative_tokens=3, acceptance_rate=0.8)
    assert isclose(drafted.tokens_per_step, 2.952)
    plain, fast = planned(), planned(drafted)
    assert fast.tpot_ms.mean < plain.tpot_ms.mean
    assert "speculation" in fast.calibration


def test_a_costly_draft_that_is_never_kept_only_slows():
    wasted = CLOSED.changed(num_speculative_tokens=3, drafting=Drafting(passes=3, own_layers=1))
    assert planned(wasted).tpot_ms.mean > planned().tpot_ms.mean


def test_the_estimate_says_what_it_was_not_fitted_to():
    assert "not measured on H100-NVL-94GB" in planned(gpu="H100-NVL-94GB").calibration
    assert "not measured" not in planned().calibration


def test_a_gpu_without_bandwidth_is_refused():
    gpu = find_gpu("H200-SXM-141GB").model_copy(update={"bandwidth_bytes_per_s": None})
    with pytest.raises(UnknownFactError, match="no memory bandwidth is known for H200-SXM-141GB"):
        estimate(footprint(LLAMA_8B, Layout()), gpu, CLOSED, Limits(), speed(), release="0.32.0")


def test_an_8_bit_cache_saves_less_time_than_bytes():
    """54 % of the time of 16 bits in the best case that vLLM published (its blog, 22 April 2026): bytes are half."""
    gpu = find_gpu("H100-SXM-80GB")
    paces = (
        rates(footprint(LLAMA_8B, Layout(), kv_bytes=size), gpu, speed(), link="nvlink", release="late")
        for size in (2, 1)
    )
    wide, narrow = (pace.kv_bytes_per_s for pace in paces)
    assert wide / 2 < narrow < wide


def test_slices_of_experts_are_read_slower_than_whole_ones():
    """A kernel turns to as many experts on each of eight ranks as on one, each time for an eighth of the bytes."""
    model, gpu = embedded_model("openai/gpt-oss-120b"), find_gpu("H200-SXM-141GB")
    whole, eighth = (
        footprint(model.architecture, Layout(tensor_parallel_size=size), model.checkpoint.quantization)
        for size in (1, 8)
    )
    alone, sliced = (
        StepModel(one, rates(one, gpu, speed(), link="nvlink", release="late")).step(16, 1000).weights_s
        for one in (whole, eighth)
    )
    assert whole.expert_bytes == pytest.approx(8 * eighth.expert_bytes, rel=0.05)
    assert alone < 8 * sliced


def test_a_missing_coefficient_is_named():
    with pytest.raises(UnknownFactError, match=r"no coefficient 'layer\.none'"):
        speed().get("layer.none")


@pytest.mark.parametrize(
    ("release", "name"),
    [("0.8.5", "early"), ("0.11.2", "early"), ("0.12.0", "middle"), ("0.17.0", "late"), ("1.0", "late")],
)
def test_releases_share_coefficients_by_range(release, name):
    assert release_range(release) == name


def test_no_coefficient_names_a_model():
    """Kinds of memory, kernel, layer, GPU generation and release are all that tells coefficients apart."""
    text = json.dumps(sorted(speed().values)).lower()
    assert not [name for name in ("llama", "qwen", "gpt", "glm", "kimi", "deepseek", "gemma") if name in text]


def test_replicas_keep_a_fifth_free():
    found = planned()
    rate = found.requests_per_s.low
    assert [replicas_for(share * rate, found) for share in (0.1, 0.8, 0.81, 1.6, 1.7)] == [1, 1, 2, 2, 3]


def test_cost_is_price_over_tokens():
    """Eight GPUs at 2 an hour deliver 3.6 million tokens an hour at 1,000 tokens/s: 16 / 3.6 a million."""
    assert isclose(cost_per_million_output_tokens(2.0, 8, 1000.0), 16 / 3.6)


def test_an_estimate_round_trips():
    found = planned()
    assert Estimate.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"capability": Capability(130)}, r"no GPU of H200-SXM-141GB's generation \(13\.0\) was ever timed"),
        ({"memory_kind": None}, "the kind of memory of H200-SXM-141GB is not known"),
    ],
)
def test_what_nobody_timed_gets_no_estimate(change, said):
    gpu = find_gpu("H200-SXM-141GB").model_copy(update=change)
    with pytest.raises(UnknownFactError, match=said):
        estimate(footprint(LLAMA_8B, Layout()), gpu, CLOSED, Limits(), speed(), release="0.32.0")


def test_every_card_of_the_table_is_of_a_generation_that_was_timed():
    assert all(bool(speed_class(gpu.capability)) != gpu.capability.is_rocm for gpu in all_gpus())
