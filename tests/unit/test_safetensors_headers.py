"""Headers: what is read, what is refused, and how they are summed up."""

import json
from contextlib import suppress

import pytest
from fixtures.checkpoints import TINY_LLAMA_BYTES, TINY_LLAMA_TENSORS, deepseek_v3_tensors
from fixtures.hub_server import header
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import GeneratorError, SourceError, UnknownFactError
from generator.models.dtype import DType
from generator.sources.safetensors_headers import (
    MAX_HEADER_BYTES,
    aggregate,
    header_bytes,
    parse_header,
    shard_names,
    total_bytes,
)

ROOM = 6000


def parsed(tensors):
    return parse_header(header(tensors)[8:], "x.safetensors")


def entry(**changes):
    return json.dumps({"w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]} | changes}).encode()


def test_every_tensor_and_byte_of_a_header_is_counted():
    tensors = parsed(TINY_LLAMA_TENSORS)
    assert len(tensors) == 21
    assert total_bytes(tensors) == TINY_LLAMA_BYTES


def test_a_scalar_has_one_element_and_an_empty_tensor_none():
    tensors = parsed({"scale": ("F32", ()), "empty": ("BF16", (0, 64))})
    assert [tensor.elements for tensor in tensors] == [1, 0]


def test_four_bit_elements_are_packed_two_to_a_byte():
    assert total_bytes(parsed({"w": ("F4", (3, 5))})) == 8


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        (b"", "0 bytes"),
        (b"\x08\0\0", "3 bytes"),
        ((MAX_HEADER_BYTES + 1).to_bytes(8, "little"), "claims 100000001 bytes"),
        (b"\xff" * 8, "claims 18446744073709551615 bytes"),
        (bytes(8), "claims 0 bytes"),
    ],
)
def test_an_impossible_header_length_is_refused(prefix, said):
    with pytest.raises(SourceError, match=said):
        header_bytes(prefix, "x.safetensors")


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"\xff\xfe{}",
        b"[1]",
        b"[" * 100_000,
        b'{"w": 1}',
        b'{"w": {"dtype": "BF16", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 1]}}',
        entry(dtype=7),
        entry(shape=[2, -3]),
        entry(shape=[2, 1.5]),
        entry(shape=[True, 6]),
        entry(shape=[2] * 1000),
        entry(shape=[2**60, 2**60]),
        entry(shape=[2, 4]),
        entry(data_offsets=[0]),
        entry(data_offsets=[-12, 0]),
        entry(data_offsets=[12, 0]),
    ],
    ids=lambda text: text[:60].decode(errors="replace"),
)
def test_a_hostile_header_is_refused_with_one_line(text):
    with pytest.raises(SourceError, match=r"x\.safetensors is no usable safetensors file") as caught:
        parse_header(text, "x.safetensors")
    assert "\n" not in str(caught.value)


def test_a_dtype_that_the_planner_lacks_is_named():
    with pytest.raises(UnknownFactError, match="'C64'"):
        parse_header(entry(dtype="C64"), "x.safetensors")


def test_a_file_shorter_than_its_header_says_is_refused():
    text = header({"w": ("BF16", (4, 4))})[8:]
    with pytest.raises(SourceError, match="did not finish"):
        parse_header(text, "x.safetensors", data_bytes=31)
    assert parse_header(text, "x.safetensors", data_bytes=32)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_errors(text):
    with suppress(GeneratorError):
        parse_header(text, "x.safetensors")
    with suppress(GeneratorError):
        header_bytes(text, "x.safetensors")


def test_an_index_chooses_the_files_and_leaves_duplicates_out():
    files = {"consolidated.safetensors", "model-00001-of-00001.safetensors", "config.json"}
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    assert shard_names(files, index) == ("model-00001-of-00001.safetensors",)


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"model.safetensors", "consolidated.safetensors"}, ("model.safetensors",)),
        ({"b.safetensors", "a.safetensors", "onnx/c.safetensors"}, ("a.safetensors", "b.safetensors")),
        ({"consolidated-00001-of-00001.safetensors"}, ("consolidated-00001-of-00001.safetensors",)),
        ({"pytorch_model.bin", "model.gguf"}, ()),
    ],
)
def test_without_an_index_the_names_decide(files, chosen):
    assert shard_names(files, None) == chosen


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"model-00001-of-00004.safetensors"}, r"00002-of-00004.*3 of 4 files are missing"),
        ({f"model-0000{n}-of-00004.safetensors" for n in (1, 2, 4)}, r"00003-of-00004.*1 of 4 files are missing"),
        ({"consolidated-00001-of-00002.safetensors"}, r"1 of 2 files are missing"),
        ({"model.safetensors.incomplete", "config.json"}, r"'model\.safetensors' is not there"),
        ({"a.safetensors", "b.safetensors.incomplete"}, r"'b\.safetensors' is not there \(1 of 2"),
        ({"model-1-of-99999999999.safetensors"}, r"9,?999 of 99999999999|is not there"),
    ],
)
def test_an_unfinished_download_is_refused_by_its_names(files, said):
    with pytest.raises(SourceError, match=said):
        shard_names(files, None)


