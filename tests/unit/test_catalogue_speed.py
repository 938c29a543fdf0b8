"""The speed table: complete for every class that an estimate can ask for."""

import tomllib
from pathlib import Path

import pytest

from generator.catalogue import speed as module
from generator.catalogue.gpu_table import all_gpus
from generator.errors import GeneratorError
from generator.models.speed import COEFFICIENTS, GENERATIONS, KERNELS, MEMORY_CLASSES
from generator.planning.speed.rates import generation, memory_class, running_kernel

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "generator/catalogue/speed.toml"


def test_the_table_holds_every_coefficient_and_no_other():
    names = {f"{group}.{name}" for group, names in COEFFICIENTS.items() for name in names}
    assert set(module.speed().values) == names


@pytest.mark.parametrize("line", ["sm100 = ", "fp8_block = ", "late = "])
def test_a_table_with_a_gap_is_refused(line, tmp_path, monkeypatch):
    text = TABLE.read_text(encoding="utf-8")
    start = text.index(line)
    gap = tmp_path / "speed.toml"
    gap.write_text(text[:start] + text[text.index("\n", start) + 1 :], encoding="utf-8")
    monkeypatch.setattr(module, "table", lambda _: gap)
    with pytest.raises(GeneratorError, match=rf"lacks \w+\.{line.split()[0]}"):
        module.speed.__wrapped__()


def test_every_gpu_of_the_catalogue_has_its_class_and_kernels():
    for gpu in all_gpus():
        if gpu.capability.is_rocm:
            continue  # AMD is planned without a speed, since none of its GPUs was timed
        assert memory_class(gpu) in MEMORY_CLASSES
        assert generation(gpu) in GENERATIONS
        assert {running_kernel(kernel, gpu) for kernel in KERNELS[:-1]} <= set(KERNELS)


def test_half_widths_are_positive():
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    assert all(width > 0 for width in content["half_widths"].values())


def test_the_fit_writes_what_the_loader_asks_for():
    text = (ROOT / ".github/scripts/fit_speed.py").read_text(encoding="utf-8")
    assert all(f'"{group}": Group(' in text for group in COEFFICIENTS)
