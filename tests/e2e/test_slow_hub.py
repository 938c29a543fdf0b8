"""A Hub that drips, floods, sends elsewhere or asks for a day's patience is given up in one line, and soon."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from fixtures import evil_hub

from generator.errors import SourceError
from generator.sources import hub_stream
from generator.sources.hub import hub_facts

TOKEN = "hf_s3cr3t"
BUSY = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.mark.parametrize("way", evil_hub.WAYS)
def test_a_hub_that_does_not_end_is_given_up(way, tmp_path, monkeypatch, capfd):
    """With half a second of patience in place of the half minute that a person has."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    monkeypatch.setattr(hub_stream, "SLOW_S", 0.5)
    monkeypatch.setattr(hub_stream, "TOTAL_S", 4.0)
    start = time.monotonic()
    with evil_hub.serving(way) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(SourceError) as refused:
            hub_facts("a/b")
        took = time.monotonic() - start
    assert took < 10 * BUSY
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 300
    assert TOKEN not in str(refused.value) + "".join(capfd.readouterr())
    assert list(tmp_path.rglob("*.json")) == []


def test_the_client_does_not_ask_the_hub_who_calls():
    """Its question would have no bound, and tell the Hub of this machine's programs."""
    words = (
        "import generator.sources.hub; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
