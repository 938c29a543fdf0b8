"""Weights: parameter bytes of the worst rank of every pipeline stage, as vLLM 0.32 creates them."""

from generator.planning.weights.expansion import WeightModule, modules
from generator.planning.weights.rank import RankWeights, StageWeights, rank_weights

__all__ = ["RankWeights", "StageWeights", "WeightModule", "modules", "rank_weights"]
