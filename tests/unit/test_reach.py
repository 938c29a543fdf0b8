"""How the running server of a deployment is reached: by its artefacts, and under the name that it answers to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from generator.models.shared_host import Place
from generator.operations.running.reach import reach_of


def answers(artefacts, *, nodes=1, **engine):
    plan = SimpleNamespace(runtime=SimpleNamespace(nodes=nodes), engine=engine)
    values = {"artefacts": artefacts, "service": "chat", "model_facts": {"id": "a/b", "source": "hub"}}
    return SimpleNamespace(values=values, plan=plan, place=Place())


@pytest.mark.parametrize(
    ("artefacts", "nodes", "prefix"),
    [
        (("compose", "kubernetes"), 1, "docker compose exec -T vllm"),
        (("compose",), 2, "docker compose exec -T head"),
        (("kubernetes",), 1, "kubectl exec deployment/chat --container vllm --"),
        (("kubernetes",), 2, "kubectl exec pod/chat-0 --container vllm --"),
        (("kubernetes", "command"), 1, ""),
        (("command",), 1, ""),
    ],
)
def test_the_launcher_says_where_commands_run(tmp_path, artefacts, nodes, prefix):
    assert " ".join(reach_of(tmp_path, answers(artefacts, nodes=nodes)).prefix) == prefix


def test_an_address_that_is_given_is_asked_from_this_host(tmp_path):
    for artefacts in (("compose",), ("kubernetes",)):
        found = reach_of(tmp_path, answers(artefacts), url="http://gateway:8080/")
        assert (found.prefix, found.url) == ((), "http://gateway:8080")


@pytest.mark.parametrize(
    ("engine", "name"),
    [({}, "a/b"), ({"served_model_name": "chat"}, "chat"), ({"served_model_name": ["first", "second"]}, "first")],
)
def test_clients_send_the_first_name_that_the_server_answers_to(tmp_path, engine, name):
    assert reach_of(tmp_path, answers(("command",), **engine)).served == name
