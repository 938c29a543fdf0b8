"""Which source answers: a directory, the Hub, its cache, or the embedded models."""

import json
import subprocess
import sys

import pytest
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_TENSORS
from fixtures.hub_server import GOOD_TOKEN

from generator.errors import GatedModelError, RequestError, SourceError
from generator.sources.facts import draft_facts, model_facts

EMBEDDED = "Qwen/Qwen3-8B"
MODEL = "acme/tiny"


def test_the_hub_is_asked_first(hub):
    commit = hub.add(EMBEDDED, TINY_LLAMA, TINY_LLAMA_TENSORS)
    facts = model_facts(EMBEDDED)
    assert (facts.source, facts.revision) == ("hub", commit)


def test_an_existing_directory_is_read_even_where_the_hub_has_the_name(hub, tmp_path, monkeypatch):
    hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS)
    (tmp_path / MODEL).mkdir(parents=True)
    (tmp_path / MODEL / "config.json").write_text(json.dumps(TINY_LLAMA))
    monkeypatch.chdir(tmp_path)
    assert model_facts(MODEL).source == "local"
    assert model_facts(MODEL, source="hub").source == "hub"


@pytest.mark.parametrize("path", ["./none", "/none/at/all", "~/none", "..", "."])
def test_what_looks_like_a_path_is_never_asked_of_the_hub(hub, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"is not a directory|has no config\.json"):
        model_facts(path)
    assert not hub.requests


def test_a_directory_has_no_revision(tmp_path):
    with pytest.raises(RequestError, match="drop --revision"):
        model_facts(str(tmp_path), revision="main")


def test_an_unreachable_hub_gives_way_to_the_embedded_model(hub):
    hub.status = 503
    assert model_facts(EMBEDDED).source == "embedded"


def test_an_unreachable_hub_and_no_embedded_model_are_both_said(hub):
    hub.status = 503
    with pytest.raises(SourceError, match=r"server error \(503\)") as caught:
        model_facts("Qwen/Qwen3-8C")
    assert EMBEDDED in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_hub_asked_for_by_name_gives_way_to_nothing(hub):
    hub.status = 503
    with pytest.raises(SourceError, match="503"):
        model_facts(EMBEDDED, source="hub")


def test_a_refusal_gives_way_to_nothing(hub):
    """The Hub answers that there is no such model: facts of the same name would be another model's."""
    with pytest.raises(SourceError, match="does not exist"):
        model_facts(EMBEDDED)


def test_a_gated_model_gives_way_to_nothing_but_names_the_embedded_one(hub):
    hub.add(EMBEDDED, TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True)
    hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True)
    with pytest.raises(GatedModelError, match="--offline"):
        model_facts(EMBEDDED)
    with pytest.raises(GatedModelError) as caught:
        model_facts(MODEL)
    assert "--offline" not in str(caught.value)


def test_offline_means_that_nothing_is_asked(hub):
    hub.add(EMBEDDED, TINY_LLAMA, TINY_LLAMA_TENSORS)
    assert model_facts(EMBEDDED, offline=True).source == "embedded"
    assert not hub.requests


def test_offline_falls_back_to_the_cache(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    commit = hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS)
    model_facts(MODEL)
    facts = model_facts(MODEL, offline=True)
    assert (facts.source, facts.revision) == ("hub", commit)


def test_offline_and_nowhere_names_the_nearest_embedded(hub):
    with pytest.raises(SourceError, match=EMBEDDED):
        model_facts("Qwen/Qwen3-8C", offline=True)


def test_the_clients_own_offline_switch_is_heeded(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert model_facts(EMBEDDED).source == "embedded"
    assert not hub.requests


@pytest.mark.parametrize("revision", ["main", "0" * 40, "abc"])
def test_another_revision_than_the_embedded_one_is_refused(hub, revision):
    with pytest.raises(SourceError, match="drop --revision"):
        model_facts(EMBEDDED, revision=revision, source="embedded")


def test_the_client_is_not_imported_until_the_hub_is_asked():
    """Its import takes longer than a plan."""
    code = "import sys, generator.sources.facts; sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_draft_comes_from_its_directory_whatever_its_target_comes_from(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY_LLAMA))
    for source in ("hub", "embedded", "local"):
        assert draft_facts(str(tmp_path), source=source).source == "local"


def test_a_draft_of_the_hub_serves_a_local_target(hub):
    commit = hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS)
    found = draft_facts(MODEL, source="local")
    assert (found.source, found.revision) == ("hub", commit)


def test_an_error_about_a_draft_says_so(hub):
    hub.add("acme/gated", TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True)
    with pytest.raises(GatedModelError, match=r"^the draft model of speculative_config: acme/gated"):
        draft_facts("acme/gated")
    with pytest.raises(SourceError, match=r"^the draft model of speculative_config: 'a/b' is not an embedded model"):
        draft_facts("a/b", source="embedded")
