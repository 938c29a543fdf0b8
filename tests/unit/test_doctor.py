"""`doctor`: one plan before machines that are given as facts, and how the facts are read from NVML and programs."""

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest
from fixtures.nvml_library import H100, L4, NVML

from generator.catalogue.behaviours import image_of
from generator.catalogue.engines import known_versions
from generator.cli.app import run
from generator.errors import RequestError
from generator.models.request import Request
from generator.operations.doctor.examination import MachineCase
from generator.operations.doctor.examine import EXAMINATIONS, examined
from generator.operations.doctor.needs import needs_of
from generator.operations.generate import generate
from generator.rendering.answers import read
from generator.sources.machine.docker import docker
from generator.sources.machine.driver import driver
from generator.sources.machine.facts import Container, Disk, Docker, Kubernetes, Linux, Machine, Node, Quota, Unseen
from generator.sources.machine.kubernetes import kubernetes
from generator.sources.machine.linux import Subject, linux
from generator.units import gib

CENSUS = Path(__file__).parents[1] / "oracle" / "census.toml"
ABSENT = Unseen(why="it is not on the PATH")
DOCKER = Docker(version="28.3.0", compose="2.38.2", toolkit=True, root="/var/lib/docker", image=True)
LINUX = Linux(
    memory_bytes=gib(512), available_bytes=gib(500), shm_bytes=gib(256), synchronized=True, port_taken=False,
    disks=(Disk(path="/var/lib/docker", free_bytes=gib(900)),),
)  # fmt: skip
KUBERNETES = Kubernetes(
    context="prod", namespace="llm", nodes=(Node(name="a", gpus=8, product="NVIDIA-H100-80GB-HBM3"),),
    storage_classes=("fast",), default_storage="fast", secret=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A deployment of Qwen3-32B on two H100, as Compose and as a command; its `.env` has a key."""
    request = Request(
        model="Qwen/Qwen3-32B", gpu="H100", gpus=2, vllm="0.33", source="embedded",
        overrides={"tensor_parallel_size": 2},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        folder = tmp_path_factory.mktemp("made") / "it"
        made = generate(request, folder, offline=True, commit=False, artefacts=("command", "profile", "compose")).path
    (made / ".env").write_text("VLLM_API_KEY=key\n")
    return made


@pytest.fixture(scope="module")
def needs(place):
    """What that deployment needs."""
    return needs_of(place, read(place))


def states(needs, *, nvml=None, here=False, **facts):
    """Every finding by its name; facts that are not given are those of a good machine of two H100."""
    seen = driver(NVML(H100, H100) if nvml is None else nvml) if "driver" not in facts else facts.pop("driver")
    machine = Machine(**{"driver": seen, "docker": DOCKER, "linux": LINUX, "kubernetes": KUBERNETES} | facts)
    found = examined(MachineCase(needs=needs, machine=machine, serves_here=here))
    return {one.check: one for one in found.findings}


def bad(found):
    return {name: one.state for name, one in found.items() if one.state in {"warning", "blocker"}}


def test_a_good_machine_has_nothing_to_mend(needs):
    """What nobody can see without the image or a time service is said, and stops nobody."""
    found = states(needs)
    assert bad(found) == {}
    assert {name for name, one in found.items() if one.state == "not seen"} == {"packages"}


@pytest.mark.parametrize("count", [2, 4, 8])
def test_more_gpus_than_planned_are_no_fault(needs, count):
    assert bad(states(needs, nvml=NVML(*[H100] * count))) == {}


def test_without_a_gpu_everything_about_it_is_not_seen(needs):
    """A laptop may ask; where this very machine is to serve, the lack stops it, and a broken driver always does."""
    absent = Unseen(why="No NVIDIA driver is installed here (libnvidia-ml was not found): install the driver")
    found = states(needs, driver=absent, docker=ABSENT)
    assert bad(found) == {}
    assert found["driver"].fix == "run `vllm-wizard doctor` on the host that is to serve"
    assert bad(states(needs, driver=absent, here=True)) == {"driver": "blocker"}
    broken = Unseen(why="The NVIDIA driver is installed but not running: load its kernel module", broken=True)
    assert states(needs, driver=broken)["driver"].fix == "load its kernel module"


@pytest.mark.parametrize(
    ("nvml", "wrong", "fix"),
    [
        (NVML(H100), {"gpu-count": "blocker"}, "`vllm-wizard update --gpus 1` plans for what is here"),
        (NVML(L4, L4), {"gpu-names": "blocker", "gpu-capability": "blocker", "gpu-memory": "blocker",
                        "gpu-free": "blocker"}, "`vllm-wizard update --gpu L4-24GB` plans for it"),
        (NVML(H100, L4), {"gpu-names": "blocker", "gpu-capability": "blocker", "gpu-memory": "blocker",
                          "gpu-free": "blocker"}, "choose GPUs of one kind in .env"),
        (NVML(H100, H100, used=gib(30), holders=((0, gib(29)),)), {"gpu-free": "blocker"},
         "stop what holds it, or plan beside it: `vllm-wizard update --reserve-gb 30."),
        (NVML(H100, H100, mig=1), {"mig": "blocker"}, "`sudo nvidia-smi --id=0,1 --multi-instance-gpu=0`"),
        (NVML(H100, H100, driver="470.256.02", cuda=11040), {"driver": "blocker"}, "install a driver of branch 580"),
        (NVML(H100, H100, driver="550.163.01", cuda=12040), {"driver": "warning"}, "install a driver of branch 580"),
        (NVML(H100, H100, linked=False), {"nvlink": "warning"}, "choose connected GPUs in .env"),
    ],
    ids=["too few", "others", "a mixture", "busy", "MIG", "old driver", "compatible driver", "no NVLink"],
)  # fmt: skip
def test_each_fault_of_the_gpus_is_found_with_what_mends_it(needs, nvml, wrong, fix):
    found = states(needs, nvml=nvml)
    assert bad(found) == wrong
    assert found[next(iter(wrong))].fix.startswith(fix)


def test_who_holds_the_memory_is_named(needs):
    busy = NVML(H100, H100, used=gib(30), holders=((99999999, gib(29)),))
    assert states(needs, nvml=busy)["gpu-free"].message.endswith("held by train-99999999 (99999999) with 29.0 GiB")
    own = Container(name="qwen3-32b-vllm-1", project="qwen3-32b")
    running = DOCKER.model_copy(update={"containers": (own,)})
    assert states(needs, nvml=busy, docker=running)["gpu-free"].state == "ok"


@pytest.mark.parametrize(
    ("changed", "wrong", "fix"),
    [
        ({"compose": None}, {"compose": "blocker"}, "install docker-compose-plugin"),
        ({"compose": "1.29.2"}, {"compose": "blocker"}, "upgrade docker-compose-plugin"),
        ({"toolkit": False}, {"container-toolkit": "blocker"}, "install nvidia-container-toolkit"),
        ({"image": False}, {"image": "warning"}, "`docker pull vllm/vllm-openai:v0.33.0` before"),
        ({"containers": (Container(name="other", project="other", gpus=("0",)),)}, {"other-deployments": "blocker"},
         "give this one others in .env: GPU_0=1 GPU_1=2"),
        ({"containers": (Container(name="web", project="", ports=(8080,)),)}, {"port": "blocker"}, "PORT=8081 in .env"),
    ],
    ids=["no Compose", "old Compose", "no toolkit", "no image", "shared GPU", "port"],
)  # fmt: skip
def test_each_fault_of_docker_is_found_with_what_mends_it(needs, changed, wrong, fix):
    found = states(needs, docker=DOCKER.model_copy(update=changed))
    assert bad(found) == wrong
    assert found[next(iter(wrong))].fix.startswith(fix)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"available_bytes": gib(2)}, {"host-memory": "warning"}),
        ({"available_bytes": gib(2), "memory_bytes": gib(4)}, {"host-memory": "blocker"}),
        ({"disks": (Disk(path="/var/lib/docker", free_bytes=gib(10)),)}, {"disk": "warning"}),
        ({"behind_s": 90000}, {"clock": "blocker"}),
        ({"synchronized": False}, {"clock": "warning"}),
        ({"loopback": False}, {"loopback": "blocker"}),
        ({"port_taken": True}, {"port": "blocker"}),
    ],
)
def test_each_fault_of_the_host_is_found(needs, changed, wrong):
    found = states(needs, linux=LINUX.model_copy(update=changed))
    assert bad(found) == wrong
    assert all(found[name].fix for name in wrong)


def test_memory_that_the_kernel_or_the_plan_does_not_tell_is_not_seen(needs):
    """Either alone: then nothing is compared."""
    blind = LINUX.model_copy(update={"available_bytes": None})
    assert states(needs, linux=blind)["host-memory"].state == "not seen"
    unsaid = needs.model_copy(update={"memory_bytes": 0})
    assert states(unsaid)["host-memory"].state == "not seen"


def test_a_disk_without_room_stops_a_host_that_fetched_nothing_yet(needs):
    """Image and weights: 30 and 82 GiB and more; where the image is there, the weights may be as well."""
    small = LINUX.model_copy(update={"disks": (Disk(path="/var/lib/docker", free_bytes=gib(100)),)})
    assert bad(states(needs, linux=small)) == {}
    fresh = DOCKER.model_copy(update={"image": False})
    assert bad(states(needs, linux=small, docker=fresh)) == {"image": "warning", "disk": "blocker"}


def test_a_launcher_without_containers_is_asked_for_other_things(needs):
    alone = needs.model_copy(update={"artefacts": ("command",), "shared": ()})
    small = LINUX.model_copy(
        update={"shm_bytes": 64 * 1024**2, "open_files": 1024, "vllm": "0.32.0", "visible_devices": "0"}
    )
    wrong = {"shared-memory": "blocker", "limits": "warning", "installed-vllm": "warning", "visible-devices": "blocker"}
    assert bad(states(alone, linux=small, docker=ABSENT)) == wrong
    without = needs.model_copy(update={"key": False, "env": False})
    assert states(without)["key"].fix == "`make env` makes a key"


def test_a_gated_model_without_a_token_is_stopped(needs):
    gated = needs.model_copy(update={"gated": True})
    assert states(gated)["hub-access"].state == "blocker"
    assert states(gated.model_copy(update={"token": True}))["hub-access"].state == "not seen"


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, {}),
        ({"nodes": (Node(name="a", gpus=1, product="NVIDIA-H100-80GB-HBM3"),)}, {"allocatable-gpus": "blocker"}),
        ({"nodes": (Node(name="a", gpus=8, product="NVIDIA-L4"),)}, {"gpu-labels": "blocker"}),
        ({"quotas": (Quota(name="team", free=1),)}, {"quota": "blocker"}),
        ({"default_storage": ""}, {"storage-class": "warning"}),
        ({"secret": False}, {"secret": "warning"}),
        ({"nodes": None, "secret": None}, {}),
    ],
)
def test_each_fault_of_the_cluster_is_found(needs, changed, wrong):
    """A chart alone asks nothing of this host."""
    chart = needs.model_copy(update={"artefacts": ("kubernetes",), "shared": ()})
    found = states(chart, driver=ABSENT, kubernetes=KUBERNETES.model_copy(update=changed))
    assert bad(found) == wrong
    assert not {"driver", "docker", "disk"} & found.keys()


def test_every_refusal_that_depends_on_the_host_is_answered():
    """Each entry of the census of the kind `host` is named by an examination, and none names an entry that is not."""
    rows = [row for row in tomllib.loads(CENSUS.read_text(encoding="utf-8"))["answer"] if row["answer"] == "host"]
    entries = {
        " ".join((row["files"][0], *row.get("functions", [])[:1], *([row["says"]] if "says" in row else [])))
        for row in rows
    }
    assert {one.answers for one in EXAMINATIONS if one.answers} == entries


def test_every_release_says_what_its_image_asks():
    assert {image_of(one).driver for one in known_versions()} == {525, 580}


def program(folder, name, script):
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport sys\nsaid = ' '.join(sys.argv[1:])\n{script}")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A directory that is all of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_docker_is_read_from_its_own_json(programs):
    info = {"ServerVersion": "28.3.0", "DockerRootDir": "/srv/docker", "Runtimes": {"runc": {}, "nvidia": {}}}
    other = {
        "Name": "/chat", "Config": {"Labels": {"com.docker.compose.project": "chat"}},
        "HostConfig": {"PortBindings": {"8080/tcp": [{"HostIp": "", "HostPort": "8081"}]},
                       "DeviceRequests": [{"DeviceIDs": ["1"], "Capabilities": [["gpu"]]}]},
    }  # fmt: skip
    program(
        programs,
        "docker",
        f"answers = {{'info': {json.dumps(json.dumps(info))}, 'compose': '2.38.2', 'ps': 'abc',"
        f" 'inspect': {json.dumps(json.dumps([other]))}}}\n"
        "if said.startswith('image'): sys.exit(1)\nprint(answers[sys.argv[1]])\n",
    )
    container = Container(name="chat", project="chat", ports=(8081,), gpus=("1",))
    made = {"compose": "2.38.2", "root": "/srv/docker", "image": False, "containers": (container,)}
    assert docker("vllm/vllm-openai:v0.33.0") == DOCKER.model_copy(update=made)


def test_docker_that_is_absent_or_fails_says_why(programs):
    assert docker("it") == Unseen(why="docker is not on the PATH")
    program(programs, "docker", "print('permission denied: /var/run/docker.sock', file=sys.stderr); sys.exit(1)\n")
    assert docker("it") == Unseen(why="permission denied: /var/run/docker.sock", broken=True)


def test_the_cluster_is_read_through_kubectl(programs):
    node = {
        "metadata": {"name": "a", "labels": {"nvidia.com/gpu.product": "NVIDIA-L4"}},
        "status": {"allocatable": {"nvidia.com/gpu": "2"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    quota = {"metadata": {"name": "team"}, "status": {"hard": {"requests.nvidia.com/gpu": "4"},
             "used": {"requests.nvidia.com/gpu": "3"}}}  # fmt: skip
    classes = [{"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}]
    answers = {"get nodes": [node], "get resourcequotas": [quota], "get storageclasses": classes}
    program(
        programs,
        "kubectl",
        f"import json\nanswers = json.loads({json.dumps(json.dumps(answers))})\n"
        "for start, items in answers.items():\n    if said.startswith(start): print(json.dumps({'items': items}))\n"
        "if 'secret' in said: print('Error: secrets not found', file=sys.stderr); sys.exit(1)\n"
        "if said.startswith('config current'): print('prod')\n"
        "if said.startswith('api-versions'): print('apps/v1', 'serving.kserve.io/v1beta1')\n",
    )
    assert kubernetes("it", "nvidia.com/gpu") == Kubernetes(
        context="prod", namespace="default", nodes=(Node(name="a", gpus=2, product="NVIDIA-L4"),),
        quotas=(Quota(name="team", free=1),), groups=frozenset({"apps", "serving.kserve.io"}),
        storage_classes=("fast",), default_storage="fast", secret=False,
    )  # fmt: skip


def test_this_host_is_read_without_any_program(programs):
    shut = programs / "weights"
    shut.mkdir(mode=0o700)
    found = linux(Subject(newest=str(shut), disks=(str(shut / "not" / "yet"),), read=(str(shut), "/nowhere"), port=1))
    assert found.memory_bytes > gib(1)
    assert found.loopback
    assert found.disks[0].free_bytes > 0
    assert [(one.exists, one.readable) for one in found.held] == [(True, False), (False, True)]
    assert (found.port_taken, found.synchronized, found.vllm) == (False, None, None)


def test_the_command_prints_json_and_gives_status_8(place, monkeypatch, capsys, programs):
    monkeypatch.setitem(sys.modules, "pynvml", NVML(H100))
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", "doctor", str(place), "--json"])
    assert run() == 8
    out, err = capsys.readouterr()
    said = {one["check"]: one for one in json.loads(out)["findings"]}
    assert said["gpu-count"] | {"message": ""} == {
        "check": "gpu-count", "state": "blocker", "message": "", "answers": "platforms/*",
        "fix": "`vllm-wizard update --gpus 1` plans for what is here",
    }  # fmt: skip
    assert "gpu-count: 2 GPUs planned, 1 here" in err
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", "doctor", os.devnull])
    assert run() == RequestError.status
