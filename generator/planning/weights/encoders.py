"""How encoders beside the decoder are laid out: `mm_encoder_tp_mode` as the model's class takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from generator.models.architecture import Architecture

_TAKES_DATA = frozenset({
    "CohereCompassForConditionalGeneration", "Cosmos3EdgeForConditionalGeneration", "Cosmos3ForConditionalGeneration",
    "DeepseekV41ForCausalLM", "DotsOCRForCausalLM", "Eagle2_5_VLForConditionalGeneration",
    "Exaone4_5_ForConditionalGeneration", "Glm4vForConditionalGeneration", "Glm4vMoeForConditionalGeneration",
    "Glm5NextForConditionalGeneration", "GlmOcrForConditionalGeneration", "H2OVLChatModel", "InternVLChatModel",
    "InternS1ProForConditionalGeneration", "InternS2MobiusForConditionalGeneration",
    "InternS2PreviewForConditionalGeneration", "IsaacForConditionalGeneration", "KimiK25ForConditionalGeneration",
    "KimiK3ForConditionalGeneration", "KimiVLForConditionalGeneration", "Llama4ForConditionalGeneration", "MiniCPMO",
    "MiniCPMV", "MiniCPMV4_6ForConditionalGeneration", "MiniCPMV4_7ForConditionalGeneration",
    "MiniMaxM3SparseForConditionalGeneration", "NVLM_D", "OpenCUAForConditionalGeneration",
    "QianfanOCRForConditionalGeneration", "Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration",
    "Qwen3VLForConditionalGeneration", "Qwen3VLMoeForConditionalGeneration", "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration", "Qwen4ExpForConditionalGeneration", "Step3VLForConditionalGeneration",
    "Step3p7ForConditionalGeneration", "StepVLForConditionalGeneration",
})  # fmt: skip
"""Classes with `supports_encoder_tp_data` (vLLM 0.32 model_executor/models); another's encoders are split anyway."""


def encoders_whole(architecture: Architecture, fixed: Mapping[str, object]) -> bool:
    """Whether every rank holds the encoders whole: asked for, and known to the model's class."""
    return fixed.get("mm_encoder_tp_mode") == "data" and architecture.architecture in _TAKES_DATA
