"""The memory score on the committed data: it stands, and a worse figure is noticed."""

import pytest

from generator.catalogue.overheads import overheads
from tests.accuracy.bootlogs import metrics, scores
from tests.accuracy.regions import INSIDE, by_region, needed_widening
from tests.accuracy.report import BEGIN, END, PAGE, TRUTH, section, worse, written
from tests.accuracy.startup_rows import every_row, is_stock


@pytest.fixture(scope="module")
def planned():
    return scores(TRUTH, None)


@pytest.fixture(scope="module")
def unseen():
    """The same starts, each with coefficients that its source did not teach."""
    return scores(TRUTH, None, leave_out="source")[0]


def test_the_set_is_the_stock_starts_on_discrete_gpus(planned):
    """startup-logs.md counts 44, fresh.md adds as many; those without a config.json are named."""
    assert sum(map(is_stock, every_row(TRUTH))) == 88
    assert len(planned[0]) + len(planned[1]) == 88


def test_the_published_figures_are_todays(planned, unseen):
    """The page says nothing that the committed data do not give."""
    assert worse(PAGE.read_text(encoding="utf-8"), planned[0], unseen) == []


@pytest.mark.parametrize("side", ["source", "gpu", "model"])
def test_nine_of_ten_strangers_starts_lie_in_their_intervals(side):
    """Coefficients without the start's own source, GPU or model, at a mean width of at most 6 % of the GPU."""
    unseen = scores(TRUTH, None, leave_out=side)[0]
    figures = {line.split()[0]: float(line.split()[1]) for line in metrics(unseen, "left_out")}
    assert figures["left_out.in_interval"] >= 0.9
    assert figures["left_out.interval_width"] <= 0.06
    assert figures["left_out.false_refusals"] == 0
    assert figures["left_out.failures_caught"] == 1


def test_every_region_that_enough_sources_show_holds_its_starts(unseen):
    """Coefficients without the start's own source: at least 85 % of each region's starts lie inside."""
    regions = [region for region in by_region(unseen) if region.enough]
    assert len(regions) >= 12
    assert [region.name for region in regions if region.inside < INSIDE] == []


def test_the_ranges_are_as_wide_as_the_regions_need(unseen):
    assert overheads().widening.always == needed_widening(unseen)
    assert {region.name: region.sources for region in by_region(unseen) if not region.name.startswith("vLLM ")} == {
        region.name: region.sources for region in overheads().regions
    }


def test_the_bars_that_every_plan_rests_on_hold(planned):
    """No start that ran is refused, those that failed are seen, nine of ten lie in the interval."""
    figures = {line.split()[0].removeprefix("bootlogs."): float(line.split()[1]) for line in metrics(planned[0])}
    assert figures["false_refusals"] == 0
    assert figures["failures_caught"] == 1
    assert figures["in_interval"] >= 0.9
    assert figures["interval_width"] < 0.06
    assert figures["high_risk_on_ok"] <= 0.15


def test_a_worse_figure_is_named(planned):
    page = "| `bootlogs.in_interval` | 50.0% |\n| `bootlogs.interval_width` | 1.0% |\n"
    found = worse(page, planned[0], [])
    assert len(found) == 1
    assert found[0].startswith("bootlogs.interval_width was 1.0 %, is ")


def test_the_page_keeps_what_others_wrote(planned):
    part = section(*planned, planned[0])
    once = written("# Title\n\nbefore\n", part)
    twice = written(once + "after\n", part)
    assert once.startswith("# Title\n\nbefore\n")
    assert twice == once + "after\n"
    assert twice.count(BEGIN) == twice.count(END) == 1
