"""Texts of every subset of artefacts name only targets and files that the repository of that subset has."""

from __future__ import annotations

import re
from itertools import combinations
from typing import get_args

import jinja2
import pytest
from fixtures.rendered import ANSWERS, LATER, ROOT, SETTINGS, TEMPLATES

from generator.models.request import NEEDS, ONE_NODE, Artefact

PATHS = sorted(
    path.relative_to(TEMPLATES).as_posix()
    for path in TEMPLATES.rglob("*")
    if path.is_file() and not path.relative_to(TEMPLATES).as_posix().startswith("_partials/") and path.suffix != ".pyc"
)
FOLDERS = "deploy|gateway|monitoring|scripts|platform|gitops|airgap|systemd"
TARGETS = re.compile(r"^([a-z-]+):", re.MULTILINE)
NAMED = re.compile(r"`make ([a-z-]+(?: [a-z-]+)*)|\bmake ([a-z-]+)(?= [A-Z]+=)")
FILES = re.compile(rf"`((?:{FOLDERS})/[\w./-]*)`")
REST = {"ci": "none", "prefix_hit_ratio": 0, "_copier_conf": {"answers_file": ""}}
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(ROOT),
    extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
    **{name: value for name, value in SETTINGS["_envops"].items() if name != "undefined"},
)


def subsets(nodes):
    """Every set of artefacts that can be asked for, for so many nodes."""
    every = [name for name in get_args(Artefact) if nodes == 1 or name not in ONE_NODE]
    for count in range(len(every) + 1):
        for chosen in combinations(every, count):
            if all(NEEDS.get(name, name) in chosen for name in chosen):
                yield list(chosen)


@pytest.fixture(scope="module")
def templates():
    """Compiled names of all files, and compiled texts of those that may name a target or a file."""
    names = [(path, ENVIRONMENT.from_string(path.removesuffix(".jinja"))) for path in PATHS]
    texts = {path: (TEMPLATES / path).read_text(encoding="utf-8") for path in PATHS}
    speaking = {path: ENVIRONMENT.get_template(f"templates/{path}") if path.endswith(".jinja") else text
                for path, text in texts.items() if "make " in text or FILES.search(text)}  # fmt: skip
    return names, speaking


@pytest.mark.parametrize(("name", "subsets_of"), [("single", 1920), ("two_nodes", 240)])
def test_no_text_of_any_subset_names_what_is_not_there(name, subsets_of, templates):
    names, speaking = templates
    answers = ANSWERS[name]
    seen = 0
    for artefacts in subsets(answers["plan"]["runtime"]["nodes"]):
        given = LATER | answers | REST | {"artefacts": artefacts}
        there = {path: made for path, one in names if (made := one.render(given)) and not re.search("(^|/)(/|$)", made)}
        said = {made: words(speaking[path], given) for path, made in there.items() if path in speaking}
        targets = set(TARGETS.findall(said["Makefile"]))
        files = set(there.values())
        for file, text in said.items():
            wanted = {target for found in NAMED.findall(text) for target in " ".join(found).split()}
            assert wanted <= targets, f"{artefacts}: {file}: {wanted - targets}"
            missing = {path for path in FILES.findall(text) if not held(path, files)}
            assert not missing, f"{artefacts}: {file}: {missing}"
        seen += 1
    assert seen == subsets_of


def words(text, given):
    """A text as it is rendered; one that is no template, as it is."""
    return text if isinstance(text, str) else text.render(given)


def held(path, files):
    """Whether the path is a file, or a folder of files."""
    return path in files or any(one.startswith(f"{path.rstrip('/')}/") for one in files)
