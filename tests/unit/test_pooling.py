"""Models that embed, classify or rank are planned as vLLM 0.32 serves them: whole prompts, no head, no text."""

from __future__ import annotations

import pytest

from generator.catalogue.classes import classes_of
from generator.catalogue.models import embedded_model
from generator.cli.report import show_plan
from generator.copier_ext import refuse_unserved
from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.checkpoint import SentenceFacts
from generator.models.model_class import ModelClass
from generator.models.plan import PlanRecord
from generator.models.request import Request
from generator.planning.serving.pooling import task_of, task_of_class
from generator.planning.weights.rank import rank_weights
from generator.recording import record
from generator.sources.architectures import read_architecture
from generator.workflow import fit_for, prove


@pytest.mark.parametrize(
    ("name", "task"),
    [  # vLLM 0.33 docs/models/pooling_models/{embed,classify,scoring}.md and registry.py
        ("BertModel", "embed"),
        ("RobertaModel", "embed"),
        ("RobertaForMaskedLM", "embed"),
        ("ModernBertModel", "embed"),
        ("XLMRobertaModel", "embed"),
        ("NomicBertModel", "embed"),
        ("BgeM3EmbeddingModel", "embed"),
        ("GteNewModel", "embed"),
        ("MistralModel", "embed"),
        ("LlamaBidirectionalModel", "embed"),
        ("HF_ColBERT", "embed"),
        ("CLIPModel", "embed"),
        ("BertForSequenceClassification", "classify"),
        ("XLMRobertaForSequenceClassification", "classify"),
        ("ModernBertForTokenClassification", "classify"),
        ("Qwen2ForRewardModel", "embed"),
        ("JinaVLForRanking", "score"),
        ("LlamaForCausalLM", "generate"),
        ("Qwen3_5ForConditionalGeneration", "generate"),
        ("GPT2LMHeadModel", "generate"),
        ("ChatGLMModel", "generate"),
        ("UltravoxModel", "generate"),
        ("Phi4ForCausalLMV", "generate"),
    ],
)
def test_a_class_says_what_it_is_for(name, task):
    assert task_of_class(classes_of("0.33.0").of(name)) == task


BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 64, "intermediate_size": 256,
    "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 1000, "max_position_embeddings": 512,
    "type_vocab_size": 2, "torch_dtype": "float32", "position_embedding_type": "absolute",
}  # fmt: skip
ROBERTA = BERT | {"model_type": "xlm-roberta", "max_position_embeddings": 8194, "type_vocab_size": 1}
MODERN = BERT | {"model_type": "modernbert", "intermediate_size": 96, "num_hidden_layers": 3}
CHAT = {
    "model_type": "qwen3", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 1000,
    "max_position_embeddings": 32768, "torch_dtype": "bfloat16",
}  # fmt: skip
QWEN2 = CHAT | {"model_type": "qwen2"}
LLAMA = CHAT | {"model_type": "llama"}
GEMMA = CHAT | {
    "model_type": "gemma3_text", "intermediate_size": 96, "num_key_value_heads": 1, "num_hidden_layers": 6,
    "sliding_window": 512, "use_bidirectional_attention": True, "max_position_embeddings": 2048,
    "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "config", "allocated"),
    [  # bytes of the parameters that vLLM 0.32's CPU build creates for these configs; vectors of 1,000 rows are padded
        ("BertModel", BERT, 404_992),
        ("BertForSequenceClassification", BERT | {"id2label": {"0": "a"}}, 421_892),
        ("BertForTokenClassification", BERT, 405_512),
        ("XLMRobertaModel", ROBERTA, 1_396_224),
        ("BgeM3EmbeddingModel", ROBERTA, 1_413_124),
        ("XLMRobertaForSequenceClassification", ROBERTA | {"id2label": {"0": "a"}}, 1_413_124),
        ("ModernBertModel", MODERN, 340_864),
        ("ModernBertForSequenceClassification", MODERN, 358_024),
        ("Qwen3ForSequenceClassification", CHAT | {"num_labels": 1}, 304_128),
        ("LlamaForSequenceClassification", LLAMA | {"num_labels": 5}, 305_024),
        ("LlamaBidirectionalModel", LLAMA | {"pooling": "avg"}, 303_744),
        ("Qwen2ForRewardModel", QWEN2, 321_156),
        ("Qwen2ForProcessRewardModel", QWEN2, 321_416),
        ("Qwen2Model", QWEN2 | {"is_causal": False}, 304_256),
        ("Gemma3TextModel", GEMMA, 478_720),
    ],
)
def test_a_pooling_class_takes_what_vllm_allocates(name, config, allocated):
    shapes = read_architecture(config | {"architectures": [name]})
    assert rank_weights(shapes).worst.total_bytes == allocated


