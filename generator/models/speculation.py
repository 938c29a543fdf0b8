"""Speculation: the user's `speculative_config`, as far as a plan depends on it."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator

from generator.errors import RequestError
from generator.models.value import Value

Method = Literal["eagle", "eagle3", "dflash", "draft_model"]
"""Ways to draft with a model of its own whose weights and cache are planned."""

_FOLDED = {"spec_method": "method", "spec_model": "model", "spec_tokens": "num_speculative_tokens"}
"""Flags that fill `speculative_config` (vLLM 0.32 engine/arg_utils.py: create_speculative_config)."""
_MODEL_FREE = frozenset({"ngram", "[ngram]", "ngram_gpu", "suffix", "custom_class", "extract_hidden_states"})
"""Methods that load no checkpoint, which vLLM also takes as the model's name."""
_NOT_READ = frozenset({"mtp", "medusa", "mlp_speculator", "dspark"})
"""Methods whose checkpoint no plan reads: the target's own, or one that the check of the request refuses."""


def tokens_per_step(rate: float, drafted: int) -> float:
    """Tokens that a sequence gains in a step, its own among them: 1 + a + a^2 + ... (arXiv 2211.17192, equation 1).

    `rate` is the chance that a drafted token is kept, given that those before it were.
    """
    return sum(rate**i for i in range(drafted + 1))


class Speculation(Value):
    """`speculative_config` by vLLM's own names; keys that no plan depends on are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True)

    method: str | None = None
    model: str | None = None
    revision: str | None = None
    num_speculative_tokens: int | None = Field(None, ge=1)
    draft_tensor_parallel_size: int | None = Field(None, ge=1)
    max_model_len: int | None = Field(None, ge=1)
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    parallel_drafting: bool = False
    use_heterogeneous_vocab: bool = False

    @field_validator("method")
    @classmethod
    def _by_its_one_name(cls, word: str | None) -> str | None:
        """A family's own name of multi-token prediction is read as `mtp` (config/speculative.py: MTPModelTypes)."""
        return "mtp" if word is not None and word.endswith("_mtp") else word

    @property
    def checkpoint(self) -> str | None:
        """The draft's own checkpoint, which a plan counts; None where there is none beside the target's."""
        if self.method in _MODEL_FREE | _NOT_READ or self.model in _MODEL_FREE:
            return None
        return self.model


def folded(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with `spec_method`, `spec_model` and `spec_tokens` as keys of `speculative_config`.

    Raises:
        RequestError: a value is given twice, which vLLM refuses.
    """
    given = {flag: arguments[flag] for flag in _FOLDED if arguments.get(flag) is not None}
    config = arguments.get("speculative_config")
    if not given and not isinstance(config, dict):
        return dict(arguments)
    inner = {str(name).replace("-", "_"): value for name, value in config.items()} if isinstance(config, dict) else {}
    for flag, value in given.items():
        if _FOLDED[flag] in inner:
            raise RequestError(f"{flag} and speculative_config.{_FOLDED[flag]} say the same: drop one of them")
        inner[_FOLDED[flag]] = value
    kept = {name: value for name, value in arguments.items() if name not in _FOLDED or value is None}
    return kept | {"speculative_config": inner}


def asked_draft(overrides: Mapping[str, Any]) -> dict[str, str] | None:
    """Model and revision of the draft that a request's engine arguments name, by any spelling; None for none.

    What no plan could read is no draft here: the check of the request says what is wrong with it.
    """
    plain = {name.removeprefix("--").replace("-", "_"): value for name, value in overrides.items()}
    config = plain.get("speculative_config")
    if isinstance(config, str):
        plain["speculative_config"] = _parsed(config)
    try:
        spoken = Speculation.model_validate(folded(plain).get("speculative_config") or {})
    except (ValueError, RequestError):
        return None
    return {"model": spoken.checkpoint, "revision": spoken.revision or ""} if spoken.checkpoint else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None
