"""Write `generator/catalogue/backends.toml` from vLLM's own trees.

    python .github/scripts/write_backends.py TREE [TREE ...]

A tree is a release's wheel unpacked (`pip download --no-deps vllm==X`, its Python and METADATA are enough). Every fact
of a row is what the release's own class answers (`ask_backends.py`).
"""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from ask_backends import PLAIN, Backends, MultipleOf

CAPABILITIES = (70, 75, 80, 86, 87, 89, 90, 100, 101, 103, 110, 120, 121, 130)
"""Every compute capability that vLLM's wheels were built for, and one of a generation to come."""
DTYPES = (
    *(
        "auto",
        "float16",
        "bfloat16",
        "fp8",
        "fp8_e4m3",
        "fp8_e5m2",
        "fp8_ds_mla",
        "nvfp4",
        "nvfp4_4over6",
        "nvfp4_ds_mla",
    ),
    *("turboquant_k8v4", "turboquant_4bit_nc", "turboquant_k3v4_nc", "turboquant_3bit_nc"),
    *("int4_per_token_head", "int8_per_token_head", "fp8_per_token_head"),
)
"""Cache dtypes that are asked for."""
TARGET = Path(__file__).parents[2] / "generator" / "catalogue" / "backends.toml"
HEAD = """\
# Attention backends of vLLM: in which releases each exists, and what its class says there that it takes.
#
# name             vLLM's name (v1/attention/backends/registry.py)
# since, until     first and last release read of which the row holds; absent without an end
# capabilities     compute capabilities in words, absent for all: "9.x 12.1" (a family, one), "8.0+", "7.5-12.1"
# kv_cache_dtypes, dtypes  what it takes of --kv-cache-dtype and of the model's dtype
# head_sizes       absent for all, or left to a rule of planning
# blocks           block sizes of its kernels: "64" as it is, "16n" for its multiples
# mla, sparse, sink, mm_prefix, non_causal, dcp  true where it serves such layers, on some GPU at least
#
# [[order]] rows: the backends in the order in which a release tries them (platforms/cuda.py: _get_backend_priorities),
# by kind of layer and GPU; what the order further depends on has columns of its own, absent where it does not matter:
# quantized (the cache), few_heads (16 of a rank at most), rope_free (head size 512), mm_prefix, non_causal.
#
# Written by .github/scripts/write_backends.py from the wheels of {first} to {last}; do not edit.
"""


def main(trees: list[Path]) -> None:
    """Write the table from unpacked releases."""
    trees = sorted(trees, key=lambda one: _key(release_of_tree(one)))
    asked = {release_of_tree(tree): Backends(tree) for tree in trees}
    versions = list(asked)
    orders = {version: _orders(one) for version, one in asked.items()}
    names = sorted({name for found in orders.values() for _, listed in found for name in listed})
    lines = [HEAD.format(first=versions[0], last=versions[-1])]
    for name in names:
        facts = [(version, _facts(asked[version], name, orders[version])) for version in versions]
        lines += _rows("backend", {"name": name}, facts, versions)
    for where in dict.fromkeys(where for found in orders.values() for where, _ in found):
        listed = [(version, dict(orders[version]).get(where)) for version in versions]
        facts = [(version, {"backends": names} if names else None) for version, names in listed]
        lines += _rows("order", dict(where), facts, versions)
    TARGET.write_text("\n".join(lines), encoding="utf-8")


def _rows(table: str, head: dict[str, Any], facts: list[tuple[str, Any]], versions: list[str]) -> list[str]:
    """One row for each run of releases that say the same."""
    lines = []
    for fact, run in groupby(facts, key=lambda pair: pair[1]):
        held = [version for version, _ in run]
        if fact is None:
            continue
        since = {} if held[0] == versions[0] else {"since": _minor(held[0])}
        until = {} if held[-1] == versions[-1] else {"until": _minor(held[-1])}
        row = head | since | until | {key: value for key, value in fact.items() if value not in ([], False, "", None)}
        lines += [f"[[{table}]]", *(f"{key} = {json.dumps(value)}" for key, value in row.items()), ""]
    return lines


def _orders(one: Backends) -> list[tuple[tuple[tuple[str, Any], ...], tuple[str, ...]]]:
    """Each order of a release with what it depends on."""
    found: list[tuple[tuple[tuple[str, Any], ...], tuple[str, ...]]] = []
    for mla in (False, True):
        by_family = {capability: _by_condition(one, capability, mla=mla) for capability in CAPABILITIES}
        for capabilities, cases in _grouped(by_family):
            for conditions, listed in cases:
                where: dict[str, Any] = {"mla": mla} if mla else {}
                where |= {"capabilities": capabilities} if capabilities else {}
                found.append((tuple((where | conditions).items()), listed))
    return found