BGE_M3 = ROBERTA | {
    "architectures": ["XLMRobertaModel"], "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
    "num_hidden_layers": 24, "vocab_size": 250002,
}  # fmt: skip
RANKER = BGE_M3 | {"architectures": ["XLMRobertaForSequenceClassification"], "id2label": {"0": "a"}}
E5 = {
    "architectures": ["MistralModel"], "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    "max_position_embeddings": 32768, "torch_dtype": "float16",
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "sentence", "context", "tokens"),
    [  # resolved by vLLM 0.32's own configuration classes, max_num_seqs apart
        (BGE_M3, SentenceFacts(pools=True, pooling_type="CLS", max_seq_length=8192), 8192, 8192),
        (BGE_M3, SentenceFacts(tokenizer_max_length=8192), 8192, 8192),
        (BGE_M3, SentenceFacts(pools=True, pooling_type="MEAN", max_seq_length=256), 256, 2048),
        (BGE_M3, None, 8194, 8194),
    ],
)
def test_an_encoder_reads_whole_prompts_and_keeps_no_cache(config, sentence, context, tokens):
    made = planned("org/encoder", read_architecture(config), sentence)
    assert (made.engine["runner"], made.runner) == ("pooling", "pooling")
    assert (made.engine["max_model_len"], made.engine["max_num_batched_tokens"]) == (context, tokens)
    assert made.kv_cache is None
    assert made.feasibility.fits
    assert made.estimate is None
    assert "kv_cache_dtype" not in made.engine
    assert not {"tool_call_parser", "reasoning_parser"} & made.engine.keys()


def test_an_embedding_model_of_a_chat_class_keeps_a_cache_and_no_head():
    chat = embedded_model("Qwen/Qwen3-8B").architecture
    made = planned("org/embedding", chat, SentenceFacts(pools=True, pooling_type="LAST"))
    talks = planned("org/chat", chat)
    assert made.kv_cache is not None
    assert made.engine["max_num_batched_tokens"] == 2048
    head = 151936 * 4096 * 2
    assert talks.memory.weights_bytes.expected - made.memory.weights_bytes.expected == head
    assert "modules.json" in next(one.reason for one in made.decisions if one.field == "runner")


def test_a_mean_over_a_decoder_takes_whole_prompts_of_what_the_memory_holds():
    """VLLM 0.32 turns chunked prefill off for it, so that a step holds the context, 40,960 tokens of this model."""
    chat = embedded_model("Qwen/Qwen3-8B").architecture
    mean = SentenceFacts(pools=True, pooling_type="MEAN")
    small, large = (planned("org/mean", chat, mean, gpu=gpu).engine for gpu in ("L4", "H200"))
    assert large["max_model_len"] == large["max_num_batched_tokens"] == 40960
    assert small["max_model_len"] <= small["max_num_batched_tokens"] == 2048


def test_e5_mistral_is_read_by_its_class():
    made = planned("intfloat/e5-mistral-7b-instruct", read_architecture(E5))
    assert made.runner == "pooling"
    assert made.kv_cache is not None


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Embedding-8B", "Qwen/Qwen3-Reranker-8B"])
def test_a_family_is_known_by_its_name_where_no_file_was_read(name):
    shapes = embedded_model("Qwen/Qwen3-8B").architecture
    assert planned(name, shapes).runner == "pooling"
    assert planned(name, shapes, overrides={"runner": "generate"}).runner == "generate"


