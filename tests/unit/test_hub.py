"""The real client against a Hub on loopback: what is asked, what is read, and what each refusal says."""

import os
import threading
from pathlib import Path

import pytest
from fixtures.checkpoints import (
    DEEPSEEK_V3,
    TINY_LLAMA,
    TINY_LLAMA_BYTES,
    TINY_LLAMA_TENSORS,
    deepseek_v3_tensors,
)
from fixtures.hub_server import GOOD_TOKEN, File, header

from generator.errors import GatedModelError, HubUnreachableError, SourceError
from generator.sources.hub import hub_facts, hub_search

MODEL = "acme/tiny"


@pytest.fixture
def tiny(hub):
    """The commit of a published tiny model."""
    return hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS)


def refusal(model=MODEL, **arguments):
    """The one line that a failing call says; never the token."""
    with pytest.raises(SourceError) as caught:
        hub_facts(model, **arguments)
    assert "\n" not in str(caught.value)
    assert "hf_" not in str(caught.value)
    return caught.value


def test_the_revision_is_pinned_and_the_facts_read(hub, tiny):
    facts = hub_facts(MODEL)
    assert (facts.id, facts.revision, facts.source) == (MODEL, tiny, "hub")
    assert (facts.license, facts.gated, facts.custom_code) == ("apache-2.0", False, False)
    assert facts.architecture.num_hidden_layers == 2
    assert facts.checkpoint.total_bytes == TINY_LLAMA_BYTES


def test_the_hub_is_searched_by_a_part_of_a_name(hub, tiny):
    hub.add("other/TINY-chat", TINY_LLAMA)
    hub.add("acme/large", TINY_LLAMA)
    assert hub_search("tiny") == (MODEL, "other/TINY-chat")
    assert hub_search("nothing") == ()


@pytest.mark.parametrize(
    "page", [b"<html>", b'{"a": 1}', b"[1, null]", b'[{"id": "../../etc"}, {"id": 5}]', b"[" * 9999]
)
def test_a_search_that_a_portal_answers_finds_nothing(hub, page):
    hub.page = page
    assert hub_search("tiny") == ()


def test_nothing_is_searched_offline_or_where_nobody_answers(hub, tiny, monkeypatch):
    hub.status = 503
    assert hub_search("tiny") == ()
    hub.status = None
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(hub.requests)
    assert hub_search("tiny") == ()
    assert len(hub.requests) == asked


def test_weights_are_never_fetched(hub, tiny):
    hub_facts(MODEL)
    asked = [request for request in hub.requests if request.path.endswith(".safetensors")]
    assert asked
    assert all(request.range == "bytes=0-131071" for request in asked)


def test_a_branch_a_tag_and_a_commit_are_revisions(hub, tiny):
    hub.models[MODEL].revisions.add("v1.0")
    assert {hub_facts(MODEL, revision=name).revision for name in ("main", "v1.0", tiny)} == {tiny}


def test_shards_are_read_at_once_and_progress_is_told(hub):
    hub.add("acme/sharded", TINY_LLAMA, TINY_LLAMA_TENSORS, shards=7)
    seen = []
    facts = hub_facts("acme/sharded", progress=lambda done, total: seen.append((done, total)))
    assert facts.checkpoint.total_bytes == TINY_LLAMA_BYTES
    assert seen == [(done, 7) for done in range(1, 8)]


def test_a_header_longer_than_the_first_read_is_read_whole(hub):
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": ("BF16", (8, 8)) for n in range(2000)}
    hub.add("acme/long", TINY_LLAMA, tensors)
    assert hub_facts("acme/long").checkpoint.total_bytes == 2000 * 128
    assert any(r.range not in {None, "bytes=0-131071"} for r in hub.requests)


def test_a_server_that_ignores_ranges_is_not_read_to_the_end(hub):
    """The file is 680 GB long: reading on would never end."""
    hub.add("acme/huge", DEEPSEEK_V3, {"w": ("U8", (680_000_000_000,))})
    hub.ignores_ranges = True
    assert hub_facts("acme/huge").checkpoint.total_bytes == 680_000_000_000


