"""The templates: what they may contain, and what recorded answers make of them."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from itertools import pairwise
from typing import get_args

import pytest
import yaml
from fixtures.rendered import ANSWERS, DRAFT, SETTINGS, TEMPLATES, drafting, files, render
from jinja2 import Environment, meta, nodes
from jinja2_ansible_filters import AnsibleCoreFiltersExtension

from generator.models.request import Artefact
from generator.sources.profile import load_profile

ALWAYS = {
    ".copier-answers.yml", ".env.example", ".gitattributes", ".gitignore", ".yamllint", "Makefile",
    "README.md", "RUNBOOK.md", "SECURITY.md", "docs/NOTES.md", "serve.yaml",
    "scripts/check-launchers.py", "scripts/dump-engine.py", "scripts/env.sh", "scripts/pin-image.sh",
    "scripts/preflight.py", "scripts/preflight.sh",
    "scripts/smoke.py", "scripts/smoke.sh", "scripts/wait-ready.sh",
}  # fmt: skip
CHART = {
    "deploy/values.local.yaml", "deploy/chart/.helmignore", "deploy/chart/Chart.yaml",
    "deploy/chart/files/nginx.conf", "deploy/chart/files/preflight.py", "deploy/chart/files/preflight-plan.json",
    "deploy/chart/files/smoke.py",
    "deploy/chart/values.schema.json", "deploy/chart/values.yaml",
    *(f"deploy/chart/templates/{name}" for name in (
        "NOTES.txt", "_download.tpl", "_helpers.tpl", "_jobs.tpl", "_pod.tpl", "access.yaml", "configmap.yaml",
        "extra.yaml", "networkpolicy.yaml", "podmonitor.yaml", "preflight.yaml", "scaling.yaml", "service.yaml",
        "smoke.yaml", "storage.yaml",
    )),
}  # fmt: skip
GATEWAY = {
    "compose.override.yaml.example", "gateway/nginx.conf", "gateway/keys/.gitignore", "gateway/tls/.gitignore",
    "scripts/keys.sh",
}  # fmt: skip
MONITORING = {
    "monitoring/alertmanager/alertmanager.yml", "monitoring/grafana/dashboards/vllm.json", "monitoring/metrics.lock",
    "monitoring/prometheus/rules/vllm.rules.yml", "monitoring/tests/vllm.rules.test.yml", "scripts/check-metrics.py",
}  # fmt: skip
OWN_FILES = {
    ("single", "monitoring"): MONITORING,
    ("single", "command"): {"scripts/serve.sh", "scripts/docker-run.sh"},
    ("single", "profile"): {"profile.yaml"},
    ("single", "compose"): {"compose.yaml", *GATEWAY},
    ("single", "kubernetes"): {*CHART, "deploy/chart/templates/deployment.yaml"},
    ("two_nodes", "command"): {"scripts/serve.sh", "scripts/docker-run.sh"},
    ("two_nodes", "compose"): {"compose.multinode.yaml", *GATEWAY},
    ("two_nodes", "kubernetes"): {*CHART, "deploy/chart/templates/leaderworkerset.yaml"},
}  # fmt: skip

_PATHS = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file())
_SOURCES = {path: (TEMPLATES / path).read_text(encoding="utf-8") for path in _PATHS}
_JINJA = {path: text for path, text in _SOURCES.items() if path.endswith(".jinja")}
_ENVIRONMENT = Environment(extensions=[AnsibleCoreFiltersExtension], autoescape=False)
_ARITHMETIC = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg)


@pytest.fixture(scope="module", params=ANSWERS)
def sample(request, tmp_path_factory):
    """Each recorded deployment: its answers and its rendered repository."""
    answers = ANSWERS[request.param]
    return answers, render(answers, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A local model whose path holds spaces, quotes, `$`, `#` and braces."""
    return ANSWERS["local"], render(ANSWERS["local"], tmp_path_factory.mktemp("hostile"))


def test_copier_runs_nothing_but_the_planner():
    """A render executes no code but the installed package's."""
    assert SETTINGS["_jinja_extensions"] == ["generator.copier_ext.PlannerV1"]
    assert not {"_tasks", "_migrations", "_external_data"} & SETTINGS.keys()
    assert "!include" not in (TEMPLATES.parent / "copier.yml").read_text(encoding="utf-8")


