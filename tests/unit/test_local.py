"""A model in a local directory."""

import json
import os

import pytest
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_BYTES, TINY_LLAMA_TENSORS
from fixtures.hub_server import safetensors_files

from generator.errors import SourceError
from generator.sources.facts import refuse_partial
from generator.sources.local import local_facts


def write_model(directory, *, config=TINY_LLAMA, tensors=TINY_LLAMA_TENSORS, shards=1):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    for name, file in safetensors_files(tensors, shards).items():
        with (directory / name).open("wb") as stream:
            stream.write(file.head)
            stream.truncate(file.size)
    return directory


@pytest.mark.parametrize("shards", [1, 3])
def test_facts_come_from_config_and_headers(tmp_path, shards):
    directory = write_model(tmp_path / "model", shards=shards)
    facts = local_facts(str(directory))
    assert (facts.source, facts.revision, facts.id) == ("local", None, str(directory))
    assert facts.checkpoint.total_bytes == TINY_LLAMA_BYTES
    assert facts.architecture.num_hidden_layers == 2


def test_spaces_and_other_alphabets_in_the_path_are_kept(tmp_path):
    directory = write_model(tmp_path / "my models" / "größe 模型")
    assert local_facts(str(directory)).id == str(directory)


def test_a_relative_path_and_a_tilde_become_absolute(tmp_path, monkeypatch):
    directory = write_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_facts("model").id == local_facts("./x/../model/").id == local_facts("~/model").id == str(directory)


def test_a_symbolic_link_stays_as_the_user_wrote_it(tmp_path):
    write_model(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert local_facts(str(tmp_path / "link")).id == str(tmp_path / "link")


def test_progress_is_told_of_every_file(tmp_path):
    seen = []
    local_facts(str(write_model(tmp_path, shards=3)), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_without_safetensors_the_config_alone_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY_LLAMA))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    checkpoint = local_facts(str(tmp_path)).checkpoint
    assert (checkpoint.total_bytes, checkpoint.tensors) == (None, ())


def test_custom_code_is_noticed(tmp_path):
    config = TINY_LLAMA | {"auto_map": {"AutoConfig": "configuration.Config"}}
    assert local_facts(str(write_model(tmp_path, config=config))).custom_code


def test_a_missing_directory_or_config_is_named(tmp_path):
    with pytest.raises(SourceError, match="is not a directory"):
        local_facts(str(tmp_path / "none"))
    with pytest.raises(SourceError, match=r"has no config\.json"):
        local_facts(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{\n  'a': 1}", "line 2, column 3"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe\xfd", "not valid JSON"),
    ],
)
def test_a_broken_config_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(SourceError, match=said) as caught:
        local_facts(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_shard_that_the_index_names_but_is_missing_is_named(tmp_path):
    write_model(tmp_path, shards=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(SourceError, match=r"model-00002-of-00003\.safetensors.*1 of 3"):
        local_facts(str(tmp_path))


@pytest.mark.parametrize("size", [0, 4, 8, 100, 200_000])
def test_a_truncated_file_is_refused(tmp_path, size):
    write_model(tmp_path)
    os.truncate(tmp_path / "model.safetensors", size)
    with pytest.raises(SourceError, match=r"model\.safetensors is no usable safetensors file"):
        local_facts(str(tmp_path))


def test_a_header_that_claims_more_than_the_file_is_refused(tmp_path):
    write_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((90_000_000).to_bytes(8, "little") + b"{}")
    with pytest.raises(SourceError, match=r"model\.safetensors is no usable safetensors file"):
        local_facts(str(tmp_path))


def test_a_directory_in_a_files_place_is_an_error_of_one_line(tmp_path):
    write_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(SourceError, match="is no file"):
        local_facts(str(tmp_path))


def test_the_head_that_a_checkpoint_ships_decides_where_its_config_says_nothing(tmp_path):
    """VLLM unties what a class would tie where the checkpoint has a head (0.29 maybe_untie_word_embeddings)."""
    config = {name: value for name, value in TINY_LLAMA.items() if name != "tie_word_embeddings"} | {
        "model_type": "gemma2", "head_dim": 16, "architectures": ["Gemma2ForCausalLM"],
    }  # fmt: skip
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "config.json").write_text(json.dumps(config))
    assert local_facts(str(tmp_path / "plain")).architecture.tie_word_embeddings
    assert not local_facts(str(write_model(tmp_path, config=config))).architecture.tie_word_embeddings
    stated = config | {"tie_word_embeddings": True}
    assert local_facts(str(write_model(tmp_path, config=stated))).architecture.tie_word_embeddings


def test_tensors_of_far_fewer_bytes_than_the_shapes_take_are_an_unfinished_download(tmp_path):
    whole, kept = write_model(tmp_path / "whole"), {"model.embed_tokens.weight": ("BF16", (256, 64))}
    refuse_partial(local_facts(str(whole)))
    tied = {name: tensor for name, tensor in TINY_LLAMA_TENSORS.items() if name != "lm_head.weight"}
    refuse_partial(local_facts(str(write_model(tmp_path / "headless", tensors=tied))))
    with pytest.raises(SourceError, match="finish the download"):
        refuse_partial(local_facts(str(write_model(tmp_path / "partial", tensors=kept))))
