"""Write generator/catalogue/context_defaults.toml from the config classes of an installed Transformers.

    python .github/scripts/write_context_defaults.py          (in the judge's environment, which has one)

A config.json that names no context is filled in by its class: that length is what vLLM then derives.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

TABLE = Path(__file__).parents[2] / "generator" / "catalogue" / "context_defaults.toml"
LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length", "max_target_positions",
    "max_sequence_length", "max_seq_length", "seq_len",
)  # fmt: skip
VLLMS = {
    "kimi_linear": (4096, "configs/kimi_linear.py"),
    "minimax_m3_vl": (524288, "configs/minimax_m3.py"),
    "muse_spark": (131072, "configs/muse_spark.py"),
    "hy_v4": (262144, "configs/hy_v4.py"),
}
"""Types whose class is vLLM's own, which goes before Transformers' (vLLM 0.33 transformers_utils)."""
HEADER = """\
# The context that a config class fills in where config.json names none; one row a length.
# Written by .github/scripts/write_context_defaults.py; do not edit.
#
# tokens       the length
# model_types  config.json's `model_type`, of the text config where there is one
# source       whose classes they are

"""


def main() -> None:
    """Write the table."""
    import transformers  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - only in the judge's environment
    from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415
    from transformers.models.auto.configuration_auto import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        CONFIG_MAPPING,
    )

    alike: dict[int, list[str]] = {}
    for name in sorted(CONFIG_MAPPING.keys() - VLLMS.keys()):
        with suppress(StrictDataclassError, OSError, ImportError, AttributeError, TypeError, ValueError, KeyError):
            config = CONFIG_MAPPING[name]()
            found = [getattr(config, key, None) for key in LENGTHS]
            known = [int(one) for one in found if isinstance(one, int | float) and one > 0]
            if known:
                alike.setdefault(min(known), []).append(name)
    source = f"Transformers {transformers.__version__} configuration classes"
    rows = [row(tokens, names, source) for tokens, names in sorted(alike.items())]
    rows += [row(tokens, [name], f"vLLM 0.33.0 transformers_utils/{where}") for name, (tokens, where) in VLLMS.items()]
    TABLE.write_text(HEADER + "\n".join(rows), encoding="utf-8")
    print(sum(map(len, alike.values())), "types")


def row(tokens: int, names: list[str], source: str) -> str:
    """One TOML row."""
    return f'[[default]]\ntokens = {tokens}\nmodel_types = {json.dumps(names)}\nsource = "{source}"\n'


if __name__ == "__main__":
    main()
