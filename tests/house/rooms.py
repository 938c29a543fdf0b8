"""Additions to code: an attention kind, a question, an advisory."""

from __future__ import annotations

from house.addition import Addition, Place, Slip, appended, inserted, planned, tests

KINDS, ROOM, LADDER = (
    "generator/models/attention.py", "generator/planning/kinds/retention.py", "generator/planning/kinds/of.py",
)  # fmt: skip
_KIND = '''class Retention(Value):
    """An invented recurrent kind."""

    kind: Literal["retention"] = "retention"
    num_heads: int
    head_dim: int


'''
_RETAINED = '''
"""Retention: a square state a head."""

from generator.planning.kinds.kind import StateKind, divide
from generator.planning.kinds.kind import projection


class Retained(StateKind):
    """Retention."""

    def __init__(self, mixer):
        self.mixer, self.width = mixer, mixer.num_heads * mixer.head_dim
        super().__init__(divisible=mixer.num_heads, elements=self.width * mixer.head_dim, in_float32=False)

    def recurrent_dtype(self, convolution):
        return None

    def matrices(self, hidden_size):
        return (projection("qkv_proj", 3 * self.width, hidden_size, "column"),)
'''
_SHAPES = """
    def shapes(self, tensor_parallel_size, drafted):
        heads = divide(self.mixer.num_heads, tensor_parallel_size, "heads of the retention")
        return ((heads, self.mixer.head_dim, self.mixer.head_dim),)
"""
_CLASS = ("class ShortConv(Value)", _KIND)
_EVERY_KIND = tests("tests/unit/test_kinds.py", "-k", "Retention or union")

KIND = Addition(
    what="an attention kind",
    touch="one class of the union in `generator/models/attention.py`, its room in `generator/planning/kinds/`"
    " and its line in `of.py` there",
    held="mypy, and a test that sends every member of the union through weights, cache, rules and speed",
    places=(
        Place(KINDS, inserted(_CLASS, ("    | ShortConv\n", "    | Retention\n"))),
        Place(ROOM, appended(_RETAINED + _SHAPES)),
        Place(
            LADDER,
            inserted(
                ("    SelfAndCross,\n", "    Retention,\n"),
                ("from generator.planning.kinds.softmax", "from generator.planning.kinds.retention import Retained\n"),
                ("        case Parallel():", "        case Retention():\n            return Retained(mixer)\n"),
            ),
        ),
    ),
    works=_EVERY_KIND,
    slips=(
        Slip("the union", _EVERY_KIND, r"Retention", Place(KINDS, inserted(_CLASS))),
        Slip(LADDER, _EVERY_KIND, r"UnsupportedArchitectureError.*[Rr]etention"),
        Slip("a part of its room", _EVERY_KIND, r"abstract class Retained.*shapes", Place(ROOM, appended(_RETAINED))),
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
    places=(Place(REQUEST, inserted((_AFTER, _FIELD))), Place(QUESTIONS, inserted(("overrides:\n", _QUESTION)))),
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
            Place(REQUEST, inserted((_AFTER, _FIELD.replace("Annotated[int, _POLICY]", "int")))),
        ),
        Slip("the scripts", tests("tests/unit/test_questions.py", "-k", "follows"), r"run .github/scripts/write_q"),
    ),
)  # fmt: skip

ADVICE = "generator/planning/advice.py"
_ADVISORY = """def _invented(case: Case, _: Candidate) -> Figures | None:
    return {"name": case.facts.id}


"""
_TEXT = '@_says("advisory", "Much is invented about {name}.")\n'
_BEFORE = "def _missed_targets("

ADVISORY = Addition(
    what="an advisory",
    touch="one function in `generator/planning/advice.py`, its text beside it",
    held="a test that no function there lacks a text",
    places=(Place(ADVICE, inserted((_BEFORE, _TEXT + _ADVISORY))),),
    works=(
        "-c",
        f"{planned()[1].replace('print', 'said = str')}; assert 'Much is invented about Qwen/Qwen3-8B.' in said",
    ),
    slips=(
        Slip(
            "its text", tests("tests/unit/test_advice.py", "-k", "lacks_a_text"), r"_invented",
            Place(ADVICE, inserted((_BEFORE, _ADVISORY))),
        ),
    ),
)  # fmt: skip