def _by_condition(one: Backends, capability: int, *, mla: bool) -> list[tuple[dict[str, bool], tuple[str, ...]]]:
    """Orders on one GPU, by those conditions alone that tell them apart."""
    asks: dict[str, dict[str, Any]] = {
        "quantized": {"kv_cache_dtype": "fp8"},
        "few_heads": {"num_heads": 16},
        "rope_free": {"head_size": 512},
    }
    asks |= {name: {name: True} for name in ("mm_prefix", "non_causal")}
    base = PLAIN | {"mla": mla, "capability": capability, "num_heads": 64, "head_size": 576 if mla else 128}
    grid: dict[tuple[bool, ...], tuple[str, ...]] = {}
    for number in range(1 << len(asks)):
        on = tuple(bool(number >> place & 1) for place in range(len(asks)))
        question = dict(base)
        for (_, change), chosen in zip(asks.items(), on, strict=True):
            question |= change if chosen else {}
        grid[on] = tuple(one.priorities(question))
    matters = [
        place
        for place in range(len(asks))
        if any(grid[on] != grid[(*on[:place], not on[place], *on[place + 1 :])] for on in grid)
    ]
    names = list(asks)
    seen: dict[tuple[bool, ...], tuple[str, ...]] = {tuple(on[place] for place in matters): v for on, v in grid.items()}
    return [({names[p]: held for p, held in zip(matters, on, strict=True)}, v) for on, v in sorted(seen.items())]


def _grouped(by_capability: dict[int, Any]) -> list[tuple[str, Any]]:
    """Capabilities that share their orders, in words; the most common ones come last and stand for all others."""
    groups: list[tuple[list[int], Any]] = []
    for capability, cases in by_capability.items():
        same = next((group for group in groups if group[1] == cases), None)
        if same:
            same[0].append(capability)
        else:
            groups.append(([capability], cases))
    groups.sort(key=lambda group: len(group[0]))
    return [("" if group is groups[-1] else words(group[0]), group[1]) for group in groups]


def words(capabilities: list[int]) -> str:
    """Capabilities in the words of `CapabilitySet`."""
    if capabilities == list(CAPABILITIES):
        return ""
    newest = CAPABILITIES[CAPABILITIES.index(capabilities[0]) :]
    if list(newest) == capabilities and capabilities[0] != CAPABILITIES[-1]:
        return f"{_dotted(capabilities[0])}+"
    if (
        capabilities == [one for one in CAPABILITIES if capabilities[0] <= one <= capabilities[-1]]
        and len({one // 10 for one in capabilities}) > 1
    ):
        return f"{_dotted(capabilities[0])}-{_dotted(capabilities[-1])}"
    said = []
    for major, run in groupby(capabilities, key=lambda one: one // 10):
        held = list(run)
        whole = held == [one for one in CAPABILITIES if one // 10 == major]
        said += [f"{major}.x"] if whole else [_dotted(one) for one in held]
    return " ".join(said)


def _facts(one: Backends, name: str, orders: Any) -> dict[str, Any] | None:
    """What the class answers; None where no GPU is offered it."""
    if not any(name in listed for _, listed in orders):
        return None
    found = {capability: _of_capability(one, name, capability) for capability in CAPABILITIES}
    able = [capability for capability in CAPABILITIES if found[capability]["able"]]
    backend = one.backend(name)
    sizes = [f"{size.base}n" if isinstance(size, MultipleOf) else str(size) for size in _blocks(one, name, able)]
    return {
        "capabilities": words(able),
        "kv_cache_dtypes": [dtype for dtype in DTYPES if any(dtype in found[one]["dtypes"] for one in able)],
        "dtypes": list(backend.supported_dtypes),
        "head_sizes": list(backend.get_supported_head_sizes()),
        "blocks": sizes,
        "mla": backend.is_mla(),
        "sparse": backend.is_sparse(),
        "sink": any(found[capability]["sink"] for capability in able),
        "mm_prefix": any(found[capability]["mm_prefix"] for capability in able),
        "non_causal": bool(getattr(backend, "supports_non_causal", bool)()),
        "dcp": one.takes_dcp(name),
        "source": f"{one.paths[name].rpartition('.')[0].removeprefix('vllm.').replace('.', '/')}.py",
    }


def _of_capability(one: Backends, name: str, capability: int) -> dict[str, Any]:
    one.turn(PLAIN | {"capability": capability})
    backend = one.backend(name)
    return {
        "able": bool(backend.supports_compute_capability(one.platform.capability)),
        "sink": bool(backend.supports_sink()),
        "mm_prefix": bool(backend.supports_mm_prefix()),
        "dtypes": {dtype for dtype in DTYPES if _takes(one, backend, capability, dtype)},
    }


def _takes(one: Backends, backend: Any, capability: int, dtype: str) -> bool:
    """Whether it takes a cache dtype on that GPU, for heads of some size."""
    for size in (128, 512):
        one.turn(PLAIN | {"capability": capability, "kv_cache_dtype": dtype, "head_size": size})
        if backend.supports_kv_cache_dtype(dtype):
            return True
    return False


def _blocks(one: Backends, name: str, able: list[int]) -> list[Any]:
    one.turn(PLAIN | {"capability": able[0]})
    return list(one.backend(name).get_supported_kernel_block_sizes())


def release_of_tree(tree: Path) -> str:
    """The release: what the tree's own _version.py says."""
    said = (tree / "vllm" / "_version.py").read_text(encoding="utf-8")
    found = re.search(r"^__version__ = .*['\"](\d+\.\d+\.\d+)", said, re.MULTILINE)
    if not found:
        raise SystemExit(f"{tree}: no release in vllm/_version.py")
    return found[1]


def _key(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _minor(version: str) -> str:
    return version.rpartition(".")[0]


def _dotted(capability: int) -> str:
    return f"{capability // 10}.{capability % 10}"


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
