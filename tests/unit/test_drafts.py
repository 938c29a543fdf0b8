"""Draft models: weights and cache as vLLM 0.32 builds them.

Expected figures are those of vLLM's own classes on the meta device and of its allocator for 40 GiB of cache memory
(get_kv_cache_configs), blocks of 16 tokens, for the configs below.
"""

from __future__ import annotations

import pytest

from generator.catalogue.behaviours import release_of
from generator.catalogue.draft_heads import all_heads
from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.capability import HOPPER
from generator.models.checkpoint import Checkpoint, ModelFacts, TensorGroup
from generator.models.dtype import DType
from generator.models.parallelism import Layout
from generator.models.speculation import Speculation
from generator.planning.drafts.draft import draft_of, draft_weights, method_of
from generator.planning.kv_cache.layout import cache_layout
from generator.planning.kv_cache.settings import CacheSettings
from generator.sources.architectures import read_architecture

HEAD = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 1, "vocab_size": 128256,
    "max_position_embeddings": 2048, "tie_word_embeddings": False, "torch_dtype": "float16",
}  # fmt: skip
EAGLE3 = HEAD | {"architectures": ["LlamaForCausalLMEagle3"], "draft_vocab_size": 32000}
QWEN3 = {
    "hidden_size": 5120, "intermediate_size": 25600, "num_attention_heads": 64, "head_dim": 128, "vocab_size": 151936,
    "max_position_embeddings": 40960,
}  # fmt: skip
EAGLE3_70B = EAGLE3 | {
    "hidden_size": 6144, "target_hidden_size": 8192, "intermediate_size": 16384, "num_attention_heads": 48,
    "head_dim": 128,
}  # fmt: skip
SPECULATORS = {
    "architectures": ["Eagle3DraftModel"], "speculators_model_type": "eagle3", "draft_vocab_size": 32000,
    "transformer_layer_config": {k: v for k, v in (HEAD | QWEN3).items() if k not in ("architectures", "torch_dtype")},
}  # fmt: skip
DFLASH = {
    "architectures": ["DFlashDraftModel"], "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 5,
    "vocab_size": 151936, "max_position_embeddings": 40960, "tie_word_embeddings": False,
    "layer_types": ["full_attention"] * 5, "dflash_config": {"target_layer_ids": [1, 9, 17, 25, 33]},
}  # fmt: skip
WINDOWS = {"layer_types": ["sliding_attention"] * 4 + ["full_attention"], "sliding_window": 4096}
EAGLE3_GPT_OSS = EAGLE3 | {
    "hidden_size": 2880, "intermediate_size": 17280, "num_attention_heads": 64, "head_dim": 64, "vocab_size": 201088,
    "draft_vocab_size": 201088, "max_position_embeddings": 131072,
}  # fmt: skip
LLAMA_8B, LLAMA_70B = "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"
QWEN_32B, QWEN_SMALL, QWEN_8B = "Qwen/Qwen3-32B", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"


def draft(config, target, method=None, **facts):
    """The draft that a config.json, or an embedded model's id, describes."""
    if isinstance(config, str):
        known = embedded_model(config)
    else:
        known = ModelFacts(
            id="acme/draft", revision=None, source="hub", architecture=read_architecture(config),
            checkpoint=Checkpoint(**facts),
        )  # fmt: skip
    spoken = Speculation(method=method, model=known.id, num_speculative_tokens=3)
    return draft_of(spoken, known, embedded_model(target).architecture, all_heads())


def weights(found, target, **sizes):
    architecture = embedded_model(target).architecture
    return draft_weights(found, architecture, Layout(**sizes), capability=HOPPER, dtype="bfloat16")


@pytest.mark.parametrize(
    ("config", "target", "method", "tp", "expected"),
    [
        (HEAD, LLAMA_8B, "eagle", 1, 503324672),
        (HEAD, LLAMA_8B, "eagle", 2, 285220864),
        (HEAD, LLAMA_8B, "eagle", 8, 121643008),
        (EAGLE3, LLAMA_8B, "eagle3", 1, 587491328 + 262144000),
        (EAGLE3, LLAMA_8B, "eagle3", 8, 161769472 + 32768000),
        (EAGLE3 | QWEN3, QWEN_32B, "eagle3", 4, 427591680 + 81920000),
        (SPECULATORS, QWEN_32B, "eagle3", 4, 427591680 + 81920000),
        (EAGLE3_70B, LLAMA_70B, "eagle3", 4, 522496000 + 98304000 + 394002432),
        (QWEN_SMALL, QWEN_32B, "draft_model", 1, 1192099840),
        (QWEN_SMALL, QWEN_32B, "draft_model", 4, 298123264),
        ("meta-llama/Llama-3.2-1B", LLAMA_70B, "draft_model", 4, 131334144 + 486674432),
        # and a second copy of the five layers' key and value projections: 5 x 2 x 1024 x 4096 elements
        (DFLASH, QWEN_8B, "dflash", 1, 2097261056 + 83886080),
    ],
)
def test_a_draft_holds_what_vllm_builds_less_what_it_borrows(config, target, method, tp, expected):
    """A head's embedding is its target's where both are as wide; a narrower head has its own."""
    assert weights(draft(config, target, method), target, tensor_parallel_size=tp) == expected


