"""slices.toml and vGPUs: parts of a GPU have their share of its row, and stand alone."""

from __future__ import annotations

from fractions import Fraction

import pytest
from strategies import case_of

from generator.catalogue.gpu_table import gpus_by_name
from generator.catalogue.gpus import find_gpu, gpu_by_nvml
from generator.catalogue.slices import boards, profiles_of
from generator.cli.proposal import stated_gpus
from generator.errors import RequestError, UnknownFactError
from generator.models.request import Request
from generator.planning.planner import planned
from generator.units import GIB, MIB
from generator.workflow import facts_for, fit_for, plan_for

EACH = [(gpu, profile) for board in boards() for gpu in board.gpus for profile in board.profiles]
each_slice = pytest.mark.parametrize(("gpu", "profile"), EACH, ids=[f"{gpu}-{one.name}" for gpu, one in EACH])


def test_every_board_that_is_asked_for_has_its_profiles():
    """NVIDIA's MIG user guide has 5 profiles of A30 (2 with media engines), 7 of each of the others."""
    counts = {"A30-24GB": 3, "A100-SXM-40GB": 6, "A100-SXM-80GB": 6, "A100-PCIE-80GB": 6, "H100-SXM-80GB": 6}
    counts |= {
        "H20-96GB": 6,
        "GH200-144GB": 6,
        "GB200-186GB": 6,
        "B300-SXM-288GB": 6,
        "GB300-288GB": 6,
        "A800-SXM-80GB": 6,
    }
    counts |= {"H100-NVL-94GB": 6, "GH200-96GB": 6, "H200-SXM-141GB": 6, "B200-180GB": 6}
    assert {gpu: len(profiles_of(gpu)) for gpu in counts} == counts


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_a_board_names_its_sources(board):
    assert "mig-user-guide/" in board.source or board.source.endswith("in NVIDIA's MIG user guide")
    assert (board.memory_source is not None) == any(one.nvml_gib for one in board.profiles)


@each_slice
def test_the_instances_of_a_profile_are_never_more_than_the_whole(gpu, profile):
    whole, part = gpus_by_name()[gpu], find_gpu(f"{gpu} MIG {profile.name}")
    assert profile.instances * Fraction(profile.memory) <= 1
    assert profile.instances * Fraction(profile.compute) <= 1
    assert profile.instances * part.memory_bytes <= whole.memory_bytes
    for own, all_of_it in zip(part.flops, whole.flops, strict=True):
        assert (own[1] is None) == (all_of_it[1] is None)
        assert own[1] is None or profile.instances * own[1] <= all_of_it[1]


@each_slice
def test_the_name_of_a_profile_is_its_memory_in_gigabytes(gpu, profile):
    """1g.10gb of 80 GB: the second number is the memory, of which NVML keeps up to an eighth."""
    said, part = int(profile.name.partition(".")[2].removesuffix("gb")), find_gpu(f"{gpu} MIG {profile.name}")
    assert 0.87 <= part.memory_bytes / GIB / said <= 1.08


@each_slice
def test_a_slice_is_found_by_its_own_name_and_by_nvml(gpu, profile):
    part = find_gpu(f"{gpu}-MIG-{profile.name}")
    assert find_gpu(part.name) == part
    for product in part.nvml_names:
        assert gpu_by_nvml(product, part.memory_bytes).slice_of in {gpu, *_twins(gpu)}


def _twins(gpu):
    """Rows that share an NVML name with this one."""
    mine = set(gpus_by_name()[gpu].nvml_names)
    return {other for other, row in gpus_by_name().items() if mine & set(row.nvml_names)}


