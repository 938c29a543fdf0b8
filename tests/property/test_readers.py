"""Whatever a reader is handed, it ends within 10 s, with a value or one of our errors: 1,000 inputs each in full."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from fixtures.mangled import BITS, EXAMPLES, LONGEST, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.cli.console import clean
from generator.cli.options import request_from
from generator.errors import GeneratorError
from generator.rendering import store
from generator.rendering.answers import read
from generator.sources import plain_yaml
from generator.sources.config import parse_json
from generator.sources.local import local_facts
from generator.sources.profile import load_profile
from generator.sources.safetensors_headers import aggregate, header_bytes, parse_header
from generator.workflow import plan_for

PROFILE = (Path(__file__).parents[1] / "golden/chat-one-gpu/profile.yaml").read_text(encoding="utf-8")
ANSWERS = (Path(__file__).parents[1] / "golden/chat-one-gpu/.copier-answers.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@settings(max_examples=EXAMPLES, deadline=LONGEST)
@given(text=mutated(PROFILE))
def test_profiles(place, text):
    path = place / "profile.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(GeneratorError):
        answers = load_profile(path).answers
        json.dumps(answers, sort_keys=True)
        request_from(answers)


@settings(max_examples=EXAMPLES, deadline=LONGEST)
@given(text=mutated(ANSWERS))
def test_answers(place, text):
    (place / ".copier-answers.yml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(GeneratorError):
        found = read(place)
        json.dumps(found.values, sort_keys=True)
        assert found.plan is not None


@settings(max_examples=EXAMPLES, deadline=LONGEST)
@given(text=st.one_of(mutated("a: 1\n"), st.recursive(BITS, lambda some: st.lists(some).map(str)), st.text()))
def test_yaml_is_a_json_value_or_one_error(text):
    try:
        value = plain_yaml.load(text.encode("utf-8", "surrogatepass"))
    except plain_yaml.NotPlainError as error:
        assert len(str(error)) < 300  # noqa: PT017 - either is right
    else:
        json.dumps(value, allow_nan=False, sort_keys=True)


HEADER = {
    "a.weight": {"dtype": "BF16", "shape": [4, 4], "data_offsets": [0, 32]},
    "b.weight": {"dtype": "F32", "shape": [2], "data_offsets": [32, 40]},
}


@settings(max_examples=EXAMPLES, deadline=LONGEST)
@given(text=mutated(json.dumps(HEADER)), length=st.integers(0, 2**64 - 1), cut=st.integers(0, 8))
def test_headers(text, length, cut):
    with suppress(GeneratorError):
        header_bytes(length.to_bytes(8, "little")[:cut], "x")
    with suppress(GeneratorError):
        aggregate(parse_header(text.encode("utf-8", "surrogatepass"), "x"), 4000)
    with suppress(GeneratorError):
        parse_json(text.encode("utf-8", "surrogatepass"), "x")


CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128,
    "max_position_embeddings": 256, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
}  # fmt: skip
VALUES = st.sampled_from(
    [None, "", "x", -5, 0, 1, 3, 10**9, 10**30, 1.5, True, [], {}, [1], {"a": 1}, [[]], "auto", "\x1b"]
)


@settings(max_examples=EXAMPLES, deadline=LONGEST)
@given(changed=st.dictionaries(st.sampled_from(sorted(CONFIG)), VALUES, max_size=3))
def test_configs(place, changed):
    (place / "config.json").write_text(json.dumps(CONFIG | changed))
    with suppress(GeneratorError):
        facts = local_facts(str(place))
        plan_for(request_from({"model": str(place), "gpu": "L4"}), facts)


@given(st.text() | BITS)
def test_what_is_printed_moves_no_cursor(text):
    assert not set(clean(text)) & set("\x1b\r\x07\u202e\u2066\x9b\u2028")


@given(
    st.sampled_from(["http", "https", "ssh", "git", "git+https", "file"]),
    st.text("abc:@/%", min_size=1),
    st.text("ab.", min_size=1),
)
def test_no_address_shows_its_password(scheme, user, host):
    address = f"{scheme}://{user}:s3cr3t@{host}/t.git"
    assert store.has_secret(address) or "/" in user
    assert "s3cr3t" not in store.shown(address) or "/" in user
