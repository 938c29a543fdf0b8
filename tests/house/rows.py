"""Additions to tables: a GPU, a quantization, a release, a family."""

from __future__ import annotations

from pathlib import Path

from house.addition import Addition, Place, Slip, appended, inserted, planned, tests

GPUS = "generator/catalogue/gpus.toml"
_GPU = """
[[gpu]]
name = "Z1000-96GB"
nvml_names = ["NVIDIA Z1000"]
memory_mib = 97871
memory = "hbm"
capability = "10.0"
bandwidth_gb_per_s = 8000
bf16_tflops = 2000
memory_source = "https://example.invalid/nvidia-smi"
spec_source = "https://example.invalid/data-sheet"
"""

GPU = Addition(
    what="a GPU",
    touch="one row of `generator/catalogue/gpus.toml`",
    held="the loader, and row tests: sourced, FP8 at most 2.1 x BF16, aliases unique",
    places=(Place(GPUS, appended(_GPU)),),
    works=planned(gpu="Z1000-96GB"),
    slips=(
        Slip("the row", planned(gpu="Z1000-96GB"), r"unknown GPU 'Z1000-96GB'"),
        Slip(
            "its source", planned(), r"gpus.toml: gpu 'Z1000-96GB': spec_source: Field required",
            Place(GPUS, appended("\n".join(_GPU.splitlines()[:-1]))),
        ),
    ),
)  # fmt: skip

METHODS = "generator/catalogue/quantizations.toml"
_METHOD = """
[[quantization]]
name = "zq6"
minimum_capability = 80
stored = { weights = "I32", bits = 6, scales = "model", scale_rows = 1, scale_columns = 64 }
source = "zq6.py:1"
"""
_READS = """
from generator.sources.architectures.quantization import read_quantization
found = read_quantization({"quantization_config": {"quant_method": "zq6"}})
assert (found.method, found.bits, found.rules[-1].format.scale_columns) == ("zq6", 6, 64)
"""
_READ = ("-c", _READS)

QUANTIZATION = Addition(
    what="a quantization",
    touch="one row of `generator/catalogue/quantizations.toml`",
    held="the loader, and row tests; every method of a release has a row",
    places=(Place(METHODS, appended(_METHOD)),),
    works=_READ,
    slips=(
        Slip("the row", _READ, r"quantization method 'zq6' is not known"),
        Slip(
            "its source", planned(), r"quantizations.toml: quantization 'zq6': source: Field required",
            Place(METHODS, appended("\n".join(_METHOD.splitlines()[:-1]))),
        ),
    ),
)  # fmt: skip

_RELEASE = """
version = "0.34.0"
base = "0.33.0"
source = "vLLM 0.34.0: an invented release"
quantization_methods = ["awq", "fp8", "compressed-tensors", "zq6"]

[flags]
invented_flag = { type = "bool", default = false }
"""
_READ_AGAIN = tuple(
    f"generator/catalogue/{name}.toml"
    for name in ("backends", "behaviours", "classes", "config_keys", "config_types", "parsers")
)
_EACH_NAMED = "(?s)" + "".join(rf"(?=.*{Path(name).stem}\.toml was read up to)" for name in _READ_AGAIN)
_ANSWERED = tests("tests/house/test_release_is_answered.py")

RELEASE = Addition(
    what="a vLLM release",
    touch="`.github/scripts/new_release.py X.Y.Z TREES`, which writes the tables and lists what a person must answer",
    held="`args()` refuses a flag that the release lacks; tests name each table that was not read again",
    places=(
        Place("generator/catalogue/engines/0.34.0.toml", appended(_RELEASE.replace(', "zq6"', "")), by_script=True),
        *(
            Place(
                name,
                lambda text: text.replace("to 0.33.0; do not", "to 0.34.0; do not"),
                by_script=True,
            )
            for name in _READ_AGAIN
        ),
    ),
    works=planned(vllm="0.34", overrides={"invented_flag": True}),
    slips=(
        Slip("generator/catalogue/engines/0.34.0.toml", planned(vllm="0.34"), r"0\.34.*0\.33\.0"),
        Slip("its tables", _ANSWERED, _EACH_NAMED, undone=_READ_AGAIN),
        Slip(
            "a method's row", tests("tests/unit/test_catalogue_quantizations.py", "-k", "0.34.0"), r"'zq6'",
            Place("generator/catalogue/engines/0.34.0.toml", appended(_RELEASE)),
        ),
    ),
)  # fmt: skip

FAMILIES = "generator/sources/architectures/table.py"
_FAMILY_ROW = '    "invented": Family(softmax(qk_norm=True), dense()),\n'
_READS_FAMILY = """
from generator.sources.architectures import read_architecture
config = {"model_type": "invented", "architectures": ["InventedForCausalLM"], "hidden_size": 64, "vocab_size": 1000}
config |= {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 160, "max_position_embeddings": 256}
found = read_architecture(config)
assert found.layer_kinds[0].mixer.qk_norm and not found.generic, "generic: no row of the table knows the family"
"""

FAMILY = Addition(
    what="a model family",
    touch="one row of `generator/sources/architectures/table.py`, and a reader only where its shapes are new",
    held="the type checker; a plan that says that standard fields alone were read; vLLM's own figures in the tests",
    places=(
        Place(FAMILIES, inserted(('    "iquestloopcoder"', _FAMILY_ROW))),
    ),
    works=("-c", _READS_FAMILY),
    slips=(
        Slip("the row", ("-c", _READS_FAMILY), r"no row of the table knows the family"),
        Slip(
            "half of it", ("-c", _READS_FAMILY), r"missing 1 required positional argument: 'decoder'",
            Place(FAMILIES, inserted(('    "iquestloopcoder"', _FAMILY_ROW.replace(", dense()", "")))),
        ),
    ),
)  # fmt: skip
