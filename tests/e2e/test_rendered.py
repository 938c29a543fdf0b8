"""The rendered files, read by the programs that will read them."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from fixtures.programs import passes, run, tool
from fixtures.rendered import ANSWERS, DRAFT, drafting, render

pytestmark = pytest.mark.needs_tool

HOOKS = re.compile("-(preflight|smoke)$")
"""Objects that `helm test` makes."""
KEY = "the-key"
ENVIRONMENT = {
    "VLLM_API_KEY": KEY, "NODE_RANK": "0", "HEAD_ADDR": "10.0.0.1", "NODE_ADDR": "10.0.0.1",
    "IFACE_NAME": "eth0",
}  # fmt: skip


@pytest.fixture(scope="module", params=ANSWERS)
def repository(request, tmp_path_factory):
    """Each recorded deployment's repository."""
    return render(ANSWERS[request.param], tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    """The repository of a model on this disk with a draft model beside it."""
    return render(drafting("local", DRAFT), tmp_path_factory.mktemp("drafted"))


@pytest.fixture(scope="module")
def one_gpu(tmp_path_factory):
    return render(ANSWERS["single"], tmp_path_factory.mktemp("one-gpu"))


@pytest.fixture(scope="module", params=["single", "local", "moe"])
def manifests(request, tmp_path_factory):
    """What each chart would install: the text, and its documents by kind."""
    repository = render(ANSWERS[request.param], tmp_path_factory.mktemp(f"chart-{request.param}"))
    text = passes(
        repository, tool("helm"), "template", "release", "deploy/chart",
        "-f", "deploy/values.local.yaml", "--kube-version", "1.33.0",
    )  # fmt: skip
    objects = [one for one in yaml.safe_load_all(text) if not HOOKS.search(one["metadata"]["name"])]
    return ANSWERS[request.param], text, {one["kind"]: one for one in objects}


def _compose_file(repository):
    return next(path.name for path in repository.glob("compose*.yaml"))


def _composed(repository, *files):
    words = [word for name in files for word in ("-f", name)]
    words += ["--profile", "*", "config", "--format", "json"]
    return json.loads(passes(repository, tool("docker-compose"), *words, **ENVIRONMENT))


def test_compose_reads_it_and_publishes_the_gateway_only(repository):
    services = _composed(repository, _compose_file(repository))["services"]
    published = {name: port for name, one in services.items() for port in one.get("ports", [])}
    if "vllm" in services:
        assert {name: port["host_ip"] for name, port in published.items()} == {"gateway": "127.0.0.1"}
    else:
        assert not published
        assert services["head"]["command"][-4:] == ["--host", "127.0.0.1", "--port", "8000"]
        assert services["worker"]["command"][-1] == "--headless"
    assert all(one["cap_drop"] == ["ALL"] for one in services.values())
    assert all(one["user"] != "root" for one in services.values())


def test_a_draft_on_this_disk_is_read_by_all_of_them(drafted):
    """Compose, shellcheck, yamllint and Helm take the path as it is."""
    mount = _composed(drafted, "compose.yaml")["services"]["vllm"]["volumes"][-1]
    assert (mount["source"], mount["target"]) == (DRAFT.replace("$", "$$"), DRAFT.replace("$", "$$"))
    passes(drafted, tool("shellcheck"), *map(str, (drafted / "scripts").glob("*.sh")))
    passes(drafted, tool("yamllint"), "--strict", ".")
    text = passes(drafted, tool("helm"), "template", "release", "deploy/chart", "-f", "deploy/values.local.yaml")
    pod = next(one for one in yaml.safe_load_all(text) if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert {one["name"]: one for one in pod["volumes"]}["draft"]["hostPath"]["path"] == DRAFT
    mounts = {one["name"]: one for one in pod["containers"][0]["volumeMounts"]}
    assert (mounts["draft"]["mountPath"], mounts["draft"]["readOnly"]) == (DRAFT, True)


@pytest.mark.parametrize("name", ["single", "two_nodes"])
def test_compose_reads_the_monitoring_and_publishes_grafana_to_this_host_alone(name, tmp_path):
    place = render(ANSWERS[name] | {"artefacts": ["compose", "monitoring"], "ci": "none"}, tmp_path)
    services = _composed(place, _compose_file(place))["services"]
    assert {"prometheus", "alertmanager", "grafana"} <= services.keys()
    published = [port["host_ip"] for one in services.values() for port in one.get("ports", [])]
    assert set(published) <= {"127.0.0.1"}
    if name == "two_nodes":  # on the host's own network, a listener is published unless it says otherwise
        assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
        assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]


def test_two_deployments_of_one_host_share_no_port_and_no_gpu(tmp_path):
    """Each has its own .env, as the RUNBOOK says: another port, other GPUs."""
    taken = []
    for number, lines in enumerate(("", "PORT=8081\nGPU_0=1\n")):
        place = render(ANSWERS["single"] | {"service": f"llm-{number}"}, tmp_path / str(number))
        (place / ".env").write_text(f"VLLM_API_KEY={KEY}\n{lines}", encoding="utf-8")
        composed = json.loads(passes(place, tool("docker-compose"), "config", "--format", "json"))
        (port,) = composed["services"]["gateway"]["ports"]
        (device,) = composed["services"]["vllm"]["deploy"]["resources"]["reservations"]["devices"]
        taken.append({composed["name"], port["published"], *device["device_ids"]})
    assert not taken[0] & taken[1]


def test_compose_reads_the_example_of_an_overlay(repository):
    assert _composed(repository, _compose_file(repository), "compose.override.yaml.example")


@pytest.mark.parametrize("key", [{}, {"VLLM_API_KEY": ""}], ids=["missing", "empty"])
def test_compose_refuses_to_start_without_a_key(repository, key):
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "VLLM_API_KEY"} | key
    status, _, err = run(
        repository, tool("docker-compose"), "-f", _compose_file(repository), "config", "-q", **environment
    )
    assert status
    assert "make env" in err


