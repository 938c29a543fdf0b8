"""Files beside config.json: those of sentence-transformers, as vLLM 0.32 reads them, and code of a tokenizer.

`modules.json` decides that vLLM runs a model for pooling even where config.json names a chat class, and how it pools;
`sentence_*_config.json` and the tokenizer's config cap its context (transformers_utils/config.py:949, :1047,
config/model.py:2128).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from generator.models.checkpoint import SentenceFacts

if TYPE_CHECKING:
    Read = Callable[[str], Any]
    """The JSON value of a file of the repository; None where there is no such file."""

MODULES_FILE = "modules.json"
_LENGTH_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_TOKENIZER_FILE = "tokenizer_config.json"
_POOLING = frozenset({
    "sentence_transformers.models.Pooling",
    "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
})  # fmt: skip
_DENSE = frozenset({
    "sentence_transformers.models.Dense",
    "sentence_transformers.base.modules.dense.Dense",
    "pylate.models.Dense.Dense",
})  # fmt: skip
_SEQUENCE_POOLING = frozenset({"CLS", "LAST", "MEAN"})


def sentence_facts(read: Read, config: Mapping[str, Any]) -> SentenceFacts | None:
    """What the files say; None where they say nothing.

    The tokenizer's limit is read for models of absolute positions alone, the only ones that vLLM caps by it.
    """
    modules = [one for one in _list(read(MODULES_FILE)) if isinstance(one, dict)]
    pooling = next((one for one in modules if one.get("type") in _POOLING), None)
    found = SentenceFacts(
        pools=pooling is not None,
        pooling_type=_pooling_type(_object(read(f"{pooling.get('path')}/config.json"))) if pooling else "",
        max_seq_length=_max_seq_length(read),
        tokenizer_max_length=_tokenizer_length(read, config),
        projector_elements=sum(_elements(read, one) for one in modules if one.get("type") in _DENSE),
    )
    return None if found == SentenceFacts() else found


def _pooling_type(config: Mapping[str, Any]) -> str:
    """The last sequence pooling that the module's config turns on, which is the one vLLM keeps."""
    names = (str(value) if key == "pooling_mode" else key for key, value in config.items() if _is_on(key, value))
    kinds = [_kind(name) for name in names]
    return next((kind for kind in reversed(kinds) if kind in _SEQUENCE_POOLING), "")


def _is_on(key: str, value: Any) -> bool:
    return value is True or (key == "pooling_mode" and isinstance(value, str))


def _kind(name: str) -> str:
    """VLLM's name of a mode: `pooling_mode_mean_tokens` is MEAN, `lasttoken` LAST."""
    first = name.replace("pooling_mode_", "").partition("_")[0]
    return "LAST" if "lasttoken" in first else first.upper()


def _max_seq_length(read: Read) -> int | None:
    """The first of the files that holds anything decides."""
    held = next((found for found in (_object(read(name)) for name in _LENGTH_FILES) if found), {})
    return _whole(held.get("max_seq_length"))


def _tokenizer_length(read: Read, config: Mapping[str, Any]) -> int | None:
    if config.get("position_embedding_type") != "absolute":
        return None
    return _whole(_object(read(_TOKENIZER_FILE)).get("model_max_length"))


def _elements(read: Read, module: Mapping[str, Any]) -> int:
    """Elements of one Dense module, its bias included."""
    config = _object(read(f"{module.get('path')}/config.json"))
    inputs, outputs = _whole(config.get("in_features")), _whole(config.get("out_features"))
    return (inputs or 0) * (outputs or 0) + (outputs or 0) * bool(config.get("bias", True))


def _whole(value: Any) -> int | None:
    """A count of tokens or features; tokenizers without a limit state 1e30."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**31
    return int(value) if known else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")


def brings_tokenizer(read: Read) -> bool | None:
    """Whether `auto_map` points at code for the tokenizer or processor that Transformers has no class of its own for.

    None where neither has a config that could be read.

    A class of Transformers' goes first where `tokenizer_class` or `processor_class` names one
    (Transformers 5.19 models/auto/tokenization_auto.py).
    """
    pairs = [(_TOKENIZER_FILE, "AutoTokenizer", "tokenizer_class")]
    pairs += [(name, "AutoProcessor", "processor_class") for name in _PROCESSOR_FILES]
    found = [(read(name), kind, named) for name, kind, named in pairs]
    known = [one for one in found if isinstance(one[0], dict)]
    return any(_is_own(*one) for one in known) if known else None


def _is_own(config: Mapping[str, Any], kind: str, named: str) -> bool:
    """Whether the class that the config names is the one that its code brings."""
    mapped = config.get("auto_map")
    listed = mapped.get(kind) if isinstance(mapped, dict) else mapped if kind == "AutoTokenizer" else None
    references = listed if isinstance(listed, list) else [listed]
    brought = {_plain(one) for one in references if isinstance(one, str)}
    own = config.get(named)
    return bool(brought) and (not isinstance(own, str) or _plain(own) in brought)


def _plain(reference: str) -> str:
    """The class's name alone: `tokenization_kimi.TikTokenTokenizer` without its module, fast or slow."""
    return reference.rpartition(".")[2].removesuffix("Fast")