def test_a_reranker_is_served_as_vllms_page_serves_it():
    """docs/models/pooling_models/scoring.md of vLLM 0.33."""
    made = planned("Qwen/Qwen3-Reranker-8B", embedded_model("Qwen/Qwen3-8B").architecture)
    assert made.engine["hf_overrides"] == {
        "architectures": ["Qwen3ForSequenceClassification"],
        "classifier_from_token": ["no", "yes"],
        "is_original_qwen3_reranker": True,
    }


@pytest.mark.parametrize("asked", [{"runner": "pooling"}, {"convert": "embed"}, {"convert": "classify"}])
def test_the_user_makes_a_chat_model_pool(asked):
    made = planned("Qwen/Qwen3-8B", embedded_model("Qwen/Qwen3-8B").architecture, overrides=asked)
    assert made.runner == "pooling"


def test_a_request_is_one_pass_and_an_answer_has_no_tokens():
    made = planned("BAAI/bge-m3", read_architecture(BGE_M3), concurrency=64, prompt_tokens=512)
    found = made.pooling
    assert found is not None
    in_flight = found.requests_per_s.mean * found.latency_ms.mean / 1000
    assert in_flight == pytest.approx(64, rel=1e-6), "Little's law"
    assert found.prompt_tokens_per_s.mean == pytest.approx(512 * found.requests_per_s.mean)
    peak = 362e12 / (2 * 303e6)
    assert 0.1 * peak < found.prompt_tokens_per_s.mean < peak, "between a tenth of L40S's arithmetic and all of it"


def test_replicas_share_the_requests():
    alone, many = (
        planned("BAAI/bge-m3", read_architecture(BGE_M3), gpus=gpus, concurrency=256).pooling for gpus in (1, 4)
    )
    assert many.requests_per_s.mean > 3 * alone.requests_per_s.mean


def test_fit_holds_a_pooling_model():
    facts = embedded_model("Qwen/Qwen3-8B").model_copy(update={"architecture": read_architecture(BGE_M3)})
    request = Request(model="BAAI/bge-m3", gpu="any", source="embedded")
    rows = fit_for(request, facts)
    alone = [row for row in rows if row.gpus == 1 and not row.gpu.startswith("V100")]
    assert {row.verdict for row in alone} == {"fits"}
    assert all(row.max_model_len == 8194 for row in alone)
    with pytest.raises(RequestError, match="no output tokens to price"):
        fit_for(request, facts, with_speed=True)


@pytest.mark.parametrize(
    ("config", "stated", "error", "said"),
    [
        (BGE_M3, {"tpot_ms": 30}, RequestError, "drop --tpot-ms"),
        (BGE_M3, {"overrides": {"runner": "generate"}}, UnsupportedArchitectureError, "generates no text"),
        (BGE_M3, {"prompt_tokens": 9000}, RequestError, "lower --prompt-tokens"),
        (
            BGE_M3,
            {"gpus": 2, "overrides": {"pipeline_parallel_size": 2}},
            RequestError,
            "pipeline parallelism is not supported",
        ),
        (BGE_M3 | {"architectures": ["HF_ColBERT"]}, {}, UnsupportedArchitectureError, "no reader counts"),
        (LLAMA | {"architectures": ["OddModel"], "model_type": "odd"}, {}, UnsupportedArchitectureError, "--runner"),
    ],
)
def test_what_a_pooling_model_cannot_is_refused_by_name(config, stated, error, said):
    with pytest.raises(error) as refused:
        planned("org/encoder", read_architecture(config), **stated)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_templates_for_text_alone_are_refused_and_say_which_serve_it():
    made = planned("BAAI/bge-m3", read_architecture(BGE_M3))
    with pytest.raises(RequestError, match=r"from 1\.3\.0 on"):
        refuse_unserved(made, ("generate",), ("cuda",))
    refuse_unserved(made, ("generate", "pooling"), ("cuda",))


