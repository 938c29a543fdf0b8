"""The chart under values that people write: what renders, what is refused, and what a cluster's policies admit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from fixtures.programs import passes, run, tool
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

HERE = Path(__file__).parents[1] / "fixtures"
HOOKS = re.compile("-(preflight|smoke)$")
"""Objects that `helm test` makes."""
OVERLAYS = yaml.safe_load((HERE / "overlays.yaml").read_text(encoding="utf-8"))
MISTAKES = yaml.safe_load((HERE / "mistakes.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """The repository of a deployment by its name, rendered once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = render(ANSWERS[name], tmp_path_factory.mktemp(name))
        return made[name]

    return of


def template(repository, place, values=None):
    """What helm makes of the chart and an overlay: status, text, complaint."""
    overlay = place / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(values or {}), encoding="utf-8")
    words = ["template", "release", "deploy/chart", "-f", str(overlay), "--kube-version", "1.33.0"]
    return run(repository, tool("helm"), *words)


def pods_of(text):
    """Pod templates of every workload in the text."""
    found = []
    for one in filter(None, yaml.safe_load_all(text)):
        spec = one.get("spec", {})
        group = spec.get("leaderWorkerTemplate", {})
        found += [
            pod for pod in (spec.get("template"), group.get("leaderTemplate"), group.get("workerTemplate")) if pod
        ]
    return found


def test_every_usual_overlay_renders_and_kubernetes_takes_it(charts, tmp_path):
    documents = {}
    for values in OVERLAYS:
        status, text, err = template(charts("single"), tmp_path, values)
        assert status == 0, f"{values}\n{err}"
        documents |= dict.fromkeys(text.split("\n---\n"))
    (tmp_path / "all.yaml").write_text("\n---\n".join(documents), encoding="utf-8")
    for minor in ("1.33", "1.35", "1.37"):
        passes(tmp_path, tool("kubernetes-validate"), "-k", minor, "--strict", "all.yaml")


def test_every_usual_mistake_is_refused_and_named(charts, tmp_path):
    for values, word in MISTAKES:
        status, _, err = template(charts("single"), tmp_path, values)
        assert status, values
        assert word in err, f"{values}\n{err}"


@pytest.mark.parametrize("name", ["single", "local", "moe", "two_nodes"])
def test_no_container_is_best_effort_and_a_quota_with_limits_admits_each(charts, tmp_path, name):
    """A ResourceQuota on requests and limits makes no pod whose containers leave one of them out."""
    _, text, _ = template(charts(name), tmp_path)
    for pod in pods_of(text):
        for one in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            for kind in ("requests", "limits"):
                assert {"cpu", "memory", "ephemeral-storage"} <= one["resources"][kind].keys(), one["name"]


@pytest.mark.parametrize("name", ["single", "moe", "two_nodes"])
def test_pod_security_restricted_admits_each(charts, tmp_path, name):
    """kubernetes.io/docs/concepts/security/pod-security-standards, the restricted profile."""
    _, text, _ = template(charts(name), tmp_path)
    pods = pods_of(text)
    assert pods
    for pod in pods:
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        allowed = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected", "ephemeral", "csi"}
        assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} <= allowed
        for one in [*spec["containers"], *spec.get("initContainers", [])]:
            context = one["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["runAsUser"] != 0
            assert not [port for port in one.get("ports", []) if "hostPort" in port]


def test_openshift_gives_the_users(charts, tmp_path):
    values = {
        "podSecurityContext": {"fsGroup": None},
        "securityContext": {"runAsUser": None, "runAsGroup": None},
        "gateway": {"securityContext": {"runAsUser": None, "runAsGroup": None}},
    }
    _, text, _ = template(charts("single"), tmp_path, values)
    assert "runAsUser" not in text
    assert "fsGroup:" not in text


def test_an_own_variable_replaces_the_charts(charts, tmp_path):
    """Helm 4 refuses a list with two entries of one name where it applies on the server."""
    own = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}}
    values = {"env": [own, {"name": "VLLM_NO_USAGE_STATS", "value": "0"}, {"name": "NEW", "value": "x"}]}
    _, text, _ = template(charts("single"), tmp_path, values)
    env = pods_of(text)[0]["spec"]["containers"][0]["env"]
    names = [one["name"] for one in env]
    assert len(names) == len(set(names))
    assert own in env
    assert {one["name"]: one.get("value") for one in env}["VLLM_NO_USAGE_STATS"] == "0"
    assert names[-1] == "NEW"


def test_two_nodes_are_a_group_that_restarts_together(charts, tmp_path):
    answers = ANSWERS["two_nodes"]
    _, text, _ = template(charts("two_nodes"), tmp_path)
    kinds = {one["kind"]: one for one in yaml.safe_load_all(text)}
    assert "Deployment" not in kinds
    group = kinds["LeaderWorkerSet"]["spec"]["leaderWorkerTemplate"]
    assert group["size"] == answers["plan"]["runtime"]["nodes"] == 2
    assert group["restartPolicy"] == "RecreateGroupOnPodRestart"
    leader, worker = (group[f"{role}Template"]["spec"]["containers"] for role in ("leader", "worker"))
    assert [one["name"] for one in leader] == ["vllm", "gateway"]
    assert [one["name"] for one in worker] == ["vllm"]
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= leader[0].keys()
    assert not [key for key in worker[0] if key.endswith("Probe")]
    assert worker[0]["args"][-1] == "--headless"
    assert leader[0]["args"][3:9] == [
        "--nnodes", "2", "--node-rank", "0", "--master-addr", "$(LWS_LEADER_ADDRESS)"
    ]  # fmt: skip
    assert worker[0]["args"][3:9] == [
        "--nnodes", "2", "--node-rank", "$(LWS_WORKER_INDEX)", "--master-addr", "$(LWS_LEADER_ADDRESS)"
    ]  # fmt: skip
    for one in (leader[0], worker[0]):
        assert one["resources"]["limits"]["nvidia.com/gpu"] == answers["plan"]["runtime"]["gpus_per_node"]
        assert "VLLM_HOST_IP" in [variable["name"] for variable in one["env"]]
    selector = kinds["Service"]["spec"]["selector"]
    assert selector.items() <= group["leaderTemplate"]["metadata"]["labels"].items()
    assert not selector.items() <= group["workerTemplate"]["metadata"]["labels"].items()


def test_a_scraper_reaches_the_metrics_and_nobody_else(charts, tmp_path):
    _, text, _ = template(charts("single"), tmp_path, {"metrics": {"podMonitor": {"enabled": True}}})
    kinds = {one["kind"]: one for one in yaml.safe_load_all(text) if not HOOKS.search(one["metadata"]["name"])}
    ports = {port["name"]: port["containerPort"] for port in pods_of(text)[0]["spec"]["containers"][1]["ports"]}
    assert kinds["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["port"] in ports
    rules = {rule["ports"][0]["port"]: rule for rule in kinds["NetworkPolicy"]["spec"]["ingress"]}
    assert rules["metrics"]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]
    assert "from" not in rules["http"]
    assert f"listen {ports['metrics']};" in kinds["ConfigMap"]["data"]["metrics.conf"]
