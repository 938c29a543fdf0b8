"""The reader of the tables refuses what is not complete, and says where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from generator.catalogue.gpu_table import GPURow
from generator.catalogue.loader import packaged_rows, rows, unique
from generator.errors import GeneratorError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[[gpu]]
name = "X1"
nvml_names = ["NVIDIA X1"]
memory_mib = 1000
memory = "gddr"
capability = "8.9"
memory_source = "nvidia-smi: 1000MiB"
spec_source = "a datasheet"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "gpus.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_complete_row_is_read(tmp_path):
    assert rows(written(tmp_path, GOOD), "gpu", GPURow)[0].memory_mib == 1000


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('spec_source = "a datasheet"\n', "", "spec_source"),
        ('"a datasheet"', '""', "spec_source"),
        ('"nvidia-smi: 1000MiB"', '""', "memory_source"),
        ("memory_mib = 1000", 'memory_mib = "1000"', "memory_mib"),
        ("memory_mib = 1000", "memory_mib = 1000.5", "memory_mib"),
        ("memory_mib = 1000", "memory_mib = true", "memory_mib"),
        ("memory_mib = 1000", "memory_gb = 80\nmemory_mib = 1000", "memory_gb"),
        ('"8.9"', "8.9", "capability"),
        ('"8.9"', '"89"', "capability"),
        ('["NVIDIA X1"]', '"NVIDIA X1"', "nvml_names"),
        ('["NVIDIA X1"]', '[""]', "nvml_names"),
    ],
)
def test_a_broken_row_is_refused_by_file_row_and_column(tmp_path, old, new, column):
    assert old in GOOD
    with pytest.raises(GeneratorError) as caught:
        rows(written(tmp_path, GOOD.replace(old, new)), "gpu", GPURow)
    text = str(caught.value)
    assert text.startswith("gpus.toml: gpu 'X1': ")
    assert column in text
    assert "\n" not in text


def test_a_row_without_a_name_is_refused_by_its_number(tmp_path):
    with pytest.raises(GeneratorError, match=r"gpus\.toml: gpu number 1: name: "):
        rows(written(tmp_path, GOOD.replace('name = "X1"\n', "", 1)), "gpu", GPURow)


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path):
    with pytest.raises(GeneratorError, match=r"gpus\.toml: not valid TOML: .*line 2"):
        rows(written(tmp_path, "\nname = \n"), "gpu", GPURow)


@pytest.mark.parametrize("text", ["", "[gpu]\nname = 'X1'", GOOD + "\n[other]\nx = 1"])
def test_a_file_of_another_shape_is_refused(tmp_path, text):
    with pytest.raises(GeneratorError, match=r"gpus\.toml: expected only \[\[gpu\]\] tables"):
        rows(written(tmp_path, text), "gpu", GPURow)


def test_two_rows_may_not_share_a_spelling_in_any_case(tmp_path):
    with pytest.raises(GeneratorError, match=r"'h100' names both 'A' and 'B'"):
        unique(tmp_path / "gpus.toml", [("H100", "A"), ("h100", "B")])


def test_a_packaged_table_is_read_once():
    assert packaged_rows("gpus.toml", "gpu", GPURow) is packaged_rows("gpus.toml", "gpu", GPURow)
