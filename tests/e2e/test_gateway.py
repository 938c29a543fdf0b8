"""The rendered gateway: a real nginx in front of a server that answers as vLLM does."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from fixtures.gateway import ask, free_port, start_nginx, wait
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


@pytest.fixture(scope="module")
def gateway(one_gpu, tmp_path_factory):
    """The rendered gateway, running in front of a server that behaves like vLLM."""
    tool("nginx")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _VLLM)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    process, url = start_nginx(one_gpu / "gateway/nginx.conf", tmp_path_factory.mktemp("nginx"), server.server_port)
    try:
        wait(f"{url}/health")
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
    assert ask(gateway + path)[0] == 401
    assert ask(gateway + path, key="wrong")[0] == 401
    assert ask(gateway + path, key=KEY)[0] == 200


def test_the_gateway_passes_on_body_and_query(gateway):
    status, body = ask(f"{gateway}/v1/completions?a=b%20c", key=KEY, data=b"prompt")
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
    status, body = ask(gateway + path, key=key)
    assert status == 404
    assert json.loads(body)["error"]["code"] == 404


def test_vllm_sees_the_path_that_was_allowed_and_not_its_spelling(gateway):
    status, body = ask(f"{gateway}/invocations/../v1/completions", key=KEY)
    assert (status, json.loads(body)["path"]) == (200, "/v1/completions")


def test_the_smoke_test_asks_through_the_gateway(one_gpu, gateway):
    """Every door is as it must be; tokens this server has none."""
    _, out, _ = run(one_gpu, "scripts/smoke.sh", gateway, VLLM_API_KEY=KEY, NO_PROXY="127.0.0.1")
    doors = [line.startswith("ok") for line in out.splitlines() if "model" in line or "gateway" in line]
    assert doors == [True] * 8
    passes(one_gpu, "scripts/wait-ready.sh", gateway, WAIT_S="10", NO_PROXY="127.0.0.1")


def test_the_smoke_test_fails_where_nothing_guards(one_gpu, gateway):
    """With a wrong key it must not pass."""
    status, out, _ = run(one_gpu, "scripts/smoke.sh", gateway, VLLM_API_KEY="wrong", NO_PROXY="127.0.0.1")
    assert status == 1
    assert "WRONG models with the key: 401, expected 200" in out


def test_the_gateway_says_when_vllm_is_not_up(one_gpu, tmp_path):
    process, url = start_nginx(one_gpu / "gateway/nginx.conf", tmp_path, free_port())
    try:
        status, body = wait(f"{url}/health")
    finally:
        process.terminate()
        process.wait(timeout=10)
    assert (status, json.loads(body)["error"]["message"]) == (503, "vLLM is not up yet")
