"""The rendered gateway of a model that embeds: a real nginx in front of a server that guards what vLLM guards."""

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
GUARDED = ("/v1", "/v2", "/inference", "/cohere")
"""Beneath these vLLM 0.33 asks for its key (entrypoints/serve/middleware/authenticate.py)."""


class _VLLM(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: tuple[str, ...] = ()

    def do_GET(self):
        type(self).seen += (f"{self.command} {self.path}",)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authorised = self.headers.get("Authorization") == f"Bearer {KEY}"
        status = 401 if self.path.startswith(GUARDED) and not authorised else 200
        answer = {"object": "list", "data": [{"id": "m"}]}
        if status != 200:
            answer = {"error": "Unauthorized"}
        elif self.path == "/v1/embeddings":
            answer = {"data": [{"index": 0, "embedding": [-0.25, 0.5]}]}
        elif self.path != "/v1/models":
            answer = {"path": self.path, "sent": body.decode()}
        content = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the base class calls it by this name

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return render(ANSWERS["embedding"], tmp_path_factory.mktemp("embedding"))


@pytest.fixture(scope="module")
def gateway(repository, tmp_path_factory):
    tool("nginx")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _VLLM)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    process, url = start_nginx(repository / "gateway/nginx.conf", tmp_path_factory.mktemp("nginx"), server.server_port)
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
    ["/v1/models", "/v1/embeddings", "/v1/rerank", "/v1/score", "/v2/embed", "/v2/rerank", "/rerank", "/score",
     "/pooling"],
)  # fmt: skip
def test_every_path_wants_the_key_also_where_vllm_asks_nobody(gateway, path):
    _VLLM.seen = ()
    assert ask(gateway + path, data=b"{}")[0] == 401
    assert ask(gateway + path, key="wrong", data=b"{}")[0] == 401
    assert path.startswith(GUARDED) or f"POST {path}" not in _VLLM.seen
    assert ask(gateway + path, key=KEY, data=b"{}")[0] == 200


def test_body_and_query_pass_and_the_question_for_the_key_has_none_of_them(gateway):
    _VLLM.seen = ()
    status, body = ask(f"{gateway}/rerank?a=b%20c", key=KEY, data=b'{"query": "x"}')
    assert (status, json.loads(body)) == (200, {"path": "/rerank?a=b%20c", "sent": '{"query": "x"}'})
    assert _VLLM.seen == ("GET /v1/models", "POST /rerank?a=b%20c")


def test_a_stranger_is_told_why(gateway):
    assert json.loads(ask(f"{gateway}/pooling")[1])["error"]["message"] == "the key is missing or wrong"


@pytest.mark.parametrize(
    "path",
    ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/classify", "/invocations",
     "/tokenize", "/metrics", "/.key", "/pooling/", "/pooling%0a", "/%70ooling/../invocations", "/v2", "/v2/models"],
)  # fmt: skip
def test_nothing_else_is_served(gateway, path):
    assert ask(gateway + path, key=KEY)[0] == 404


def test_another_spelling_of_a_path_wants_the_key_too(gateway):
    assert ask(f"{gateway}/invocations/../%70ooling")[0] == 401
    assert ask(f"{gateway}//pooling")[0] == 401


def test_the_smoke_test_asks_for_a_vector(repository, gateway):
    out = passes(repository, "scripts/smoke.sh", gateway, VLLM_API_KEY=KEY, NO_PROXY="127.0.0.1")
    assert "ok    /pooling without a key: 401" in out
    assert "ok    a vector from m" in out
    status, out, _ = run(repository, "scripts/smoke.sh", gateway, VLLM_API_KEY="wrong", NO_PROXY="127.0.0.1")
    assert status == 1
    assert "WRONG a vector" in out


@pytest.mark.parametrize("path", ["/health", "/pooling"])
def test_the_gateway_says_when_vllm_is_not_up(repository, tmp_path, path):
    process, url = start_nginx(repository / "gateway/nginx.conf", tmp_path, free_port())
    try:
        status, body = wait(f"{url}{path}")
    finally:
        process.terminate()
        process.wait(timeout=10)
    assert (status, json.loads(body)["error"]["message"]) == (503, "vLLM is not up yet")