@pytest.mark.parametrize(("offsets", "said"), [((0, 8), "overlap"), ((16, 24), "unnamed")])
def test_tensors_lie_one_after_the_other(offsets, said):
    """Safetensors 0.6 refuses holes and overlaps (tensor.rs: InvalidOffset)."""
    two = {"a": ([2, 2], [0, 8]), "b": ([2, 2], list(offsets))}
    text = json.dumps({name: {"dtype": "BF16", "shape": a, "data_offsets": b} for name, (a, b) in two.items()}).encode()
    with pytest.raises(SourceError, match=said):
        parse_header(text, "x.safetensors")


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({}, "no weight_map"),
        ({"weight_map": []}, "no weight_map"),
        ({"weight_map": {"a": "b.safetensors"}}, "'b.safetensors', which is not there"),
        ({"weight_map": {"a": "../../secret.safetensors"}}, "which is not there"),
        ({"weight_map": {"a": 7}}, "which is not there"),
    ],
)
def test_a_bad_index_is_refused(index, said):
    with pytest.raises(SourceError, match=said):
        shard_names({"a.safetensors", "../../secret.safetensors"}, index)


def test_layers_alike_share_a_group():
    groups = {group.module: group for group in aggregate(parsed(TINY_LLAMA_TENSORS), ROOM)}
    assert len(groups) == 12
    query = groups["model.layers.self_attn.q_proj.weight"]
    assert (query.layers, query.elements, query.tensors) == ("0-1", 8192, 2)
    assert groups["lm_head.weight"].layers == ""


def test_layers_of_unequal_size_are_told_apart():
    shapes = {0: 64, 1: 64, 2: 128, 5: 64}
    tensors = parsed({f"model.layers.{n}.mlp.up_proj.weight": ("BF16", (size, 8)) for n, size in shapes.items()})
    groups = aggregate(tensors, ROOM)
    assert {(group.layers, group.elements) for group in groups} == {("0-1,5", 1536), ("2", 1024)}


def test_a_vision_towers_blocks_are_no_decoder_layers():
    tensors = parsed({f"visual.blocks.{n}.attn.qkv.weight": ("BF16", (8, 8)) for n in range(27)})
    assert [(group.module, group.layers) for group in aggregate(tensors, ROOM)] == [
        ("visual.blocks.attn.qkv.weight", "")
    ]


@pytest.fixture(scope="module")
def deepseek_v3_nvfp4():
    return parsed(deepseek_v3_tensors("nvfp4"))


@pytest.mark.parametrize("room_bytes", [6000, 3000, 700, 10])
def test_less_room_costs_detail_but_no_element(room_bytes, deepseek_v3_nvfp4):
    tensors = deepseek_v3_nvfp4
    groups = aggregate(tensors, room_bytes)
    assert sum(group.tensors for group in groups) == len(tensors)
    assert sum(group.dtype.bytes_for(group.elements) for group in groups) == total_bytes(tensors)
    assert sum(len(group.model_dump_json()) + 1 for group in groups) <= max(room_bytes, 500)


def test_deepseek_v3_holds_the_fp8_bytes_that_vllm_loads():
    """669,065,609,216 FP8 bytes is what vLLM 0.32 loads (kv_truth.json), the draft layer 61 left out."""
    main = {k: v for k, v in deepseek_v3_tensors().items() if not k.startswith("model.layers.61.")}
    groups = aggregate(parsed(main), ROOM)
    assert sum(group.elements for group in groups if group.dtype is DType.F8_E4M3) == 669_065_609_216
