"""Copies that kernels keep, against what public starts loaded."""

import pytest

from generator.models.architecture import Architecture, Layer
from generator.models.feed_forward import MoE
from generator.models.parallelism import Layout
from generator.models.quantization import Quantization
from generator.planning.weights.retained import retained_bytes
from generator.units import GIB

GPT_OSS_120B = Architecture(
    model_type="gpt_oss",
    architecture="GptOssForCausalLM",
    hidden_size=2880,
    vocab_size=201088,
    max_position_embeddings=131072,
    tie_word_embeddings=False,
    layer_kinds=(Layer(feed_forward=MoE(num_experts=128, num_experts_per_tok=4, moe_intermediate_size=2880)),),
    layer_pattern="0*36",
)
MXFP4 = Quantization(method="mxfp4", bits=4, group_size=32)


def test_triton_keeps_the_scales_of_mxfp4_experts_twice():
    """An H100 loaded 64.38 GiB with vLLM 0.14.1 (startup log T083), 60.77 of them parameters (kv_truth.json)."""
    kept = retained_bytes(GPT_OSS_120B, MXFP4, Layout(), 90)
    assert kept / GIB == pytest.approx(64.38 - 60.77, rel=0.03)


@pytest.mark.parametrize(("quantization", "capability"), [(None, 90), (MXFP4, 100), (MXFP4, 121)])
def test_other_kernels_keep_nothing(quantization, capability):
    """A GB10 loaded 13.72 GiB of gpt-oss-20b (startup log T005), Marlin's padded parameters are 13.67."""
    assert retained_bytes(GPT_OSS_120B, quantization, Layout(), capability) == 0


def test_ranks_share_the_copies():
    alone, split = (retained_bytes(GPT_OSS_120B, MXFP4, Layout(tensor_parallel_size=n), 90) for n in (1, 4))
    assert split < alone / 3