def test_templates_compute_nothing():
    """Neither arithmetic nor a call beyond `items()` of a mapping and `dict` of the answers."""
    for path, text in {name: name for name in _PATHS}.items() | _JINJA.items():
        tree = _ENVIRONMENT.parse(text)
        called = [call.node for call in tree.find_all(nodes.Call)]
        names = {node.attr if isinstance(node, nodes.Getattr) else node.name for node in called}
        assert not list(tree.find_all(_ARITHMETIC)), path
        assert names <= {"items", "dict"}, path


def test_templates_read_answers_only():
    known = SETTINGS.keys() | {"_copier_answers", "_copier_conf", "dict"}
    for path, text in _JINJA.items():
        own = {"listen", "resolver", "several", "upstream"} if path.startswith("_partials/") else set()
        assert meta.find_undeclared_variables(_ENVIRONMENT.parse(text)) - own <= known, path


def test_every_artefact_has_its_entry_and_its_choice():
    entries = set(re.findall(r"'([a-z-]+)' in artefacts", "\n".join(_PATHS)))
    assert entries == set(SETTINGS["artefacts"]["choices"].values()) == set(get_args(Artefact))


def test_names_are_valid_on_windows():
    assert not [path for path in _PATHS if re.search(r'[<>:"|?*\\]', path)]


@pytest.mark.parametrize(("name", "artefact"), OWN_FILES)
def test_an_artefact_renders_its_own_files_only(name, artefact, tmp_path):
    repository = render(ANSWERS[name] | {"artefacts": [artefact], "ci": "none"}, tmp_path)
    assert files(repository) == ALWAYS | OWN_FILES[name, artefact]


def test_answers_are_recorded_in_the_planners_order(sample):
    """A mapping that came back sorted would reorder serve.yaml at the first update."""
    answers, repository = sample
    recorded = yaml.safe_load((repository / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert recorded.items() >= answers.items()
    assert list(recorded["plan"]["serve"]) == list(answers["plan"]["serve"])


def test_serve_yaml_is_the_plans_mapping(sample):
    answers, repository = sample
    text = (repository / "serve.yaml").read_text(encoding="utf-8")
    assert list(yaml.safe_load(text).items()) == list(answers["plan"]["serve"].items())


def test_keys_of_serve_yaml_are_kept_apart_for_merging(sample):
    """A blank line between two keys is what keeps an edit of one from conflicting with the other."""
    _, repository = sample
    lines = (repository / "serve.yaml").read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"[a-z]", line)]
    assert all("" in lines[first:second] for first, second in pairwise(keys))


def test_profile_gives_the_answers_back(sample):
    answers, repository = sample
    profile = load_profile(repository / "profile.yaml")
    assert not profile.warnings
    assert {"overrides": {}} | profile.answers == {
        name: value for name, value in answers.items() if name not in ("model_facts", "plan", "measured")
    }


def test_scripts_are_executable(sample):
    _, repository = sample
    assert all(os.access(path, os.X_OK) for path in (repository / "scripts").glob("*.sh"))


def test_nothing_ends_without_a_newline_or_with_a_blank_line(sample):
    _, repository = sample
    texts = {path: path.read_text(encoding="utf-8") for path in repository.rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if not text.endswith("\n") or text.endswith("\n\n")]


def test_no_image_is_the_latest(sample):
    _, repository = sample
    texts = [path.read_text(encoding="utf-8") for path in repository.rglob("*.yaml")]
    assert not [text for text in texts if ":latest" in text]


def test_the_key_reaches_no_file(sample):
    """Every mention is a reference: the shell's, Compose's or Kubernetes'."""
    _, repository = sample
    assert "VLLM_API_KEY=\n" in (repository / ".env.example").read_text(encoding="utf-8")
    assert "api-key" not in (repository / "serve.yaml").read_text(encoding="utf-8")


