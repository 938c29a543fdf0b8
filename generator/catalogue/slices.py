"""Parts of a GPU by name: MIG slices, by the shares of `slices.toml`, and vGPUs, of the gibibytes in their name."""

import re
from fractions import Fraction
from functools import cache
from typing import Annotated, NamedTuple

from pydantic import Field

from generator.catalogue.gpu_table import all_gpus, gpus_by_name, names_by_product, names_by_spelling
from generator.catalogue.gpu_words import dashed, key_of, product_of
from generator.catalogue.loader import Row, Source, Words, packaged_rows
from generator.errors import RequestError, UnknownFactError
from generator.models.hardware import GPU, Flops
from generator.units import GIB, gib

_SLICE = re.compile(r"(?:^|-)(?P<part>\d+c\.)?(?P<profile>\d+g\.\d+gb)(?P<media>[+-](?:me|gfx)(?:\.all)?)?(?=$|-)")
"""A profile within a name that `product_of` made, and the media engines or the graphics that come with it."""
_RESOURCE = re.compile(r"^nvidia\.com/")
"""What Kubernetes writes before a profile's name (nvidia.com/mig-1g.10gb)."""

Share = Annotated[str, Field(pattern=r"^[1-9]/[1-9]$")]


class ProfileRow(Row):
    """One profile of a board: what it has of the whole, as NVIDIA's MIG user guide states it."""

    name: Annotated[str, Field(pattern=r"^\d+g\.\d+gb$")]
    memory: Share
    bandwidth: Share
    """Share of the L2 cache, with which the memory's controllers go."""
    compute: Share
    instances: Annotated[int, Field(gt=0)]
    """How many of them one GPU is divided into at most."""
    nvml_gib: Annotated[float, Field(gt=0)] | None = None
    """Memory that `nvidia-smi mig -lgip` prints; None where no public output was found."""


class BoardRow(Row):
    """The profiles of boards that are divided alike."""

    name: str
    gpus: Words
    profiles: Annotated[tuple[ProfileRow, ...], Field(strict=False)]
    memory_source: Source | None = None
    source: Source


class Named(NamedTuple):
    """A profile that a name holds, and what stands beside it."""

    profile: str
    board: str
    """The rest of the name: what it says of the GPU; empty where it says nothing."""
    part_of_instance: bool
    """True for a compute instance (1c.3g.20gb), which shares its slice's memory."""


def slice_named(name: str) -> GPU | None:
    """The slice that a name of NVML, of Kubernetes or of a person means (`H100 MIG 1g.10gb`); None where it has none.

    Raises:
        UnknownFactError: the GPU is not divided so.
        RequestError: several GPUs of the table have such a slice, or it is a part of a slice.
    """
    found = _named(name)
    if found is None:
        return None
    if found.part_of_instance:
        raise RequestError(
            f"{name!r} is a compute instance: it shares the memory of slice {found.profile} with its neighbours; plan "
            "that slice, and give what they hold with --reserve-gb"
        )
    boards = _boards(found, name)
    if len(boards) > 1:
        listed = " or ".join(_name(board, found.profile) for board in boards)
        raise RequestError(f"{name!r} is a slice of several GPUs: choose {listed}")
    return _slice(gpus_by_name()[boards[0]], profiles_of(boards[0])[found.profile])


@cache
def boards() -> tuple[BoardRow, ...]:
    """Every row of `slices.toml`, in its order."""
    return packaged_rows("slices.toml", "board", BoardRow)


def profiles_of(gpu: str) -> dict[str, ProfileRow]:
    """The profiles of one GPU of the table, by their names; none where it cannot be divided."""
    rows = (board for board in boards() if gpu in board.gpus)
    return {profile.name: profile for board in rows for profile in board.profiles}


def _named(name: str) -> Named | None:
    words = _RESOURCE.sub("", product_of(name))
    found = _SLICE.search(words)
    if found is None:
        return None
    rest = f"{words[: found.start()]}-{words[found.end() :]}"
    board = "-".join(word for word in rest.split("-") if word not in {"", "mig"})
    return Named(found["profile"], board, found["part"] is not None)


def _boards(found: Named, name: str) -> list[str]:
    """GPUs of the table that the name may mean and that have the profile, at least one.

    Raises:
        UnknownFactError: none of them has it, or none is meant.
    """
    meant = _meant(found.board)
    if not meant:
        raise UnknownFactError(
            f"{name!r} is a slice of a GPU (MIG) that the table lacks: plan its memory, as nvidia-smi prints it, with "
            "--gpu custom --vram-gb N --capability X.Y"
        )
    having = [gpu for gpu in meant if found.profile in profiles_of(gpu)]
    exact = _exactly(found.board)
    preferred = exact or _exactly(f"{found.board}-{_whole_size(having)}")
    if preferred in having:
        return [preferred]
    if not having:
        raise UnknownFactError(f"{name!r}: {_lacking(exact or meant[0])}")
    return having


