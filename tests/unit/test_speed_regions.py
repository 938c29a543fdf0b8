"""Ranges of speed by the kind of server and load: wider where runs were missed, or few show it."""

from strategies import case_of

from generator.catalogue.gpus import find_gpu
from generator.catalogue.speed import speed
from generator.models.parallelism import Layout
from generator.models.speed import Scenario
from generator.planning.planner import choose
from generator.planning.speed.footprint import footprint
from generator.planning.speed.regions import UNSEEN, added_width, doubt, in_region, kernel_region, load_regions

H100 = find_gpu("H100-SXM-80GB")


def shown(model="Qwen/Qwen3-8B", gpu="H100-SXM-80GB"):
    case = case_of(model, gpu)
    return footprint(case.architecture, Layout(), case.quantization)


def table(regions=None, few_sources=None):
    few = {UNSEEN: 0.3, **(few_sources or {})}
    return speed().changed(half_widths={"tpot.lasting": 0.2}, regions=regions or {}, few_sources=few)


def scenario(**stated):
    return Scenario(prompt_tokens=512, gen_tokens=256, concurrency=8).changed(**stated)


def test_a_region_is_a_kernel_on_a_generation():
    """Dense weights or experts, the kernel that runs there, and the generation of the GPU."""
    assert kernel_region(shown(), H100) == "dense native on sm90"
    assert kernel_region(shown("openai/gpt-oss-20b", "B200-180GB"), find_gpu("B200-180GB")) == "experts fp4 on sm100"


def test_a_load_is_of_a_region_by_its_answers_and_its_crowd():
    """Both kinds are told by the request alone."""
    assert list(load_regions(scenario())) == []
    assert list(load_regions(scenario(gen_tokens=64, concurrency=128))) == [
        "answers of up to 64 tokens",
        "128 requests in flight and more",
    ]


def test_the_widest_of_the_regions_counts():
    """What is added is no sum: the rows that set one region's figure are of the others too."""
    held = table({"dense native on sm90": 0.1, "128 requests in flight and more": 0.2})
    assert added_width(held, shown(), H100, scenario()) == 0.1
    assert added_width(held, shown(), H100, scenario(concurrency=128)) == 0.2
    assert in_region(held, shown(), H100, scenario()).half_widths == {"tpot.lasting": 0.2 + 0.1}


def test_a_kernel_that_few_sources_show_is_widened_and_named():
    """Most where no source shows it; the estimate says which it is."""
    rare = table(few_sources={"dense native on sm90": 0.15})
    assert added_width(table(), shown(), H100, scenario()) == 0.3
    assert added_width(rare, shown(), H100, scenario()) == 0.15
    assert doubt(table(), shown(), H100) == "no published run shows dense native on sm90: the ranges are wider"
    assert doubt(rare, shown(), H100) == "fewer than three sources show dense native on sm90: the ranges are wider"
    assert doubt(table({"dense native on sm90": 0.0}), shown(), H100) == ""


def test_a_plan_says_where_few_sources_show_its_kernel():
    """The words stand in the estimate's calibration; a plan on a card that many sources show has none."""
    rare, common = (choose(case_of(f"Qwen/Qwen3-32B{kind}", "RTX-PRO-6000-96GB")) for kind in ("-FP8", ""))
    assert "fewer than three sources show dense fp8_block on sm120" in rare.estimate.calibration
    assert "fewer than three sources" not in common.estimate.calibration
