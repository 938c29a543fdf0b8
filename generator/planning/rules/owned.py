"""Engine arguments that are no override: secrets, inputs of the plan by another name, and what the launchers set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection

_SECRETS = {"api_key": "VLLM_API_KEY", "hf_token": "HF_TOKEN"}
"""Their environment variable, which vLLM 0.32 (envs.py) and huggingface_hub read."""
_INPUTS = {
    "model": "--model",
    "model_tag": "--model",
    "revision": "--revision",
    "trust_remote_code": "--trust-remote-code",
    "nnodes": "--nodes",
}
_LAUNCHERS = frozenset({"config", "headless", "host", "master_addr", "node_rank", "port", "uds"})


def check_owners(named: Collection[str]) -> None:
    """Return only where every argument that the user sets is the user's to set.

    Raises:
        RequestError: one is not; says whose it is.
    """
    for name in sorted(named):
        if name in _SECRETS:
            raise RequestError(
                f"{name} is a secret, and engine values are committed: put it into the environment, {_SECRETS[name]}"
                " in .env"
            )
        if name in _INPUTS:
            raise RequestError(f"{name} is no engine value: name it with {_INPUTS[name]}")
        if name in _LAUNCHERS:
            raise RequestError(
                f"{name} is the launchers' to set, scripts, Compose or chart: drop it, or give it to"
                f" scripts/serve.sh as --{name.replace('_', '-')}"
            )
