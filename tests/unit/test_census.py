"""Every way in which vLLM refuses to start has an answer (tests/oracle/census.toml)."""

import os
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CENSUS = runpy.run_path(str(ROOT / ".github" / "scripts" / "census.py"))
TABLE = tomllib.loads((ROOT / "tests" / "oracle" / "census.toml").read_text(encoding="utf-8"))
RELEASES = ("0.32.0", "0.33.0")

SOURCE = """
class ModelConfig:
    def verify(self, tp):
        if self.heads % tp:
            raise ValueError(
                f"Total number of attention heads ({self.heads}) must be divisible by"
                " tensor parallel size"
            )
        raise NotImplementedError

    def forward(self, x):
        if x:
            raise ValueError("one")
        raise ValueError("two")
"""


@pytest.fixture
def tree(tmp_path):
    """A release with one file."""
    file = tmp_path / "vllm" / "config" / "model.py"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    return tmp_path


def test_a_message_is_read_with_its_place_and_a_request_path_is_one_entry(tree):
    """A raise without words is none; what forward says is one entry a file."""
    found = list(CENSUS["refusals"](tree, TABLE))
    assert [(one.file, one.function, one.message) for one in found] == [
        (
            "config/model.py",
            "ModelConfig.verify",
            "Total number of attention heads ({}) must be divisible by tensor parallel size",
        ),
        ("config/model.py", "ModelConfig.forward", "(request path)"),
    ]
    answers = [CENSUS["answer_of"](one, TABLE["answer"]) for one in found]
    assert [row["answer"] for row in answers] == ["rule", "request"]
    assert answers[0]["why"] == "rules/start.py heads_divide"


def test_what_no_row_speaks_of_has_no_answer(tree):
    """So that a new file of a new release fails this test until somebody answers it."""
    one = next(iter(CENSUS["refusals"](tree, TABLE)))
    assert CENSUS["answer_of"](one, [{"files": ["platforms/*"], "answer": "host", "why": "it"}]) is None


def test_every_answer_is_of_a_kind_and_says_why():
    """The kinds are those that the table's head explains."""
    for row in TABLE["answer"]:
        assert row["answer"] in CENSUS["ANSWERS"]
        assert len(row["why"]) > 10
        assert set(row) <= {"files", "functions", "says", "answer", "why", "later"}


@pytest.mark.needs_tool
@pytest.mark.parametrize("release", RELEASES)
def test_every_refusal_of_a_judged_release_is_answered(release):
    """The trees are those that the judge runs."""
    home = os.environ.get("VLLM_WIZARD_ORACLE")
    if not home:
        pytest.skip("the judge is not installed: .ci/install-oracle DIR VLLM, then VLLM_WIZARD_ORACLE=DIR")
    found = list(CENSUS["refusals"](Path(home) / "trees" / f"tree-{release}", TABLE))
    open_ones = [one for one in found if CENSUS["answer_of"](one, TABLE["answer"]) is None]
    assert not open_ones
    assert len(found) > 1500
