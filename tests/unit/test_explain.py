"""`explain`: one argument of vLLM, in words, with its facts and what a plan made of it."""

from __future__ import annotations

import json
import sys

import pytest

from generator.catalogue import arguments
from generator.catalogue.engines import engine, known_versions
from generator.cli.app import run
from generator.errors import RequestError, UnknownFactError
from generator.models.request import Request
from generator.operations.explain import explain
from generator.workflow import plan

EVERY = sorted({name for version in known_versions() for name in engine(version).by_name})


@pytest.fixture(scope="module")
def planned():
    """A plan with a value of the user's, one left to vLLM, and the planner's own."""
    own = {"max_num_seqs": 8, "enable_auto_tool_choice": None}
    return plan(Request(model="Qwen/Qwen3-8B", gpu="L4-24GB", overrides=own), offline=True)


def told(*words, monkeypatch, capsys):
    """Exit status, results and messages of `vllm-wizard explain WORDS`."""
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", "explain", *words])
    status = run()
    said = capsys.readouterr()
    return status, said.out, said.err


def test_every_argument_of_every_release_is_described():
    """Add its sentence to arguments.toml where this fails."""
    assert sorted(arguments.sentences()) == EVERY


def test_no_two_arguments_are_described_alike():
    assert len(set(arguments.sentences().values())) == len(EVERY)


@pytest.mark.parametrize(
    "spelling", ["max-num-seqs", "max_num_seqs", "--max-num-seqs", " MAX-NUM-SEQS ", "--max_num_seqs"]
)
def test_an_argument_is_found_however_it_is_typed(spelling):
    assert explain(spelling).argument == "max_num_seqs"


@pytest.mark.parametrize(
    ("short", "argument"), [("-tp", "tensor_parallel_size"), ("no-enable-prefix-caching", "enable_prefix_caching")]
)
def test_short_and_negated_spellings_are_found(short, argument):
    assert explain(short).argument == argument


def test_facts_are_those_of_the_release():
    """The default of gpu_memory_utilization went from 0.9 to 0.92 between the parsers of 0.19.1 and 0.20.2."""
    before, after = (explain("gpu_memory_utilization", vllm=version) for version in ("0.19", "0.20"))
    assert (before.default, before.other_defaults) == (0.9, ())
    assert after.default == 0.92
    assert [(one.release, one.before, one.after) for one in after.other_defaults] == [("0.20.2", 0.9, 0.92)]


def test_since_is_the_first_release_that_has_it():
    """`--monokernel` is not in the parser of 0.32.0 and is in that of 0.33.0."""
    assert explain("monokernel").since == "0.33.0"
    with pytest.raises(RequestError, match=r"vLLM 0.33.0 has it"):
        explain("monokernel", vllm="0.32")


def test_values_that_the_engine_checks_later_are_choices_too():
    assert {"auto", "fp8", "nvfp4"} <= set(explain("kv-cache-dtype").choices)
    assert explain("max-model-len").choices == ()


def test_a_value_of_the_users_the_planners_and_vllms_are_told_apart(planned):
    made = {name: explain(name, plan=planned).chosen for name in ("max_num_seqs", "max_model_len", "seed")}
    assert {name: one.by for name, one in made.items()} == {
        "max_num_seqs": "you", "max_model_len": "planner", "seed": "vllm",
    }  # fmt: skip
    assert made["max_num_seqs"].value == 8
    assert "--unset max_num_seqs" in made["max_num_seqs"].change
    assert made["max_model_len"].value == planned.engine["max_model_len"]
    assert "--concurrency" in made["max_model_len"].change
    assert made["seed"].value is None


def test_what_the_user_left_to_vllm_is_the_users_choice(planned):
    left = explain("enable_auto_tool_choice", plan=planned).chosen
    assert (left.by, left.value, left.reason) == ("you", None, "you left it to vLLM")


@pytest.mark.parametrize("field", ["tensor_parallel_size", "max_num_batched_tokens", "dtype", "shutdown_timeout"])
def test_reason_and_value_are_the_plans_own(planned, field):
    decided = next(one for one in planned.decisions if one.field == field)
    found = explain(field, plan=planned).chosen
    assert (found.value, found.reason) == (decided.value, decided.reason)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("max_num_seq", "those with it: max_num_seqs"),
        ("max_mum_seqs", "nearest: max_num_seqs"),
        ("expert", "those with it: enable_expert_parallel"),
        ("task", "set runner and convert"),
        ("guided_decoding_backend", 'structured_outputs_config={"backend":"VALUE"}'),
        ("enable_mamba_fine_grained_prefix_cache", "explain enable_mamba_shared_prefix_checkpoint instead"),
        ("calculate_kv_scales", "pin vLLM 0.19.1 to 0.27.1"),
        ("concurrency", "an option of vllm-wizard"),
        ("zzz", "`vllm serve --help=all` lists"),
        ("", "`vllm serve --help=all` lists"),
    ],
)
def test_a_wrong_name_is_refused_with_the_next_step(word, said):
    with pytest.raises(RequestError) as refused:
        explain(word)
    assert said in str(refused.value)


def test_a_release_that_no_table_has_is_refused():
    with pytest.raises(UnknownFactError, match="the newest known is"):
        explain("seed", vllm="0.5")


def test_the_command_prints_facts_and_the_plans_choice(monkeypatch, capsys):
    words = ("max-num-seqs", "--model", "Qwen/Qwen3-8B", "--gpu", "2xL4", "--offline")
    status, out, _ = told(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0
    assert out.startswith("--max-num-seqs of vLLM 0.33.0\n")
    assert [line.split()[0] for line in out.splitlines() if line[:3].strip() and not line.startswith("--")] == [
        "does", "takes", "default", "since", "plan", "value", "why", "change",
    ]  # fmt: skip


def test_json_is_one_object_with_every_field(monkeypatch, capsys):
    status, out, err = told("--tp", "--json", monkeypatch=monkeypatch, capsys=capsys)
    assert (status, err) == (0, "")
    assert json.loads(out)["argument"] == "tensor_parallel_size"
    assert json.loads(out)["chosen"] is None


def test_the_first_word_may_be_spelled_as_vllm_spells_it(monkeypatch, capsys):
    """`--max-num-seqs` is an option of ours elsewhere, and `--seed` is none at all."""
    for word in ("--max-num-seqs", "--seed", "--max-num-seqs=64"):
        assert told(word, monkeypatch=monkeypatch, capsys=capsys)[0] == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "FLAG"),
        (("seed", "/nowhere"), 2, "no .copier-answers.yml"),
        (("seed", ".", "--model", "Qwen/Qwen3-8B"), 2, "not both"),
        (("seed", "--gpu", "L4"), 2, "no model given"),
        (("nope", "--model", "No/Such", "--offline"), 2, "no argument 'nope'"),
        (("seed\x1b[2J",), 2, "no argument"),
        (("a" * 10_000,), 2, "no argument"),
    ],
)
def test_bad_words_are_one_line_and_a_status(words, status, said, monkeypatch, capsys):
    found, out, err = told(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert (found, out, len(err.splitlines())) == (status, "", 1)
    assert said in err
    assert "\x1b" not in err
