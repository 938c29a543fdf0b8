"""Record which attention backend each release takes, by its own code: the truth of `tests/unit/test_backends.py`.

    python .github/scripts/backend_answers.py TREE [TREE ...]

Writes `tests/fixtures/backends.json`: for each question a string with one letter a release, by the list of names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from ask_backends import PLAIN, Backends
from write_backends import release_of_tree

TARGET = Path(__file__).parents[2] / "tests" / "fixtures" / "backends.json"
CAPABILITIES = (75, 80, 89, 90, 100, 103, 110, 120, 121)
LATENT = {
    "mla": True, "head_size": 576, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "kv_lora_rank": 512,
    "v_head_dim": 128, "num_kv_heads": 1,
}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    **{f"heads of {size}": {"head_size": size} for size in (64, 80, 128, 192, 256, 512)},
    "one head a kv head": {"num_heads": 8},
    "sinks": {"head_size": 64, "num_heads": 64, "sink": True},
    **{f"images, heads of {size}": {"head_size": size, "mm_prefix": True} for size in (128, 256, 512)},
    "capped logits": {"head_size": 256, "softcap": True},
    "blocks of 32": {"block_size": 32},
    "latent": {**LATENT, "num_heads": 128},
    "latent, 16 heads": {**LATENT, "num_heads": 16},
    "latent, nope 192": {**LATENT, "num_heads": 64, "qk_nope_head_dim": 192},
    "latent, blocks of 32": {**LATENT, "num_heads": 128, "block_size": 32},
    "sparse": {**LATENT, "num_heads": 128, "sparse": True, "index_topk": 2048},
    "sparse, 16 heads": {**LATENT, "num_heads": 16, "sparse": True, "index_topk": 2048},
    "sparse, nope 192": {**LATENT, "num_heads": 64, "qk_nope_head_dim": 192, "sparse": True, "index_topk": 2048},
    "sparse, without rope": {
        **LATENT, "num_heads": 64, "head_size": 512, "qk_nope_head_dim": 256, "qk_rope_head_dim": 0, "sparse": True,
        "index_topk": 2048,
    },
}  # fmt: skip
CACHES = (
    "auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2", "fp8_ds_mla", "nvfp4", "int8_per_token_head", "turboquant_k8v4",
)  # fmt: skip


def questions() -> dict[str, dict[str, Any]]:
    """Every question by its words."""
    found = {}
    for shape, fields in SHAPES.items():
        for capability in CAPABILITIES:
            for cache in CACHES:
                dtype = "float16" if capability < 80 else "bfloat16"  # noqa: PLR2004 - Turing has no bfloat16
                cached = "float16" if cache == dtype == "float16" else cache
                own = {"capability": capability, "kv_cache_dtype": cached, "dtype": dtype}
                found[f"{shape} | {capability} | {cache}"] = PLAIN | fields | own
    return found


def main() -> None:
    """Ask every tree every question."""
    trees = {release_of_tree(Path(one)): Backends(Path(one)) for one in sys.argv[1:]}
    versions = sorted(trees, key=lambda one: tuple(map(int, one.split("."))))
    names: list[str] = ["-"]
    answers = {}
    for words, question in questions().items():
        row = []
        for version in versions:
            name = trees[version].chosen(question) or "-"
            names += [] if name in names else [name]
            row.append(names.index(name))
        answers[words] = "".join(chr(ord("a") + number) for number in row)
    content = {"releases": versions, "names": names, "answers": answers}
    TARGET.write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
