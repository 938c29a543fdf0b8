"""Safetensors headers: bytes of a file's beginning -> what a checkpoint stores, without its weights.

The format: 8 bytes of header length (little endian), then a JSON object of tensor name to dtype, shape and
data offsets (https://github.com/huggingface/safetensors#format).
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from generator.errors import SourceError, UnknownFactError
from generator.models.checkpoint import TensorGroup
from generator.models.dtype import DType

PREFIX_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit on a header."""
_COARSEST = 4
_MAX_DIMENSIONS = 32
_MAX_SIZE = 2**48
"""Far above any tensor, far below what makes a product of hostile sizes slow."""
INDEX_FILE = "model.safetensors.index.json"
_SINGLE_FILE = "model.safetensors"
_NUMBERED = re.compile(r"(?P<stem>.+)-\d+-of-(?P<all>\d+)\.safetensors")
_MAX_SHARDS = 10_000
_UNFINISHED = ".safetensors.incomplete"
"""How a download that did not end is named."""
_LEAVES = re.compile(
    r"weight|bias|(weight|input|activation|[kv])_(global_)?scale(_inv|_2|_second)?|weight_(packed|shape|zero_point|g_idx)"
    r"|qweight|qzeros|scales?|g_idx|zero_point|absmax|quant_map|quant_state"
)
"""Names of parameters, plain and quantized, after their module's name."""
_TOWERS = re.compile(r"(^|\.)(visual|vision|audio|image|mm)[^.]*\.")


class Tensor(NamedTuple):
    """One tensor of a header; `stored_bytes` is what its data offsets span."""

    name: str
    dtype: DType
    elements: int
    stored_bytes: int


class Cell(NamedTuple):
    """The tensors of one module class and dtype in one layer; `layer` is None outside the decoder."""

    module: str
    dtype: DType
    layer: int | None
    elements: int
    tensors: int


class Module(NamedTuple):
    """Key of a group: tensors of equal count and size in each of their layers."""

    name: str
    dtype: DType
    layer_elements: int
    layer_tensors: int


def header_bytes(prefix: bytes, where: str) -> int:
    """Length in bytes of the JSON header that follows the first 8 bytes of a file.

    Raises:
        SourceError: the file is too short, or the length is impossible.
    """
    if len(prefix) < PREFIX_BYTES:
        raise _broken(where, f"it has {len(prefix)} bytes, fewer than the 8 of a header's length")
    length = int.from_bytes(prefix[:PREFIX_BYTES], "little")
    if not 2 <= length <= MAX_HEADER_BYTES:  # noqa: PLR2004 - `{}` is the shortest header
        raise _broken(where, f"its header claims {length} bytes")
    return length


def parse_header(header: bytes, where: str, *, data_bytes: int | None = None) -> tuple[Tensor, ...]:
    """Tensors that one JSON header declares; `data_bytes` is what follows it in the file, where known.

    Raises:
        SourceError: the header is no valid JSON object of tensors, or points outside the file.
        UnknownFactError: a tensor's dtype is not in `DType`.
    """
    try:
        entries = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise _broken(where, "its header is not JSON") from error
    if not isinstance(entries, dict):
        raise _broken(where, "its header is not a JSON object")
    named = {name: entry for name, entry in entries.items() if name != "__metadata__"}
    tensors = tuple(_tensor(name, entry, where) for name, entry in named.items())
    if data_bytes is not None and sum(tensor.stored_bytes for tensor in tensors) > data_bytes:
        raise _broken(where, "it is shorter than its header says: the download or copy did not finish")
    _check_spans(sorted((entry["data_offsets"][0], entry["data_offsets"][1]) for entry in named.values()), where)
    return tensors


def _check_spans(spans: Sequence[tuple[int, int]], where: str) -> None:
    """Tensors lie one after the other from the first byte on, as the format asks: no hole, no byte twice.

    Raises:
        SourceError: they do not.
    """
    at = 0
    for begin, end in spans:
        if begin != at:
            raise _broken(
                where, "its tensors overlap" if begin < at else "its tensors leave bytes between them unnamed"
            )
        at = end


