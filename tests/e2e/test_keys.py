"""Keys, certificates and .env: one meaning for every reader, named keys and TLS at a gateway that keeps running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import time
import urllib.request

import pytest
from e2e.test_gateway import _VLLM, KEY
from fixtures.gateway import ask, free_port, start_nginx, wait
from fixtures.programs import passes, run, tool
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

VALUES = [
    "0a1b2c3d", "sk-A_b.c", "a/b+c=", "pa$$word", "pa$word", "key # comment", 'a"b', "sk-a b", "$(touch RAN)",
    "`touch RAN`", "a'b", "a\\b", "a;touch RAN", "é",
]  # fmt: skip
"""Keys as vaults and people make them; each means one thing to all readers, or is refused."""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render(ANSWERS["single"] | {"artefacts": ["compose", "command"]}, tmp_path_factory.mktemp("keys"))


@pytest.fixture
def repository(rendered, tmp_path):
    """A copy to write into."""
    return shutil.copytree(rendered, tmp_path / "repository")


@pytest.fixture
def vllm():
    import http.server  # noqa: PLC0415
    import threading  # noqa: PLC0415

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _VLLM)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("value", VALUES)
def test_a_key_is_one_to_compose_scripts_and_kubectl_or_is_refused(repository, value):
    (repository / ".env").write_text(f"VLLM_API_KEY={value}\n", encoding="utf-8")
    status, for_kubectl, err = run(repository, "bash", "scripts/env.sh", "VLLM_API_KEY")
    in_a_script = run(repository, "bash", "-c", '. scripts/env.sh; printf %s "$VLLM_API_KEY"')
    assert not (repository / "RAN").exists()
    if status:
        assert in_a_script[0]
        assert ".env, line 1" in err
        assert run(repository, tool("make"), "env-check")[0]
        return
    composed = passes(repository, tool("docker-compose"), "-f", "compose.yaml", "config", "--format", "json")
    key = json.loads(composed)["services"]["vllm"]["environment"]["VLLM_API_KEY"]
    assert for_kubectl == f"VLLM_API_KEY={value}\n"
    assert key == in_a_script[1] == value


def test_line_ends_of_windows_are_no_part_of_a_key(repository):
    """An editor may write them; Compose leaves them out, and so do the scripts."""
    (repository / ".env").write_bytes(f"# a note\r\n\r\nVLLM_API_KEY={KEY}\r\n".encode())
    assert run(repository, "bash", "scripts/env.sh", "VLLM_API_KEY")[1] == f"VLLM_API_KEY={KEY}\n"
    composed = passes(repository, tool("docker-compose"), "-f", "compose.yaml", "config", "--format", "json")
    assert json.loads(composed)["services"]["vllm"]["environment"]["VLLM_API_KEY"] == KEY


def test_two_deployments_on_one_host_are_kept_apart_by_their_env(repository):
    lines = f"VLLM_API_KEY={KEY}\nPORT=8081\nGPU_0=3\nSCRIPT_PORT=8001\n"
    (repository / ".env").write_text(lines, encoding="utf-8")
    text = passes(repository, tool("docker-compose"), "-f", "compose.yaml", "config", "--format", "json")
    services = json.loads(text)["services"]
    assert services["gateway"]["ports"][0]["published"] == "8081"
    devices = services["vllm"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["device_ids"] == ["3"]
    stub = repository / "docker"
    stub.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    stub.chmod(0o755)
    words = passes(repository, "bash", "scripts/docker-run.sh", PATH=f"{repository}:{os.environ['PATH']}").splitlines()
    assert '"device=3"' in words
    assert "127.0.0.1:8001:8000" in words


def test_a_named_key_is_given_and_taken_back_while_the_gateway_runs(repository, vllm, tmp_path):
    (repository / ".env").write_text(f"VLLM_API_KEY={KEY}\n", encoding="utf-8")
    keys = {}
    for name in ("alice", "bob"):
        said = passes(repository, tool("make"), "--no-print-directory", "key", f"NAME={name}")
        keys[name] = said.splitlines()[0].rpartition(" ")[2]
    assert (repository / "gateway").stat().st_mode & 0o077 == 0
    (repository / "etc").symlink_to(repository / "gateway")
    process, url = start_nginx(repository / "gateway/nginx.conf", tmp_path, vllm, etc=repository / "etc")
    try:
        wait(f"{url}/health")
        assert [ask(f"{url}/v1/models", key)[0] for key in (KEY, keys["alice"], keys["bob"])] == [200, 200, 200]
        assert [ask(f"{url}/v1/models", key)[0] for key in (None, "wrong", keys["bob"][:-1])] == [401, 401, 401]
        assert ask(f"{url}/v1/models", keys["bob"].upper())[0] == 401
        passes(repository, tool("make"), "unkey", "NAME=alice")
        process.send_signal(signal.SIGHUP)
        for _ in range(100):  # old workers answer beside the new ones for a moment
            if {ask(f"{url}/v1/models", keys["alice"])[0] for _ in range(8)} == {401}:
                break
            time.sleep(0.05)
        assert [ask(f"{url}/v1/models", keys[name])[0] for name in ("alice", "bob")] == [401, 200]
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize("name", ["", "Alice", "a b", "../x", "-a", "a;b"])
def test_a_name_that_is_none_makes_no_key(repository, name):
    (repository / ".env").write_text(f"VLLM_API_KEY={KEY}\n", encoding="utf-8")
    status, _, err = run(repository, "bash", "scripts/keys.sh", "add", name)
    assert status == 1
    assert "make key NAME=alice" in err


def test_a_certificate_makes_the_gateway_speak_tls(repository, vllm, tmp_path):
    """Its port is published in place of the plain one; the name in the certificate is the host's."""
    (repository / ".env").write_text(f"VLLM_API_KEY={KEY}\n", encoding="utf-8")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem", "-subj", "/CN=llm"]
    passes(repository, tool("openssl"), *words)
    passes(repository, tool("make"), "tls", "CERT=c.pem", "KEY=k.pem")
    text = passes(repository, tool("docker-compose"), "-f", "compose.yaml", "config", "--format", "json")
    assert json.loads(text)["services"]["gateway"]["ports"][0]["target"] == 8443
    port = free_port()
    place = tmp_path / "etc/server.d"
    shutil.copytree(repository / "gateway/tls", place)
    listen = (place / "listen.conf").read_text(encoding="utf-8")
    listen = listen.replace("8443", f"127.0.0.1:{port}").replace("/etc/nginx/server.d", str(place))
    (place / "listen.conf").write_text(listen, encoding="utf-8")
    process, url = start_nginx(repository / "gateway/nginx.conf", tmp_path, vllm, etc=tmp_path / "etc")
    try:
        wait(f"{url}/health")
        context = ssl.create_default_context(cafile=repository / "c.pem")
        context.check_hostname = False
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/health", context=context, timeout=10) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_a_clone_under_a_strict_umask_is_named_and_mended(repository):
    for path in (repository / "serve.yaml", repository / "gateway/nginx.conf"):
        path.chmod(0o600)
    assert "chmod -R o+rX" in passes(repository, tool("make"), "readable-note")
    assert "chmod -R o+rX" not in passes(repository, tool("make"), "--silent", "readable")
    assert "chmod" not in passes(repository, tool("make"), "readable-note")
    assert (repository / "gateway/nginx.conf").stat().st_mode & 0o004
