"""Fixtures of the whole suite."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Not the repository's root: the suite also runs against an installed wheel.
sys.path.append(str(Path(__file__).parent))

from fixtures.hub_server import serving

settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile("full", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_CLIENT_VARIABLES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DISABLE_PROGRESS_BARS",
)  # fmt: skip


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A model Hub on loopback that the environment names, with an empty cache and no token."""
    from huggingface_hub import close_session  # noqa: PLC0415 - only these tests need the client

    for variable in _CLIENT_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        close_session()  # the client reads proxies when it opens its session
        yield server
        close_session()


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from examples/")