def test_nginx_reads_both_gateways(repository):
    for path in [repository / "gateway/nginx.conf", *repository.glob("deploy/chart/files/nginx.conf")]:
        passes(repository, tool("nginx"), "-t", "-p", str(repository), "-c", str(path))


def test_shellcheck_finds_nothing(repository):
    passes(repository, tool("shellcheck"), *map(str, (repository / "scripts").glob("*.sh")))


def test_yamllint_finds_nothing(repository):
    passes(repository, tool("yamllint"), "--strict", ".")


@pytest.mark.parametrize("where", [".", "deployments/chat one"])
def test_make_check_works_in_any_directory(repository, tmp_path, where):
    """Every path in Makefile and scripts is the deployment's own."""
    place = tmp_path / where
    shutil.copytree(repository, place, dirs_exist_ok=True)
    path = f"{Path(tool('helm')).parent}:{os.environ['PATH']}"
    words = ["--no-print-directory", "-C", str(place), "check", f"DOCKER_COMPOSE={tool('docker-compose')}"]
    out = passes(tmp_path, tool("make"), *words, PATH=path)
    assert "is not installed" not in out
    assert "config" in out


def test_make_names_an_image_that_the_plan_left_behind(one_gpu, tmp_path):
    for image, said in (("", ""), ("vllm/vllm-openai:v0.33.0@sha256:00", ""), ("mirror/vllm:v0.1", "mirror/vllm:v0.1")):
        shutil.copy(one_gpu / "Makefile", tmp_path)
        (tmp_path / ".env").write_text(f"VLLM_IMAGE={image}\n", encoding="utf-8")
        status, _, err = run(tmp_path, tool("make"), "--no-print-directory", "image-note")
        assert status == 0
        assert (said in err) if said else not err


def test_make_knows_every_target_that_it_helps_with(repository):
    helped = passes(repository, tool("make"), "--no-print-directory", "help").splitlines()
    assert len(helped) > 5
    for line in helped:
        passes(repository, tool("make"), "--dry-run", line.split()[0])


def test_make_env_makes_a_key_once(one_gpu, tmp_path):
    repository = tmp_path / "copy"
    shutil.copytree(one_gpu, repository)
    passes(repository, tool("make"), "env")
    first = (repository / ".env").read_text(encoding="utf-8")
    passes(repository, tool("make"), "env")
    assert (repository / ".env").read_text(encoding="utf-8") == first
    key = next(line for line in first.splitlines() if line.startswith("VLLM_API_KEY=")).partition("=")[2]
    assert len(bytes.fromhex(key)) == 32
    assert (repository / ".env").stat().st_mode & 0o077 == 0


def test_make_puts_no_empty_key_into_the_cluster(one_gpu, tmp_path):
    """A pod whose VLLM_API_KEY is empty starts, and asks nobody for a key."""
    repository = tmp_path / "copy"
    shutil.copytree(one_gpu, repository)
    shutil.copy(repository / ".env.example", repository / ".env")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\ncat\necho called\n", encoding="utf-8")
    kubectl.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    status, out, err = run(repository, tool("make"), "secret", PATH=path)
    assert status
    assert "VLLM_API_KEY is empty" in err
    assert "called" not in out
    (repository / ".env").write_text(f"VLLM_API_KEY={KEY}\n", encoding="utf-8")
    assert f"VLLM_API_KEY={KEY}" in passes(repository, tool("make"), "secret", PATH=path)


def test_kubernetes_accepts_what_the_chart_installs(manifests, tmp_path):
    _, text, _ = manifests
    (tmp_path / "all.yaml").write_text(text, encoding="utf-8")
    passes(tmp_path, tool("kubernetes-validate"), "-k", "1.33", "--strict", "all.yaml")


def test_the_chart_serves_the_plans_arguments(manifests):
    """Helm reads numbers as floats: a context of a million tokens must not come out as 1.048576e+06."""
    answers, _, kinds = manifests
    assert yaml.safe_load(kinds["ConfigMap"]["data"]["serve.yaml"]) == answers["plan"]["serve"]


def test_selectors_and_references_of_the_chart_meet(manifests):
    answers, _, kinds = manifests
    pod = kinds["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    assert kinds["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert kinds["Service"]["spec"]["selector"].items() <= labels
    ports = {port["name"] for one in pod["spec"]["containers"] for port in one.get("ports", [])}
    assert {port["targetPort"] for port in kinds["Service"]["spec"]["ports"]} == {"http"}
    assert ports == {"http", "metrics"}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    mounts = {mount["name"] for one in containers for mount in one["volumeMounts"]}
    assert mounts == volumes.keys()
    assert volumes["config"]["configMap"]["name"] == kinds["ConfigMap"]["metadata"]["name"]
    runtime = answers["plan"]["runtime"]
    vllm = pod["spec"]["containers"][0]
    assert vllm["resources"]["limits"]["nvidia.com/gpu"] == runtime["gpus_per_node"]
    assert vllm["startupProbe"]["failureThreshold"] == runtime["startup_probes"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == runtime["grace_period_s"]


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("replica=2", "replica"),
        ("gpus=one", "gpus"),
        ("serve.api-key=secret", "api-key"),
        ("nameOverride=vllm", "choose another name"),
    ],
)
def test_the_chart_refuses(one_gpu, setting, complaint):
    status, _, err = run(one_gpu, tool("helm"), "template", "release", "deploy/chart", "--set", setting)
    assert status
    assert complaint in err
