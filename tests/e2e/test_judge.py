"""The judge itself: a handful of questions to vLLM's own start-up code, on the Python of the CUDA wheel."""

import json

import pytest

from generator.catalogue.gpus import find_gpu
from generator.models.request import Request
from generator.workflow import facts_for, plan_for
from tests.oracle.judge import Judge, oracle_home
from tests.oracle.questions import card, question_of

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024, "intermediate_size": 2816,
    "num_hidden_layers": 4, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64, "vocab_size": 32000,
    "max_position_embeddings": 8192, "tie_word_embeddings": False, "torch_dtype": "float16", "hidden_act": "silu",
    "rms_norm_eps": 1e-05,
}  # fmt: skip

pytestmark = [pytest.mark.needs_tool, pytest.mark.slow]


@pytest.fixture(scope="module")
def judge():
    home = oracle_home()
    if home is None:
        pytest.skip("the judge is not installed: .ci/install-oracle DIR VLLM, then VLLM_WIZARD_ORACLE=DIR")
    with Judge(home) as one:
        yield one


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("models") / "small"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(CONFIG))
    return place


def test_a_plan_is_accepted_with_the_plans_own_figures(judge, model):
    request = Request(model=str(model), source="local", gpu="L4", gpus=2, vllm="0.33.0", concurrency=8)
    made = plan_for(request, facts_for(request, offline=True))
    answer = judge.ask(question_of(made, model, "0.33.0") | {"id": "one"})
    assert (answer["verdict"], answer["level"]) == ("accepted", "done"), answer
    assert answer["bytes_per_block"] == [made.kv_cache.bytes_per_block]
    assert answer["block"] == made.kv_cache.block_size_tokens
    assert answer["blocks"] == made.kv_cache.num_blocks


@pytest.mark.parametrize(
    ("gpu", "argv", "level", "said"),
    [
        ("L4", ("--tensor-parallel-size", "3"), "config", "must be divisible by tensor parallel size (3)"),
        ("T4", ("--kv-cache-dtype", "fp8"), "model", "FP8 KV cache is not supported"),
        ("L4", ("--swap-space", "4"), "parse", "unrecognized arguments: --swap-space 4"),
    ],
)
def test_a_refusal_is_vllms_own(judge, model, gpu, argv, level, said):  # noqa: PLR0917
    question = {
        "id": "one", "directory": str(model), "argv": list(argv), "release": "0.33.0", "gpu": card(find_gpu(gpu)),
        "count": 8, "nodes": 1, "cache_bytes": 1 << 33, "cache_bytes_low": None, "worst_stage": None,
    }  # fmt: skip
    answer = judge.ask(question)
    assert (answer["verdict"], answer["level"]) == ("refused", level), answer
    assert said in answer["error"]["text"] + " ".join(answer["error"]["causes"])