def test_the_facts_of_the_largest_checkpoint_stay_short(hub):
    tensors = deepseek_v3_tensors()
    hub.add("acme/deepseek", DEEPSEEK_V3, tensors, shards=163)
    facts = hub_facts("acme/deepseek")
    assert len(tensors) > 90_000
    assert len(facts.model_dump_json()) <= 8000
    assert sum(group.tensors for group in facts.checkpoint.tensors) == len(tensors)
    assert facts.custom_code


def test_without_safetensors_only_the_config_is_known(hub):
    hub.add(MODEL, TINY_LLAMA, files={"pytorch_model.bin": b"", "model.gguf": b""})
    checkpoint = hub_facts(MODEL).checkpoint
    assert (checkpoint.total_bytes, checkpoint.tensors) == (None, ())


def test_a_licence_of_the_authors_own_or_none_is_told(hub):
    hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS, license=None)
    assert hub_facts(MODEL).license is None


def test_the_token_goes_to_the_hub_and_no_further(hub, monkeypatch):
    """Weights are on another host than the Hub; the token must not follow the redirect."""
    hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True, private=True)
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    assert hub_facts(MODEL).gated is True
    tokens = {request.path.startswith("/cdn/"): request.authorization for request in hub.requests}
    assert tokens == {False: f"Bearer {GOOD_TOKEN}", True: None}


@pytest.mark.parametrize(("token", "said"), [(None, "set HF_TOKEN"), ("hf_other", "account of HF_TOKEN")])
def test_a_gated_model_says_where_to_accept_its_licence(hub, monkeypatch, token, said):
    hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    error = refusal()
    assert isinstance(error, GatedModelError)
    assert f"{hub.url}/{MODEL}" in str(error)
    assert said in str(error)


@pytest.mark.parametrize("private", [True, False])
def test_a_private_and_a_missing_model_cannot_be_told_apart(hub, private):
    if private:
        hub.add("acme/none", TINY_LLAMA, TINY_LLAMA_TENSORS, private=True)
    said = str(refusal("acme/none"))
    assert "does not exist" in said
    assert "is private" in said
    assert "HF_TOKEN" in said


def test_a_missing_revision_is_named(hub, tiny):
    assert "no revision 'v9'" in str(refusal(revision="v9"))


@pytest.mark.parametrize("name", ["a/b/c", "no spaces", "-x/y", "a..b/c"])
def test_a_name_that_is_no_hub_id_is_said(hub, name):
    assert "no directory with a config.json here, and no id of the Hub" in str(refusal(name))
    assert not hub.requests


def test_a_repository_without_config_is_refused(hub):
    hub.add(MODEL, None, files={"model.gguf": b""})
    assert "no config.json" in str(refusal())


@pytest.mark.parametrize(("text", "said"), [(b"{\n,", "line 2, column 1"), (b"[]", "not a JSON object")])
def test_a_broken_config_is_named_with_its_line(hub, text, said):
    hub.add(MODEL, text, TINY_LLAMA_TENSORS)
    assert said in str(refusal())


@pytest.mark.parametrize(
    "file",
    [
        File(b"", 0, lfs=True),
        File(b"\xff" * 16, 16, lfs=True),
        File((2).to_bytes(8, "little") + b"[]", 10, lfs=True),
        File(header({"w": ("BF16", (8,))})[:-9], 60, lfs=True),
        File(b"version https://git-lfs.github.com/spec/v1", 42),
    ],
    ids=["empty", "length", "no object", "cut off", "pointer"],
)
def test_a_malformed_header_is_refused(hub, tiny, file):
    hub.models[MODEL].files["model.safetensors"] = file
    assert "acme/tiny/model.safetensors is no usable safetensors file" in str(refusal())


