"""Releases of a small template and one deployment, shared by the end-to-end tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fixtures.deployments import SMALL, request_for, write_checkout

from generator.operations import templates
from generator.operations.generate import generate

_CLEARED = ("XDG_CONFIG_HOME", "COPIER_SETTINGS_PATH", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory):
    """A HOME of the tests' own: no user's settings of git, Copier or the Hub take part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        for name in _CLEARED:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def own_home(tmp_path_factory):
    """A HOME of one module's own: its store holds the package's releases, not those of another test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home-of-one")))
        yield


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A development checkout: the real copier.yml with a small template."""
    return write_checkout(tmp_path_factory.mktemp("checkout"), SMALL)


@pytest.fixture(scope="session")
def bundle(checkout, tmp_path_factory):
    """Releases 1.0.0 and 1.1.0; the second adds a file and changes a line."""
    place = tmp_path_factory.mktemp("bundle")
    packaged = place / "templates.bundle"
    templates.release("1.0.0", when="2026-01-05", checkout=checkout, bundle=packaged)
    newer = SMALL | {"SECURITY.md": "Report it.\n"}
    newer["README.md.jinja"] = newer["README.md.jinja"].replace("Serves", "This serves")
    write_checkout(place / "newer", newer)
    templates.release("1.1.0", when="2026-02-02", notes="Adds SECURITY.md.", checkout=place / "newer", bundle=packaged)
    return packaged


@pytest.fixture(scope="session")
def generated(bundle, tmp_path_factory):
    """One deployment of release 1.0.0; copied by `deployment`, never changed."""
    return generate(request_for(), tmp_path_factory.mktemp("made") / "dépôt 1", template="1.0.0", packaged=bundle)


@pytest.fixture
def deployment(generated, tmp_path):
    """A deployment of release 1.0.0 to change."""
    return Path(shutil.copytree(generated.path, tmp_path / "my déployment", symlinks=True))
