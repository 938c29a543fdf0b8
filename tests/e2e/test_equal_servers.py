"""Equal servers of one node, rendered: Compose starts each on its own GPUs, and the gateway spreads requests."""

from __future__ import annotations

import http.server
import threading

import pytest
import yaml
from fixtures.gateway import ask, start_nginx, wait
from fixtures.programs import passes, run, tool
from fixtures.rendered import ANSWERS, render

pytestmark = pytest.mark.needs_tool

SERVERS = [{"name": "vllm", "gpu_ids": ["0", "1"]}, {"name": "vllm-2", "gpu_ids": ["2", "3"]}]


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory):
    answers = ANSWERS["single"]
    runtime = answers["plan"]["runtime"] | {"gpu_ids": ["0", "1"], "gpus_per_node": 2}
    plan = answers["plan"] | {"servers": SERVERS, "runtime": runtime}
    more = {"plan": plan, "artefacts": [*answers["artefacts"], "monitoring"]}
    return render(answers | more, tmp_path_factory.mktemp("two-servers"))


def test_compose_starts_every_server_on_gpus_of_its_own(two_servers):
    key = "VLLM_API_KEY=x\n"
    (two_servers / ".env").write_text(key, encoding="utf-8")
    services = yaml.safe_load(passes(two_servers, tool("docker-compose"), "config"))["services"]
    held = {
        name: one["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]
        for name, one in services.items()
        if name.startswith("vllm")
    }
    assert held == {server["name"]: server["gpu_ids"] for server in SERVERS}
    first, second = (services[server["name"]] for server in SERVERS)
    assert {name for name in first if first[name] != second[name]} == {"deploy"}
    assert set(services["gateway"]["depends_on"]) == {"vllm", "vllm-2"}


def test_every_gpu_can_be_named_in_env_and_every_server_is_scraped(two_servers):
    named = (two_servers / ".env.example").read_text(encoding="utf-8")
    assert all(f"# GPU_{index}={index}" in named for index in range(4))
    scraped = yaml.safe_load((two_servers / "monitoring/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert scraped["scrape_configs"][0]["static_configs"][0]["targets"] == ["vllm:8000", "vllm-2:8000"]


def test_the_chart_has_a_pod_for_each_server(two_servers):
    made = run(two_servers, tool("helm"), "template", "release", "deploy/chart", "--kube-version", "1.33.0")[1]
    workload = next(one for one in yaml.safe_load_all(made) if one and one["kind"] == "Deployment")
    assert workload["spec"]["replicas"] == 2
    container = workload["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2


def answering(name):
    """A server that says who it is."""

    class Named(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_requests_go_to_both_and_to_one_where_the_other_is_gone(two_servers, tmp_path):
    """This nginx resolves no names of an upstream (open source from 1.27.3 on): addresses stand in their place."""
    first, second = answering("vllm"), answering("vllm-2")
    places = {
        f"server {server['name']}:8000 resolve;": f"server 127.0.0.1:{one.server_port};"
        for server, one in zip(SERVERS, (first, second), strict=True)
    }
    process, url = start_nginx(two_servers / "gateway/nginx.conf", tmp_path, places)
    try:
        wait(f"{url}/health")
        assert {ask(f"{url}/health")[1] for _ in range(20)} == {"vllm", "vllm-2"}
        second.shutdown()
        second.server_close()
        assert {ask(f"{url}/health") for _ in range(20)} == {(200, "vllm")}
    finally:
        process.terminate()
        process.wait()
        first.shutdown()
        first.server_close()
