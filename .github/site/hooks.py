"""What the site has beside docs/: README, examples with their rendered trees, changelog, contributing, linked files."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    ".github/CONTRIBUTING.md": "contributing.md",
    "examples/README.md": "examples/index.md",
}
"""Pages whose source lies outside docs/, and where they stand on the site."""
GOLDEN = "tests/golden/"
CONTRAST = """\
.md-typeset a:not(.headerlink) { text-decoration: underline; }
[data-md-color-scheme="default"] { --md-default-fg-color--light: #595959; }
[data-md-color-scheme="slate"] { --md-code-hl-constant-color: #b9a7ff; --md-code-hl-number-color: #ff9d94; }
[data-md-color-scheme="slate"][data-md-color-primary] { --md-typeset-a-color: #7aa5f0; }
.md-copyright { color: #e6e6e6; }
.md-typeset table code { white-space: normal; overflow-wrap: anywhere; }
.md-typeset th, .md-typeset td { min-width: 0 !important; }
.md-typeset .language-console code, .md-typeset .language-sh code { white-space: pre-wrap; overflow-wrap: anywhere; }
"""
"""What the theme lacks: links that show without colour, a darker grey, tables and commands that fit a telephone."""
_LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(?=\))")
_LANGUAGES = {".py": "python", ".sh": "bash", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
_SHOWN_BYTES = 60_000


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The site's files: docs/, the pages outside of it, a page for each rendered tree, and what pages link to."""
    files.append(File.generated(config, "contrast.css", content=CONTRAST))
    for source, place in PAGES.items():
        files.append(_page(config, place, (ROOT / source).read_text(encoding="utf-8")))
    for tree in sorted(path for path in (ROOT / GOLDEN).iterdir() if (path / "README.md").is_file()):
        files.append(_page(config, f"examples/{tree.name}.md", tree_page(tree)))
    sources = {**{place: source for source, place in PAGES.items()}}
    for one in [one for one in files if one.is_documentation_page()]:
        source = sources.get(one.src_uri, f"docs/{one.src_uri}")
        for target in _outside(one.content_string, source):
            if files.get_file_from_path(f"source/{target}") is None:
                files.append(File.generated(config, f"source/{target}", abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """The page with its links as they are on the site."""
    place = page.file.src_uri
    if place.startswith("examples/") and place != "examples/index.md":
        return markdown  # a rendered tree is shown as it is
    source = next((source for source, there in PAGES.items() if there == place), f"docs/{place}")
    return _LINK.sub(lambda found: _on_site(found[1], source, place) + (found[2] or ""), markdown)


def on_post_page(output: str, **_: object) -> str:
    """The page with a name for the theme's search, which is a dialog without one."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)


def tree_page(tree: Path) -> str:
    """One page with every file of a rendered tree."""
    listed = sorted(path for path in tree.rglob("*") if path.is_file())
    names = [str(path.relative_to(tree)) for path in listed]
    parts = [f"# {tree.name}", f"What the [example](index.md) `{tree.name}` renders: {len(names)} files."]
    for name, path in zip(names, listed, strict=True):
        text = path.read_text(encoding="utf-8")
        shown = text if len(text) <= _SHOWN_BYTES else f"{text[:_SHOWN_BYTES]}\n..."
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
        parts.append(f"## {name}\n\n{fence}{_LANGUAGES.get(path.suffix, 'text')}\n{shown.rstrip()}\n{fence}")
    return "---\nsearch: {exclude: true}\n---\n" + "\n\n".join(parts) + "\n"


def _page(config: MkDocsConfig, place: str, text: str) -> File:
    return File.generated(config, place, content=text)


def _target(link: str, source: str) -> str:
    """The file of the repository that a link of `source` means."""
    return normpath(str(PurePosixPath(source).parent / link))


def _outside(markdown: str, source: str) -> list[str]:
    """Files of the repository that a page links to and that are no page of the site."""
    targets = (_target(found[1], source) for found in _LINK.finditer(markdown))
    return sorted({one for one in targets if _place(one) == f"source/{one}" and (ROOT / one).is_file()})


def _place(target: str) -> str:
    """Where a file of the repository stands on the site."""
    if target in PAGES:
        return PAGES[target]
    if target.startswith(GOLDEN):
        return f"examples/{target.removeprefix(GOLDEN)}.md"
    return target.removeprefix("docs/") if target.startswith("docs/") else f"source/{target}"


def _on_site(link: str, source: str, place: str) -> str:
    return relpath(_place(_target(link, source)), str(PurePosixPath(place).parent))
