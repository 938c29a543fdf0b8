"""VLLMConfig: the engine arguments of one deployment, and how vLLM reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from generator.errors import RequestError
from generator.models.value import Value

if TYPE_CHECKING:
    from generator.models.engine import Engine, Flag


class VLLMConfig(Value):
    """Engine arguments by vLLM's own names; a field that is None is left to vLLM."""

    model: str
    revision: str | None = None
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int | None = None
    enable_expert_parallel: bool | None = None
    decode_context_parallel_size: int | None = None
    dtype: str = "auto"
    quantization: str | None = None
    kv_cache_dtype: str = "auto"
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float
    enforce_eager: bool | None = None
    enable_prefix_caching: bool | None = None
    trust_remote_code: bool | None = None
    served_model_name: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    """The user's own arguments beyond these fields (`overrides`), already checked against the release."""

    def arguments(self) -> dict[str, Any]:
        """Every argument that is set, by vLLM's name, `model` left out; the planner's order."""
        own = self.model_dump(exclude={"model", "extra"}, exclude_none=True)
        return own | self.extra

    def serve_yaml(self, engine: Engine) -> dict[str, Any]:
        """The mapping of `vllm serve --config`: dashed keys; an off boolean by its negation (`no-...: true`).

        vLLM ignores `key: false` in that file, so the off form is the only one that works.
        """
        pairs = (_yaml_pair(_flag(engine, name), value) for name, value in self.arguments().items())
        return dict(pairs)

    def args(self, engine: Engine) -> tuple[str, ...]:
        """Argv of `vllm serve`, the model first.

        Raises:
            RequestError: the release lacks a flag or refuses a value.
        """
        words = ["vllm", "serve", self.model]
        for name, value in self.arguments().items():
            words += _words(_flag(engine, name), value)
        return tuple(words)


def _flag(engine: Engine, name: str) -> Flag:
    if name not in engine.by_name:
        raise RequestError(
            f"vLLM {engine.version} has no argument {name!r}; remove it or pin another release (--vllm)"
        )
    return engine.by_name[name]


def _yaml_pair(flag: Flag, value: Any) -> tuple[str, Any]:
    dashed = flag.name.replace("_", "-")
    if flag.type == "bool" and value is False:
        return flag.negation or f"no-{dashed}", True
    return dashed, value


def _words(flag: Flag, value: Any) -> list[str]:
    key, value = _yaml_pair(flag, value)
    if flag.type == "bool":
        return [f"--{key}"]
    if isinstance(value, dict):
        return [f"--{key}", json.dumps(value, sort_keys=True)]
    if isinstance(value, list | tuple):
        return [f"--{key}", *map(str, value)]
    return [f"--{key}", str(value)]
