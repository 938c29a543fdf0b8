"""What an assistant's tools are asked with: the options of the commands, as one closed object each."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from generator.models.request import ASKED, Request, one_line
from generator.models.value import Value

_OFFLINE = "Ask neither the Hub nor a template remote: embedded models and what is cached only."
_CHEAPEST = "Only what carries the workload and meets the targets at a known price: the cheapest."
_WHERE = "A deployment repository whose plan is asked about; leave it out where a model is named."
_FLAG = "An argument of vLLM, like max-num-seqs."
_Line = Annotated[str, AfterValidator(one_line)]


def _options(*, model_required: bool) -> dict[str, Any]:
    """Every field of `Request` that a person is asked for, with its bounds and its sentence."""
    fields = {
        name: (one.annotation, one)
        for name, one in Request.model_fields.items()
        if ASKED[name].panel is not None or name == "overrides"
    }
    named = (str, Field("", description=Request.model_fields["model"].description))
    return fields if model_required else fields | {"model": named}


def _switch(text: str) -> Any:
    return (bool, Field(default=False, description=text))


PlanAsked: type[Value] = create_model(
    "PlanAsked",
    __base__=Value,
    offline=_switch(_OFFLINE),
    cheapest=_switch(_CHEAPEST),
    **_options(model_required=True),
)
"""What `plan` and `fit` are asked."""
ExplainAsked: type[Value] = create_model(
    "ExplainAsked",
    __base__=Value,
    flag=(_Line, Field(min_length=1, description=_FLAG)),
    directory=(_Line, Field("", description=_WHERE)),
    offline=_switch(_OFFLINE),
    **_options(model_required=False),
)
"""What `explain` is asked."""


class _ModelsBase(Value):
    """What `models` is asked beside GPUs and a workload."""

    task: Literal["chat", "code", "embed", "reasoning", "tools", "vision"] | None = Field(
        None, description="Only models for this."
    )
    by: Literal["size", "speed"] = Field("size", description="What comes first.")


_OF_A_MODEL = ("model", "revision", "source")
ModelsAsked: type[Value] = create_model(
    "ModelsAsked",
    __base__=_ModelsBase,
    **{name: field for name, field in _options(model_required=True).items() if name not in _OF_A_MODEL},
)
"""What `models` is asked: GPUs and a workload, no model."""


class CheckAsked(Value):
    """What `check` is asked."""

    directory: _Line = Field(min_length=1, description="The deployment repository.")
    offline: bool = Field(default=False, description=_OFFLINE)
    quick: bool = Field(default=False, description="Do not render to find edited managed files.")
