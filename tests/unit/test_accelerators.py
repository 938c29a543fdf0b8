"""No name of an accelerator is answered by a neighbour in spelling: it is a row, or one sentence says what it is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from generator.catalogue.gpu_table import all_gpus, names_by_spelling
from generator.catalogue.gpu_unknown import all_accelerators
from generator.catalogue.gpus import find_gpu
from generator.errors import GeneratorError, UnknownFactError

LISTS = tomllib.loads((Path(__file__).parents[1] / "fixtures" / "accelerator_names.toml").read_text())["list"]
ROWS = [(name, row) for one in LISTS for name, row in one.get("rows", {}).items()]
TOLD = [(name, said) for one in LISTS for name, said in one.get("told", {}).items()]


def test_the_list_has_sixty_names_of_public_pages():
    assert len(ROWS) + len(TOLD) >= 60
    assert all(one["page"].startswith("https://") for one in LISTS)


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_name_is_its_own_row(name, row):
    assert find_gpu(name).name == row


@pytest.mark.parametrize(("name", "said"), TOLD)
def test_what_has_no_row_is_answered_with_what_it_is(name, said):
    """The sentence suggests no other product: where it names rows, they are sizes of the one that was meant."""
    with pytest.raises(GeneratorError, match=said) as caught:
        find_gpu(name)
    near = re.search(r"nearest: ([^;]*);", str(caught.value))
    typed = re.sub(r"nvidia|geforce|[\s-]", "", name.casefold())
    assert near is None or all(typed in one.casefold().replace("-", "") for one in near[1].split(", "))


@pytest.mark.parametrize("row", all_accelerators(), ids=lambda row: row.name)
def test_a_row_that_tells_is_sourced_and_takes_no_gpu_of_the_table(row):
    assert "https://" in row.source
    for gpu in all_gpus():
        assert not re.fullmatch(row.pattern, gpu.name.casefold())
    for spelling in names_by_spelling():
        assert not re.fullmatch(row.pattern, spelling)


@pytest.mark.parametrize("typed", ["RTX 4091", "RTX 7070 Ti", "4095", "RTX 9090"])
def test_another_number_is_another_product(typed):
    with pytest.raises(UnknownFactError, match="none is spelt alike"):
        find_gpu(typed)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("A100 80GB SXM", "A100-SXM-80GB"), ("80GB A100 SXM4", "A100-SXM-80GB"), ("A100-40GB-PCIe", "A100-PCIE-40GB"),
        ("H100 SXM5 80GB", "H100-SXM-80GB"), ("RTX 5060 Ti 16GB", "RTX-5060-Ti-16GB"),
        ("4090 24GB", "RTX-4090-24GB"), ("24GB 3090", "RTX-3090-24GB"),
        ("3090ti 24g", "RTX-3090-Ti-24GB"), ("A100 80 GB PCIe", "A100-PCIE-80GB"), ("NVIDIA L40S GPU", "L40S-48GB"),
        ("NVIDIA H100 Tensor Core GPU", "H100-SXM-80GB"), ("RTX 4090 Laptop GPU", "RTX-4090-Laptop-16GB"),
    ],
)  # fmt: skip
def test_words_may_stand_in_another_order(typed, name):
    assert find_gpu(typed).name == name


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("5070-Ti,5090", "RTX-5070-Ti-16GB"), ("RTX 3090 & RTX 4090", "RTX-3090-24GB"),
        ("H100 + A100", "the smaller one"),
        ("2x3090 and 1x4090", "RTX-3090-24GB"), ("L4/T4", "T4-16GB"),
    ],
)  # fmt: skip
def test_two_kinds_are_answered_with_why_not_and_what_instead(typed, instead):
    with pytest.raises(UnknownFactError, match=f"plan with {instead} for all of them.*it would take a budget"):
        find_gpu(typed)


@pytest.mark.parametrize(
    ("typed", "row"),
    [
        ("RTX 4090 48GB", "RTX-4090-24GB"), ("RTX 2080 Ti 22GB", "RTX-2080-Ti-11GB"), ("B200 192GB", "B200-180GB"),
        ("3060 8GB", "RTX-3060-12GB"),
    ],
)  # fmt: skip
def test_another_size_of_a_card_is_described_by_hand(typed, row):
    with pytest.raises(UnknownFactError, match=f"the table has {row}; .*--gpu {row} --vram-gb N"):
        find_gpu(typed)


def test_a_short_name_of_several_products_names_them_all():
    with pytest.raises(UnknownFactError, match=r"Quadro-RTX-6000-24GB, RTX-6000-Ada-48GB or RTX-PRO-6000-96GB"):
        find_gpu("RTX 6000")
