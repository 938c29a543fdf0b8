"""Copies that kernels keep, against what public starts loaded."""

import pytest

from generator.catalogue.models import embedded_model
from generator.models.architecture import Architecture, Layer
from generator.models.attention import MLA
from generator.models.capability import HOPPER, Capability
from generator.models.dtype import DType
from generator.models.feed_forward import MoE
from generator.models.parallelism import Layout
from generator.models.quantization import Format, Quantization, QuantRule
from generator.planning.weights.rank import rank_weights
from generator.planning.weights.retained import retained_bytes
from generator.units import GIB


def shape(layer, layers, hidden_size):
    return Architecture(
        model_type="shape",
        architecture="shape",
        hidden_size=hidden_size,
        vocab_size=129280,
        max_position_embeddings=131072,
        tie_word_embeddings=False,
        layer_kinds=(layer,),
        layer_pattern=f"0*{layers}",
    )


GPT_OSS_120B = shape(
    Layer(feed_forward=MoE(num_experts=128, num_experts_per_tok=4, moe_intermediate_size=2880)), 36, 2880
)
MXFP4 = Quantization(method="mxfp4", bits=4, group_size=32)


def test_triton_keeps_the_scales_of_mxfp4_experts_twice():
    """An H100 loaded 64.38 GiB with vLLM 0.14.1 (startup log T083), 60.77 of them parameters (kv_truth.json)."""
    kept = retained_bytes(GPT_OSS_120B, MXFP4, Layout(), HOPPER)
    assert kept / GIB == pytest.approx(64.38 - 60.77, rel=0.03)


@pytest.mark.parametrize(("quantization", "capability"), [(None, HOPPER), (MXFP4, 100), (MXFP4, 121)])
def test_other_kernels_keep_nothing(quantization, capability):
    """A GB10 loaded 13.72 GiB of gpt-oss-20b (startup log T005), Marlin's padded parameters are 13.67."""
    assert retained_bytes(GPT_OSS_120B, quantization, Layout(), Capability(capability)) == 0


def test_marlin_pads_the_experts_that_triton_keeps_scales_of():
    """Before vLLM 0.11.1 an H100 ran gpt-oss with Marlin's, 5.1 GiB of padding (vLLM issue 23278: 1.3 GiB more)."""
    facts = embedded_model("openai/gpt-oss-120b")
    quantization = facts.checkpoint.quantization
    sizes = [
        rank_weights(facts.architecture, quantization, capability=HOPPER, triton=triton).worst.total_bytes
        + retained_bytes(facts.architecture, quantization, Layout(), HOPPER, triton=triton)
        for triton in (True, False)
    ]
    assert (sizes[1] - sizes[0]) / GIB == pytest.approx(1.3, abs=0.3)


def test_ranks_share_the_copies():
    alone, split = (retained_bytes(GPT_OSS_120B, MXFP4, Layout(tensor_parallel_size=n), HOPPER) for n in (1, 4))
    assert split < alone / 3


LATENT = Layer(
    mixer=MLA(
        num_attention_heads=128,
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
    )
)
FP8 = Format(weights=DType.F8_E4M3, bits=8, scale_rows=128, scale_columns=128)


@pytest.mark.parametrize(("ranks", "gibibytes"), [(1, 1.906), (8, 0.238)])
def test_latent_attention_keeps_a_quantized_projection_unpacked(ranks, gibibytes):
    """DeepSeek-R1, FP8 in blocks: `mla_wuk_wuv_extra_bytes` of kv_truth.json."""
    deepseek = shape(LATENT, 61, 7168)
    layout = Layout(tensor_parallel_size=ranks)
    fp8 = Quantization(method="fp8", bits=8, rules=(QuantRule(targets=("*",), format=FP8),))
    kept = retained_bytes(deepseek, fp8, layout, HOPPER)
    assert kept / GIB == pytest.approx(gibibytes, abs=0.001)
    assert retained_bytes(deepseek, None, layout, HOPPER) == 0
