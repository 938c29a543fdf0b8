"""Files and directories that engine values name: mounted where vLLM looks, or refused with the way."""

import pytest

from generator.catalogue.argument_values import path_kinds
from generator.catalogue.engines import engine
from generator.errors import RequestError
from generator.models.request import Request
from generator.planning.decisions import served_name
from generator.planning.rules.owned import check_owners
from generator.planning.rules.paths import check_paths, mounts_of
from generator.workflow import plan

KINDS = dict(path_kinds())


def mounted(**fixed):
    return {mount.path: mount.writable for mount in mounts_of(fixed, KINDS)}


def test_the_table_names_arguments_of_a_release():
    known = {flag.name for flag in engine("").flags}
    assert path_kinds().keys() <= known


@pytest.mark.parametrize(
    ("fixed", "paths"),
    [
        ({"lora_modules": ["sql=/data/loras/sql"]}, {"/data/loras/sql": False}),
        ({"lora_modules": ['{"name": "a", "path": "/data/a", "base_model_name": "b"}']}, {"/data/a": False}),
        ({"tool_parser_plugin": "/srv/p.py", "log_config_file": "/srv/q"}, {"/srv/p.py": False, "/srv/q": False}),
        ({"tokenizer": "/srv/tok/", "hf_config_path": "/srv/cfg"}, {"/srv/tok": False, "/srv/cfg": False}),
        ({"tokenizer": "Qwen/Qwen3-8B", "generation_config": "vllm"}, {}),
        ({"chat_template": "/vllm-workspace/examples/tool_chat_template_hermes.jinja"}, {}),
        ({"chat_template": "{% for m in messages %}/x{% endfor %}"}, {}),
        ({"chat_template": "/srv/t.jinja"}, {"/srv/t.jinja": False}),
        ({"download_dir": "/big/models"}, {"/big/models": True}),
        ({"profiler_config": {"torch_profiler_dir": "/tmp/prof"}}, {}),
        ({"profiler_config": {"torch_profiler_dir": "/data/prof"}}, {"/data/prof": True}),
        ({"disable_access_log_for_endpoints": "/health,/metrics"}, {}),
        ({"served_model_name": ["/models/a"]}, {}),
        ({"tokenizer": "/data", "lora_modules": ["a=/data/loras/a"]}, {"/data": False}),
        ({"tokenizer": "/data", "download_dir": "/data/cache"}, {"/data": False, "/data/cache": True}),
        ({"new_argument": "/opt/x", "other": "text/plain"}, {"/opt/x": False}),
    ],
)  # fmt: skip
def test_a_path_is_mounted_and_nothing_else(fixed, paths):
    assert mounted(**fixed) == paths


@pytest.mark.parametrize(
    "fixed",
    [
        {"tool_parser_plugin": "plugin.py"},
        {"tokenizer": "./tok"},
        {"lora_modules": ["a=~/loras/a"]},
        {"log_config_file": "conf/log.json"},
        {"tokenizer": "/data/../etc"},
    ],
)
def test_a_path_that_launchers_would_read_differently_is_refused(fixed):
    with pytest.raises(RequestError, match="write the absolute path"):
        check_paths(fixed, KINDS)


@pytest.mark.parametrize("name", ["ssl_certfile", "ssl_keyfile", "ssl_ca_certs", "ssl_cert_reqs", "root_path"])
def test_what_a_launcher_contradicts_is_refused_with_the_way(name):
    with pytest.raises(RequestError, match="the gateway's to set"):
        check_owners({name})


def test_a_plan_says_its_mounts():
    values = {"enable_lora": True, "lora_modules": ["sql=/data/loras/sql"], "max_model_len": 4096}
    made = plan(Request(model="Qwen/Qwen3-8B", gpu="L4", gpus=2, overrides=values), offline=True)
    assert [mount.path for mount in made.runtime.mounts] == ["/data/loras/sql"]
    assert made.runtime.host.memory_limit_mib > made.runtime.host.memory_request_mib
    assert made.runtime.host.cpu_request == 1 + 2 + 2, "the API server, two engines of a GPU each, their two ranks"


def test_a_snapshot_of_the_hubs_cache_is_served_by_the_models_id():
    """Clients must not ask for a commit's hash (huggingface_hub's cache: models--ORG--NAME/snapshots/COMMIT)."""
    assert served_name("/hf/hub/models--Qwen--Qwen3-8B/snapshots/0a1b/") == "Qwen/Qwen3-8B"
    assert served_name("/srv/models/My Model/") == "My Model"
