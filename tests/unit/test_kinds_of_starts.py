"""What the checkpoint or the user brings and the release or the model contradicts."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.quantization import Quantization
from generator.models.request import Request
from generator.workflow import plan_for


@pytest.mark.parametrize(
    ("model", "parser", "sure"),
    [
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "hermes", "qwen3_coder"),
        ("openai/gpt-oss-20b", "hermes", "openai"),
    ],
)
def test_a_parser_that_contradicts_the_model_is_named_and_not_refused(model, parser, sure):
    """Qwen3-Coder issue 537: the server starts and calls stay text."""
    asked = Request(
        model=model, gpu="H200-SXM-141GB", gpus=8, source="embedded", overrides={"tool_call_parser": parser}
    )
    made = plan_for(asked, embedded_model(model))
    assert any(f"tool_call_parser {sure}; {parser} is yours" in text for text in made.advisories)


@pytest.mark.parametrize(("release", "starts"), [("0.27.1", True), ("0.33.0", False)])
def test_a_checkpoint_stored_in_a_method_that_the_release_lacks_is_refused(release, starts):
    """VLLM 0.33: "Unknown quantization method: bitsandbytes" (its last release is 0.27.1)."""
    facts = embedded_model("Qwen/Qwen3-8B")
    stored = facts.checkpoint.model_copy(update={"quantization": Quantization(method="bitsandbytes", bits=4)})
    asked = Request(model=facts.id, gpu="L4-24GB", source="embedded", vllm=release)
    four = facts.model_copy(update={"checkpoint": stored})
    if starts:
        assert plan_for(asked, four).feasibility.fits
    else:
        with pytest.raises(RequestError, match="no quantization bitsandbytes, which the checkpoint is stored in"):
            plan_for(asked, four)


def test_no_quantization_is_asked_for_beside_a_scheme_that_names_no_method():
    """VLLM: "Quantization method specified in the model config (None) does not match" (Nemotron-3-Super's copy)."""
    facts = embedded_model("Qwen/Qwen3-8B")
    stored = facts.checkpoint.model_copy(update={"nameless": True})
    asked = Request(model=facts.id, gpu="L4-24GB", source="embedded", overrides={"quantization": "fp8"})
    assert plan_for(asked, facts).feasibility.fits
    with pytest.raises(RequestError, match="declares a quantization without its quant_method"):
        plan_for(asked, facts.model_copy(update={"checkpoint": stored}))


@pytest.mark.parametrize(("own", "risk"), [({}, "MEDIUM"), ({"language_model_only": True}, "LOW")])
def test_a_peak_that_is_an_encoders_is_no_sure_start(own, risk):
    """The peaks of starts differ by gibibytes from one law for all encoders (startup_logs.csv F077, F080, F038)."""
    model = "Qwen/Qwen3.5-27B"
    asked = Request(model=model, gpu="H100-SXM-80GB", source="embedded", overrides=own)
    made = plan_for(asked, embedded_model(model))
    assert made.feasibility.oom_risk == risk
    assert any("is its encoder's" in text for text in made.warnings) == (risk == "MEDIUM")
    assert made.feasibility.starts.answer == ("doubtful" if risk == "MEDIUM" else "yes")


def test_a_start_with_room_for_an_encoder_twice_as_far_off_is_sure():
    """Two H100 leave the 27B model 38 GiB of cache at least, an encoder's peak 0.9 GiB above its figure at most."""
    asked = Request(model="Qwen/Qwen3.5-27B", gpu="H100-SXM-80GB", gpus=2, source="embedded")
    made = plan_for(asked, embedded_model("Qwen/Qwen3.5-27B"))
    assert made.feasibility.oom_risk == "LOW"
    assert any("is its encoder's" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "own", "said"),
    [
        ("openai/gpt-oss-20b", "H200-SXM-141GB", 8, {"tensor_parallel_size": 16}, "repeats no key and value heads"),
        ("Qwen/Qwen3-8B", "B200-180GB", 1, {"kv_cache_dtype": "turboquant_4bit_nc"}, "no KV cache layout satisfies"),
        ("Qwen/Qwen3-32B-FP8", "L40S-48GB", 1, {"kv_cache_dtype": "fp8_e5m2"}, "not supported with fp8 checkpoints"),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "L4-24GB", 8, {"dtype": "float32"}, "awq does not compute in float32"),
        ("Qwen/Qwen3-8B", "T4-16GB", 2, {"kv_cache_dtype": "bfloat16"}, "KV cache of bfloat16 is refused"),
        ("openai/gpt-oss-20b", "H200-SXM-141GB", 1, {"dtype": "float16"}, "set --dtype bfloat16"),
    ],
)
def test_what_vllm_refused_of_random_plans_is_refused_in_words(model, gpu, gpus, own, said):
    """Asked of vLLM 0.32 (judge): "integer modulo by zero" of 8 heads in 16, no layout for both backends, dtypes."""
    asked = Request(model=model, gpu=gpu, gpus=gpus, nodes=2 if gpus == 8 else 1, source="embedded", overrides=own)
    with pytest.raises(RequestError, match=said):
        plan_for(asked, embedded_model(model))


@pytest.mark.parametrize(("model", "gpu"), [("Qwen/Qwen3-8B", "H100-SXM-80GB"), ("Qwen/Qwen3-8B", "L40S-48GB")])
def test_turboquant_stands_where_every_backend_takes_its_layout(model, gpu):
    asked = Request(model=model, gpu=gpu, source="embedded", overrides={"kv_cache_dtype": "turboquant_4bit_nc"})
    assert plan_for(asked, embedded_model(model)).feasibility.fits


@pytest.mark.parametrize(
    ("model", "release", "said"),
    [
        ("Qwen/Qwen3.5-27B", "0.20.2", "supports no TurboQuant cache for hybrid"),
        ("Qwen/Qwen3.5-27B", "0.23.0", ""),
        ("Qwen/Qwen3.5-27B", "0.25.1", "'auto' in Model Runner V1"),
        ("Qwen/Qwen3.5-27B", "0.26.0", "'auto' in Model Runner V1"),
        ("Qwen/Qwen3-30B-A3B", "0.24.0", ""),
        ("Qwen/Qwen3-30B-A3B", "0.26.0", "'auto' in Model Runner V1"),
        ("Qwen/Qwen3-30B-A3B", "0.27.1", ""),
        ("Qwen/Qwen3-8B", "0.20.2", ""),
        ("Qwen/Qwen3-8B", "0.26.0", ""),
    ],
)
def test_a_packed_cache_is_refused_of_the_models_that_a_release_forgets(model, release, said):
    """Hybrids of 0.20 (judge: NotImplementedError); 0.25 and 0.26 (vllm#50709) read it with Model Runner V2 alone."""
    own = {"kv_cache_dtype": "turboquant_4bit_nc"}
    asked = Request(model=model, gpu="H100-SXM-80GB", source="embedded", vllm=release, overrides=own)
    if not said:
        assert plan_for(asked, embedded_model(model)).feasibility.starts.answer != "no"
        return
    with pytest.raises(RequestError, match=said):
        plan_for(asked, embedded_model(model))