def test_a_local_path_stays_one_value_in_yaml(hostile):
    answers, repository = hostile
    compose = yaml.safe_load((repository / "compose.yaml").read_text(encoding="utf-8"))
    mount = compose["services"]["vllm"]["volumes"][-1]
    assert mount["source"] == answers["model"].replace("$", "$$")
    assert mount["read_only"] is True
    values = yaml.safe_load((repository / "deploy/chart/values.yaml").read_text(encoding="utf-8"))
    assert values["modelVolume"]["hostPath"]["path"] == answers["model"]


def test_a_relative_path_is_rendered_as_the_directory_that_was_read(tmp_path):
    """Bare Copier records the model as it is typed; a container and a script in another directory see no `./llama`."""
    repository = render(ANSWERS["local"] | {"model": "./llama"}, tmp_path)
    named = [path for path in files(repository) if "./llama" in (repository / path).read_text(encoding="utf-8")]
    assert sorted(named) == [".copier-answers.yml", "profile.yaml"]


@pytest.mark.parametrize(("name", "service"), [("single", "vllm"), ("local", "vllm"), ("two_nodes", "head")])
def test_a_local_draft_is_mounted_at_the_path_that_serve_yaml_names(tmp_path, name, service):
    repository = render(drafting(name, DRAFT), tmp_path)
    compose = yaml.safe_load(next(repository.glob("compose*.yaml")).read_text(encoding="utf-8"))
    mount = compose["services"][service]["volumes"][-1]
    assert mount["source"] == mount["target"] == DRAFT.replace("$", "$$")
    assert (mount["type"], mount["read_only"], mount["bind"]) == ("bind", True, {"create_host_path": False})
    named = yaml.safe_load((repository / "serve.yaml").read_text(encoding="utf-8"))["speculative-config"]
    assert named["model"] == DRAFT


def test_a_local_draft_is_a_volume_of_the_chart(tmp_path):
    answers = drafting("single", DRAFT, artefacts=["kubernetes"])
    repository = render(answers, tmp_path)
    values = yaml.safe_load((repository / "deploy/chart/values.yaml").read_text(encoding="utf-8"))
    assert values["draftPath"] == values["draftVolume"]["hostPath"]["path"] == DRAFT


def test_a_local_draft_stays_one_field_of_dockers_mount(tmp_path):
    """Docker reads the option as CSV (docker/cli opts/mount.go), where marks around a field keep its commas."""
    repository = render(drafting("single", DRAFT), tmp_path)
    words = run_with_stub(repository / "scripts/docker-run.sh", "docker", tmp_path)
    mount = next(word for word in words if word.startswith("type=bind"))
    assert next(csv.reader([mount])) == ["type=bind", "readonly", f"source={DRAFT}", f"target={DRAFT}"]


def test_a_draft_of_the_hub_is_no_mount(tmp_path):
    repository = render(drafting("single", "acme/draft", artefacts=["command", "compose", "kubernetes"]), tmp_path)
    for name in ("compose.yaml", "scripts/docker-run.sh", "deploy/chart/values.yaml"):
        text = (repository / name).read_text(encoding="utf-8")
        assert "type: bind" not in text
        assert "--mount" not in text
        assert "draftVolume" not in text


@pytest.mark.parametrize(
    ("script", "program", "position"), [("serve.sh", "vllm", 1), ("docker-run.sh", "docker", None)]
)
def test_a_local_path_stays_one_word_in_the_shell(hostile, tmp_path, script, program, position):
    answers, repository = hostile
    words = run_with_stub(repository / "scripts" / script, program, tmp_path)
    if position is None:
        mount = next(word for word in words if word.startswith("type=bind"))
        words += next(csv.reader([mount]))
    expected = answers["model"] if position else f"source={answers['model']}"
    assert expected in words
    assert position is None or words[position] == expected
    assert "k" not in words, "the key must not be on a command line"


def run_with_stub(script, program, place):
    """The words that a script gives to a program, which a stub takes the place of."""
    stub = place / program
    stub.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    stub.chmod(0o755)
    environment = {"PATH": f"{place}:{os.environ['PATH']}", "VLLM_API_KEY": "k"}
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.splitlines()