def shard_names(files: Iterable[str], index: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Names of the safetensors files that hold the weights, sorted; empty where there are none.

    An index decides, as in vLLM 0.32 weight_utils.py:585; without one, `model.safetensors` alone, then every
    file of the root directory, copies in Mistral's own format (`consolidated*`) last.

    Raises:
        SourceError: the index is malformed, or a file that it or the others' names count is not there.
    """
    root = {name for name in files if name.endswith(".safetensors") and "/" not in name and "\\" not in name}
    if index is not None:
        return _indexed(root, index)
    if _SINGLE_FILE in root:
        return (_SINGLE_FILE,)
    converted = {name for name in root if not name.startswith("consolidated")}
    return _whole_sets(converted or root, {name for name in files if name.endswith(_UNFINISHED)})


def _whole_sets(chosen: set[str], unfinished: set[str]) -> tuple[str, ...]:
    """The files, where each set that their names count (`-00001-of-00004`) is there to its last one.

    Raises:
        SourceError: some are missing, or are still being downloaded.
    """
    sets = {(found["stem"], found["all"]) for name in chosen if (found := _NUMBERED.fullmatch(name))}
    for stem, total in sorted(sets):
        digits, most = len(total), min(int(total), _MAX_SHARDS)
        names = (f"{stem}-{number:0{digits}d}-of-{total}.safetensors" for number in range(1, most + 1))
        missing = [name for name in names if name not in chosen]
        if missing:
            raise _unfinished(missing[0], len(missing), int(total))
    being = sorted(name.removesuffix(".incomplete") for name in unfinished)
    if absent := [name for name in being if name not in chosen]:
        raise _unfinished(absent[0], len(absent), len(chosen) + len(absent))
    return tuple(sorted(chosen))


def _unfinished(name: str, missing: int, total: int) -> SourceError:
    return SourceError(
        f"{name[:80]!r} is not there ({missing} of {total} files are missing): finish the download, or choose another "
        "revision."
    )


def total_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of all the tensors as they are stored."""
    return sum(tensor.stored_bytes for tensor in tensors)


def aggregate(tensors: Iterable[Tensor], room_bytes: int) -> tuple[TensorGroup, ...]:
    """Tensors by module class, dtype and layers, as finely as `room_bytes` of JSON hold; sums stay exact.

    With too little room the classes lose detail: parameters, then modules, then blocks; the coarsest
    has one group a dtype.
    """
    cells = _cells(tensors)
    levels = (_group(cells, coarseness) for coarseness in range(_COARSEST))
    fitting = (groups for groups in levels if sum(len(group.model_dump_json()) + 1 for group in groups) <= room_bytes)
    return next(fitting, None) or _by_dtype(cells)


def _tensor(name: str, entry: Any, where: str) -> Tensor:
    """One validated entry of a header."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise _broken(where, f"its entry {name[:80]!r} lacks a dtype, a shape or data offsets")
    if dtype not in DType.__members__:
        raise UnknownFactError(
            f"{where} stores {name[:80]!r} as {dtype[:20]!r}; known: {', '.join(sorted(DType))}."
            " Choose a checkpoint in one of these."
        )
    if len(shape) > _MAX_DIMENSIONS or any(type(size) is not int or not 0 <= size < _MAX_SIZE for size in shape):
        raise _broken(where, f"its entry {name[:80]!r} has an impossible shape")
    tensor = Tensor(name, DType(dtype), math.prod(shape), end - begin)
    if begin < 0 or tensor.dtype.bytes_for(tensor.elements) != tensor.stored_bytes:
        raise _broken(where, f"its entry {name[:80]!r} has offsets that do not match its shape")
    return tensor


def _indexed(root: set[str], index: Mapping[str, Any]) -> tuple[str, ...]:
    """Files that an index's `weight_map` names, checked to be among `root`."""
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SourceError(f"{INDEX_FILE} has no weight_map: fetch it again, or tell the model's author.")
    named = {str(name) for name in weight_map.values()}
    if missing := sorted(named - root):
        raise SourceError(
            f"{INDEX_FILE} names {missing[0][:80]!r}, which is not there ({len(missing)} of {len(named)}"
            " files are missing): finish the download, or choose another revision."
        )
    return tuple(sorted(named))


def _split(name: str) -> tuple[str, int | None]:
    """A tensor's module class, and its decoder layer where it has one."""
    numbers = [int(part) for part in name.split(".") if part.isdecimal() and len(part) < 7]  # noqa: PLR2004
    module = ".".join(part for part in name.split(".") if not part.isdecimal())
    return module, numbers[0] if numbers and not _TOWERS.search(name) else None


def _coarse(module: str, coarseness: int) -> str:
    """A module class with less and less detail: as named, its module, its block, its stack."""
    parts = module.split(".")
    if coarseness and _LEAVES.fullmatch(parts[-1]):
        parts = parts[:-1]
    return ".".join(parts if coarseness < 2 else parts[: 6 - coarseness])  # noqa: PLR2004


def _cells(tensors: Iterable[Tensor]) -> tuple[Cell, ...]:
    """Tensors of one module class, dtype and layer, summed up."""
    elements: Counter[tuple[str, DType, int | None]] = Counter()
    counts: Counter[tuple[str, DType, int | None]] = Counter()
    for tensor in tensors:
        module, layer = _split(tensor.name)
        elements[module, tensor.dtype, layer] += tensor.elements
        counts[module, tensor.dtype, layer] += 1
    return tuple(Cell(*key, elements[key], counts[key]) for key in elements)


def _by_dtype(cells: Iterable[Cell]) -> tuple[TensorGroup, ...]:
    merged = _cells_by(cells, lambda cell: ("all", cell.dtype, None))
    return tuple(
        TensorGroup(module=cell.module, dtype=cell.dtype, elements=cell.elements, tensors=cell.tensors)
        for cell in sorted(merged)
    )


def _group(cells: Iterable[Cell], coarseness: int) -> tuple[TensorGroup, ...]:
    """Groups at one level of detail, in the order of their names."""
    merged = _cells_by(cells, lambda cell: (_coarse(cell.module, coarseness), cell.dtype, cell.layer))
    alike: dict[Module, list[int | None]] = defaultdict(list)
    for cell in merged:
        alike[Module(cell.module, cell.dtype, cell.elements, cell.tensors)].append(cell.layer)
    return tuple(_tensor_group(key, layers) for key, layers in sorted(alike.items()))


def _cells_by(cells: Iterable[Cell], key: Callable[[Cell], tuple[str, DType, int | None]]) -> tuple[Cell, ...]:
    """Cells of one key summed up into one."""
    same: dict[tuple[str, DType, int | None], list[Cell]] = defaultdict(list)
    for cell in cells:
        same[key(cell)].append(cell)
    return tuple(
        Cell(*name, sum(cell.elements for cell in group), sum(cell.tensors for cell in group))
        for name, group in same.items()
    )


def _tensor_group(key: Module, layers: Sequence[int | None]) -> TensorGroup:
    return TensorGroup(
        module=key.name,
        dtype=key.dtype,
        layers=_ranges(sorted(layer for layer in layers if layer is not None)),
        elements=key.layer_elements * len(layers),
        tensors=key.layer_tensors * len(layers),
    )


def _ranges(layers: Sequence[int]) -> str:
    """Layer numbers as `0-2,5`."""
    starts = [layer for i, layer in enumerate(layers) if i == 0 or layers[i - 1] != layer - 1]
    ends = [layer for i, layer in enumerate(layers) if i == len(layers) - 1 or layers[i + 1] != layer + 1]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def _broken(where: str, reason: str) -> SourceError:
    return SourceError(f"{where} is no usable safetensors file: {reason}. Fetch it again, or choose another.")