@pytest.mark.parametrize(
    ("config", "stated", "task", "request_", "with_key", "without"),
    [  # routes that vLLM 0.32's server registers for these classes, entrypoints/pooling/*/api_router.py
        (BGE_M3, {}, "embed", "embed", ["embeddings", "rerank", "score"],
         ["/v2/embed", "/v2/rerank", "/rerank", "/score", "/pooling"]),
        (RANKER, {}, "classify", "score", ["rerank", "score"],
         ["/classify", "/v2/rerank", "/rerank", "/score", "/pooling"]),
        (RANKER | {"id2label": {"0": "a", "1": "b"}}, {}, "classify", "classify", [], ["/classify", "/pooling"]),
        (BERT | {"architectures": ["BertForTokenClassification"]}, {}, "token_classify", "pooling", [], ["/pooling"]),
        (QWEN2 | {"architectures": ["Qwen2ForRewardModel"]}, {}, "token_classify", "pooling", [], ["/pooling"]),
        (ROBERTA | {"architectures": ["BgeM3EmbeddingModel"]}, {}, "embed&token_classify", "", [], ["/pooling"]),
        (ROBERTA | {"architectures": ["BgeM3EmbeddingModel"]}, {"pooler_config": {"task": "embed"}}, "embed", "embed",
         ["embeddings", "rerank", "score"], ["/v2/embed", "/v2/rerank", "/rerank", "/score", "/pooling"]),
    ],
)  # fmt: skip
def test_what_a_pooling_server_answers_is_recorded(config, stated, task, request_, with_key, without):  # noqa: PLR0917
    found = recorded("org/encoder", read_architecture(config), overrides=stated)
    assert (found.schema_version, found.pooling.task, found.pooling.request) == (2, task, request_)
    assert found.pooling.paths == tuple(f"/v1/{name}" for name in with_key)
    assert sorted(found.pooling.keyless) == sorted(without)
    assert PlanRecord.model_validate(found.model_dump(mode="json")) == found


def test_what_is_shown_of_a_model_that_caches_nothing():
    shown = recorded("BAAI/bge-m3", read_architecture(BGE_M3)).display
    assert (shown.context, shown.concurrency) == ("8,194 tokens", "32 requests at once; no token is cached")
    assert shown.speed.startswith("an answer after ")
    assert "Not used" in dict(shown.memory)


def test_the_speed_of_a_pass_is_told_once(capsys):
    """A pooling server has one line of speed, and no estimate of tokens that would be missing."""
    show_plan(planned("BAAI/bge-m3", read_architecture(BGE_M3)), explain=True)
    out = capsys.readouterr().out
    assert "an answer after" in out
    assert "no estimate" not in out


def test_the_record_of_a_chat_model_is_as_older_packages_read_it():
    found = recorded("org/chat", embedded_model("Qwen/Qwen3-8B").architecture)
    assert found.schema_version == 1
    assert "pooling" not in found.model_dump(mode="json")


def test_shapes_without_a_cache_generate_nothing():
    shapes = read_architecture(BGE_M3 | {"architectures": ["UnheardOf"]})
    assert task_of(shapes, ModelClass(name="UnheardOf")) == "embed"


def recorded(name, architecture, sentence=None, **stated):
    return record(proven(name, architecture, sentence, **stated), {})


def planned(name, architecture, sentence=None, gpu="L40S", **stated):
    return proven(name, architecture, sentence, gpu, **stated).plan


def proven(name, architecture, sentence=None, gpu="L40S", **stated):
    facts = embedded_model("Qwen/Qwen3-8B").model_copy(
        update={"id": name, "architecture": architecture, "sentence": sentence}
    )
    return prove(Request(model=name, gpu=gpu, source="embedded", **stated), facts)
