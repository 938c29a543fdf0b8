"""The rendered files, read by the programs that will read them."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

KEY = "the-key"
ENVIRONMENT = {
    "VLLM_API_KEY": KEY, "NODE_RANK": "0", "HEAD_ADDR": "10.0.0.1", "NODE_ADDR": "10.0.0.1",
    "IFACE_NAME": "eth0",
}  # fmt: skip


def tool(name):
    """The program in `$VLLM_WIZARD_TOOLS/bin` or on the path; the test is skipped where there is none."""
    ours = Path(os.environ.get("VLLM_WIZARD_TOOLS", "/nonexistent")) / "bin"
    found = shutil.which(name, path=f"{ours}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip(f"{name} is not installed: .ci/install-tools DIR, then VLLM_WIZARD_TOOLS=DIR")
    return found


def run(repository, *words, **environment):
    done = subprocess.run(
        words,
        cwd=repository,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def passes(repository, *words, **environment):
    status, out, err = run(repository, *words, **environment)
    assert status == 0, f"{out}\n{err}"
    return out


@pytest.fixture(scope="module", params=ANSWERS)
def repository(request, tmp_path_factory):
    """Each recorded deployment's repository."""
    return render(ANSWERS[request.param], tmp_path_factory.mktemp(request.param))


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
    return ANSWERS[request.param], text, {one["kind"]: one for one in yaml.safe_load_all(text)}


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


def test_helm_lint_is_strict_and_silent(one_gpu):
    passes(one_gpu, tool("helm"), "lint", "--strict", "deploy/chart", "-f", "deploy/values.local.yaml")


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
    assert {port["targetPort"] for port in kinds["Service"]["spec"]["ports"]} == ports == {"http"}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["name"] for one in pod["spec"]["containers"] for mount in one["volumeMounts"]}
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


class _VLLM(http.server.BaseHTTPRequestHandler):
    """Answers as vLLM does: a key beneath /v1 only, everything else to anybody."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authorised = self.headers.get("Authorization") == f"Bearer {KEY}"
        status = 401 if self.path.startswith("/v1") and not authorised else 200
        answer = {"path": self.path, "sent": body.decode(), "object": "list", "data": [{"id": "m"}]}
        if self.path == "/v1/models":
            answer = {"object": "list", "data": [{"id": "m"}]}
        content = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the base class calls it by this name

    def log_message(self, *args):
        pass


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _ask(url, key=None, data=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data=data, headers=headers), timeout=10
        ) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _nginx(configuration, work, upstream_port):
    """A running nginx with the rendered configuration; only addresses and the work directory are replaced."""
    port = _free_port()
    replacements = {
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "http://vllm:8000": f"http://127.0.0.1:{upstream_port}",
        "/tmp/": f"{work}/",
        "access_log /dev/stdout;": "access_log off;",
    }
    text = configuration.read_text(encoding="utf-8")
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    (work / "nginx.conf").write_text(text, encoding="utf-8")
    words = [tool("nginx"), "-p", str(work), "-c", str(work / "nginx.conf"), "-g", "daemon off;"]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL), f"http://127.0.0.1:{port}"


def _wait(url):
    for _ in range(100):
        try:
            return _ask(url)
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="module")
def gateway(one_gpu, tmp_path_factory):
    """The rendered gateway, running in front of a server that behaves like vLLM."""
    tool("nginx")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _VLLM)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    process, url = _nginx(
        one_gpu / "gateway/nginx.conf", tmp_path_factory.mktemp("nginx"), server.server_port
    )
    try:
        _wait(f"{url}/health")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses/resp_0a/cancel",
    ],
)
def test_the_gateway_passes_on_what_is_listed_with_the_callers_key(gateway, path):
    assert _ask(gateway + path)[0] == 401
    assert _ask(gateway + path, key="wrong")[0] == 401
    assert _ask(gateway + path, key=KEY)[0] == 200


def test_the_gateway_passes_on_body_and_query(gateway):
    status, body = _ask(f"{gateway}/v1/completions?a=b%20c", key=KEY, data=b"prompt")
    assert (status, json.loads(body)["path"], json.loads(body)["sent"]) == (
        200,
        "/v1/completions?a=b%20c",
        "prompt",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/", "/invocations", "//invocations", "/%69nvocations", "/metrics", "/pause", "/tokenize", "/score",
        "/version", "/docs", "/v1", "/v1/", "/V1/models", "/v1/load_lora_adapter", "/v1/responses/render",
        "/v1/chat/completions/render", "/v1/models/../../invocations", "/health/../invocations",
        "/v1/models/%2e%2e/%2e%2e/invocations", "/v1/models%0a", "/v1/models%0d%0aX:%20y",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", [None, KEY], ids=["anonymous", "with the key"])
def test_the_gateway_serves_nothing_else(gateway, path, key):
    status, body = _ask(gateway + path, key=key)
    assert status == 404
    assert json.loads(body)["error"]["code"] == 404


def test_vllm_sees_the_path_that_was_allowed_and_not_its_spelling(gateway):
    status, body = _ask(f"{gateway}/invocations/../v1/completions", key=KEY)
    assert (status, json.loads(body)["path"]) == (200, "/v1/completions")


def test_the_smoke_test_passes_through_the_gateway(one_gpu, gateway):
    out = passes(one_gpu, "scripts/smoke.sh", gateway, VLLM_API_KEY=KEY, NO_PROXY="127.0.0.1")
    assert out.count("ok ") == 5
    passes(one_gpu, "scripts/wait-ready.sh", gateway, WAIT_S="10", NO_PROXY="127.0.0.1")


def test_the_smoke_test_fails_where_nothing_guards(one_gpu, gateway):
    """With a wrong key it must not pass."""
    status, out, _ = run(one_gpu, "scripts/smoke.sh", gateway, VLLM_API_KEY="wrong", NO_PROXY="127.0.0.1")
    assert status == 1
    assert "WRONG models with the key: 401, expected 200" in out


def test_the_gateway_says_when_vllm_is_not_up(one_gpu, tmp_path):
    process, url = _nginx(one_gpu / "gateway/nginx.conf", tmp_path, _free_port())
    try:
        status, body = _wait(f"{url}/health")
    finally:
        process.terminate()
        process.wait(timeout=10)
    assert (status, json.loads(body)["error"]["message"]) == (503, "vLLM is not up yet")
