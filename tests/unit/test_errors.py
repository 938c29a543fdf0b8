"""The error hierarchy and the documented exit statuses."""

import re
from pathlib import Path

from generator import errors

ROOT = Path(__file__).parents[2]


def all_errors():
    def below(cls):
        yield cls
        for child in cls.__subclasses__():
            yield from below(child)

    return [cls for cls in below(errors.GeneratorError) if cls.__module__ == "generator.errors"]


def test_the_drawing_in_the_docstring_names_every_class():
    """Someone who reads the module's first lines sees the whole tree."""
    drawn = set(re.findall(r"\w+Error", errors.__doc__))

    assert drawn == {cls.__name__ for cls in all_errors()}


def test_the_readme_documents_the_status_of_every_branch():
    """Each status that a class carries has its row in the README's table."""
    rows = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert {str(cls.status) for cls in all_errors()} | {"0", "130"} == set(rows)


def test_an_infeasible_plan_says_by_how_much():
    """The shortfall travels with the error, in bytes."""
    error = errors.InfeasiblePlanError("does not fit", shortfall_bytes=7)

    assert (error.shortfall_bytes, error.status) == (7, 5)
