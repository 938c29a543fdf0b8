"""Every object that the chart makes, as a cluster reads it: both Helms, kubectl's types, names, policies, checkov."""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from fixtures.manifests import EVERYTHING, POLICIES, as_pods, broken, objects, pods, refusals, template
from fixtures.programs import passes, run, tool
from fixtures.references import dangling, ranks_and_gpus
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

HERE = Path(__file__).parents[1]
OVERLAYS = yaml.safe_load((HERE / "fixtures/overlays.yaml").read_text(encoding="utf-8"))
MISTAKES = yaml.safe_load((HERE / "fixtures/mistakes.yaml").read_text(encoding="utf-8"))
ACCEPTED = tomllib.loads((HERE / "fixtures/accepted.toml").read_text(encoding="utf-8"))["finding"]
GOLDEN = sorted(path.parents[1] for path in HERE.glob("golden/*/deploy/chart"))
OUTSIDE = {"Secret/release", "Secret/llm-keys"}
"""What `make secret` and the user put into the cluster before the chart."""
CLAIM = {"modelVolume": {"hostPath": None, "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}}}


def rendered(name, place):
    """A recorded deployment rendered beneath the place, or the committed tree of an example."""
    if name in ANSWERS:
        return render(ANSWERS[name] | {"artefacts": ["kubernetes", "monitoring"], "ci": "none"}, place)
    return HERE / "golden" / name


@pytest.fixture(scope="module", params=[*ANSWERS, *(path.name for path in GOLDEN)])
def repository(request, tmp_path_factory):
    """The tree of each recorded deployment with its monitoring, and of each example that has a chart."""
    return rendered(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The deployment that overlays are put over."""
    return render(ANSWERS["single"] | {"artefacts": ["kubernetes"], "ci": "none"}, tmp_path_factory.mktemp("one"))


def everything(repository):
    """Values that switch on what this repository's chart can make."""
    values = deepcopy(EVERYTHING)
    if not (repository / "monitoring").exists():
        del values["metrics"]["rules"], values["metrics"]["dashboard"]
    return values


@pytest.fixture(scope="module", params=["defaults", "everything"])
def text(request, repository, tmp_path_factory):
    """What helm makes of the tree, as it is and with all switched on."""
    values = everything(repository) if request.param == "everything" else {}
    status, made, err = template(repository, tmp_path_factory.mktemp("overlay"), values)
    assert status == 0, err
    return made


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_lint_is_strict_and_silent(helm, repository):
    passes(repository, tool(helm), "lint", "--strict", "deploy/chart", "-f", "deploy/values.local.yaml")


def test_helm_3_renders_the_same_bytes(repository, tmp_path):
    """Deployments that exist are upgraded with either."""
    for values in ({}, everything(repository)):
        assert template(repository, tmp_path, values, "helm3") == template(repository, tmp_path, values)


@pytest.fixture(scope="module")
def overlaid(single, tmp_path_factory):
    """What helm makes of the deployment under each overlay that people write."""
    place = tmp_path_factory.mktemp("overlay")
    made = [(values, *template(single, place, values)) for values in OVERLAYS]
    assert not [(values, err) for values, status, _, err in made if status]
    return [(values, text) for values, _, text, _ in made]


def taken(place, texts, *minors):
    """Nothing, once Kubernetes of these minors has taken each object of the texts; the same object is read once."""
    documents = dict.fromkeys(document for text in texts for document in text.split("\n---\n"))
    (place / "all.yaml").write_text("\n---\n".join(documents), encoding="utf-8")
    for minor in minors:
        passes(place, tool("kubernetes-validate"), "-k", minor, "--strict", "all.yaml")


def test_kubernetes_takes_every_overlay(overlaid, tmp_path):
    taken(tmp_path, [text for _, text in overlaid], "1.35")


def test_three_minors_take_every_tree(repository, tmp_path):
    texts = [template(repository, tmp_path, values)[1] for values in ({}, everything(repository))]
    taken(tmp_path, texts, "1.33", "1.35", "1.37")


def test_kubectl_decodes_every_overlay(overlaid, tmp_path):
    documents = dict.fromkeys(document for _, text in overlaid for document in text.split("\n---\n"))
    made = known_to_kubectl([one for document in documents for one in objects(document)])
    assert typed(tmp_path, made) == ([], len(made))


def test_helm_3_makes_the_same_bytes_of_every_overlay(overlaid, single, tmp_path):
    for values, text in overlaid:
        assert template(single, tmp_path, values, "helm3")[1] == text, values


def test_an_overlay_leaves_no_name_open_but_those_that_it_brings(overlaid):
    """A claim, a Secret or a port that is not of the release is one that the overlay itself speaks of."""
    for values, text in overlaid:
        spoken = yaml.safe_dump(values)
        for line in dangling(objects(text), OUTSIDE):
            (of,) = re.findall(r"/\S+$|port \d+", line)
            assert re.sub("^/|^port ", "", of) in spoken, f"{values}\n{line}"


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_every_usual_mistake_is_refused_and_named(helm, single, tmp_path):
    for values, word in MISTAKES:
        status, _, err = template(single, tmp_path, values, helm)
        assert status, values
        assert word in err, f"{values}\n{err}"


def typed(place, made):
    """What kubectl's own types refuse, and how many objects they read; it needs a variable to set, and no cluster."""
    (place / "all.yaml").write_text(yaml.safe_dump_all(made), encoding="utf-8")
    _, out, err = run(place, tool("kubectl"), "set", "env", "--local", "-f", "all.yaml", "SEEN=1", "-o", "name")
    refused = [line for line in err.splitlines() if "unable to decode" in line]
    return refused, len(out.split()) + err.count("the object is not a pod or does not have a pod template")


def known_to_kubectl(made):
    """Objects of Kubernetes itself; those of other projects have their CRDs (test_platforms)."""
    own = ("v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")
    return [pod for one in made for pod in as_pods(one) if pod["apiVersion"] in own]


def test_kubectl_decodes_every_object_into_its_type(text, tmp_path):
    made = known_to_kubectl(objects(text))
    assert typed(tmp_path, made) == ([], len(made))


@pytest.mark.parametrize("fault", [{"replicas": "two"}, {"template": {"spec": {"containers": [{"resources": {
    "limits": {"memory": "16 GB"}}}]}}}])  # fmt: skip
def test_kubectl_refuses_a_wrong_type_and_a_wrong_quantity(fault, tmp_path):
    made = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": fault}]
    assert typed(tmp_path, made)[0]


def test_every_name_and_port_has_what_answers_to_it(text):
    assert not dangling(objects(text), OUTSIDE)


def test_a_pod_asks_for_as_many_gpus_as_it_starts_ranks(text):
    found = ranks_and_gpus(objects(text), "nvidia.com/gpu")
    assert found
    assert all(ranks == gpus for ranks, gpus in found), found


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (("Service", "spec", "selector"), {"app": "other"}, "selects no pod"),
        (("Service", "spec", "ports", 0, "targetPort"), "web", "no port web"),
        (("Deployment", "spec", "selector", "matchLabels"), {"app": "other"}, "do not match its selector"),
        (("Deployment", "spec", "template", "spec", "volumes", 0, "name"), "x", "mounts config, which is no volume"),
        (("Deployment", "spec", "template", "spec", "volumes", 0, "configMap"), {"name": "x"}, "names ConfigMap/x"),
        (("Deployment", "spec", "template", "spec", "containers", 1, "readinessProbe", "httpGet", "port"), "x",
         "readinessProbe asks port x"),
        (("Deployment", "spec", "template", "spec", "containers", 1, "ports", 0, "containerPort"), 81,
         "not listen on 81"),
        (("NetworkPolicy", "spec", "ingress", 0, "ports", 0, "port"), "web", "no port web"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_answers_to_is_found(single, tmp_path, at, value, said):
    kind, *path, last = at
    made = objects(template(single, tmp_path)[1])
    place = next(one for one in made if one["kind"] == kind)
    for step in path:
        place = place[step]
    place[last] = value
    assert any(said in line for line in dangling(made, OUTSIDE))


def test_restricted_and_a_quota_with_limits_admit_every_pod(text):
    """A directory of the node is the one thing that `restricted` refuses: there a claim holds the model."""
    for one in objects(text):
        for pod in pods(one):
            local = any("hostPath" in volume for volume in pod["spec"]["volumes"])
            assert refusals("restricted", pod["spec"]) == (["volumes of the listed kinds"] if local else [])
            assert refusals("quota", pod["spec"]) == []


def test_a_local_model_on_a_claim_is_admitted_under_restricted(tmp_path):
    place = render(ANSWERS["local"] | {"artefacts": ["kubernetes"], "ci": "none"}, tmp_path)
    status, made, err = template(place, tmp_path, CLAIM)
    assert status == 0, err
    every = [pod["spec"] for one in objects(made) for pod in pods(one)]
    assert every
    assert not [name for spec in every for name in refusals("restricted", spec)]
    (vllm,) = (spec for spec in every if spec["containers"][0]["name"] == "vllm")
    assert {one["name"]: one for one in vllm["volumes"]}["model"]["persistentVolumeClaim"]["claimName"] == "weights"


@pytest.mark.parametrize(("kind", "policy"), [(kind, one) for kind in POLICIES for one in POLICIES[kind]],
                         ids=lambda given: given if isinstance(given, str) else given["name"])  # fmt: skip
def test_each_policy_refuses_the_pod_that_breaks_it(kind, policy, single, tmp_path):
    (pod,) = (pod for one in objects(template(single, tmp_path)[1]) for pod in pods(one) if one["kind"] == "Deployment")
    assert refusals(kind, pod["spec"]) == []
    assert policy["name"] in refusals(kind, broken(pod["spec"], policy))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What checkov finds, as pairs of a check and an object, in every tree with all switched on."""
    place = tmp_path_factory.mktemp("checkov")
    for name in [*ANSWERS, *(path.name for path in GOLDEN)]:
        tree = rendered(name, place / name)
        made = [pod for one in objects(template(tree, place, everything(tree))[1]) for pod in as_pods(one)]
        (place / f"{name}.yaml").write_text(yaml.safe_dump_all(made), encoding="utf-8")
    files = [word for path in sorted(place.glob("*.yaml")) for word in ("-f", path.name)]
    words = ("--skip-download", *files, "--framework", "kubernetes", "--quiet", "--output", "json")
    failed = json.loads(run(place, tool("checkov"), *words)[1])["results"]["failed_checks"]
    return {(one["check_id"], one["resource"]) for one in failed}


def accepts(row, check, name):
    """Whether this row of accepted.toml explains the finding."""
    return row["check"] == check and name.endswith(tuple(row["of"]))


def test_checkov_finds_nothing_that_is_not_explained(found):
    assert not [pair for pair in sorted(found) if not any(accepts(row, *pair) for row in ACCEPTED)]


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: row["check"])
def test_an_accepted_finding_is_still_one(row, found):
    assert any(accepts(row, *pair) for pair in found)