@pytest.mark.parametrize(
    ("typed", "name", "mib"),
    [  # memory of nvidia-smi mig -lgip: 39.25, 9.75, 4.75, 16.00, 11.00 GiB
        ("NVIDIA A100-SXM4-80GB MIG 3g.40gb", "A100-SXM-80GB-MIG-3g.40gb", 40192),
        ("H100 MIG 1g.10gb", "H100-SXM-80GB-MIG-1g.10gb", 9984),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100-SXM-40GB-MIG-1g.5gb", 4864),
        ("NVIDIA H200 MIG 1g.18gb+me", "H200-SXM-141GB-MIG-1g.18gb", 16384),
        ("GH200 MIG 1g.12gb", "GH200-96GB-MIG-1g.12gb", 11264),
        ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", "H100-SXM-80GB-MIG-1g.10gb", 9984),
        ("h100 1g.24gb", "H100-NVL-94GB-MIG-1g.24gb", 22016),
        ("A100 MIG 3g.40gb", "A100-SXM-80GB-MIG-3g.40gb", 40192),  # as `A100 80GB` is SXM's
        ("NVIDIA B300 SXM6 AC MIG 1g.34gb", "B300-SXM-288GB-MIG-1g.34gb", 31211),
        ("NVIDIA GB300 MIG 3g.139gb", "GB300-288GB-MIG-3g.139gb", 138272),
        ("H20 MIG 1g.12gb", "H20-96GB-MIG-1g.12gb", 11106),
        ("H800 MIG 1g.10gb", "H800-SXM-80GB-MIG-1g.10gb", 9984),
        ("mig-1g.6gb", "A30-24GB-MIG-1g.6gb", 5949),
    ],
)
def test_slices_as_people_and_programs_write_them(typed, name, mib):
    found = find_gpu(typed)
    assert (found.name, found.memory_bytes // MIB) == (name, mib)


@pytest.mark.parametrize(
    ("typed", "error", "said"),
    [
        ("mig-1g.10gb", RequestError, "several GPUs: choose A100-SXM-40GB-MIG-1g.10gb or .*H100-PCIE"),
        ("A100 MIG 1g.10gb", RequestError, "choose A100-PCIE-40GB-MIG-1g.10gb or A100-PCIE-80GB-MIG-1g.10gb or "),
        ("H100 MIG 1g.5gb", UnknownFactError, "H100-SXM-80GB has no such profile; it has 1g.10gb, 1g.20gb"),
        ("L4 MIG 1g.10gb", UnknownFactError, "list no profiles of L4-24GB"),
        ("Frob MIG 1g.10gb", UnknownFactError, "that the table lacks: plan its memory"),
        ("NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb", RequestError, "shares the memory of slice 3g.20gb"),
    ],
)  # fmt: skip
def test_what_is_no_one_slice_is_said(typed, error, said):
    with pytest.raises(error, match=said):
        find_gpu(typed)


def test_a_slice_has_its_share_of_speed():
    """3g.40gb has 4/8 of the memory and its bandwidth and 3/7 of the SMs (MIG user guide, A100)."""
    whole, part = find_gpu("A100-SXM-80GB"), find_gpu("A100-SXM-80GB MIG 3g.40gb")
    assert part.bandwidth_bytes_per_s * 2 == whole.bandwidth_bytes_per_s
    assert part.flops.bf16 * 7 == pytest.approx(whole.flops.bf16 * 3, rel=1e-9)
    assert part.nvlink_bytes_per_s is None


def test_a_plan_on_a_slice_is_slower_than_on_the_whole_and_says_so():
    whole = planned(case_of("Qwen/Qwen3-0.6B", "H100-SXM-80GB"))
    part = planned(case_of("Qwen/Qwen3-0.6B", "H100 MIG 2g.20gb"))
    assert part.estimate.tpot_ms.mean > 1.5 * whole.estimate.tpot_ms.mean
    assert "timed by its shares of a H100-SXM-80GB" in part.estimate.calibration
    assert any("a part of a GPU" in text for text in part.warnings)
    assert any("calls it nvidia.com/mig-2g.20gb" in text for text in part.advisories)
    assert not any("nvidia.com/mig" in text for text in whole.advisories)


def test_slices_are_not_joined():
    """CUDA counts one MIG instance a process: vLLM's world size is one."""
    with pytest.raises(RequestError, match=r"world size 2 is larger than the number of available GPUs \(1\)"):
        planned(case_of("Qwen/Qwen3-0.6B", "H100 MIG 2g.20gb", 2, overrides={"tensor_parallel_size": 2}))
    made = planned(case_of("Qwen/Qwen3-0.6B", "H100 MIG 2g.20gb", 3))
    assert made.layout.ranks == 1
    assert any("the others serve copies of their own" in text for text in made.advisories)


def test_a_vgpu_has_its_gibibytes_and_no_speed():
    for name, gib in (("GRID A100-10C", 10), ("NVIDIA A40-48Q", 48), ("H100XM-20C", 20), ("NVIDIA L40S-12Q", 12)):
        found = find_gpu(name)
        assert (found.memory_bytes, found.bandwidth_bytes_per_s) == (gib * GIB, None)
        assert find_gpu(found.name).memory_bytes == found.memory_bytes
    made = planned(case_of("Qwen/Qwen3-0.6B", "NVIDIA A40-8Q"))
    assert made.estimate is None
    assert any("depends on its neighbours on the A40" in text for text in made.advisories)


def test_fit_compares_what_is_named_slices_among_them():
    request = Request(model="Qwen/Qwen3-8B", gpu="any", source="embedded")
    kinds = tuple(map(find_gpu, ("L4", "H100 MIG 3g.40gb")))
    rows = fit_for(request, facts_for(request), gpus=1, kinds=kinds)
    assert [(row.gpu, row.verdict) for row in rows] == [("L4-24GB", "fits"), ("H100-SXM-80GB-MIG-3g.40gb", "fits")]


def test_kinds_that_are_compared_have_no_numbers_of_their_own():
    assert [gpu.name for gpu in stated_gpus({"gpu": " L4 , 4090,L4,"})] == ["L4-24GB", "RTX-4090-24GB"]
    with pytest.raises(RequestError, match=r"'4x RTX 4090': several kinds .* name RTX 4090, and --gpus N"):
        stated_gpus({"gpu": "L4, 4x RTX 4090"})


def test_a_recorded_slice_is_planned_again_by_its_name():
    request = Request(model="Qwen/Qwen3-0.6B", gpu="NVIDIA H200 MIG 1g.18gb", source="embedded")
    made = plan_for(request, facts_for(request))
    again = plan_for(request.model_copy(update={"gpu": made.cluster.gpu.name}), facts_for(request))
    assert again.cluster == made.cluster
