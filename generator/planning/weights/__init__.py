"""Weights: parameter bytes of the worst rank of every pipeline stage, as vLLM 0.32 creates them."""

from generator.planning.weights.expansion import WeightModule, modules
from generator.planning.weights.online import ONLINE, online_quantization
from generator.planning.weights.rank import RankWeights, StageWeights, rank_weights
from generator.planning.weights.tensors import measured_weights
from generator.planning.weights.totals import ModelTotals, model_totals

__all__ = [
    "ONLINE",
    "ModelTotals",
    "RankWeights",
    "StageWeights",
    "WeightModule",
    "measured_weights",
    "model_totals",
    "modules",
    "online_quantization",
    "rank_weights",
]
