"""The documentation: links lead somewhere, commands exist, generated pages are what the program says."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

from generator.catalogue.engines import known_versions
from generator.catalogue.models import embedded_ids
from generator.errors import RequestError
from generator.models.explained import ChosenValue, FlagExplained, OtherDefault
from generator.models.fit import FitRow
from generator.models.measured import BenchRun, Comparison, RunCompared
from generator.models.plan import Plan
from generator.operations.check import CheckReport, Finding
from generator.operations.doctor.examine import Examined, Observation
from generator.operations.running.bench import Bench
from generator.operations.running.status import Gauge, Status
from generator.sources.nvml import DetectedGPU, DetectedSystem
from generator.sources.profile import load_profile

ROOT = Path(__file__).parents[2]
EXPLAINED = (FlagExplained, ChosenValue, OtherDefault)
RUNNING = (Bench, BenchRun, Comparison, RunCompared, Status, Gauge)
_HAND_WRITTEN = [ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^ *```(?:console|sh|bash)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_MAP = re.compile(r"^\|[^|]*\|(.*)\|$", re.MULTILINE)
_PANEL_PAGES = ("docs/reference/cli.md",)


def _named(path):
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def reference():
    """The script that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / ".github/scripts/write_reference.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / ".github/scripts"))
        spec.loader.exec_module(module)
    return module


def _anchors(text):
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _HAND_WRITTEN, ids=_named)
def test_relative_links_lead_somewhere(page):
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), link


def _command_lines(page):
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            shown = line.strip()
            if re.match(r"([A-Z_]+=\S+ )*(\S*/)?vllm-wizard ", shown):
                yield shown


def _unknown(line, commands):
    """The first word of a command line that the program does not have; None where all of it exists."""
    words = shlex.split(re.split(r" [|>] | && | 2>| # ", line)[0], comments=True)
    while "=" in words[0]:
        words = words[1:]
    words = words[1:]
    if words[0] in {"--help", "--version", "--install-completion", "--show-completion"}:
        return None
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in commands), None)
    if name is None:
        return words[0]
    known = {word for one in commands[name].params for word in (*one.opts, *one.secondary_opts)} | {"--help"}
    return next((word for word in words if word.startswith("-") and word.split("=")[0] not in known), None)


@pytest.mark.parametrize("page", _HAND_WRITTEN, ids=_named)
def test_commands_in_console_blocks_exist(page, reference):
    for line in _command_lines(page):
        assert _unknown(line, reference.commands()) is None, line


@pytest.mark.parametrize("page", _HAND_WRITTEN, ids=_named)
def test_a_quotation_quotes_something(page):
    """Blank lines and `...` alone are what a quotation becomes whose lines are no longer printed."""
    found = re.findall(r"^ *```text\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [block for block in found if not set(block.split()) - {"..."}] == []


def test_a_command_that_does_not_exist_is_found(reference):
    known = reference.commands()
    assert _unknown("vllm-wizard plan --gpux L4", known) == "--gpux"
    assert _unknown("HF_HUB_OFFLINE=1 vllm-wizard plam --gpu L4", known) == "plam"
    assert _unknown("vllm-wizard plan --gpu L4 --json | jq .", known) is None


@pytest.mark.parametrize("name", ["cli.md", "answers.md", "plan.schema.json", "profile.schema.json"])
def test_generated_pages_are_what_the_program_says(name, reference):
    """Run .github/scripts/write_reference.py where this fails."""
    assert (ROOT / "docs/reference" / name).read_text(encoding="utf-8") == reference.pages()[name]


def _explained(page):
    """Words of the first column of every table."""
    text = (ROOT / "docs/reference" / page).read_text(encoding="utf-8")
    return {word for cell in re.findall(r"^\| (.*?) \|", text, re.MULTILINE) for word in re.findall(r"`(\w+)`", cell)}


def test_every_field_of_the_plan_is_explained():
    schema = Plan.model_json_schema(mode="serialization", by_alias=True)
    objects = {"": schema, **{name: made for name, made in schema["$defs"].items() if name != "Request"}}
    for name, made in objects.items():
        missing = [field for field in made.get("properties", {}) if field not in _explained("plan-json.md")]
        assert not missing, f"{name or 'Plan'}: {', '.join(missing)}"


@pytest.mark.parametrize(
    "printed",
    [FitRow, CheckReport, Finding, DetectedSystem, DetectedGPU, Examined, Observation, *EXPLAINED, *RUNNING],
)
def test_every_field_of_the_other_objects_is_explained(printed):
    assert printed.model_fields.keys() - _explained("other-json.md") == set()


@pytest.mark.parametrize("section", ["model", "hardware", "workload", "policy", "outputs"])
def test_the_page_of_the_profile_names_every_key(section, tmp_path):
    """The refusal of an unknown key lists the known ones."""
    page = (ROOT / "docs/reference/profile.md").read_text(encoding="utf-8")
    named = {
        key
        for keys in re.findall(rf"^\| `{section}` \| (.*?) \|", page, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", keys)
    }
    profile = tmp_path / "profile.yaml"
    profile.write_text(f"{section}: {{no_such_key: 1}}", encoding="utf-8")
    with pytest.raises(RequestError) as refusal:
        load_profile(profile)
    known = set(str(refusal.value).partition("known in ")[2].partition(": ")[2].split(", "))
    assert known
    assert known - named == set()


@pytest.mark.parametrize(
    "field", ["model.params_b", "policy.overhead_gb", "policy.fragmentation_factor", "workload.streaming"]
)
def test_keys_that_the_page_calls_superseded_only_warn(field, tmp_path):
    assert f"`{field}`" in (ROOT / "docs/reference/profile.md").read_text(encoding="utf-8")
    section, _, key = field.partition(".")
    profile = tmp_path / "profile.yaml"
    profile.write_text(f"{section}: {{{key}: 1}}", encoding="utf-8")
    assert field in load_profile(profile).warnings[0]


def test_the_map_of_the_readme_names_paths_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where things live")[2].partition("\n## ")[0]
    paths = re.findall(r"`((?:generator|templates|docs|tests)/[^`]*|copier\.yml)`", text)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("page", "figure", "counted"),
    [
        ("README.md", r"start-up rules of (\d+) releases", len(known_versions())),
        ("docs/how-to/work-offline.md", r"more than (\d+) models and quantized", len(embedded_ids()) // 10 * 10),
    ],
)
def test_what_a_page_counts_is_what_there_is(page, figure, counted):
    assert re.findall(figure, (ROOT / page).read_text(encoding="utf-8")) == [str(counted)]


def test_every_how_to_is_in_its_index():
    folder = ROOT / "docs/how-to"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in folder.glob("*.md") if page.name != "README.md" and page.name not in index] == []


def test_every_command_is_shown_outside_the_reference(reference):
    pages = [page for page in _HAND_WRITTEN if _named(page) not in _PANEL_PAGES]
    lines = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert [name for name in reference.commands() if f"vllm-wizard {name}" not in lines] == []


def test_the_schema_accepts_no_unknown_word():
    """Closed objects, so that a reader can rely on the list of fields."""
    schema = json.loads((ROOT / "docs/reference/plan.schema.json").read_text(encoding="utf-8"))
    assert [name for name, made in schema["$defs"].items() if made.get("additionalProperties", True) is not False] == []
