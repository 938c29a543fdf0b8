"""VLLMConfig: the engine arguments of one deployment, and how vLLM reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from generator.models.value import Value

if TYPE_CHECKING:
    from generator.models.engine import Engine, Flag


class VLLMConfig(Value):
    """A model and its engine arguments by vLLM's own names, in the order they are written; null is left to vLLM."""

    model: str
    arguments: dict[str, Any]

    def checked(self, engine: Engine) -> dict[str, Any]:
        """Every argument that is set, as `engine` reads it.

        Raises:
            RequestError: the release lacks an argument, or refuses its value.
        """
        set_ = {name: value for name, value in self.arguments.items() if value is not None}
        return {engine.flag(name, value).name: engine.check(name, value) for name, value in set_.items()}

    def serve_yaml(self, engine: Engine) -> dict[str, Any]:
        """The mapping of `vllm serve --config`: dashed keys, `model` left out; off by negation (`no-...: true`).

        vLLM ignores `key: false` in that file (measured on 0.32), so the negation is the only form that works.

        Raises:
            RequestError: the release lacks an argument, or refuses its value.
        """
        return dict(_yaml_pair(engine.flag(name), value) for name, value in self.checked(engine).items())

    def args(self, engine: Engine) -> tuple[str, ...]:
        """argv: `vllm serve MODEL`, then the flags.

        Raises:
            RequestError: the release lacks an argument, or refuses its value.
        """
        words = ["vllm", "serve", self.model]
        for name, value in self.checked(engine).items():
            words += _words(engine.flag(name), value)
        return tuple(words)


def _yaml_pair(flag: Flag, value: Any) -> tuple[str, Any]:
    dashed = flag.name.replace("_", "-")
    if flag.type == "bool" and value is False:
        return flag.negation or f"no-{dashed}", True
    return dashed, value


def _words(flag: Flag, value: Any) -> list[str]:
    key, value = _yaml_pair(flag, value)
    if flag.type == "bool":
        return [f"--{key}"]
    if isinstance(value, list | tuple):
        return [f"--{key}", *map(str, value)]
    return [f"--{key}", json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)]
