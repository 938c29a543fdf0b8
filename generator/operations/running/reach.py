"""Reach: how something is started beside the running vLLM of a deployment, and what it sees there."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.models.value import Value
from generator.operations.doctor.env import read_env

if TYPE_CHECKING:
    from generator.rendering.answers import Answers

_INSIDE = "http://127.0.0.1:8000"


class Reach(Value):
    """Where vLLM runs, as a command's beginning, and its own address there."""

    prefix: tuple[str, ...]
    """Begins a command that runs in vLLM's container; empty where it runs on this host."""
    url: str
    model: str
    """What vLLM was given as its model there: a Hub id or a path."""
    served: str
    """Name that clients send."""
    key: str = ""
    """Of `.env`, else of the environment; a container has its own."""

    @property
    def inside(self) -> bool:
        """Whether commands run in a container, whose files are not this host's."""
        return bool(self.prefix)


def reach_of(place: Path, answers: Answers, *, url: str = "", docker: str = "docker compose") -> Reach:
    """How the running vLLM of the deployment at `place` is reached; a `url` that is given is asked from this host."""
    env, facts = read_env(place / ".env"), answers.values.get("model_facts") or {}
    artefacts, service = answers.values.get("artefacts") or (), str(answers.values.get("service"))
    one_node, local = answers.plan.runtime.nodes == 1, facts.get("source") == "local"
    prefix: tuple[str, ...] = ()
    if not url and "compose" in artefacts:
        prefix = (*shlex.split(docker), "exec", "-T", "vllm" if one_node else "head")
    elif not url and "kubernetes" in artefacts and "command" not in artefacts:
        # The leader of a group of pods is its first (LeaderWorkerSet).
        pod = f"deployment/{service}" if one_node else f"pod/{service}-0"
        prefix = ("kubectl", "exec", pod, "--container", "vllm", "--")
    port = env.get("SCRIPT_PORT") or answers.place.port
    return Reach(
        prefix=prefix,
        url=(url or (_INSIDE if prefix else f"http://127.0.0.1:{port}")).rstrip("/"),
        model="/model" if local and prefix else str(facts.get("id")),
        served=_served(answers.plan.engine, str(facts.get("id"))),
        key=env.get("VLLM_API_KEY") or os.environ.get("VLLM_API_KEY", ""),
    )


def why_not(said: str) -> str:
    """What a command in a container said when it failed; of a docker that lacks Compose, which shows its own help."""
    if "docker --help" in said or "is not a docker command" in said:
        return "docker has no Compose plugin here"
    return said


def _served(engine: dict[str, Any], model: str) -> str:
    """The first name that the server answers to."""
    named = engine.get("served_model_name") or model
    return str(named if isinstance(named, str) else named[0])
