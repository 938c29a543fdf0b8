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
from generator.errors import GeneratorError, RequestError

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
        ("rtx3090", None, "RTX-3090-24GB"), ("Tesla T4", None, "T4-16GB"), ("h100 nvl", None, "H100-NVL-94GB"),
    ],
)  # fmt: skip
def test_gpus_as_people_write_them(typed, count, name):
    found, rest = counted(typed)
    assert (found, find_gpu(rest).name) == (count, name)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("24GB", "choose of .*L4-24GB.*RTX-3090-24GB"), ("M3 Max", "is Apple silicon"),
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
        ("nobody/nothing", "nobody/nothing"), ("./model", "./model"),
    ],
)  # fmt: skip
def test_models_as_people_write_them(typed, model):
    assert named(typed) == model


def test_a_model_far_from_all_has_no_nearest():
    assert nearest_models("sentence-transformers/all-mpnet-base-v2") == ()
    assert nearest_models("llama-3.1-8b")[0] == "meta-llama/Llama-3.1-8B-Instruct"


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
