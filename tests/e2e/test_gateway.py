"""The rendered gateway: a real nginx in front of a server that answers as vLLM does."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
from fixtures.programs import passes, run, tool
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

KEY = "the-key"


@pytest.fixture(scope="module")
def one_gpu(tmp_path_factory):
    return render(ANSWERS["single"], tmp_path_factory.mktemp("one-gpu"))


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
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=10) as answer:
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
    process, url = _nginx(one_gpu / "gateway/nginx.conf", tmp_path_factory.mktemp("nginx"), server.server_port)
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
