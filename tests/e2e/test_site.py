"""The documentation as a site: it is built strictly, and its search finds what people ask for.

Runs where MkDocs is installed (`pip install --group site`); VLLM_WIZARD_SITE names a site that is built already.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fixtures.programs import passes, tool

ROOT = Path(__file__).parents[2]
QUESTIONS = tomllib.loads((ROOT / "tests/fixtures/site_questions.toml").read_text(encoding="utf-8"))["question"]
_FIRST = 3
"""Results that a person looks at."""

pytestmark = [pytest.mark.needs_tool, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    pytest.importorskip("mkdocs", reason="MkDocs is not installed: pip install --group site")
    built = os.environ.get("VLLM_WIZARD_SITE", "")
    if built and (Path(built) / "index.html").is_file():
        return Path(built)
    place = tmp_path_factory.mktemp("site")
    words = ("build", "--strict", "--quiet", "-f", str(ROOT / ".github/site/mkdocs.yml"), "-d", str(place))
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *words],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return place


@pytest.fixture(scope="module")
def search(site):
    """The pages that a search finds, the best first, with the weights that the site's own search gives to titles."""
    lunr = pytest.importorskip("lunr", reason="lunr is not installed: pip install --group site").lunr
    held = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    fields = [{"field_name": "title", "boost": 1000}, {"field_name": "text", "boost": 1}]
    index = lunr(ref="location", fields=fields, documents=held)

    def found(words):
        return list(dict.fromkeys(one["ref"].partition("#")[0] for one in index.search(words)))

    return found


class Links(HTMLParser):
    """What a page links to and shows, and the anchors that it has."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors, self.without_words = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """One tag of the page, as the parser meets it."""
        held = dict(attrs)
        self.anchors.add(held.get("id"))
        self.targets += [held[name] for name in ("href", "src") if held.get(name)]
        if tag == "img" and not held.get("alt"):
            self.without_words.append(held.get("src"))


@pytest.fixture(scope="module")
def pages(site):
    """Every page by its place."""
    return {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}


def test_there_are_at_least_25_questions():
    assert len({one["asks"] for one in QUESTIONS}) >= 25


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: re.sub(r"\W+", "-", one["asks"]))
def test_search_finds_the_page(question, search):
    assert question["page"] in search(question["asks"])[:_FIRST]


def test_no_link_inside_is_dead(pages, site):
    dead = []
    for path, page in pages.items():
        for target in page.targets:
            name, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:|//", target) or anchor.startswith("__"):
                continue
            there = (path.parent / name).resolve() if name else path
            if not there.exists() or (anchor and anchor not in pages.get(there, page).anchors):
                dead.append((path.name, target))
    assert dead == []


def test_every_picture_is_described_in_words(pages):
    assert {path.name: page.without_words for path, page in pages.items() if page.without_words} == {}


def test_nothing_is_fetched_from_elsewhere(pages):
    """A page of an air-gapped site shows whole: its styles, scripts, fonts and pictures lie beside it."""
    asked = {
        target
        for path in pages
        for target in re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="(https?:[^"]+)"', path.read_text("utf-8"))
    }
    assert {one for one in asked if "rel=canonical" not in one} == set()


def test_every_example_has_its_tree_on_the_site(site):
    trees = {path.name for path in (ROOT / "tests/golden").iterdir() if (path / "README.md").is_file()}
    assert {path.stem for path in (site / "examples").glob("*.html")} == trees | {"index"}
    page = (site / "examples/chat-one-gpu.html").read_text(encoding="utf-8")
    assert "serve.yaml" in page
    assert "max-model-len" in page


def test_the_workflow_that_publishes_it_is_sound():
    """No action without a commit, no permission that a job does not need."""
    workflows = [str(path) for path in (ROOT / ".github/workflows").glob("*.yml")]
    assert workflows
    passes(ROOT, tool("actionlint"), *workflows)
    passes(ROOT, tool("zizmor"), "--offline", "--quiet", *workflows)
