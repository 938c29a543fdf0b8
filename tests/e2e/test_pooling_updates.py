"""Deployments of models that pool: made, checked, turned into one that chats and back, refused by older templates."""

from __future__ import annotations

import shutil

import pytest
import yaml
from fixtures.deployments import ROOT, bare_copier, commit

from generator.errors import RequestError
from generator.models.request import Request
from generator.operations import templates
from generator.operations.generate import generate
from generator.operations.update import update
from generator.rendering import store
from generator.rendering.answers import read
from generator.sources.profile import load_profile

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_home")]
FIRST = "1.3.0"
"""The first release that serves models which pool."""
CHAT = "Qwen/Qwen3-0.6B"
POOLS = {"runner": "pooling"}


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """The releases that the package ships, and the working tree's template as the newest."""
    bundle = tmp_path_factory.mktemp("releases") / "templates.bundle"
    shutil.copy(store.PACKAGED, bundle)
    if FIRST not in store.tags(str(bundle)):
        templates.release(FIRST, when="2026-11-24", checkout=ROOT, bundle=bundle)
    return bundle


def request(**stated):
    return Request(**({"model": CHAT, "source": "embedded", "gpu": "L4", "vllm": "0.33.0"} | stated))


def routes(place):
    return (place / "gateway" / "nginx.conf").read_text(encoding="utf-8")


def pooling(place):
    """Whether each file is of a model that pools: plan, gateway, smoke test, README, arguments."""
    files = ("gateway/nginx.conf", "scripts/smoke.sh", "README.md", "serve.yaml")
    words = ("/v1/embeddings", "a vector", "make smoke   # asks for a vector", 'runner: "pooling"')
    texts = [(place / name).read_text(encoding="utf-8") for name in files]
    found = [word in text for word, text in zip(words[1:], texts[1:], strict=True)]
    return {read(place).plan.pooling is not None, "auth_request" in texts[0], *found}


def test_a_chat_deployment_becomes_one_that_embeds_and_back(packaged, tmp_path):
    made = generate(request(), tmp_path / "made", packaged=packaged)
    before = routes(made.path)
    assert pooling(made.path) == {False}

    update(made.path, {"overrides": POOLS}, packaged=packaged)
    assert pooling(made.path) == {True}
    assert "/v1/chat/completions" not in routes(made.path)
    assert load_profile(made.path / "profile.yaml").answers["overrides"] == POOLS
    commit(made.path)
    assert not update(made.path, packaged=packaged).files.any

    update(made.path, {"model": "Qwen/Qwen3-8B", "overrides": {}}, packaged=packaged)
    assert pooling(made.path) == {False}
    assert routes(made.path) == before


def test_bare_copier_renders_it_again_and_changes_nothing(packaged, tmp_path):
    made = generate(request(overrides=POOLS), tmp_path / "made", packaged=packaged)
    bare_copier("update", "--trust", "--defaults", "-r", ":current:", "--quiet", at=made.path)
    assert pooling(made.path) == {True}


@pytest.mark.parametrize("older", [one for one in sorted(store.tags(str(store.PACKAGED))) if one < FIRST])
def test_older_templates_refuse_it_and_name_the_one_that_serves_it(packaged, tmp_path, older):
    with pytest.raises(RequestError, match=r"from 1\.3\.0 on"):
        generate(request(overrides=POOLS), tmp_path / "new", template=older, packaged=packaged)
    assert not (tmp_path / "new").exists()

    made = generate(request(), tmp_path / "chat", template=older, packaged=packaged)
    with pytest.raises(RequestError, match="--upgrade"):
        update(made.path, {"overrides": POOLS}, packaged=packaged)
    update(made.path, {"overrides": POOLS}, upgrade=True, packaged=packaged)
    assert pooling(made.path) == {True}


def test_no_way_leads_back_to_a_template_that_cannot_print_it(packaged, tmp_path):
    """The recorded plan is of a schema that older templates drop; they then plan again, and refuse."""
    made = generate(request(overrides=POOLS), tmp_path / "made", packaged=packaged)
    words = ("recopy", "--trust", "--defaults", "--overwrite", "--quiet", "-r")
    refused = bare_copier(*words, "1.2.0", at=made.path, ok=False)
    assert "from 1.3.0 on" in refused.stderr
    assert pooling(made.path) == {True}


def test_an_upgrade_keeps_the_plan_of_a_chat_deployment(packaged, tmp_path):
    made = generate(request(), tmp_path / "made", template="1.2.0", packaged=packaged)
    before = recorded(made.path)
    update(made.path, upgrade=True, packaged=packaged)
    assert recorded(made.path) == before


def recorded(place):
    """The recorded plan without its inputs, to which a release may add a question."""
    plan = yaml.safe_load((place / ".copier-answers.yml").read_text(encoding="utf-8"))["plan"]
    return {name: value for name, value in plan.items() if name not in {"inputs", "digest"}}