@pytest.mark.parametrize(("name", "service"), [("single", "vllm"), ("two_nodes", "head")])
@pytest.mark.parametrize("release", ["0.21.0", "0.22.1"])
def test_the_user_is_one_that_the_image_has(tmp_path, name, service, release):
    """docker/Dockerfile of each release: 0.22 is the first that makes a user vllm, with a cache that group 0 owns.

    In an older image the volume's mount point belongs to root, and no other user could write weights there.
    """
    user, home = ("2000:0", "/home/vllm") if release == "0.22.1" else (None, "/root")
    repository = render(ANSWERS[name] | {"vllm": release}, tmp_path)
    compose = yaml.safe_load(next(repository.glob("compose*.yaml")).read_text(encoding="utf-8"))
    one = compose["services"][service]
    assert one.get("user") == user
    assert f"cache:{home}/.cache" in one["volumes"]
    assert one["environment"]["HF_HOME"].startswith(f"{home}/.cache/")
    script = (repository / "scripts/docker-run.sh").read_text(encoding="utf-8")
    assert ("--user 2000:0" in script) is bool(user)
    assert f"-cache:{home}/.cache" in script
    assert ("as root" in (repository / "SECURITY.md").read_text(encoding="utf-8")) is not bool(user)


def test_a_smoke_test_without_compose_asks_for_a_gateway_only_where_one_is_named(tmp_path):
    """scripts/serve.sh has none in front of it; the pod behind a port-forward has."""
    repository = render(ANSWERS["embedding"] | {"artefacts": ["command", "kubernetes"]}, tmp_path)
    text = (repository / "scripts/smoke.sh").read_text(encoding="utf-8")
    assert 'if [ "$#" = 0 ]; then more=(--no-gateway); fi' in text
    assert text.count("--no-gateway") == 1


def test_compose_waits_as_long_as_the_plan_says(sample):
    answers, repository = sample
    name, service = ("compose.yaml", "vllm") if answers["nodes"] == 1 else ("compose.multinode.yaml", "head")
    compose = yaml.safe_load((repository / name).read_text(encoding="utf-8"))
    runtime = answers["plan"]["runtime"]
    assert compose["services"][service]["healthcheck"]["start_period"] == f"{runtime['startup_s']}s"
    assert compose["services"][service]["stop_grace_period"] == f"{runtime['grace_period_s']}s"
    assert runtime["grace_period_s"] > answers["plan"]["serve"]["shutdown-timeout"]


def test_amds_gpus_are_devices_of_the_host_and_amds_resource(tmp_path):
    """rocm.docs.amd.com: containers get /dev/kfd and /dev/dri; its device plugin counts amd.com/gpu."""
    answers = ANSWERS["single"]
    plan = answers["plan"]
    image = {"runtime": plan["runtime"] | {"image": "vllm/vllm-openai-rocm:v0.33.0"}}
    artefacts = ["command", "compose", "kubernetes"]
    repository = render(answers | {"plan": plan | image, "artefacts": artefacts}, tmp_path)
    vllm = yaml.safe_load((repository / "compose.yaml").read_text(encoding="utf-8"))["services"]["vllm"]
    assert vllm["devices"] == ["/dev/kfd", "/dev/dri"]
    assert "deploy" not in vllm
    values = yaml.safe_load((repository / "deploy/chart/values.yaml").read_text(encoding="utf-8"))
    assert values["gpuResource"] == values["tolerations"][0]["key"] == "amd.com/gpu"
    assert "--device /dev/kfd" in (repository / "scripts/docker-run.sh").read_text(encoding="utf-8")


def test_a_snapshot_of_the_hubs_cache_is_mounted_with_what_its_links_point_at(tmp_path):
    place = "/data/hub/models--Qwen--Qwen3-8B"
    answers = ANSWERS["local"]
    facts = answers["model_facts"] | {"id": f"{place}/snapshots/0a1b2c"}
    repository = render(answers | {"model_facts": facts}, tmp_path)
    vllm = yaml.safe_load((repository / "compose.yaml").read_text(encoding="utf-8"))["services"]["vllm"]
    assert (vllm["volumes"][-1]["source"], vllm["volumes"][-1]["target"]) == (place, "/model")
    assert vllm["command"][0] == "/model/snapshots/0a1b2c"
    values = yaml.safe_load((repository / "deploy/chart/values.yaml").read_text(encoding="utf-8"))
    assert (values["model"], values["modelVolume"]["hostPath"]["path"]) == ("/model/snapshots/0a1b2c", place)


