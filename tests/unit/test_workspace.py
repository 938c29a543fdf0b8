"""Scratch of sparse attention; what vLLM 0.32's own code reserved for these shapes with the platform stood in for."""

import pytest

from generator.models.architecture import Architecture, Layer
from generator.models.attention import Indexer, SparseMLA
from generator.models.parallelism import Layout
from generator.planning.memory.workspace import indexer_logits, sparse_workspace
from generator.units import GIB, MIB
from tests.replicas import replica_of

DEEPSEEK_V32 = Architecture(
    model_type="deepseek_v32",
    architecture="DeepseekV32ForCausalLM",
    hidden_size=7168,
    vocab_size=129280,
    max_position_embeddings=163840,
    tie_word_embeddings=False,
    layer_kinds=(
        Layer(
            mixer=SparseMLA(
                num_attention_heads=128,
                q_lora_rank=1536,
                kv_lora_rank=512,
                qk_nope_head_dim=128,
                qk_rope_head_dim=64,
                v_head_dim=128,
                indexer=Indexer(index_n_heads=64, index_head_dim=128, index_topk=2048),
            )
        ),
    ),
    layer_pattern="0*61",
)


def served(gpu, dtype, layout=None, architecture=DEEPSEEK_V32, **more):
    """What the model reserves; vLLM takes FlashMLA on Hopper and FlashInfer on Blackwell for an 8-bit cache."""
    values = {"max_num_seqs": 1024, "max_model_len": 163840} | more
    return sparse_workspace(replica_of(architecture, layout, gpu=gpu, kv_cache_dtype=dtype, **values))


@pytest.mark.parametrize(("ranks", "reserved"), [(8, 2.2), (1, 5.1)])
def test_flashmla_reserves_gibibytes_for_an_8_bit_cache(ranks, reserved):
    """2.2 to 5.1 GiB a rank on an H100 with an FP8 cache (0.32 run with the CUDA platform stood in for)."""
    found = served("H100-SXM-80GB", "fp8", Layout(tensor_parallel_size=ranks))
    assert found.low / GIB == pytest.approx(reserved, abs=0.05)


def test_the_indexer_gathers_825_mib_whatever_the_kernel():
    """40 x 163,840 x 132 bytes (vLLM 0.25.1 mla/indexer.py:236); FlashInfer's own 394 MiB may come later."""
    found = served("B200-180GB", "fp8_e4m3")
    assert found.low / MIB == pytest.approx(825, abs=1)
    assert found.expected - found.low == 394 * MIB + 8192 * 2048 * 4


def test_a_long_context_reserves_two_lengths_from_0_32_on():
    """0.32 config/vllm.py:1796: five lengths up to 256K, two beyond."""
    long = {"max_model_len": 1 << 20}
    old, new = (served("B200-180GB", "fp8_e4m3", release=name, **long).low for name in ("0.31.0", "0.32.0"))
    assert old == 5 * new // 2


def test_dense_attention_reserves_nothing():
    dense = DEEPSEEK_V32.model_copy(update={"layer_kinds": (Layer(),)})
    assert served("H100-SXM-80GB", "auto", architecture=dense).high == 0
    assert indexer_logits(dense) == 0 < indexer_logits(DEEPSEEK_V32)
