"""`vllm-wizard import` on the command line: into a new directory, and into one with files of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from generator.catalogue.engines import engine
from generator.cli import app, console
from generator.operations.importing import imported
from generator.sources.running.arguments import arguments_of
from generator.sources.running.reader import read_running
from generator.sources.running.shell import script

pytestmark = pytest.mark.slow
FILES = Path(__file__).parents[1] / "fixtures" / "running"
NOT_WHOLE = {"justfile", "llmd-prefill.yaml"}
"""One leaves its model open, one serves half a model: each is answered in one line (tests/unit)."""


@pytest.fixture
def vllm_wizard(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["vllm-wizard", *map(str, words)])
        console.stdout.cache_clear()
        console.stderr.cache_clear()
        return app.run(), *capsys.readouterr()

    yield run
    console.stdout.cache_clear()
    console.stderr.cache_clear()


@pytest.mark.parametrize("name", ["module.sh", "docker.sh", "serve.yaml", "unit.service"])
def test_what_is_generated_starts_with_the_arguments_of_the_file(name, vllm_wizard, tmp_path):
    status, _, err = vllm_wizard(
        "import", FILES / name, "--gpu", "H100", "--offline", "--template", "worktree", "-o", tmp_path / "made"
    )
    assert status == 0, err
    served = yaml.safe_load((tmp_path / "made/serve.yaml").read_text(encoding="utf-8"))
    words = (FILES / name).read_text(encoding="utf-8")
    given = yaml.safe_load(words) if name == "serve.yaml" else {}
    asked = given or arguments_of(_words(words), engine(""))[1]
    kept = {key.replace("_", "-"): value for key, value in asked.items() if key not in ("model", "port")}
    for key, value in kept.items():
        if value is False:
            assert served[f"no-{key}"] is True
        else:
            assert served[key] == {"32k": 32000, "8k": 8000}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", sorted({one.name for one in (FILES / "kinds").iterdir()} - NOT_WHOLE))
def test_a_file_of_each_kind_makes_the_trip(name, vllm_wizard, tmp_path):
    """Imported and generated: the serve.yaml starts vLLM with every argument that was understood in the file."""
    words = ("--gpu", "H100", "--offline", "--template", "worktree", "-o", tmp_path / "made")
    status, _, err = vllm_wizard("import", FILES / "kinds" / name, *words)
    assert status == 0, err
    served = yaml.safe_load((tmp_path / "made/serve.yaml").read_text(encoding="utf-8"))
    understood = imported(read_running(FILES / "kinds" / name)).answers["overrides"]
    off = {key.removeprefix("no-"): False for key in served if key.startswith("no-")}
    started = {key.replace("-", "_"): value for key, value in (served | off).items()}
    assert {key: started.get(key) for key in understood} == understood


def _words(text):
    return script(text, {}).words


def test_a_directory_with_files_keeps_each_of_them(vllm_wizard, tmp_path):
    place = tmp_path / "ours"
    place.mkdir()
    subprocess.run(["git", "init", "-q", place], check=True)
    (place / "README.md").write_text("ours\n", encoding="utf-8")
    words = (
        "import",
        FILES / "compose-webui.yaml",
        "--gpu",
        "L40S",
        "--offline",
        "--template",
        "worktree",
        "-o",
        place,
    )
    status, out, err = vllm_wizard(*words)
    assert status == 0, err
    assert (place / "README.md").read_text(encoding="utf-8") == "ours\n"
    assert "README.md was there and stays" in err
    assert "ghcr.io/open-webui" in (place / "compose.override.yaml").read_text(encoding="utf-8")
    assert (place / ".env").stat().st_mode & 0o077 == 0
    assert "PORT=8000" in (place / ".env").read_text(encoding="utf-8")
    assert "kept      labels" in out
    status, _, err = vllm_wizard(*words)
    assert status == 2
    assert "vllm-wizard update" in err


def test_without_a_directory_nothing_is_written(vllm_wizard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = vllm_wizard("import", FILES / "deployment.yaml", "--offline")
    assert status == 0
    assert "taken     GPU L40S-48GB" in out
    assert not list(tmp_path.iterdir())
