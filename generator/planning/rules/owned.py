"""Engine arguments that are no override: secrets, inputs of the plan by another name, and what the launchers set."""

from collections.abc import Collection

from generator.errors import RequestError

_SECRETS = {"api_key": "VLLM_API_KEY", "hf_token": "HF_TOKEN"}
"""Their environment variable, which vLLM 0.32 (envs.py) and huggingface_hub read."""
_INPUTS = {
    "model": "--model",
    "model_tag": "--model",
    "revision": "--revision",
    "trust_remote_code": "--trust-remote-code",
    "nnodes": "--nodes",
}
_LAUNCHERS = frozenset({
    "config", "data_parallel_address", "data_parallel_rank", "data_parallel_rpc_port", "data_parallel_start_rank",
    "data_parallel_supervisor_port", "grpc", "grpc_port", "headless", "host", "master_addr", "master_port", "node_rank",
    "port", "uds",
})  # fmt: skip
_GATEWAYS = {
    "enable_ssl_refresh": "TLS", "root_path": "the path", "ssl_ca_certs": "TLS", "ssl_cert_reqs": "TLS",
    "ssl_certfile": "TLS", "ssl_ciphers": "TLS", "ssl_keyfile": "TLS",
}  # fmt: skip
"""What the gateway in front does: probes, health checks and gateways ask vLLM by plain HTTP at the root."""


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
        if name in _GATEWAYS:
            raise RequestError(
                f"{name} would leave probes and gateway talking to a closed door: {_GATEWAYS[name]} is the gateway's to"
                " set; drop it, and give the gateway a certificate (SECURITY.md) or a prefix in front of it"
            )
        if name in _LAUNCHERS:
            raise RequestError(
                f"{name} is the launchers' to set, scripts, Compose or chart: drop it, or give it to"
                f" scripts/serve.sh as --{name.replace('_', '-')}"
            )
