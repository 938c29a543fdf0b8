"""A plan of sessions as a deployment: the cache in the host's memory is rendered with the room that it takes."""

from __future__ import annotations

import pytest
import yaml
from typer.testing import CliRunner

from generator.cli.app import app
from generator.units import GIB, MIB

WORDS = ["sessions", "Qwen/Qwen3-8B", "--gpu", "L40S", "--offline"]


@pytest.mark.usefixtures("own_home")
def test_the_deployment_is_rendered_with_its_cache_on_the_host(tmp_path):
    """serve.yaml has the size, and the container /dev/shm for it."""
    words = ["--sessions", "60", "--turns", "6", "--turn-tokens", "700", "-o", str(tmp_path / "made")]
    done = CliRunner().invoke(app, [*WORDS, *words], catch_exceptions=False)
    assert done.exit_code == 0
    size = yaml.safe_load((tmp_path / "made/serve.yaml").read_text())["kv-offloading-size"]
    compose = (tmp_path / "made/compose.yaml").read_text()
    shm = int(compose.split("shm_size: ")[1].split("m")[0])
    assert shm * MIB >= size * GIB > 0
