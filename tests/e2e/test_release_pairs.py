"""Every example on every vLLM release, and on its way to the next one: the release's own table takes what is written.

The releases' tables are made from what their own parsers print; here they become a parser again, so that the words
on the command line and in serve.yaml are read the way that vLLM reads them, not the way that this package writes them.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from generator import recording, workflow
from generator.catalogue.engines import engine, known_versions
from generator.catalogue.migrations import migrations
from generator.cli.options import request_from
from generator.errors import RequestError
from generator.models.engine import human_readable_int
from generator.models.release import release_key
from generator.models.request import Request
from generator.planning.migration import migrate
from generator.sources.profile import load_profile

EXAMPLES = sorted(path.stem for path in (Path(__file__).parents[2] / "examples").glob("*.yaml"))
VERSIONS = known_versions()
PAIRS = (*pairwise(VERSIONS), *pairwise(VERSIONS[::-1]))
OWN = {"enable_prefix_caching": False, "max_num_seqs": 16, "served_model_name": ["a", "b"], "kv_cache_dtype": "fp8"}
"""Values that every release of the tables takes, of four kinds of argument."""
DEPARTING = {
    ("0.22.1", "0.23.0"): {"all2all_backend": "mori"},
    ("0.26.0", "0.27.1"): {"max_num_partial_prefills": 1, "max_long_partial_prefills": 1},
    ("0.27.1", "0.28.0"): {"override_attention_dtype": "fp8"},
    ("0.29.0", "0.30.0"): {"enable_bf16x3_router_gemm": True},
    ("0.30.0", "0.31.0"): {"enable_mamba_fine_grained_prefix_cache": True},
    ("0.31.0", "0.32.0"): {"moe_backend": "flashinfer_moe_ep_mega_cutedsl"},
}
"""Arguments and values that the second release no longer has; pull requests: generator/catalogue/migrations.toml."""


LOADS = {"hybrid-5090": "0.23.0"}
"""The first release that loads the weights of an example, where an older one of the tables does not."""


def _loads(example, version):
    return release_key(version) >= release_key(LOADS.get(example, VERSIONS[0]))


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise ValueError(message)


@cache
def parser(version):
    """The release's `vllm serve` parser, made again from its table; free text where the table says no more."""
    made = _Parser(allow_abbrev=False, argument_default=argparse.SUPPRESS)
    made.add_argument("model_tag")
    for flag in engine(version).flags:
        made.add_argument(f"--{flag.name.replace('_', '-')}", dest=flag.name, **_reading(flag))
    return made


def _reading(flag):
    if flag.type == "bool":
        return {"action": "store_true" if flag.switch else argparse.BooleanOptionalAction}
    one = {"int": _whole if flag.human_readable or flag.auto else int, "float": float, "json": json.loads}
    if flag.text:
        return {"type": str}
    kind = {"type": {"int": int, "str": str}[flag.items], "nargs": "+"} if flag.type == "list" else {}
    choices = {"choices": [int(c) if flag.type == "int" else c for c in flag.choices]} if flag.choices else {}
    return {"type": one.get(flag.type, str)} | kind | choices


def _whole(word):
    return -1 if word in ("auto", "-1") else human_readable_int(word)


def words_of(serve):
    """The command line that vLLM makes of a configuration file: a true value is a flag alone, false is nothing."""
    words = []
    for key, value in serve.items():
        if value is False:
            continue
        listed = value if isinstance(value, list | tuple) else [json.dumps(value) if isinstance(value, dict) else value]
        words += [f"--{key}"] if value is True else [f"--{key}", *map(str, listed)]
    return words


@cache
def asked(example):
    """The request of an example and its embedded facts."""
    answers = load_profile(Path(__file__).parents[2] / "examples" / f"{example}.yaml").answers
    request = request_from({name: value for name, value in answers.items() if name in Request.model_fields})
    return request, workflow.facts_for(request, offline=True)


@cache
def planned(example, version, overrides="{}"):
    """What is recorded of an example's plan on a release, its own overrides and these together."""
    request, facts = asked(example)
    merged = request.overrides | json.loads(overrides)
    proof = workflow.prove(request.model_copy(update={"vllm": version, "overrides": merged}), facts)
    recording.refuse_unfit(proof.plan)
    return recording.record(proof, {})


def check(recorded, version):
    """Return where the release reads command line and serve.yaml alike, and both as planned."""
    model = ["a/model"]
    by_words = vars(parser(version).parse_args([*model, *recorded.args]))
    by_file = vars(parser(version).parse_args([*model, *words_of(recorded.serve)]))
    table = engine(version)
    assert recorded.serve.keys() <= {
        name.replace("_", "-") if value is not False else f"no-{name.replace('_', '-')}"
        for name, value in ((flag.name, word) for flag in table.flags for word in (True, False))
    }
    stated = {name: table.check(name, value) for name, value in recorded.engine.items() if value is not None}
    del by_file["model_tag"], by_words["model_tag"]
    assert by_file == by_words
    assert {name: _plain(table.by_name[name], value) for name, value in by_file.items()} == stated


def _plain(flag, value):
    return json.loads(value) if flag.text and value.startswith("{") else value


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_release_takes_every_example(example, version):
    """No release is left out; one that does not load the weights says so."""
    if _loads(example, version):
        check(planned(example, version), version)
        return
    with pytest.raises(RequestError, match=r"pin vLLM 0\.23 or newer"):
        planned(example, version)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_next_release_takes_every_example_with_the_users_own_values(before, after):
    """Overrides of one release, carried to a neighbour up or down, give a plan that the neighbour takes."""
    for example in EXAMPLES:
        if not (_loads(example, before) and _loads(example, after)):
            continue
        old = planned(example, before, json.dumps(OWN))
        carried = migrate(OWN, engine(before), engine(after), migrations(), planned=frozenset(old.engine))
        assert carried.overrides == OWN
        new = planned(example, after, json.dumps(carried.overrides))
        check(new, after)
        assert {name: new.engine[name] for name in OWN} == OWN


@pytest.mark.parametrize(("pair", "words"), DEPARTING.items(), ids="-".join)
def test_a_departing_word_never_reaches_the_release_without_it(pair, words):
    """It is planned where the release has it, refused where not, and carried as something that the next one takes."""
    before, after = pair
    overrides = OWN | words
    with pytest.raises(RequestError):
        planned("chat-one-gpu", after, json.dumps(overrides))
    old = planned("chat-one-gpu", before, json.dumps(overrides))
    check(old, before)
    for keep_defaults in (False, True):
        carried = migrate(
            overrides,
            engine(before),
            engine(after),
            migrations(),
            planned=frozenset(old.engine),
            keep_defaults=keep_defaults,
        )
        assert {note.flag for note in carried.notes if note.kind not in ("default", "pinned")} == words.keys()
        check(planned("chat-one-gpu", after, json.dumps(carried.overrides)), after)
