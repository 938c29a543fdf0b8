"""gpus.toml: every row is sourced and consistent, and every spelling finds its row."""

from __future__ import annotations

import pytest

from generator.catalogue.gpu_table import GPURow, all_gpus
from generator.catalogue.gpu_words import counted
from generator.catalogue.gpus import custom_gpu, find_gpu, gpu_by_nvml, parse_capability
from generator.catalogue.loader import packaged_rows
from generator.errors import RequestError, UnknownFactError
from generator.models.hardware import Cluster
from generator.units import MIB

ROWS = packaged_rows("gpus.toml", "gpu", GPURow)
each_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def test_the_table_covers_at_least_forty_products():
    assert len({name for row in ROWS for name in row.nvml_names}) >= 40


@each_row
def test_a_row_names_both_sources_and_something_to_look_up(row):
    for source in (row.memory_source, row.spec_source):
        assert any(word in source for word in ("https://", "github:", "public GitHub file", "NVIDIA"))


@each_row
def test_no_figure_is_one_with_sparsity(row):
    """Dense FP8 runs at twice BF16 and dense FP4 at most at four times FP8; sparsity would double that."""
    if row.bf16_tflops and row.fp8_tflops:
        assert row.fp8_tflops <= 2.1 * row.bf16_tflops
    if row.fp8_tflops and row.fp4_tflops:
        assert row.fp4_tflops <= 4.1 * row.fp8_tflops
    half = row.bf16_tflops or row.fp16_tflops
    if half and row.int8_tops:
        assert row.int8_tops <= 4.1 * half


@each_row
def test_arithmetic_matches_the_compute_capability(row):
    gpu = row.gpu
    assert gpu.supports_bf16 or row.bf16_tflops is None
    assert gpu.capability >= 89 or row.fp8_tflops is None
    assert gpu.capability >= 100 or row.fp4_tflops is None


@each_row
def test_every_spelling_finds_its_row(row):
    for spelling in (row.name, *row.aliases):
        assert find_gpu(spelling.upper()).name == find_gpu(spelling.lower()).name == row.name


@each_row
def test_an_nvml_name_with_its_total_finds_its_row(row):
    for product in row.nvml_names:
        assert gpu_by_nvml(product, row.memory_mib * MIB).name == row.name


@pytest.mark.parametrize(
    ("product", "mib"),
    [  # quoted nvidia-smi totals of shared data gpus.csv
        ("Tesla T4", 15360),
        ("NVIDIA A10G", 23028),
        ("NVIDIA L4", 23034),
        ("NVIDIA A100-SXM4-80GB", 81920),
        ("NVIDIA H100 80GB HBM3", 81559),
        ("NVIDIA H200", 143771),
        ("NVIDIA B200", 183359),
        ("NVIDIA GeForce RTX 4090", 24564),
        ("NVIDIA GeForce RTX 5090", 32607),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887),
    ],
)
def test_memory_is_what_nvml_prints(product, mib):
    assert find_gpu(product).memory_bytes == mib * MIB


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("H100", "H100-SXM-80GB"),
        ("4090", "RTX-4090-24GB"),
        ("A100-80GB", "A100-SXM-80GB"),
        # bench.csv
        ("A100-SXM4-80GB", "A100-SXM-80GB"),
        ("A100-PCIe-80GB", "A100-PCIE-80GB"),
        ("H100-SXM5-80GB", "H100-SXM-80GB"),
        ("H200-SXM-141GB", "H200-SXM-141GB"),
        ("B200-180GB", "B200-180GB"),
        ("GB10-128GB", "GB10-128GB"),
        ("RTX-PRO-6000-96GB", "RTX-PRO-6000-96GB"),
        ("RTX-PRO-6000-MaxQ-96GB", "RTX-PRO-6000-MaxQ-96GB"),
        ("RTX-6000-Ada-48GB", "RTX-6000-Ada-48GB"),
        # kv_truth.json
        ("A100-80", "A100-SXM-80GB"),
        ("RTX5090", "RTX-5090-32GB"),
        ("L40S", "L40S-48GB"),
        # startup_logs.csv
        ("NVIDIA A100 80GB", "A100-SXM-80GB"),
        ("NVIDIA RTX PRO 6000 Blackwell", "RTX-PRO-6000-96GB"),
        ("NVIDIA Tesla T4", "T4-16GB"),
    ],
)
def test_the_names_that_recorded_runs_use_resolve(spelling, name):
    assert find_gpu(spelling).name == name


