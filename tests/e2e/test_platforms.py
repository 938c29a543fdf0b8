"""Objects of other projects: each rendered one is what its CRD, or its chart's schema, knows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from fixtures.manifests import EVERYTHING, template
from fixtures.programs import passes, tool
from fixtures.rendered import ANSWERS, render
from jsonschema import Draft7Validator

from generator.errors import RequestError
from generator.models.request import NEEDS, Request
from generator.operations.generate import generate
from generator.rendering.answers import checked_naming

SCHEMAS = json.loads((Path(__file__).parents[1] / "fixtures/crds.json").read_text(encoding="utf-8"))
PLATFORMS = ["production-stack", "llm-d", "kserve", "inference-pool", "gitops", "kubernetes"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    answers = ANSWERS["single"] | {"artefacts": [*PLATFORMS, "monitoring"], "ci": "none", "prefix_hit_ratio": 0.5}
    return render(answers, tmp_path_factory.mktemp("platforms"))


def wrong(name, content):
    """What the schema of this name finds."""
    errors = Draft7Validator(SCHEMAS[name]).iter_errors(content)
    return [f"{name}: {'.'.join(map(str, one.path))}: {one.message[:200]}" for one in errors]


def wrong_objects(text):
    """What CRDs find in every object that one of them describes, and how many those were."""
    found, seen = [], set()
    for one in filter(None, yaml.safe_load_all(text)):
        name = f"{one['apiVersion']} {one['kind']}"
        if name in SCHEMAS:
            seen.add(one["kind"])
            found += wrong(name, one)
    return found, seen


def test_platforms_objects_are_what_their_crds_know(repository):
    texts = [path.read_text(encoding="utf-8") for path in repository.glob("platform/[ki]*.yaml")]
    texts += [path.read_text(encoding="utf-8") for path in repository.glob("gitops/*.yaml")]
    found, seen = wrong_objects("\n---\n".join(texts))
    assert not found
    assert seen == {"LLMInferenceService", "InferencePool", "HTTPRoute", "Application", "HelmRelease"}


@pytest.mark.parametrize(
    ("file", "schema"), [("production-stack", "production-stack-0.1.12"), ("llm-d", "llm-d-modelservice")]
)
def test_values_for_other_charts_are_what_their_schemas_know(repository, file, schema):
    content = yaml.safe_load((repository / f"platform/{file}.values.yaml").read_text(encoding="utf-8"))
    assert not wrong(schema, content)


def test_every_platform_starts_vllm_with_the_plans_arguments(repository):
    plan = ANSWERS["single"]["plan"]
    stack = yaml.safe_load((repository / "platform/production-stack.values.yaml").read_text(encoding="utf-8"))
    assert stack["servingEngineSpec"]["modelSpec"][0]["vllmConfig"]["extraArgs"] == list(plan["args"])
    assert stack["routerSpec"]["routingLogic"] == "prefixaware"
    llmd = yaml.safe_load((repository / "platform/llm-d.values.yaml").read_text(encoding="utf-8"))
    assert llmd["decode"]["containers"][0]["args"] == list(plan["args"])


@pytest.mark.needs_tool
@pytest.mark.parametrize("name", ["single", "two_nodes"])
def test_the_charts_objects_are_what_their_crds_know(name, tmp_path):
    place = render(ANSWERS[name] | {"artefacts": ["kubernetes", "monitoring"], "ci": "none"}, tmp_path)
    status, text, err = template(place, tmp_path, EVERYTHING)
    assert status == 0, err
    found, seen = wrong_objects(text)
    assert not found
    own = {"LeaderWorkerSet"} if name == "two_nodes" else set()
    assert seen == {"PodMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute", "Certificate"} | own
    (scaled,) = (one for one in yaml.safe_load_all(text) if one and one["kind"] == "ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["kind"] == ("LeaderWorkerSet" if own else "Deployment")


@pytest.mark.needs_tool
@pytest.mark.parametrize("name", ["single", "embedding", "two_nodes", "local"])
def test_rules_are_valid_and_fire_when_they_should(name, tmp_path):
    answers = ANSWERS[name] | {"artefacts": ["compose", "monitoring"], "ci": "none"}
    place = render(answers, tmp_path)
    passes(place, tool("promtool"), "check", "config", "monitoring/prometheus/prometheus.yml")
    passes(place, tool("amtool"), "check-config", "monitoring/alertmanager/alertmanager.yml")
    passes(place, tool("promtool"), "test", "rules", "monitoring/tests/vllm.rules.test.yml")
    assert "every expression" in passes(place, tool("python3"), "scripts/check-metrics.py")
    runbook = (place / "RUNBOOK.md").read_text(encoding="utf-8").lower()
    rules = (place / "monitoring/prometheus/rules/vllm.rules.yml").read_text(encoding="utf-8")
    for anchor in re.findall(r"RUNBOOK\.md#(\w+)", rules):
        assert f"### {anchor}\n" in runbook
    json.loads((place / "monitoring/grafana/dashboards/vllm.json").read_text(encoding="utf-8"))


@pytest.mark.needs_tool
def test_a_name_that_vllm_does_not_expose_is_found(tmp_path):
    place = render(ANSWERS["single"] | {"artefacts": ["monitoring"], "ci": "none"}, tmp_path)
    own = 'groups: [{name: a, rules: [{record: a:b, expr: rate(vllm:num_preemptions{model_nam="m"}[5m])}]}]\n'
    (place / "monitoring/prometheus/rules/local.rules.yml").write_text(own, encoding="utf-8")
    with pytest.raises(AssertionError, match="no series vllm:num_preemptions\n"):
        passes(place, tool("python3"), "scripts/check-metrics.py")


@pytest.mark.needs_tool
@pytest.mark.parametrize("name", ["single", "local", "two_nodes"])
def test_systemd_reads_the_unit(name, tmp_path):
    place = render(ANSWERS[name] | {"artefacts": ["command", "systemd"], "ci": "none"}, tmp_path)
    (unit,) = (place / "systemd").iterdir()
    text = unit.read_text(encoding="utf-8").replace("/usr/bin/bash", "/bin/sh").replace("User=vllm", "User=root")
    (tmp_path / unit.name).write_text(text, encoding="utf-8")
    passes(tmp_path, tool("systemd-analyze"), "verify", str(tmp_path / unit.name))


@pytest.mark.parametrize("name", NEEDS)
def test_an_artefact_is_refused_without_what_it_starts(name):
    with pytest.raises(RequestError, match=f"{name} starts what {NEEDS[name]} renders"):
        checked_naming({"artefacts": [name]})


def test_what_several_nodes_cannot_have_is_refused_before_anything_is_written(tmp_path):
    request = Request(model="deepseek-ai/DeepSeek-V3", gpu="H100", gpus=8, nodes=2, source="embedded")
    with pytest.raises(RequestError, match="kserve is rendered for one node: --emit kubernetes"):
        generate(request, tmp_path / "made", artefacts=["kserve"], template="worktree")
    assert not (tmp_path / "made").exists()


def test_a_platform_is_refused_for_a_model_that_lies_on_this_host(tmp_path):
    """Its objects name a model by an id or a URI; nothing would mount the directory."""
    (tmp_path / "tiny").mkdir()
    request = Request(model=str(tmp_path / "tiny"), gpu="L4")
    with pytest.raises(RequestError, match=r"llm-d is rendered for models of the Hub.*: --emit kubernetes"):
        generate(request, tmp_path / "made", artefacts=["llm-d", "production-stack"], template="worktree")
    assert not (tmp_path / "made").exists()
