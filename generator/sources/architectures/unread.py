"""Configs whose vLLM class builds more than any reader here knows, or does not take: refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.catalogue.class_values import refused_value
from generator.errors import UnsupportedArchitectureError

if TYPE_CHECKING:
    from generator.sources.architectures.fields import Config


FROM_A_DUMP = (
    "plan from what vLLM builds of it: `scripts/preflight.py --model MODEL --facts FILE` writes that, then add "
    "--facts FILE"
)
"""The way of a model that no reader knows, which ends each refusal of one."""
_MODEL_TYPES = {
    "hrm_text": "prompts that attend both ways, for which vLLM schedules no part of a prompt (hrm_text.py)",
    "k2_horizon": "experts in the attention's values, which each step stacks anew (k2_horizon.py)",
    "persimmon": "one projection of all heads, which vLLM's Transformers backend leaves whole on every rank",
    "diffllama": "attention by differences, which vLLM has no class for",
    **dict.fromkeys(("distilbert", "new", "nomic_bert"), "layers that attend both ways and weights of no known shape"),
    "step1": "square-root ALiBi, which vLLM's usual backends lack (step1.py)",
}
"""What each family has beyond standard fields (vLLM 0.32 model_executor/models)."""

_CLASSES = {"Rnj1ForCausalLM": "an argument of its attention that only TRITON_ATTN takes (rnj1.py)"}
"""What a class has that another of the same `model_type` has not."""

_FIELDS = {
    "use_long_context": "a context longer than the one that config.json states (configuration_zamba2.py)",
    "dual_chunk_attention_config": "attention in two kinds of chunks",
    "param_sink_number": "keys and values kept as parameters (openpangu.py)",
    "mova_num_experts": "experts in the attention's values (k2_horizon.py)",
}
"""What a field says of any family."""

_NEEDED = {"mellum": "num_experts", "youtu": "kv_lora_rank"}
"""Fields of families read by standard ones that Transformers fills in, so that their absence changes the kind."""


def refuse_unread(config: Config) -> None:
    """Refuse, by name, a text config whose weights or cache no reader builds.

    Raises:
        UnsupportedArchitectureError: vLLM's class for it has tensors or caches of its own kind.
    """
    model_type = str(config.get("model_type", ""))
    found = _named(config, model_type) or _particular(config, model_type)
    if found:
        raise UnsupportedArchitectureError(
            f"model_type {model_type!r} is not planned: it has {found}, which no reader builds; {FROM_A_DUMP}"
        )


def refuse_values(config: Config, name: str) -> None:
    """Refuse a text config of which vLLM's class `name` does not take a value.

    Raises:
        UnsupportedArchitectureError: it does not; names the field and what it takes.
    """
    row = refused_value(name, config)
    if row is not None:
        raise UnsupportedArchitectureError(
            f"config.json says {row.field}: {str(config[row.field])[:40]}, and {row.name}: vLLM's {name} takes "
            f"{' or '.join(row.takes)}; choose another checkpoint, or fetch the model's own config.json"
        )


def _named(config: Config, model_type: str) -> str | None:
    """What the family, the class or a field has by its name alone."""
    classes = (_CLASSES[name] for name in config.get("architectures") or () if name in _CLASSES)
    fields = (why for field, why in _FIELDS.items() if config.get(field))
    return _MODEL_TYPES.get(model_type) or next(classes, None) or next(fields, None)


def _particular(config: Config, model_type: str) -> str | None:
    """What a family has only with some values of its fields."""
    hidden, needed = config.get("hidden_size"), _NEEDED.get(model_type)
    whole = "one projection of all heads, which vLLM's Transformers backend leaves whole on every rank"
    rows = (
        (model_type == "opt" and config.get("word_embed_proj_dim", hidden) != hidden,
         "an embedding narrower than the layers (opt.py)"),
        (config.get("ngram_vocab_size_ratio") and model_type != "longcat_flash",
         "embeddings of n-grams (longcat_flash_ngram.py)"),
        (config.get("loop_num") and model_type != "iquestloopcoder",
         "layers that run several times (iquest_loopcoder.py)"),
        (model_type == "iquestloopcoder" and config.get("sliding_window"), "a window beside those of its later runs"),
        (model_type == "gpt_bigcode" and config.get("multi_query") is False, whole),
        (model_type == "olmo_hybrid" and config.get("linear_use_gate") is False,
         "linear attention without a gate, which vLLM refuses (olmo_gdn_linear_attn.py)"),
        (model_type == "deepseek_v2" and not config.get("qk_nope_head_dim"),
         "ordinary heads instead of latents (deepseek_v2.py)"),
        (needed and config.get(needed) is None, f"a default of {needed} that config.json leaves out"),
    )  # fmt: skip
    return next((why for odd, why in rows if odd), None)
