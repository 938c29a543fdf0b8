"""`models`: which models GPUs hold; what it lists `plan` accepts, and nothing else."""

from __future__ import annotations

import json
import os
import re
from random import Random
from time import process_time

import pytest
from typer.testing import CliRunner

from generator.catalogue.models import embedded_ids, embedded_model, larger_of
from generator.catalogue.serving import purposes_of
from generator.cli.app import app
from generator.cluster import cluster_for
from generator.errors import RequestError, UnknownFactError
from generator.models.request import Request
from generator.planning.case import Case
from generator.planning.held import held
from generator.planning.weights.rank import model_totals
from generator.workflow import case_for, models_for, plan_for, tables_for

GPUS = (
    "T4", "L4", "RTX-3090", "RTX-4090", "RTX-5090", "A100-80GB", "H100", "H200", "B200", "MI300X", "MI355X",
    "H100 MIG 3g.40gb", "NVIDIA A100-SXM4-40GB MIG 2g.10gb", "GRID A100-20C", "V100-32GB", "GB10",
)  # fmt: skip
DRAWS = 200 if os.environ.get("VLLM_WIZARD_FULL") else 60


def asked(model="any", **stated):
    return Request(model=model, source="embedded", **stated)


@pytest.fixture(scope="module")
def four_3090():
    return models_for(asked(gpu="RTX-3090", gpus=4))


def drawn():
    """The draws: a model, GPUs, a load, and now and then an engine value of the user's."""
    random = Random(9)
    for _ in range(DRAWS):
        stated = {"gpu": random.choice(GPUS), "gpus": random.choice((1, 1, 2, 3, 4, 8))}
        stated |= {"concurrency": random.choice((0, 1, 64, 900)), "workload": random.choice(("chat", "rag", "batch"))}
        value = random.choice(({}, {}, {"kv_cache_dtype": "fp8"}, {"max_model_len": 16384}, {"enforce_eager": True}))
        yield random.choice(embedded_ids()), stated | {"overrides": value}


def test_what_is_listed_is_what_plan_accepts():
    """Seeded draws, 200 in the full run: a row where `plan` gives status 0, none where it refuses or does not fit."""
    different = []
    for model, stated in drawn():
        request, facts = asked(model, **stated), embedded_model(model)
        row = held(case_for(request, facts))
        try:
            verdict = plan_for(request, facts).feasibility.verdict
        except RequestError:
            verdict = None
        if (row is not None) != (verdict in {"fits", "tight"}) or (row and row.verdict != verdict):
            different.append((model, stated, verdict, row and row.verdict))
    assert different == []


def test_all_embedded_models_take_less_than_two_seconds(four_3090):
    assert four_3090.rows
    begun = process_time()
    models_for(asked(gpu="H100", gpus=2))
    assert process_time() - begun < 2


def test_the_biggest_come_first_and_fit(four_3090):
    sizes = [row.parameters for row in four_3090.rows if row.verdict == "fits"]
    assert sizes == sorted(sizes, reverse=True)
    assert four_3090.tried == len(embedded_ids())
    assert four_3090.gpu == "RTX-3090-24GB"


def test_the_fastest_come_first_where_that_is_asked_for():
    rows = models_for(asked(gpu="L4"), by="speed").rows
    gaps = [row.tpot_ms for row in rows if row.tpot_ms is not None and row.verdict == "fits"]
    assert gaps == sorted(gaps)


def test_four_3090_hold_coders_and_their_quantized_siblings():
    """Qwen3-Coder-30B-A3B is 61 GB in BF16 (its card), four RTX 3090 have 96 GB; the 480B coder is 960 GB."""
    names = [row.model for row in models_for(asked(gpu="RTX-3090", gpus=4), task="code").rows]
    assert {"Qwen/Qwen3-Coder-30B-A3B-Instruct", "Qwen/Qwen2.5-Coder-32B-Instruct-AWQ"} <= set(names)
    assert not any("480B" in name for name in names)


@pytest.mark.parametrize(
    ("model", "gigabytes"),
    [  # sizes of the repositories on the Hub: public GitHub file, index 71623055017
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 61.07), ("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", 31.18),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", 15.23), ("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ", 5.57),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", 65.53),
    ],
)  # fmt: skip
def test_coders_are_as_large_as_their_repositories(model, gigabytes):
    facts = embedded_model(model)
    stored = model_totals(facts.architecture, facts.checkpoint.quantization).stored_bytes
    assert stored / 1e9 == pytest.approx(gigabytes, rel=0.01)


def test_a_checkpoint_with_a_longer_context_has_its_own():
    assert embedded_model("Qwen/Qwen3-Coder-30B-A3B-Instruct").architecture.max_position_embeddings == 262144
    assert embedded_model("Qwen/Qwen3-30B-A3B").architecture.max_position_embeddings == 40960


@pytest.mark.parametrize(
    ("model", "purposes"),
    [
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", {"chat", "code", "tools"}),
        ("Qwen/Qwen3-8B", {"chat", "reasoning", "tools"}),
        ("google/gemma-3-12b-it", {"chat", "vision"}),
        ("meta-llama/Llama-3.2-1B", set()),
        ("BAAI/bge-m3", {"embed"}),
    ],
)
def test_purposes_are_those_of_shape_family_and_table(model, purposes):
    request, facts = asked(model, gpu="H100", gpus=8), embedded_model(model)
    tables = tables_for(request, facts)
    case = Case.of(request, facts, cluster_for(request), tables)
    assert set(purposes_of(facts, tables.serving, pools=case.pooling is not None)) == purposes


def test_a_sibling_names_the_model_that_it_stores():
    assert larger_of("Qwen/Qwen3-32B-AWQ") == "Qwen/Qwen3-32B"
    assert larger_of("Qwen/Qwen3-32B") == larger_of("Qwen/Qwen3-0.6B") == ""


def test_more_gpus_never_hold_fewer_models():
    one, eight = ({row.model for row in models_for(asked(gpu="L4", gpus=count)).rows} for count in (1, 8))
    assert one < eight


def test_the_command_prints_rows_and_json():
    run = CliRunner()
    shown = run.invoke(app, ["models", "--gpu", "4x3090", "--task", "code"])
    assert shown.exit_code == 0
    assert re.search(r"\d of \d+ embedded models for code fit 4 x RTX-3090-24GB", shown.stdout)
    printed = json.loads(run.invoke(app, ["models", "--gpu", "3090", "--gpus", "4", "--json"]).stdout)
    assert printed[0]["parameters"] >= printed[-1]["parameters"]
    assert {"model", "layout", "tpot_ms", "purposes", "sibling_of"} <= printed[0].keys()


def test_what_cannot_be_asked_is_said():
    with pytest.raises(UnknownFactError, match="too old for vLLM"):
        models_for(asked(gpu="P40"))
    refused = CliRunner().invoke(app, ["models", "--gpu", "L4", "--model", "Qwen/Qwen3-8B"])
    assert isinstance(refused.exception, RequestError)
    assert "leave the model out" in str(refused.exception)


def test_offline_is_taken_and_changes_nothing():
    """As `plan` takes it, though `models` never asks the Hub."""
    asked_for = ["models", "--gpu", "L4", "--json"]
    assert CliRunner().invoke(app, [*asked_for, "--offline"]).stdout == CliRunner().invoke(app, asked_for).stdout != ""