def _whole_size(gpus: list[str]) -> str:
    """The size that the names of these GPUs end in; empty where they differ (`A100 MIG 3g.40gb` is of 80 GB)."""
    sizes = {gpu.rpartition("-")[2] for gpu in gpus}
    return sizes.pop() if len(sizes) == 1 else ""


def _meant(board: str) -> list[str]:
    """Rows that what stands beside a profile may mean; every row with slices where nothing does."""
    if not board:
        return [gpu for row in boards() for gpu in row.gpus]
    typed = dashed(board)
    same = [gpu.name for gpu in all_gpus() if gpu.name.casefold().startswith(f"{typed}-")]
    exact = _exactly(board)
    return [*([exact] if exact else []), *(gpu for gpu in same if gpu != exact)]


def _exactly(board: str) -> str:
    """The row with that very spelling; empty where there is none."""
    own = names_by_spelling().get(key_of(board))
    products = names_by_product().get(product_of(board), [])
    return own or (products[0] if len(products) == 1 else "")


def _lacking(gpu: str) -> str:
    """What a GPU is divided into, as the rest of a sentence."""
    own = profiles_of(gpu)
    if not own:
        return f"NVIDIA's MIG user guide and mig-parted list no profiles of {gpu}"
    return f"{gpu} has no such profile; it has {', '.join(own)}"


def _slice(whole: GPU, profile: ProfileRow) -> GPU:
    """The slice as a GPU: no link to another, since slices have no peer-to-peer access (MIG user guide)."""
    compute, rate = Fraction(profile.compute), whole.bandwidth_bytes_per_s
    flops = {name: None if value is None else int(value * compute) for name, value in whole.flops}
    return GPU(
        name=_name(whole.name, profile.name),
        nvml_names=tuple(f"{product} MIG {profile.name}" for product in whole.nvml_names),
        memory_bytes=_memory(whole, profile),
        capability=whole.capability,
        bandwidth_bytes_per_s=None if rate is None else int(rate * Fraction(profile.bandwidth)),
        flops=Flops(**flops),
        pcie_generation=whole.pcie_generation,
        memory_kind=whole.memory_kind,
        slice_of=whole.name,
        source=f"slice {profile.name} of {whole.name}: {profile.memory} of its memory, {profile.compute} of its SMs",
    )


def _name(gpu: str, profile: str) -> str:
    return f"{gpu}-MIG-{profile}"


def _memory(whole: GPU, profile: ProfileRow) -> int:
    """Bytes as NVML reports them, or the share, less what it has least of such a share on any board seen."""
    if profile.nvml_gib is not None:
        return gib(profile.nvml_gib)
    return int(whole.memory_bytes * Fraction(profile.memory) * _least_of(Fraction(profile.memory)))


@cache
def _least_of(share: Fraction) -> float:
    """The smallest part of its nominal share that NVML reports of a slice, of the boards whose output was found."""
    seen = [
        gib(profile.nvml_gib) / (gpus_by_name()[gpu].memory_bytes * Fraction(profile.memory))
        for board in boards()
        for gpu in board.gpus
        for profile in board.profiles
        if profile.nvml_gib is not None and Fraction(profile.memory) == share
    ]
    return float(min(seen))


_VGPU = re.compile(r"(?:grid-)?(?P<board>[a-z]+\d+s?)(?:dx|xm|xl|d|x|l)?(?:-\d)?-(?P<gib>\d{1,3})[abcq]")
"""NVIDIA's scheme, after `dashed`: product, its variant, the MIG slice it lies on, GiB, and its series
(https://docs.nvidia.com/vgpu/latest/grid-vgpu-user-guide)."""


def vgpu_named(name: str) -> GPU | None:
    """The vGPU of this name with its gibibytes and its GPU's capability; None where it is none of a GPU of the table.

    Its speed is unknown: the scheduler gives it turns on the whole GPU, by what its neighbours ask for.
    """
    found = _VGPU.fullmatch(dashed(name))
    if found is None:
        return None
    whole = next((gpu for gpu in all_gpus() if gpu.name.casefold().startswith(f"{found['board']}-")), None)
    size = int(found["gib"]) * GIB
    if whole is None or not size:
        return None
    return GPU(
        name=f"{found['board']}-{found['gib']}{dashed(name)[-1]}".upper(),
        nvml_names=(name.strip(),),
        memory_bytes=size,
        capability=whole.capability,
        memory_kind=whole.memory_kind,
        vgpu_of=whole.name.split("-", maxsplit=1)[0],
        source=f"a vGPU of {found['gib']} GiB by its name; its turns on the GPU are not known",
    )
