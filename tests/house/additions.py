"""What somebody may add, the places that it touches, and what says so where one of them is forgotten.

`python -m house.table` (from tests/) carries all of it out and writes CONTRIBUTING's table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Place(NamedTuple):
    """One file that is edited."""

    name: str
    edit: Callable[[str], str]
    by_script: bool = False
    """True where a script writes it from what the tests have not: vLLM's trees."""


class Slip(NamedTuple):
    """One way to forget something, and what the words of the refusal are."""

    forgotten: str
    """The place that is left as it was, or what is missing of a place."""
    probe: tuple[str, ...]
    says: str
    """Regular expression."""
    instead: Place | None = None
    """The incomplete edit; None where the place is left out."""


class Addition(NamedTuple):
    """One kind of addition, carried out with something invented."""

    what: str
    touch: str
    held: str
    places: tuple[Place, ...]
    works: tuple[str, ...]
    """A Python command that ends well once all is done."""
    slips: tuple[Slip, ...]
    scripts: tuple[str, ...] = ()
    """Maintainer scripts that write what follows."""


def appended(text: str) -> Callable[[str], str]:
    """The edit that adds `text` at a file's end."""
    return lambda before: f"{before.rstrip()}\n\n{text.strip()}\n"


def before(mark: str, text: str) -> Callable[[str], str]:
    """The edit that adds `text` before the first `mark`."""

    def edit(old: str) -> str:
        assert mark in old, mark
        return old.replace(mark, f"{text}{mark}", 1)

    return edit


def tests(*targets: str) -> tuple[str, ...]:
    """The command that runs these tests."""
    return ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *targets)


def planned(**request: object) -> tuple[str, ...]:
    """The command that plans this request and prints the plan."""
    stated = {"model": "Qwen/Qwen3-8B", "source": "embedded", "gpu": "L4"} | request
    return ("-c", f"from generator import plan, Request; print(plan(Request(**{stated!r})).model_dump_json())")


GPUS = "generator/catalogue/gpus.toml"
_GPU = """
[[gpu]]
name = "Z1000-96GB"
nvml_names = ["NVIDIA Z1000"]
memory_mib = 97871
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

REQUEST, QUESTIONS = "generator/models/request.py", "copier.yml"
_FIELD = '    patience: Annotated[int, _POLICY] = Field(0, ge=0, description="Seconds that a start may take")\n'
_QUESTION = "patience:\n  type: int\n  help: Seconds that a start may take\n  default: 0\n  ask: false\n\n"
_AFTER = "    trust_remote_code: Annotated"
_SAME = tests("tests/unit/test_copier_yml.py", "-k", "the_questions_are_the_fields")
_WRITTEN = (".github/scripts/write_questions.py", ".github/scripts/write_reference.py")

QUESTION = Addition(
    what="a question",
    touch="one field of `Request`, with its panel and profile section, and its entry in `copier.yml`",
    held="the import, where the field says no panel; set equality of both; written files are compared",
    places=(Place(REQUEST, before(_AFTER, _FIELD)), Place(QUESTIONS, before("overrides:\n", _QUESTION))),
    scripts=_WRITTEN,
    works=tests(
        "tests/unit/test_questions.py", "tests/unit/test_docs.py", "tests/unit/test_copier_yml.py",
        "-k", "patience or follows or written or fields or depends",
    ),
    slips=(
        Slip(REQUEST, _SAME, r"'patience'"),
        Slip(QUESTIONS, _SAME, r"'patience'"),
        Slip(
            "its panel", planned(), r"TypeError: patience of Request does not say its panel",
            Place(REQUEST, before(_AFTER, _FIELD.replace("Annotated[int, _POLICY]", "int"))),
        ),
        Slip("the scripts", tests("tests/unit/test_questions.py", "-k", "follows"), r"run .github/scripts/write_q"),
    ),
)  # fmt: skip

ADVICE = "generator/planning/advice.py"
_ADVISORY = """def _invented(case: Case, _: Candidate) -> Figures | None:
    return {"name": case.facts.id}


"""
_BEFORE = "def _missed_targets("

ADVISORY = Addition(
    what="an advisory",
    touch="one function in `generator/planning/advice.py`, its text beside it",
    held="a test that no function there lacks a text",
    places=(Place(ADVICE, before(_BEFORE, f'@_says("advisory", "Much is invented about {{name}}.")\n{_ADVISORY}')),),
    works=(
        "-c",
        f"{planned()[1].replace('print', 'said = str')}; assert 'Much is invented about Qwen/Qwen3-8B.' in said",
    ),
    slips=(
        Slip(
            "its text", tests("tests/unit/test_advice.py", "-k", "lacks_a_text"), r"_invented",
            Place(ADVICE, before(_BEFORE, _ADVISORY)),
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
_READ_AGAIN = ("config_keys.toml", "parsers.toml")
_ANSWERED = tests("tests/house/test_release_is_answered.py")

RELEASE = Addition(
    what="a vLLM release",
    touch="one file in `generator/catalogue/engines/`, and the tables that scripts write from vLLM's trees",
    held="`args()` refuses a flag that the release lacks; tests name each table that was not read again",
    places=(
        Place("generator/catalogue/engines/0.34.0.toml", appended(_RELEASE.replace(', "zq6"', ""))),
        *(
            Place(
                f"generator/catalogue/{name}",
                lambda text: text.replace("to 0.33.0; do not", "to 0.34.0; do not"),
                by_script=True,
            )
            for name in _READ_AGAIN
        ),
    ),
    works=planned(vllm="0.34", overrides={"invented_flag": True}),
    slips=(
        Slip("generator/catalogue/engines/0.34.0.toml", planned(vllm="0.34"), r"0\.34.*0\.33\.0"),
        *(Slip(f"generator/catalogue/{name}", _ANSWERED, name.replace(".", r"\.")) for name in _READ_AGAIN),
        Slip(
            "a method's row", tests("tests/unit/test_catalogue_quantizations.py", "-k", "0.34.0"), r"'zq6'",
            Place("generator/catalogue/engines/0.34.0.toml", appended(_RELEASE)),
        ),
    ),
)  # fmt: skip

ADDITIONS = (GPU, QUANTIZATION, RELEASE, QUESTION, ADVISORY)
