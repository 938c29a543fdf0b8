"""The examples: each says why, the index shows what is planned, and the programs that read a tree accept it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from fixtures.programs import passes, tool

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
COMPOSED = sorted(HERE.glob("*/compose*.yaml"))
KEY = {"VLLM_API_KEY": "the-key", "NODE_RANK": "0", "HEAD_ADDR": "10.0.0.1", "NODE_ADDR": "10.0.0.1", "IFACE_NAME": "e"}
ASKED_FOR = {
    "8B on one L4": "chat-one-gpu", "32B on one H100": "dense-one-h100", "30B-A3B on a 4090": "moe-on-4090",
    "70B INT4 on four 3090": "int4-four-3090", "70B FP8 on two H100": "fp8-two-h100", "gpt-oss-120b": "moe-gpt-oss",
    "DeepSeek on eight H200": "deepseek-one-node", "a mixture on two nodes": "moe-two-nodes",
    "a hybrid on a 5090": "hybrid-5090", "a vision model": "vision", "an embedding model": "embeddings",
    "LoRA adapters": "lora-adapters", "a GB10": "gb10",
}  # fmt: skip
"""What people ask for, and the example of it."""


@pytest.fixture(scope="module")
def script():
    """The script that writes the index."""
    spec = importlib.util.spec_from_file_location("write_examples", ROOT / ".github/scripts/write_examples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_people_ask_for_has_an_example():
    assert set(ASKED_FOR.values()) <= {path.stem for path in EXAMPLES}


def test_the_index_shows_what_is_planned(script):
    """Run .github/scripts/write_examples.py where this fails."""
    assert (ROOT / "examples/README.md").read_text(encoding="utf-8") == script.page()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_why_in_a_sentence(example, script):
    said = script.reason(example)
    assert said.endswith(".")
    assert len(said.split()) > 8


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_carries_its_workload(example, script):
    """It would be no advice otherwise."""
    found = script.planned(example).feasibility
    assert found.fits
    assert found.falls_short == ()


@pytest.mark.needs_tool
@pytest.mark.parametrize("path", COMPOSED, ids=lambda path: path.parent.name)
def test_compose_reads_the_tree_of_an_example(path):
    words = (tool("docker-compose"), "-f", path.name, "--profile", "*", "config", "--format", "json")
    services = json.loads(passes(path.parent, *words, **KEY))["services"]
    assert services
    assert all(one["cap_drop"] == ["ALL"] for one in services.values())


@pytest.mark.needs_tool
@pytest.mark.parametrize("tree", sorted({path.parent for path in COMPOSED}), ids=lambda path: path.name)
def test_shell_and_yaml_of_an_example_are_clean(tree):
    passes(tree, tool("shellcheck"), *map(str, (tree / "scripts").glob("*.sh")))
    passes(tree, tool("yamllint"), "--strict", ".")