@pytest.mark.parametrize(("status", "said"), [(500, "server error (500)"), (503, "(503)"), (429, "(429)")])
def test_a_hub_that_fails_is_named(hub, status, said):
    hub.status = status
    error = refusal()
    assert isinstance(error, HubUnreachableError)
    assert said in str(error)
    assert hub.url.removeprefix("http://") in str(error)
    assert "--offline" in str(error)


def test_a_hub_that_fails_half_way_is_named(hub, tiny):
    hub.failing["model.safetensors"] = 503
    error = refusal()
    assert isinstance(error, HubUnreachableError)
    assert "(503)" in str(error)


@pytest.mark.parametrize("status", [403, 404, 418])
def test_a_file_that_may_not_be_read_is_said(hub, tiny, status):
    hub.failing["config.json"] = status
    assert f"refused to show acme/tiny ({status})" in str(refusal())


def test_a_rejected_token_is_said(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    hub.status = 403
    assert "renew HF_TOKEN" in str(refusal())


def test_a_hub_that_is_slow_is_given_up(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.2")
    hub.delay_s = 1
    error = refusal()
    assert isinstance(error, HubUnreachableError)
    assert "did not answer in time" in str(error)


def test_no_network_is_said(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    error = refusal()
    assert isinstance(error, HubUnreachableError)
    assert "127.0.0.1:9 cannot be reached" in str(error)


@pytest.mark.parametrize("page", [b"<html>Log in</html>", b"{}", b"[]", b'{"id": "x", "sha": null}'])
def test_a_login_page_is_no_hub(hub, page):
    hub.page = page
    assert "does not answer like a model Hub" in str(refusal())


@pytest.mark.parametrize("endpoint", ["hub.example", "ftp://hub.example", "http://"])
def test_an_endpoint_that_is_no_address_is_said(hub, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert "HF_ENDPOINT" in str(refusal())


def test_a_password_in_the_endpoint_is_not_shown(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("http://", "http://user:secret@"))
    hub.add(MODEL, TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True)
    assert "secret" not in str(refusal())


@pytest.mark.parametrize("switch", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_offline_reads_the_cache_and_asks_nothing(hub, tiny, monkeypatch, switch):
    online = hub_facts(MODEL)
    hub.requests.clear()
    if switch:
        monkeypatch.setenv(switch, "1")
    cached = hub_facts(MODEL, cached_only=switch is None)
    assert (cached.revision, cached.architecture) == (tiny, online.architecture)
    assert cached.checkpoint.total_bytes is None
    assert not hub.requests


def test_offline_reads_headers_where_the_weights_are_cached(hub, tiny):
    hub_facts(MODEL)
    snapshot = next(Path(os.environ["HF_HOME"]).rglob("config.json")).parent
    file = hub.models[MODEL].files["model.safetensors"]
    (snapshot / "model.safetensors").write_bytes(file.head.ljust(file.size, b"\0"))
    assert hub_facts(MODEL, cached_only=True).checkpoint.total_bytes == TINY_LLAMA_BYTES


def test_offline_an_unfinished_download_leaves_the_config(hub, tiny):
    hub_facts(MODEL)
    snapshot = next(Path(os.environ["HF_HOME"]).rglob("config.json")).parent
    (snapshot / "model.safetensors").write_bytes(b"\x01")
    assert hub_facts(MODEL, cached_only=True).checkpoint.total_bytes is None


def test_offline_without_a_cache_says_what_to_do(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = refusal()
    assert isinstance(error, HubUnreachableError)
    assert "not in this machine's Hub cache" in str(error)
    assert not hub.requests


def test_a_cache_that_cannot_be_written_is_said(hub, tiny, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert "cache cannot be used" in str(refusal())


def test_nothing_is_printed_and_no_thread_is_left(hub, tiny, capfd):
    hub.add("acme/sharded", TINY_LLAMA, TINY_LLAMA_TENSORS, shards=5)
    hub_facts("acme/sharded")
    assert capfd.readouterr() == ("", "")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]
