"""Write what follows from the fields of `Request` and their panels and sections.

    python .github/scripts/write_questions.py

These are the plan inputs of copier.yml, keys that the profile's template lacks, and the table of profile.md in
docs/reference. A new field: state it in generator/models/request.py, ask for it in copier.yml, then run this and
write_reference.py.
tests/unit/test_questions.py fails where a file differs from what this writes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from generator.models.question import SECTIONS, Section
from generator.models.request import ASKED, Request
from generator.sources.profile import ENGINE_KEYS, NAMING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
QUESTIONS, PAGE = "copier.yml", "docs/reference/profile.md"
TEMPLATE = "templates/{% if 'profile' in artefacts %}profile.yaml{% endif %}.jinja"
_INPUTS = re.compile(r"(?<=    \{\{ \{\n)(?:      '\w+': \w+,\n)+(?=      'facts': )")
_TABLE = re.compile(r"(?<=\|---\|---\|---\|\n)(?:\| `(?:model|hardware|workload|policy|outputs)` .*\n)+")
_SAME, _ENGINE_VALUE = "the same name", "an engine value, in `overrides`"
_SAID = {
    "artefacts": "`artefacts`; `k8s` is read as `kubernetes`",
    "overrides": "any engine values, in `overrides`",
}


def files() -> dict[str, str]:
    """Text of every file of which a part follows from `Request`, by its path in the repository."""
    made = {QUESTIONS: _questions, TEMPLATE: _template, PAGE: _page}
    return {name: write((ROOT / name).read_text(encoding="utf-8")) for name, write in made.items()}


def _questions(text: str) -> str:
    inputs = "".join(f"      '{name}': {name},\n" for name in Request.model_fields)
    return _INPUTS.sub(inputs, text)


def _template(text: str) -> str:
    """The profile's template with a line for every answer that a profile states; those that are there stay."""
    for name, one in ASKED.items():
        part = re.search(rf"^{one.section}:\n.*?\n(?=\n^\S)", text, re.MULTILINE | re.DOTALL)
        if part and not re.search(rf"^  {one.keys[0]}:", part[0], re.MULTILINE):
            line = f"\n  # {Request.model_fields[name].description}.\n  {one.keys[0]}: {{{{ {name} | to_json }}}}\n"
            text = f"{text[: part.end()]}{line}{text[part.end() :]}"
    return text


def _page(text: str) -> str:
    rows = "".join(f"| `{section}` | {keys} | {said} |\n" for section in SECTIONS for keys, said in _rows(section))
    return _TABLE.sub(lambda _: rows, text)


def _rows(section: Section) -> Iterator[tuple[str, str]]:
    """The keys of a section, and the answer that they state; those with their answer's own name share a row."""
    stated = {one.keys: name for name, one in ASKED.items() if one.section == section}
    stated |= {(key,): name for key, name in NAMING.items() if section == "outputs"}
    own = [keys for keys, name in stated.items() if keys == (name,)]
    for keys, name in stated.items():
        if keys in own[:1]:
            yield ", ".join(f"`{key}`" for (key,) in own), _SAME
        elif keys not in own:
            yield ", or ".join(f"`{key}`" for key in keys), _SAID.get(name, f"`{name}`")
    values = ENGINE_KEYS.get(section, {})
    same = [key for key, name in values.items() if key == name]
    if same:
        yield ", ".join(f"`{key}`" for key in same), _ENGINE_VALUE
    yield from ((f"`{key}`", f"engine value `{name}`") for key, name in values.items() if key != name)


def main() -> None:
    """Write the files."""
    for name, text in files().items():
        (ROOT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