@pytest.mark.parametrize(
    ("config", "target", "method", "tp", "expected"),
    [
        (None, LLAMA_8B, None, 1, (32, 65536, 20480)),
        (HEAD, LLAMA_8B, "eagle", 1, (33, 65536, 19859)),
        (EAGLE3, LLAMA_8B, "eagle3", 2, (33, 32768, 39718)),
        (EAGLE3_70B, LLAMA_70B, "eagle3", 4, (81, 16384, 32363)),
        ("meta-llama/Llama-3.2-1B", LLAMA_70B, "draft_model", 4, (96, 1441792, 29789)),
        (EAGLE3 | QWEN3, QWEN_32B, "eagle3", 2, (65, 32768, 20164)),
        (QWEN_SMALL, QWEN_32B, "draft_model", 1, (92, 65536, 7123)),
        (QWEN_SMALL, QWEN_32B, "draft_model", 4, (92, 16384, 28493)),
        (DFLASH, QWEN_8B, "dflash", 1, (41, 65536, 15984)),
    ],
)
def test_a_drafts_layers_join_the_targets_group(config, target, method, tp, expected):
    """Layers of another page size share the group too, and their pages add up (UniformTypeKVCacheSpecs)."""
    settings = CacheSettings(
        release=release_of("0.32.0"), capability=HOPPER, max_num_seqs=64,
        max_num_batched_tokens=2048, max_model_len=8192,
        speculative_method=method, num_speculative_tokens=3 if method else 0,
        draft=draft(config, target, method).architecture if config else None,
    )  # fmt: skip
    found = cache_layout(embedded_model(target).architecture, Layout(tensor_parallel_size=tp), settings)
    (group,) = found.groups
    assert group.kind == "FullAttentionSpec"
    assert (group.layers, group.page_size_bytes, found.num_blocks(40 * 2**30)) == expected


@pytest.mark.parametrize(
    ("config", "target", "method", "expected"),
    [
        (None, "openai/gpt-oss-20b", None, (2, 109226, 168.29892141756548)),
        (EAGLE3_GPT_OSS, "openai/gpt-oss-20b", "eagle3", (2, 100824, 155.3528505392912)),
        ("google/gemma-3-4b-it", "google/gemma-3-27b-it", "draft_model", (20, 65536, 16.445671267252195)),
        (DFLASH | WINDOWS, QWEN_8B, "dflash", (11, 163840, 29.76203451407811)),
    ],
)
def test_windows_beside_a_draft_are_grouped_as_vllm_groups_them(config, target, method, expected):
    """Groups, blocks and concurrency at 8,192 tokens, with one batch of 2,048 tokens in flight."""
    settings = CacheSettings(
        release=release_of("0.32.0"), capability=HOPPER, max_num_seqs=64,
        max_num_batched_tokens=2048, max_model_len=8192,
        async_scheduling=False, block_size=16, language_model_only=True, dtype="bfloat16", speculative_method=method,
        draft=draft(config, target, method).architecture if config else None,
    )  # fmt: skip
    found = cache_layout(embedded_model(target).architecture, Layout(), settings)
    room = 40 * 2**30
    assert (len(found.groups), found.num_blocks(room), found.max_concurrency(room, 8192)) == expected


def test_a_pipeline_gives_a_head_its_own_embedding():
    """The last stage has none of the target's (vLLM 0.32 eagle/utils.py): 128,256 x 4,096 bfloat16 elements."""
    found = draft(EAGLE3, LLAMA_8B, "eagle3")
    apart = weights(found, LLAMA_8B, pipeline_parallel_size=2) - weights(found, LLAMA_8B)
    assert apart == 1050673152


def test_a_head_without_a_stored_output_head_uses_its_targets():
    stored = (TensorGroup(module="fc.weight", dtype=DType.BF16, elements=1),)
    bare = draft(EAGLE3, LLAMA_8B, "eagle3", tensors=stored)
    head = TensorGroup(module="lm_head.weight", dtype=DType.BF16, elements=1)
    own = draft(EAGLE3, LLAMA_8B, "eagle3", tensors=(*stored, head))
    assert weights(own, LLAMA_8B) - weights(bare, LLAMA_8B) == 262144000


def test_windows_of_a_dflash_draft_are_read_from_its_layer_types():
    read = read_architecture(DFLASH | WINDOWS)
    assert [layer.mixer.kind for layer in read.layers] == ["sliding_window"] * 4 + ["full"]


@pytest.mark.parametrize(
    ("model", "method", "expected"),
    [
        ("yuhuili/EAGLE-LLaMA3-Instruct-8B", None, "eagle"),
        ("yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", None, "eagle3"),
        ("AngelSlim/Qwen3-8B_eagle3", "draft_model", "eagle3"),
        ("Qwen/Qwen3-0.6B", None, "draft_model"),
        ("acme/anything", "eagle", "eagle"),
    ],
)
def test_the_method_is_found_as_vllm_finds_it(model, method, expected):
    """The examples are those of vLLM 0.32 config/speculative.py."""
    assert method_of(Speculation(method=method, model=model)) == expected


@pytest.mark.parametrize(
    ("config", "target", "method", "said"),
    [
        (QWEN_SMALL, LLAMA_8B, "draft_model", "same vocabulary size.*128,256.*151,936"),
        (EAGLE3, QWEN_32B, "eagle3", "12,288 numbers.*5,120 wide"),
        (HEAD, QWEN_32B, "eagle", "8,192 numbers.*5,120 wide"),
        (EAGLE3, LLAMA_8B, "draft_model", "name its method"),
        (QWEN_SMALL, QWEN_32B, "eagle", "EagleQwen3ForCausalLM"),
        (HEAD, LLAMA_8B, "dflash", "LlamaForCausalLM.*DFlashDraftModel"),
    ],
)
def test_a_draft_of_another_model_is_refused_by_name(config, target, method, said):
    with pytest.raises(RequestError, match=said):
        draft(config, target, method)
