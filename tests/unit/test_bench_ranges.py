"""How wide the ranges of speed are set, from scores of made-up sources."""

from math import log
from types import SimpleNamespace

import pytest

from tests.accuracy.bench_ranges import half_widths
from tests.accuracy.bench_scores import FIGURES, Score


def scores(source, count, factor):
    """So many figures of each kind from one source, each predicted `factor` times as large as it was measured."""
    case = SimpleNamespace(row={"core": "1", "source": source})
    kinds = [(figure, kind) for figure in FIGURES for kind in ("lasting", "finite")]
    return [Score(case, *kind, factor, 1.0, 1.0, 1.0) for kind in kinds for _ in range(count)]


def test_a_large_sweep_does_not_hide_what_other_sources_were_missed_by():
    """96 of 100 figures are right, but of one machine: they count as ten, and four other sources were off by two."""
    found = scores("sweep", 100, 1.0) + [one for name in "abcd" for one in scores(name, 1, 2.0)]
    assert half_widths(found)["tpot.lasting"] == pytest.approx(log(2), abs=0.001)


def test_one_odd_source_among_many_does_not_widen_the_range():
    """Of twenty sources one was off by ten; nine of ten hold without it."""
    found = [one for i in range(19) for one in scores(str(i), 1, 1.1)] + scores("odd", 1, 10.0)
    assert half_widths(found)["ttft.finite"] == pytest.approx(log(1.1), abs=0.001)


def test_gaps_and_whole_answers_are_as_wide_as_what_they_are_made_of():
    found = scores("a", 3, 1.5)
    widths = half_widths(found)
    assert widths["itl.lasting"] == widths["tpot.lasting"]
    assert widths["e2e.finite"] == max(widths["tpot.finite"], widths["throughput.finite"])
