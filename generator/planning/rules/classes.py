"""What vLLM refuses of a model's class: stages that it has not or that part its caches, and classes of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.errors import RequestError
from generator.models.release import release_key
from generator.planning.kinds.of import of
from generator.planning.weights.sharding import stage_layers

if TYPE_CHECKING:
    from generator.planning.replica import Replica

ONE_STAGE = frozenset({
    "AriaForConditionalGeneration", "BertForMaskedLM", "BertForSequenceClassification", "BertForTokenClassification",
    "BertModel", "BertSpladeSparseEmbeddingModel", "BgeM3EmbeddingModel", "CLIPModel", "ColBERTJinaRobertaModel",
    "ColBERTLfm2Model", "ColBERTModernBertModel", "ColModernVBertForRetrieval", "DeepseekV4ForConditionalGeneration",
    "FireRedASR2ForConditionalGeneration", "GPT2ForSequenceClassification", "Gemma3TextModel", "Gemma3nForCausalLM",
    "Gemma3nForConditionalGeneration", "GteModel", "GteNewForSequenceClassification", "GteNewModel", "HF_ColBERT",
    "HrmTextForCausalLM", "IQuestLoopCoderForCausalLM", "Idefics3ForConditionalGeneration", "JinaForRanking",
    "Mamba2ForCausalLM", "ModernBertForSequenceClassification", "ModernBertForTokenClassification", "ModernBertModel",
    "NemotronH_Nano_Omni_Reasoning_V3", "NemotronH_Nano_VL_V2", "NemotronH_Omni_Reasoning_V3",
    "NemotronH_Super_Omni_Reasoning_V3", "NemotronParseForConditionalGeneration", "NomicBertModel",
    "OpenAIPrivacyFilterForTokenClassification", "PaddleOCRVLForConditionalGeneration", "Phi4MMForCausalLM",
    "RobertaForMaskedLM", "RobertaForSequenceClassification", "RobertaForTokenClassification", "RobertaModel",
    "SiglipModel", "SmolVLMForConditionalGeneration", "VoyageQwen3BidirectionalEmbedModel",
    "WhisperForConditionalGeneration", "XLMRobertaForSequenceClassification", "XLMRobertaForTokenClassification",
    "XLMRobertaModel", "Zamba2ForCausalLM",
})  # fmt: skip
"""Classes that vLLM 0.32 does not split into pipeline stages (model_executor/models: no SupportsPP)."""
_LAST_RELEASES = {
    "Phi3SmallForCausalLM": "0.9.2",
    **dict.fromkeys(("MotifForCausalLM", "Phi4FlashForCausalLM"), "0.10.2"),
    "JAISLMHeadModel": "0.22.0",
    **dict.fromkeys(
        (
            "BaiChuanForCausalLM", "BaichuanForCausalLM", "InternLM2VEForCausalLM", "InternLMForCausalLM",
            "MiniMaxM1ForCausalLM", "MiniMaxText01ForCausalLM", "MiniMaxVL01ForConditionalGeneration",
            "QWenLMHeadModel", "QwenVLForConditionalGeneration", "Tarsier2ForConditionalGeneration",
            "XverseForCausalLM",
        ),
        "0.23.0",
    ),
    **dict.fromkeys(
        (
            "AquilaForCausalLM", "AquilaModel", "Grok1ForCausalLM", "Grok1ModelForCausalLM",
            "MantisForConditionalGeneration", "TarsierForConditionalGeneration",
        ),
        "0.24.0",
    ),
    "TeleChatForCausalLM": "0.25.0",
    **dict.fromkeys(("OuroForCausalLM", "Plamo2ForCausalLM"), "0.26.0"),
    **dict.fromkeys(
        (
            "ArcticForCausalLM", "CheersForConditionalGeneration", "Fairseq2LlamaForCausalLM", "GritLM",
            "HCXVisionForCausalLM", "MPTForCausalLM", "RWForCausalLM", "StableLMEpochForCausalLM",
        ),
        "0.28.0",
    ),
}  # fmt: skip
"""The last release that serves a class which Transformers, vLLM's fallback, does not have either.

vLLM 0.32 model_executor/models/registry.py: _PREVIOUSLY_SUPPORTED_MODELS.
"""


def class_is_served(start: Replica) -> None:
    """The release still has the model's class (vLLM 0.32 model_executor/models/registry.py: _raise_for_unsupported)."""
    name, release = start.architecture.architecture, start.settings.release.version
    last = _LAST_RELEASES.get(name)
    if last is not None and release_key(release) > release_key(last):
        raise RequestError(
            f"{name} was supported until vLLM {last} and is not in {release}: pin an engine that old, or serve another "
            "model"
        )


def shared_caches_stay_in_a_stage(start: Replica) -> None:
    """A layer that reads an earlier layer's cache has it in its own stage (model_executor/layers/attention.py:65).

    It reads that of the last layer of its kind that keeps one (Gemma 4: models/gemma4.py:480).
    """
    stages, layers = start.layout.pipeline_parallel_size, start.architecture.layers
    if stages == 1:
        return
    keepers: dict[str, int] = {}
    for first, end in stage_layers(len(layers), stages):
        for number in range(first, end):
            mixer = layers[number].mixer
            for attention in of(mixer).attentions() if mixer else ():
                if not attention.shares_kv_cache:
                    keepers[attention.name] = number
                elif not attention.runs_again and keepers.get(attention.name, first) < first:
                    raise RequestError(
                        f"layer {number} reads the cache of layer {keepers[attention.name]}, which another of the "
                        f"{stages} pipeline stages has: use --pipeline-parallel-size 1"
                    )
