"""A kernel of experts that the user names is taken and refused as each release's own choice takes and refuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from generator.catalogue.models import embedded_model
from generator.cluster import cluster_for
from generator.errors import RequestError
from generator.models.parallelism import Layout
from generator.models.request import Request
from generator.planning.rules.experts import check_expert_kernel, expert_kernel, way_of
from generator.workflow import case_for, facts_for, plan_for

if TYPE_CHECKING:
    from generator.planning.case import Case

_FIXTURES = Path(__file__).parents[1] / "fixtures"
ANSWERS = json.loads((_FIXTURES / "expert_kernels.json").read_text(encoding="utf-8"))
STORED = json.loads((_FIXTURES / "stored_experts.json").read_text(encoding="utf-8"))
CARDS = {
    "7.5": "T4-16GB", "8.0": "A100-SXM-80GB", "8.9": "L40S-48GB", "9.0": "H100-SXM-80GB", "10.0": "B200-180GB",
    "12.0": "RTX-5090-32GB",
}  # fmt: skip
ONE, WHOLE = Layout(), Layout(tensor_parallel_size=2, enable_expert_parallel=True)


def asked(place: Path, way: str, **values: Any) -> Request:
    """A request for the model whose experts are stored in that way."""
    stated = STORED["ways"][way]
    config = STORED["models"][stated["model"]] | stated.get("changes", {})
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    own = {"quantization": stated["argv"][1]} if "argv" in stated else {}
    return Request(model=str(place), source="local", gpus=1, **values | {"overrides": own | values["overrides"]})


def taken(case: Case) -> bool:
    """Whether the rule lets the case pass."""
    try:
        check_expert_kernel(case)
    except RequestError:
        return False
    return True


@pytest.mark.parametrize("way", STORED["ways"])
@pytest.mark.parametrize("release", ANSWERS)
def test_names_are_taken_as_the_release_takes_them(release, way, tmp_path):
    """Every value of moe_backend that the parser knows, on a card of each generation that starts such experts."""
    request = asked(tmp_path, way, gpu="H100-SXM-80GB", vllm=release, overrides={})
    first = case_for(request, facts_for(request))
    assert way_of(first) == way
    for capability, told in ANSWERS[release][way].items():
        if not told["runs"]:
            continue  # vLLM starts no such checkpoint there, whatever is named
        cluster = cluster_for(request.model_copy(update={"gpu": CARDS[capability]}))
        for name in first.tables.engine.choices("moe_backend"):
            case = first.changed(cluster=cluster, fixed=first.fixed | {"moe_backend": name})
            assert taken(case) == (name in told["runs"]), (capability, name)
        unasked = first.changed(cluster=cluster)
        assert expert_kernel(unasked, ONE) == (told["chosen"] or "")
        assert expert_kernel(unasked, WHOLE) == (told["chosen_whole"] or "")


def test_a_refusal_names_what_runs(tmp_path):
    """DeepGEMM multiplies no MXFP4 of an A100; what does is named."""
    request = asked(tmp_path, "mxfp4 mxfp4", gpu="A100-SXM-80GB", overrides={"moe_backend": "deep_gemm"})
    with pytest.raises(RequestError, match=r"deep_gemm does not run experts stored as mxfp4 .* choose .*marlin"):
        plan_for(request, facts_for(request))


def test_kernel_config_names_it_too(tmp_path):
    """The key of kernel_config is the flag by another name."""
    request = asked(tmp_path, "unquantized", gpu="L4-24GB", overrides={"kernel_config": {"moe_backend": "cutlass"}})
    with pytest.raises(RequestError, match="moe_backend cutlass does not run experts stored as unquantized"):
        plan_for(request, facts_for(request))


def test_an_exchange_of_tokens_is_left_to_vllm(tmp_path):
    """Libraries that exchange tokens between ranks decide at the start, so the plan does not promise it."""
    own = {"all2all_backend": "deepep_low_latency", "enable_expert_parallel": True, "data_parallel_size": 2}
    request = asked(tmp_path, "unquantized", gpu="H100-SXM-80GB", overrides=own).model_copy(update={"gpus": 2})
    starts = plan_for(request, facts_for(request)).feasibility.starts
    assert starts.answer == "doubtful"
    assert "all2all_backend" in starts.why


def test_broken_blocks_run_in_the_kernel_that_takes_them(tmp_path):
    """768 channels in blocks of 128 over four ranks: only Triton multiplies finer blocks."""
    request = asked(tmp_path, "fp8 fp8_block", gpu="B200-180GB", overrides={})
    case = case_for(request, facts_for(request))
    assert expert_kernel(case, ONE) == "flashinfer_trtllm"
    assert expert_kernel(case, Layout(tensor_parallel_size=4)) == "triton"


@pytest.mark.parametrize(
    ("gpu", "release", "own", "doubted"),
    [
        ("B200-180GB", "0.26.0", {}, True),
        ("B200-180GB", "0.26.0", {"moe_backend": "flashinfer_cutlass"}, True),
        ("B200-180GB", "0.26.0", {"moe_backend": "triton"}, False),
        ("B200-180GB", "0.23.0", {}, False),
        ("H100-SXM-80GB", "0.26.0", {}, False),
    ],
)
def test_a_width_between_tiles_may_hang(gpu, release, own, doubted):
    """Gemma-4-26B-A4B has experts of 704 channels and GELU: engine init hung on a B200 (vllm#51492), Triton ran."""
    model = "google/gemma-4-26B-A4B"
    request = Request(model=model, gpu=gpu, source="embedded", vllm=release, overrides=own)
    starts = plan_for(request, embedded_model(model)).feasibility.starts
    assert ("704 channels may hang" in starts.why) == doubted
    assert (starts.answer == "yes") != doubted
