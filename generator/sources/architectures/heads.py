"""What vLLM's pooling classes compute behind or instead of a text head, and classes that attend both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.models.dtype import DType
from generator.models.matrix import Matrix, Shard

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


_BOTH_WAYS = frozenset({"LlamaBidirectionalModel", "LlamaBidirectionalForSequenceClassification"})
"""Classes that vLLM turns to bidirectional attention whatever config.json says (0.32 models/config.py:600)."""
_DEFAULT_LABELS = 2
"""Transformers' number of labels where config.json names none."""
_REWARD = {"Qwen2ForRewardModel": 1, "Qwen2ForProcessRewardModel": 2}
"""Reward classes by their number of labels (vLLM 0.32 model_executor/models/qwen2_rm.py)."""
_ENCODERS = ("Bert", "Roberta", "XLMRoberta", "ModernBert")


def both_ways(config: Config, name: str) -> dict[str, bool]:
    """`is_causal` as vLLM sets it for class `name`; empty where it leaves config.json's."""
    gemma = name == "Gemma3TextModel" and config.get("use_bidirectional_attention") is True
    return {"is_causal": False} if gemma or name in _BOTH_WAYS else {}


def pooling_heads(config: Config, name: str, hidden: int) -> tuple[Matrix, ...]:
    """Matrices of the classifier, pooler or reward head of class `name`, in float32 as vLLM 0.32 keeps them.

    config/model.py:2502 (`head_dtype`); bert.py, roberta.py, modernbert.py, qwen2_rm.py, adapters.py:354.
    """
    labels = _labels(config)
    if name == "BgeM3EmbeddingModel":
        return (_head("colbert_linear", hidden, hidden), _head("sparse_linear", 1, hidden))
    if name in _REWARD:
        first = _head("score.0", hidden, hidden, shard="column")
        return (first, _head("score.2", _REWARD[name], hidden, shard="row"))
    if name.startswith("ModernBert") and name.endswith(("ForSequenceClassification", "ForTokenClassification")):
        norm = Matrix(name="head.norm", rows=hidden, part="other", linear=False, dtype=DType.F32)
        return (_head("head.dense", hidden, hidden, bias=False), norm, _head("classifier", labels, hidden))
    if name in {f"{kind}ForSequenceClassification" for kind in _ENCODERS}:
        return (_head("classifier.dense", hidden, hidden), _head("classifier.out_proj", labels, hidden))
    if name in {f"{kind}ForTokenClassification" for kind in _ENCODERS}:
        return (_head("classifier", labels, hidden),)
    if name.endswith(("ForSequenceClassification", "ForTokenClassification")):
        return (_head("score", labels, hidden, bias=False),)
    return ()


def _labels(config: Config) -> int:
    named = config.get("id2label")
    return int(config.get("num_labels") or (len(named) if isinstance(named, dict) and named else _DEFAULT_LABELS))


def _head(name: str, rows: int, columns: int, *, bias: bool = True, shard: Shard = "replicated") -> Matrix:
    return Matrix(
        name=name, rows=rows, columns=columns, bias=bias, shard=shard, part="other", linear=False, dtype=DType.F32
    )
