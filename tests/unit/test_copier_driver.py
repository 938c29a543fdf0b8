"""Copier driven in process: errors as one line, the environment left as it was."""

from __future__ import annotations

import os
import subprocess

import pytest
from plumbum import local

from generator.errors import RenderError
from generator.rendering import copier_driver
from generator.rendering.git import git, isolated, telling_line

QUESTION = "_envops: {undefined: jinja2.StrictUndefined}\nname: {type: str, default: x}\n"


@pytest.fixture
def template(tmp_path):
    place = tmp_path / "template"
    place.mkdir()
    (place / "copier.yml").write_text(QUESTION)
    (place / "out.txt.jinja").write_text("{{ name }}\n")
    return place


def test_a_template_is_rendered_quietly(template, tmp_path, capfd):
    with isolated():
        copier_driver.copy(str(template), tmp_path / "out", {"name": "é"}, ref=None)
    assert (tmp_path / "out/out.txt").read_text(encoding="utf-8") == "é\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings(
    "ignore:unclosed scandir:ResourceWarning",  # Copier's, where a render stops half-way
    "ignore:Exception ignored in.*Scandir:pytest.PytestUnraisableExceptionWarning",
)
@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("out.txt.jinja", "{{ nothing }}\n", "nothing"),
        ("out.txt.jinja", "{% if %}\n", "Expected an expression"),
        ("copier.yml", "a: [", r"copier\.yml"),
        ("copier.yml", "name: {type: str}\n", 'Question "name" is required'),
        ("copier.yml", "_min_copier_version: '99'\n", "requires Copier version >= 99"),
        ("copier.yml", "name: {type: int, default: x}\n", "invalid literal"),
        ("copier.yml", "name: {type: str, default: x, validator: bad}\n", "bad"),
        ("copier.yml", "_jinja_extensions: [no.such.module]\n", "no"),
    ],
)
def test_whatever_leaks_out_of_copier_is_one_line(template, tmp_path, name, text, said):
    (template / name).write_text(text)
    with pytest.raises(RenderError, match=said) as refused:
        copier_driver.copy(str(template), tmp_path / "out", {}, ref=None)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_an_unknown_version_is_one_line(template, tmp_path):
    with isolated():
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
            git("-c", "user.name=a", "-c", "user.email=a@b.invalid", *words, at=template)
        with pytest.raises(RenderError, match=r"Unknown revision: '9\.9'"):
            copier_driver.copy(str(template), tmp_path / "out", {}, ref="9.9")


def test_an_update_of_no_repository_is_one_line(tmp_path):
    with pytest.raises(RenderError):
        copier_driver.update(tmp_path, {}, source="x", ref=None)


def test_the_environment_comes_back(template, tmp_path, monkeypatch):
    """Repository variables go, the caller's own configuration entries stay, and both return."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    before, plumbums = dict(os.environ), dict(local.env.items())
    with isolated():
        assert "GIT_DIR" not in os.environ
        assert git("config", "--get", "safe.directory", at=tmp_path).strip() == "*"
        assert git("config", "--get", "core.hooksPath", at=tmp_path).strip() == os.devnull
        copier_driver.copy(str(template), tmp_path / "out", {}, ref=None)
    assert dict(os.environ) == before
    assert dict(local.env.items()) == plumbums


def test_a_missing_git_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match="install git"):
        git("status", at=tmp_path)


def test_a_failing_git_says_what_is_wrong_and_not_its_advice(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(RenderError, match="git rev-parse: fatal: Needed a single revision"):
        git("rev-parse", "--verify", "HEAD", at=tmp_path)


def test_a_rejected_push_says_what_was_rejected():
    said = "To ../x.git\n ! [rejected] main -> main (fetch first)\nerror: failed to push some refs\nhint: pull first\n"
    assert telling_line(said) == "! [rejected] main -> main (fetch first)"
    assert telling_line("\nAnything.\n\n") == "Anything."
    assert telling_line("") == ""
