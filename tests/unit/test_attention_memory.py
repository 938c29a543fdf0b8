"""What attention holds beside the cache: its part of the profiled pass, residual streams, FlashInfer's workspaces."""

import pytest

from generator.catalogue.models import embedded_model
from generator.catalogue.overheads import overheads
from generator.models.parallelism import Layout
from generator.planning.memory.attention import builder_workspace, decode_workspace, draft_streams, profiled_pass
from generator.planning.memory.graphs import cuda_graph_estimate
from generator.planning.memory.overhead import activation_peak
from generator.planning.memory.unbudgeted import outside_bytes
from generator.units import GIB, MIB
from tests.replicas import replica_of


def replica(model, ranks=1, **more):
    """The embedded model on so many ranks, with other values of the engine."""
    found = embedded_model(model)
    return replica_of(
        found.architecture, Layout(tensor_parallel_size=ranks), stored=found.checkpoint.quantization, **more
    )


def flash(tokens, ranks=2, **more):
    return replica("deepseek-ai/DeepSeek-V4-Flash", ranks, max_num_batched_tokens=tokens, **more)


def test_the_profile_of_deepseek_v4_holds_padded_queries_and_outputs_and_four_streams():
    """0.33.0 models/deepseek_v4: 64 padded heads twice and 32 once, of 512, low ranks of 1,536, and five widths."""
    columns = (64 + 64 + 32) * 512 + 1024 + 512 + 5 * 4096
    assert profiled_pass(flash(16384)).expected == 16384 * columns * 2


def test_a_rank_with_all_the_heads_that_the_kernel_has_pads_none():
    """64 heads on one rank: outputs and queries alone, so less than half of a rank pays for its padding."""
    alone, half = (profiled_pass(flash(16384, ranks=ranks)).expected for ranks in (1, 2))
    assert half - alone == 16384 * 32 * 512 * 2


def test_deepseek_v4_at_16384_tokens_takes_a_step_twice_as_large_as_at_8192():
    """Nothing of it is fixed: 1.6 GiB at 8,192 tokens a step, 3.2 GiB at the default of large GPUs."""
    small, large = (activation_peak(flash(tokens), overheads()).expected / GIB for tokens in (8192, 16384))
    assert large == pytest.approx(2 * small, rel=0.01)
    assert large == pytest.approx(3.17, abs=0.01)


def test_a_draft_keeps_the_streams_of_every_token():
    """0.33.0 models/deepseek_v4/nvidia/model.py:907: four streams of 4,096 for 16,384 tokens are 512 MiB."""
    assert draft_streams(flash(16384)) == 0
    assert draft_streams(flash(16384, num_speculative_tokens=1)) == 512 * MIB


def test_latent_attention_expands_64k_earlier_latents_in_the_profile():
    """0.33.0 mla_attention.py:939: 16 of DeepSeek-R1's heads, 65,536 rows of 256 and the step's own, 2 widths."""
    expected = (16 * (65536 + 8192) * 256 + 2 * 7168 * 8192) * 2
    assert profiled_pass(replica("deepseek-ai/DeepSeek-R1", 8, max_model_len=8192)).expected == expected


def test_few_short_requests_expand_fewer_latents():
    """Eight lengths, or four blocks of 16 tokens for each sequence, whichever are more."""
    short = replica("deepseek-ai/DeepSeek-R1", 8, max_model_len=1024, max_num_seqs=8)
    assert profiled_pass(short).expected == (16 * (8 * 1024 + 8192) * 256 + 2 * 7168 * 8192) * 2


def test_plain_attention_is_narrower_than_what_follows_it():
    assert profiled_pass(replica("meta-llama/Llama-3.1-8B-Instruct")).high == 0


@pytest.mark.parametrize(
    ("release", "tokens", "mib"), [("0.23.0", 16384, 394), ("0.33.0", 2048, 394), ("0.33.0", 16384, 1024)]
)
def test_flashinfers_workspace_grows_with_the_step_since_0_26(release, tokens, mib):
    """394 MiB, or 16 bytes for each token, query head and number of a head: 16,384 x 32 x 128 x 16 bytes."""
    found = replica(
        "meta-llama/Llama-3.1-8B-Instruct", gpu="B200-180GB", release=release, max_num_batched_tokens=tokens
    )
    assert builder_workspace(found) == mib * MIB


def test_flashattention_has_neither_workspace():
    """An H100 runs FlashAttention, so nothing of FlashInfer's is planned beside or inside the request."""
    hopper = replica("meta-llama/Llama-3.1-8B-Instruct")
    assert (builder_workspace(hopper), decode_workspace(hopper)) == (0, 0)


def both(release, **more):
    """An 8B model on an H100 and on a B200, which runs FlashInfer, with one batch."""
    gpus = ("H100-SXM-80GB", "B200-180GB")
    return (replica("meta-llama/Llama-3.1-8B-Instruct", gpu=gpu, release=release, **more) for gpu in gpus)


def test_the_decode_kernels_buffer_counts_with_the_estimate_of_the_graphs():
    """Both capture alike in 0.29.0, and the first graph of a B200 asks for 394 MiB more, which stay."""
    hopper, blackwell = (cuda_graph_estimate(one, overheads()) for one in both("0.29.0"))
    assert blackwell.expected - hopper.expected == 394 * MIB


@pytest.mark.parametrize(
    ("release", "eager", "mib"), [("0.29.0", False, 512), ("0.29.0", True, 906), ("0.26.0", False, 906)]
)
def test_what_no_budget_holds_has_the_builders_workspace_and_what_no_estimate_counts(release, eager, mib):
    """Eager servers ask for the decode kernel's buffer after its budget; so does one that estimates no graphs."""
    hopper, blackwell = (outside_bytes(one, overheads()) for one in both(release, enforce_eager=eager))
    assert blackwell.low - hopper.low == pytest.approx(mib * MIB, abs=MIB)