def test_every_path_that_the_plan_names_is_mounted_by_each_launcher(tmp_path):
    mounts = [{"path": "/data/lo,ras", "writable": False}, {"path": '/srv/"big"', "writable": True}]
    plan = ANSWERS["single"]["plan"]
    answers = ANSWERS["single"] | {"plan": plan | {"runtime": plan["runtime"] | {"mounts": mounts}}}
    repository = render(answers | {"artefacts": ["command", "compose", "kubernetes"]}, tmp_path)
    vllm = yaml.safe_load((repository / "compose.yaml").read_text(encoding="utf-8"))["services"]["vllm"]
    found = {one["target"]: one.get("read_only", False) for one in vllm["volumes"] if isinstance(one, dict)}
    assert found == {"/data/lo,ras": True, '/srv/"big"': False}
    values = yaml.safe_load((repository / "deploy/chart/values.yaml").read_text(encoding="utf-8"))
    assert {one["path"]: one["readOnly"] for one in values["paths"]} == found
    words = run_with_stub(repository / "scripts/docker-run.sh", "docker", tmp_path)
    fields = [next(csv.reader([word])) for word in words if word.startswith("type=bind")]
    assert ["type=bind", "readonly", "source=/data/lo,ras", "target=/data/lo,ras"] in fields
    assert ["type=bind", 'source=/srv/"big"', 'target=/srv/"big"'] in fields


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """A deployment with every artefact, and a PATH of the shell's own programs alone."""
    work = tmp_path_factory.mktemp("everything")
    for name in ("bash", "sh", "sed", "touch", "chmod", "find", "head", "tr", "cat", "dirname", "od", "env", "grep"):
        (work / name).symlink_to(shutil.which(name))
    return render(ANSWERS["single"] | {"artefacts": list(get_args(Artefact))}, work)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("logs", "docker compose does not run here: install Docker Engine"),
        ("down", "docker compose does not run here: install Docker Engine"),
        ("monitoring", "docker compose does not run here: install Docker Engine"),
        ("reload DOCKER_COMPOSE=nowhere", "nowhere does not run here: install Docker Engine"),
        ("plan", "vllm-wizard is not on the PATH: put it there"),
        ("update WIZARD=nowhere", "nowhere is not on the PATH: put it there"),
        ("helm-lint", "helm is not installed here: make helm-lint needs Helm"),
        ("deploy", "helm is not installed here: make deploy needs Helm"),
        ("rollback", "helm is not installed here: make rollback needs Helm"),
        ("restart", "no cluster answers kubectl here: install kubectl, or choose a cluster"),
        ("secret", "no cluster answers kubectl here: install kubectl, or choose a cluster"),
        ("pin", "docker has no buildx here"),
        ("mirror", "name the registry: make mirror REGISTRY="),
        ("mirror REGISTRY=r.example.com", "skopeo is not installed here: this needs skopeo, and hf"),
        ("no-such", "make no-such is no target here: make help lists"),
    ],
)
def test_a_target_says_in_one_line_what_it_lacks(everything, words, said):
    """Beside the shell's own programs nothing is installed."""
    done = subprocess.run(
        [str(shutil.which("make")), *words.split()],
        cwd=everything, env={"PATH": str(everything.parent)}, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(said)


@pytest.mark.parametrize(
    ("artefacts", "follows"),
    [(["compose"], "docker compose logs"), (["kubernetes"], "kubectl logs"), (["systemd", "command"], "journalctl")],
)
def test_make_logs_follows_the_log_wherever_it_runs(artefacts, follows, tmp_path):
    place = render(ANSWERS["single"] | {"artefacts": artefacts}, tmp_path)
    done = subprocess.run(["make", "--dry-run", "logs"], cwd=place, capture_output=True, check=True, text=True)
    assert any(line.startswith(follows) for line in done.stdout.splitlines())
