"""The chart under values that people write: what they change in the pods, and what several nodes are."""

from __future__ import annotations

import re

import pytest
import yaml
from fixtures.manifests import objects, pods, template
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

HOOKS = re.compile("-(preflight|smoke)$")
"""Objects that `helm test` makes."""


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """The repository of a deployment by its name, rendered once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = render(ANSWERS[name], tmp_path_factory.mktemp(name))
        return made[name]

    return of


def pods_of(text):
    """Pod templates of every workload in the text."""
    return [pod for one in objects(text) for pod in pods(one)]


def test_openshift_gives_the_users(charts, tmp_path):
    values = {
        "podSecurityContext": {"fsGroup": None},
        "securityContext": {"runAsUser": None, "runAsGroup": None},
        "gateway": {"securityContext": {"runAsUser": None, "runAsGroup": None}},
    }
    _, text, _ = template(charts("single"), tmp_path, values)
    assert "runAsUser" not in text
    assert "fsGroup:" not in text


def test_a_spread_without_a_selector_counts_the_releases_own_pods(charts, tmp_path):
    """Kubernetes counts no pod at all for a constraint that selects none."""
    one = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    own = one | {"labelSelector": {"matchLabels": {"app": "x"}}}
    _, text, _ = template(charts("single"), tmp_path, {"topologySpreadConstraints": [one, own]})
    (pod, *_) = pods_of(text)
    selectors = [it["labelSelector"]["matchLabels"] for it in pod["spec"]["topologySpreadConstraints"]]
    assert selectors[0].items() <= pod["metadata"]["labels"].items()
    assert selectors[1] == {"app": "x"}


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
