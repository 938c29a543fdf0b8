"""Arguments that no override may set: what is committed holds no secret, and no launcher is contradicted."""

import pytest

from generator.errors import RequestError
from generator.models.request import Request
from generator.planning.rules.owned import check_owners
from generator.workflow import plan


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("api_key", "VLLM_API_KEY in .env"),
        ("hf_token", "HF_TOKEN in .env"),
        ("model", "--model"),
        ("revision", "--revision"),
        ("trust_remote_code", "--trust-remote-code"),
        ("nnodes", "--nodes"),
        ("host", "scripts/serve.sh as --host"),
        ("master_addr", "--master-addr"),
        ("headless", "launchers"),
    ],
)
def test_an_argument_of_somebody_else_is_refused(name, said):
    with pytest.raises(RequestError, match=rf"^{name} .*{said}"):
        check_owners({"max_num_seqs": 4, name: "x"})


def test_a_key_never_reaches_a_plan():
    """A key is an argument that vLLM takes, and a plan's arguments are written to files that are committed."""
    with pytest.raises(RequestError, match="secret"):
        plan(Request(model="Qwen/Qwen3-8B", gpu="L4", overrides={"api-key": "x"}), offline=True)


def test_what_is_left_to_vllm_is_nobodys():
    made = plan(Request(model="Qwen/Qwen3-8B", gpu="L4", overrides={"port": None}), offline=True)
    assert made.feasibility.verdict == "fits"