@pytest.mark.parametrize("typed", ["0xH100", "0 x H100", "0 H100", "H100 x0", "00xH100"])
def test_none_of_a_gpu_is_refused(typed):
    """A count of zero is answered with the least one, not with a product that is spelt like it."""
    with pytest.raises(RequestError, match=r"asks for 0 GPUs: give a count of at least 1, like 1xH100$"):
        find_gpu(counted(typed)[1])


@pytest.mark.parametrize("typed", ["2x", "2 x", "x2", "2*", "x"])
def test_a_number_without_a_gpu_is_refused(typed):
    """A count alone is answered with what it lacks."""
    with pytest.raises(RequestError, match=r"lacks the GPU's name: write it too, like 2xL40S$"):
        find_gpu(counted(typed)[1])


def test_an_unknown_gpu_names_the_nearest_and_how_to_give_it_by_hand():
    with pytest.raises(UnknownFactError) as caught:
        find_gpu("H101")
    assert "H100-SXM-80GB" in str(caught.value)
    assert "--gpu custom --vram-gb N --capability X.Y" in str(caught.value)


def test_a_product_of_several_sizes_is_not_guessed():
    with pytest.raises(UnknownFactError, match="A100-PCIE-40GB, A100-PCIE-80GB, A100-SXM-40GB, A100-SXM-80GB"):
        find_gpu("A100")
    with pytest.raises(RequestError, match="RTX-3080-10GB or RTX-3080-12GB"):
        find_gpu("NVIDIA GeForce RTX 3080")


def test_cards_of_one_product_name_are_told_apart_by_memory():
    assert gpu_by_nvml("NVIDIA GeForce RTX 3080", 10240 * MIB).name == "RTX-3080-10GB"
    assert gpu_by_nvml("NVIDIA GeForce RTX 3080", 12288 * MIB).name == "RTX-3080-12GB"


def test_a_detected_card_has_the_memory_that_nvml_reports_today():
    """An A40 without ECC prints 49140 MiB, with ECC 46068 MiB (gpus.csv)."""
    gpu = gpu_by_nvml("NVIDIA A40", 49140 * MIB)
    assert (gpu.name, gpu.memory_bytes) == ("A40-48GB", 49140 * MIB)


def test_a_detected_card_of_another_size_is_unknown():
    with pytest.raises(UnknownFactError, match=r"24576 MiB.*A40-48GB 46068 MiB.*--vram-gb"):
        gpu_by_nvml("NVIDIA A40", 24576 * MIB)
    with pytest.raises(UnknownFactError, match=r"NVIDIA Z9.*the driver's name"):
        gpu_by_nvml("NVIDIA Z9", 9728 * MIB)


def test_unified_memory_without_an_nvml_total_takes_the_table_s():
    gpu = gpu_by_nvml("NVIDIA GB10", None)
    assert gpu.unified_memory
    assert gpu.memory_bytes == 124611 * MIB


def test_a_bridge_between_cards_is_not_assumed():
    assert Cluster(gpu=find_gpu("A100-PCIE-80GB"), gpus_per_node=2).link == "pcie"
    assert Cluster(gpu=find_gpu("H100"), gpus_per_node=2).link == "nvlink"


def test_a_gpu_by_hand_knows_its_memory_and_capability_only():
    gpu = custom_gpu(48, "8.9")
    assert gpu.memory_bytes == 48 * 1024**3
    assert gpu.capability == 89
    assert gpu.bandwidth_bytes_per_s is None


@pytest.mark.parametrize("text", ["89", "8.9.1", "8.", "ada", "8.10"])
def test_a_malformed_capability_is_refused(text):
    with pytest.raises(RequestError, match=r"not of the form 8\.9"):
        parse_capability(text)


def test_every_row_is_a_value_of_its_own():
    assert len({gpu.name for gpu in all_gpus()}) == len(ROWS)
