"""Releases that the tables lack, from dumps of their own parsers."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from generator.catalogue.engines import all_versions, engine, known_versions
from generator.errors import RequestError, SourceError, UnknownFactError
from generator.operations.engine_import import import_engine

ROOT = Path(__file__).parents[2]


def flag(dest, **changes):
    return {
        "dest": dest,
        "action": "_StoreAction",
        "type": "int",
        "inner_type": "int",
        "aliases": [f"--{dest}"],
    } | changes


def dump(version="0.99.0", **changes):
    """A small dump, as `dump-engine.py` prints it."""
    flags = {
        "--gpu-memory-utilization": flag("gpu_memory_utilization", type="float", inner_type="float", default=0.95),
        "--max-num-seqs": flag("max_num_seqs"),
        "--new-thing": flag("new_thing"),
    }
    return {"version": version, "platform": "CudaPlatform", "n_flags": len(flags), "flags": flags} | changes


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def written(place, content):
    file = place / "dump.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_an_imported_release_is_found_like_any_other(home, tmp_path):
    with pytest.raises(UnknownFactError, match="engine import"):
        engine("0.99")
    done = import_engine(written(tmp_path, dump()))
    assert done.path == home / ".local/share/vllm-wizard/engines/0.99.0.json"
    assert "new_thing" in done.added
    assert "max_model_len" in done.removed
    assert all_versions()[-1] == "0.99.0"
    assert "0.99.0" not in known_versions()
    release = engine("0.99")
    assert (release.version, release.default_gpu_memory_utilization) == ("0.99.0", 0.95)
    assert release.check("new_thing", 3) == 3
    assert engine("").version == known_versions()[-1]


def test_prereleases_come_before_their_release(home, tmp_path):
    for version in ("0.99.0", "0.99.0rc1", "0.99.0.post1", "0.18.1"):
        import_engine(written(tmp_path, dump(version)))
    assert all_versions()[0] == "0.18.1"
    assert all_versions()[-3:] == ("0.99.0rc1", "0.99.0", "0.99.0.post1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no dump of a vLLM parser"),
        ("Traceback (most recent call last):", "no dump of a vLLM parser"),
        ("{}", "version"),
        (dump(version="../../x"), "no vLLM release"),
        (dump(version="0.99"), "no vLLM release"),
        (dump(n_flags=7), "cut off"),
        (dump(n_flags=1, flags={"--x": flag("x")}), "of another program"),
        (dump(flags={"--x": {"dest": 1}}), "flags"),
    ],
)
def test_a_broken_dump_is_one_clear_line(home, tmp_path, content, said):
    with pytest.raises(SourceError, match=said) as refused:
        import_engine(written(tmp_path, content))
    assert "\n" not in str(refused.value)
    assert not home.exists()


def test_a_missing_file_and_a_release_of_the_tables_are_refused(home, tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        import_engine(tmp_path / "absent.json")
    with pytest.raises(RequestError, match="already"):
        import_engine(written(tmp_path, dump("0.33.0")))


def test_an_import_that_was_damaged_later_is_named(home, tmp_path):
    done = import_engine(written(tmp_path, dump()))
    done.path.write_text("{", encoding="utf-8")
    with pytest.raises(SourceError, match=r"0\.99\.0\.json is no dump"):
        engine("0.99.0")
    assert engine("0.33.0").version == "0.33.0"


def test_the_script_of_the_repositories_is_the_maintainers_script():
    """Below their docstrings the two are the same program."""
    ours, theirs = (ast.parse((ROOT / name).read_text(encoding="utf-8")) for name in (
        ".github/scripts/dump_engine.py", "templates/scripts/dump-engine.py",
    ))  # fmt: skip
    assert list(map(ast.dump, ours.body[1:])) == list(map(ast.dump, theirs.body[1:]))
