"""Bundles of templates and answers of a Hub, put out of shape: a value or one line, within 10 s; 1,000 each in full."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_TENSORS
from fixtures.deployments import SMALL, write_checkout
from fixtures.hub_server import File, safetensors_files, serving
from fixtures.mangled import EXAMPLES, LONGEST, mutated, mutated_bytes
from fixtures.processes import home
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import GeneratorError
from generator.operations import templates
from generator.rendering.git import isolated
from generator.rendering.template import opened
from generator.sources.hub import hub_facts

SHARDS = safetensors_files(TINY_LLAMA_TENSORS, 2)
COMMIT = "a" * 40
FILES = ("config.json", *SHARDS)
LISTING = json.dumps({"id": "a/b", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES], "tags": ["x"]})
CONFIG, INDEX = json.dumps(TINY_LLAMA), SHARDS["model.safetensors.index.json"].head.decode()


def sent(content):
    return File(content, len(content))


def one_line(act):
    """Do it; where it is refused, it is in one line of a status that is no bug's."""
    refused = None
    try:
        act()
    except GeneratorError as error:
        refused = error
    if refused is not None:
        assert refused.status != 1
        assert len(str(refused).splitlines()) == 1
        assert len(str(refused)) < 1000


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory() as folder, home(Path(folder)):
        yield Path(folder)


@pytest.fixture(scope="module")
def history(place):
    """The bytes of a bundle of one release."""
    write_checkout(place / "checkout", SMALL)
    templates.release("1.0.0", when="2026-01-05", checkout=place / "checkout", bundle=place / "made.bundle")
    return (place / "made.bundle").read_bytes()


@settings(max_examples=EXAMPLES // 2, deadline=LONGEST)
@given(data=st.data())
def test_bundles(place, history, data):
    """A template's whole history in one file, which a stranger may have sent: read, or refused."""
    (place / "sent.bundle").write_bytes(data.draw(mutated_bytes(history)))

    def read():
        with isolated(), opened(str(place / "sent.bundle"), place / "none") as template:
            for tag in template.tags:
                template.refuse_untrusted(frozenset({tag}))

    one_line(read)


@settings(max_examples=EXAMPLES // 2, deadline=LONGEST)
@given(data=st.data())
def test_a_store(place, history, data):
    """The same in the place of this machine's own copy: mended by what is packaged, whatever it was."""
    store = place / "home/.local/share/vllm-wizard/templates.bundle"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(data.draw(mutated_bytes(history)))
    one_line(lambda: templates.sync(place / "made.bundle"))


@settings(max_examples=EXAMPLES, deadline=LONGEST)
@given(data=st.data())
def test_hub_answers(place, data):
    """The list of files, the config, the index or the first bytes of the weights, one of them put out of shape."""
    which = data.draw(st.sampled_from(["list", "config", "index", "weights"]))
    with serving() as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HUB_CACHE", tempfile.mkdtemp(dir=place))
        files = dict(SHARDS)
        if which == "index":
            files["model.safetensors.index.json"] = sent(data.draw(mutated(INDEX)).encode("utf-8", "surrogatepass"))
        if which == "weights":
            name = next(one for one in files if one.endswith("1-of-00002.safetensors"))
            files[name] = sent(data.draw(mutated_bytes(files[name].head)))
        text = data.draw(mutated(CONFIG)) if which == "config" else CONFIG
        hub.add("a/b", text.encode("utf-8", "surrogatepass"), None)
        hub.models["a/b"].files |= files
        if which == "list":
            hub.listing = data.draw(mutated(LISTING)).encode("utf-8", "surrogatepass")
        one_line(lambda: hub_facts("a/b"))
