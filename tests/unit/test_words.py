"""Short words: what people type for a figure, a GPU, a model or an artefact either works or names the next step."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import typer

from generator.catalogue.gpu_words import counted
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import named, nearest_models
from generator.cli import words
from generator.cli.commands import COMMANDS
from generator.cli.generate import artefacts_of
from generator.cli.options import answers_of
from generator.cli.update_report import _word
from generator.errors import GeneratorError, RequestError
from generator.models.request import Request
from generator.workflow import facts_for

CLI = Path(__file__).parents[2] / "generator/cli"


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (words.size_gib, "24", 24.0), (words.size_gib, "24GB", 24.0), (words.size_gib, "24 GiB", 24.0),
        (words.size_gib, "512MiB", 0.5), (words.share, "0.9", 0.9), (words.share, "90%", 0.9),
        (words.milliseconds, "500ms", 500.0), (words.milliseconds, "2s", 2000.0), (words.price, "$2.50", 2.5),
    ],
)  # fmt: skip
def test_figures_are_read_with_their_units(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (words.share, "90", "write 0.9 or 90%"), (words.size_gib, "24 apples", "'24 apples' is not a size"),
        (words.milliseconds, "soon", "'soon' is not a time"),
    ],
)  # fmt: skip
def test_what_is_no_figure_is_shown_with_the_way_to_write_one(read, text, said):
    with pytest.raises(typer.BadParameter, match=said):
        read(text)


@pytest.mark.parametrize(
    ("typed", "count", "name"),
    [
        ("RTX 4090", None, "RTX-4090-24GB"), ("GeForce RTX 4090", None, "RTX-4090-24GB"),
        ("2x3090", 2, "RTX-3090-24GB"),
        ("3090 x2", 2, "RTX-3090-24GB"), ("8 x H100", 8, "H100-SXM-80GB"), ("A100-80G", None, "A100-SXM-80GB"),
        ("2 L4", 2, "L4-24GB"), ("4 A100 80GB", 4, "A100-SXM-80GB"), ("2 3090", 2, "RTX-3090-24GB"),
        ("GPU 0: NVIDIA L4 (UUID: GPU-0b5c)", None, "L4-24GB"),
        ("rtx3090", None, "RTX-3090-24GB"), ("Tesla T4", None, "T4-16GB"), ("h100 nvl", None, "H100-NVL-94GB"),
    ],
)  # fmt: skip
def test_gpus_as_people_write_them(typed, count, name):
    found, rest = counted(typed)
    assert (found, find_gpu(rest).name) == (count, name)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("24GB", "choose of .*L4-24GB.*RTX-3090-24GB"), ("40 GB", "choose of A100-PCIE-40GB"),
        ("M3 Max", "is Apple silicon"),
        ("frobnicator", "none is spelt alike: `vllm-wizard gpus`"),
        ("cpu", "is a processor"), ("A100", "nearest: A100-PCIE-40GB"),
    ],
)  # fmt: skip
def test_what_is_no_gpu_is_answered_with_no_nonsense(typed, said):
    with pytest.raises(GeneratorError, match=said):
        find_gpu(typed)


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        ("qwen3-8b", "Qwen/Qwen3-8B"), ("deepseek-r1", "deepseek-ai/DeepSeek-R1"), ("Qwen3 8B", "Qwen/Qwen3-8B"),
        ("https://huggingface.co/Qwen/Qwen3-8B", "Qwen/Qwen3-8B"), ("hf.co/a/b/tree/main", "a/b"),
        ("nobody/nothing", "nobody/nothing"), ("./model", "./model"), ("./model/", "./model/"), ("a/b/", "a/b"),
        ("'qwen3-8b'", "Qwen/Qwen3-8B"), ("hf://a/b", "a/b"), ("a/b@v1", "a/b"), ("/data/x@2", "/data/x@2"),
    ],
)  # fmt: skip
def test_models_as_people_write_them(typed, model):
    assert named(typed) == model


@pytest.mark.parametrize(
    ("typed", "revision"),
    [
        ("https://huggingface.co/a/b/tree/main", ""), ("https://huggingface.co/a/b/tree/v1.5", "v1.5"),
        ("https://huggingface.co/a/b/blob/abc123/config.json", "abc123"), ("a/b@abc123", "abc123"), ("a/b@main", ""),
        ("a/b", ""), ("/data/x@2", ""),
    ],
)  # fmt: skip
def test_the_revision_of_an_address_is_the_one_that_is_planned(typed, revision):
    """It was dropped in silence once, and another commit planned than the one on the screen."""
    found = answers_of({"model": typed})
    assert found.get("revision", "") == revision
    assert answers_of({"model": typed, "revision": "mine"})["revision"] == "mine"


def test_a_name_of_another_program_is_answered_with_models_like_it(tmp_path, monkeypatch):
    """`name:tag` is no id of the Hub; its client says so without a connection."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(GeneratorError, match="no id of the Hub; embedded models like it: Qwen/Qwen3-8B, "):
        facts_for(Request(model="qwen3:8b", gpu="L4"), offline=True)


def test_a_model_far_from_all_has_no_nearest():
    assert nearest_models("sentence-transformers/all-mpnet-base-v2") == ()
    assert nearest_models("llama-3.1-8b")[0] == "meta-llama/Llama-3.1-8B-Instruct"


def test_what_was_measured_is_named_and_not_spelt_out_in_an_update():
    assert _word({"a": 1}) == "{'a': 1}"
    assert _word({"L4-24GB 0.33.0 tp1 boot": {"measured": "x" * 200}}) == "L4-24GB 0.33.0 tp1 boot"


def test_artefacts_have_the_names_that_people_use():
    assert artefacts_of("helm, docker,k8s") == ["kubernetes", "compose"]
    with pytest.raises(RequestError, match="nearest: compose"):
        artefacts_of("compos")


@pytest.mark.parametrize(
    "name", [name for name, one in COMMANDS.items() if name not in {"calibrate", "engine", "host", "template"}]
)
def test_the_list_of_commands_says_what_each_says_of_itself(name):
    module, _, function = COMMANDS[name].place.partition(":")
    tree = ast.parse((CLI / f"{module}.py").read_text(encoding="utf-8"))
    found = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function)
    first = ast.get_docstring(found).split("\n\n")[0]
    assert " ".join(first.split()) == COMMANDS[name].says
