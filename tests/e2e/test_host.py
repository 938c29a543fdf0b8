"""A host of several models as one repository: what Compose and nginx make of it, and how it lives on."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading

import pytest
from fixtures.deployments import commit, git
from fixtures.gateway import ask, start_nginx, wait
from fixtures.hosts import hosted, profile, proven
from fixtures.programs import tool

from generator.errors import ConflictError
from generator.operations.check import check
from generator.operations.hosting.render import host_repository
from generator.operations.update import update

KEY = "the-key"
CHAT = {"name": "chat", "model": "Qwen/Qwen3-8B", "share": 0.6}
EMBED = {"name": "embed", "model": "BAAI/bge-m3", "share": 0.2}
CODER = {"name": "the-coder", "model": "Qwen/Qwen3-0.6B"}
pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A repository of three models, rendered from the working tree."""
    file = profile(tmp_path_factory.mktemp("host"), CHAT, EMBED, CODER)
    return hosted(file, tmp_path_factory.mktemp("made") / "host").first.path


@pytest.mark.needs_tool
def test_compose_starts_them_one_after_the_other_on_their_gpus(three):
    """Compose's own reading: each from its own files, a GPU each as planned, after the one before it is healthy."""
    done = subprocess.run(
        [tool("docker-compose"), "config", "--format", "json"], cwd=three, capture_output=True, text=True,
        check=True, env=os.environ | {"VLLM_API_KEY": KEY},
    )  # fmt: skip
    services = json.loads(done.stdout)["services"]
    assert services.keys() == {"vllm", "embed", "the-coder", "gateway"}
    after = {name: list(one.get("depends_on") or {}) for name, one in services.items()}
    assert (after["vllm"], after["embed"], after["the-coder"]) == ([], ["vllm"], ["embed"])
    assert {one["condition"] for one in services["the-coder"]["depends_on"].values()} == {"service_healthy"}
    for name, files in (("vllm", three), ("embed", three / "deployments/embed")):
        assert str(files / "serve.yaml") in [one.get("source") for one in services[name]["volumes"]]
        devices = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert [one["device_ids"] for one in devices] == [["0"]]
    assert [name for name, one in services.items() if one.get("ports")] == ["gateway"]


class _Model(http.server.BaseHTTPRequestHandler):
    """Answers as vLLM does, and says which model it is; the key is asked for beneath /v1 only."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = self.headers.get("Authorization") == f"Bearer {KEY}"
        content = f"{self.server.server_name} {self.path}".encode()
        self.send_response(200 if known or not self.path.startswith("/v1") else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the base class calls it by this name

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def gateway(three, tmp_path_factory):
    """The rendered gateway in front of three servers."""
    tool("nginx")
    servers = {
        name: http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Model) for name in ("vllm", "embed", "the-coder")
    }
    for name, one in servers.items():
        one.server_name = name
        threading.Thread(target=one.serve_forever, daemon=True).start()
    ports = {name: one.server_port for name, one in servers.items()}
    first = ports.pop("vllm")
    process, url = start_nginx(three / "gateway/nginx.conf", tmp_path_factory.mktemp("nginx"), first, beside=ports)
    try:
        wait(f"{url}/health")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)
        for one in servers.values():
            one.shutdown()
            one.server_close()


@pytest.mark.needs_tool
@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/v1/completions", "vllm /v1/completions"),
        ("/v1/models?x=1", "vllm /v1/models?x=1"),
        ("/embed/v1/embeddings", "embed /v1/embeddings"),
        ("/embed/pooling", "embed /pooling"),
        ("/embed/health", "embed /health"),
        ("/the-coder/v1/chat/completions", "the-coder /v1/chat/completions"),
        ("/the-coder/v1/responses/resp_0a/cancel", "the-coder /v1/responses/resp_0a/cancel"),
    ],
)
def test_a_path_that_begins_with_a_name_reaches_that_model(gateway, path, reached):
    """What vLLM sees is the path without the name; without the key it is 401 but for /health."""
    assert ask(gateway + path, key=KEY, data=b"{}") == (200, reached)
    if not path.endswith("/health"):
        assert ask(gateway + path, data=b"{}")[0] == 401


@pytest.mark.needs_tool
@pytest.mark.parametrize(
    "path",
    [
        "/embed/v1/chat/completions", "/embed/invocations", "/embed/metrics", "/the-coder/pooling", "/embed",
        "/embed/../metrics", "/embed/%2e%2e/metrics", "/the-coder/v1/models%0a", "/embed/the-coder/v1/models",
        "/other/v1/models", "/.key/embed", "/embed//v1/models%3f", "/EMBED/v1/models",
    ],
)  # fmt: skip
def test_what_a_model_does_not_answer_is_not_passed_on(gateway, path):
    """Neither another model's paths, nor administrative ones, nor a path that is spelled round the list."""
    assert ask(gateway + path, key=KEY, data=b"{}")[0] == 404


@pytest.fixture
def living(tmp_path):
    """A repository of two models from the released template, with a commit."""
    return host_repository(proven(profile(tmp_path, CHAT, EMBED)), tmp_path / "host", commit=True).first.path


def test_each_lives_on_as_a_deployment(living):
    """The gateway's model and its neighbour are updated by themselves: edits and shares survive, nothing is found."""
    (living / "gateway/nginx.conf").write_text((living / "gateway/nginx.conf").read_text() + "\n# mine\n")
    commit(living)
    update(living / "deployments/embed", {"concurrency": 8}, offline=True)
    assert {line[3:].split("/")[0] for line in git(living, "status", "--porcelain").splitlines()} == {"deployments"}
    commit(living)
    update(living, {"model": "Qwen/Qwen3-14B"}, offline=True)
    commit(living)
    assert "/embed/v1/embeddings" in (living / "gateway/nginx.conf").read_text()
    assert (living / "gateway/nginx.conf").read_text().endswith("# mine\n")
    for place in (living, living / "deployments/embed"):
        assert [one.message for one in check(place, offline=True).findings if one.severity == "error"] == []


def test_check_says_where_shares_meet_and_neighbours_are_lost(living):
    """A share that grew beyond what is left, a port that moved, and a directory that is gone."""
    update(living / "deployments/embed", {"reserve_gb": 10.0, "host": {"port": 9000}}, offline=True)
    found = {one.check: one.message for one in check(living, offline=True, quick=True).findings}
    assert "more of GPU 0 than there is (chat 0.5" in found["overfull_gpu"]
    assert "GPUs or port of embed" in found["moved_neighbour"]
    git(living, "rm", "-rqf", "deployments")
    found = {one.check: one.message for one in check(living, offline=True, quick=True).findings}
    assert "deployments/embed, which is no deployment here" in found["lost_neighbour"]


def test_two_edits_of_one_line_of_the_gateway_meet_as_a_conflict(living):
    """The answer `host` is merged like every other: a line that both changed is a conflict, and nothing is lost."""
    conf = living / "gateway/nginx.conf"
    conf.write_text(conf.read_text().replace("    ~^/embed/health\\z 1;", "    ~^/embed/health\\z 1; # mine"))
    commit(living)
    with pytest.raises(ConflictError, match=r"gateway/nginx.conf"):
        update(living, {"host": {}}, offline=True)
    assert "# mine" in conf.read_text()
