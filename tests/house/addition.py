"""What it is to add something: the places that it touches, and what says so where one of them is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Place(NamedTuple):
    """One file that is edited."""

    name: str
    edit: Callable[[str], str]
    by_script: bool = False
    """True where a script writes it from what the tests have not: vLLM's trees."""


class Slip(NamedTuple):
    """One way to forget something, and what the words of the refusal are."""

    forgotten: str
    """The place that is left as it was, or what is missing of a place."""
    probe: tuple[str, ...]
    says: str
    """Regular expression."""
    instead: Place | None = None
    """The incomplete edit; None where the place is left out."""
    undone: tuple[str, ...] = ()
    """Places that are left out, where it is more than the one that is forgotten."""


class Addition(NamedTuple):
    """One kind of addition, carried out with something invented."""

    what: str
    touch: str
    held: str
    places: tuple[Place, ...]
    works: tuple[str, ...]
    """A Python command that ends well once all is done."""
    slips: tuple[Slip, ...]
    scripts: tuple[str, ...] = ()
    """Maintainer scripts that write what follows."""


def appended(text: str) -> Callable[[str], str]:
    """The edit that adds `text` at a file's end."""
    return lambda before: f"{before.rstrip()}\n\n{text.strip()}\n"


def inserted(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """The edit that adds, of each pair, the second text before the first `mark` that is the first of the pair."""

    def edit(old: str) -> str:
        for mark, text in pairs:
            assert mark in old, mark
            old = old.replace(mark, f"{text}{mark}", 1)
        return old

    return edit


def tests(*targets: str) -> tuple[str, ...]:
    """The command that runs these tests."""
    without = ("no:cacheprovider", "no:hypothesispytest", "no:xdist", "no:cov")
    return ("-m", "pytest", "-q", "--noconftest", *(word for one in without for word in ("-p", one)), *targets)


def planned(**request: object) -> tuple[str, ...]:
    """The command that plans this request and prints the plan."""
    stated = {"model": "Qwen/Qwen3-8B", "source": "embedded", "gpu": "L4"} | request
    return ("-c", f"from generator import plan, Request; print(plan(Request(**{stated!r})).model_dump_json())")
