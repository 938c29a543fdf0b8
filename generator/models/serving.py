"""What follows from a model for serving it: parsers, chat template, speculative heads, and what it is for."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from generator.models.value import NONE, Made, Value

Task = Literal["generate", "embed", "classify", "score"]
"""What a model answers with: text, vectors, classes, or the relevance of a text to a query."""

ParserKind = Literal["tool", "reasoning"]


class Parsers(Made):
    """Names that one vLLM release takes for its two parsers; empty where no registry was read."""

    tool: tuple[str, ...] = ()
    """Values of --tool-call-parser."""
    reasoning: tuple[str, ...] = ()
    """Values of --reasoning-parser."""
    elsewhere: Mapping[str, str] = NONE
    """Names that other releases take, `tool NAME` or `reasoning NAME`, and which: `0.33.0 and newer`."""


class Pooling(Made):
    """How a server without generated text answers."""

    task: Task
    reason: str
    """What decided that the model pools."""
    chunked: bool
    """Whether a prompt may be read in pieces; else a step holds the longest prompt whole."""


class PoolingApi(Value):
    """What a pooling server answers over HTTP; templates print it."""

    task: str
    """VLLM's name of its pooling task."""
    request: Literal["embed", "score", "classify", "pooling", ""]
    """Kind of the request that checks it; empty where the class answers only with a task or a plug-in of the user's."""
    paths: tuple[str, ...]
    """Paths for which every release asks for its key."""
    keyless: tuple[str, ...]
    """Paths for which some or all releases answer anybody."""


class ServingFamily(Value):
    """Models that are served alike, and how."""

    name: str
    model_types: tuple[str, ...] = Field((), strict=False)
    """config.json's `model_type`s; empty where `repositories` alone decides."""
    publishers: tuple[str, ...] = Field((), strict=False)
    """Hub accounts whose checkpoints keep the family's chat template; empty for any."""
    repositories: str = ""
    """Expression that the repository's whole name matches, storage suffixes aside; empty: any that is no base model."""
    task: Task = "generate"
    tool_call_parser: tuple[str, ...] = Field((), strict=False)
    """Parsers of the family's tool calls, best first; the first that the release has is taken."""
    reasoning_parser: tuple[str, ...] = Field((), strict=False)
    """Parsers of the family's reasoning, likewise."""
    chat_template: str = ""
    """File of vLLM's examples without which tools do not reach the prompt; empty: the model's own template does."""
    hf_overrides: dict[str, Any] = Field(default_factory=dict)
    """Fields of config.json that vLLM must read otherwise to serve the family."""
    notes: tuple[str, ...] = Field((), strict=False)
    """What whoever serves the family should know, a sentence each."""
    mtp_tokens: int = 0
    """Tokens a step that vLLM's recipe drafts with the checkpoint's own heads; 0: vLLM cannot, or no one says."""
    mtp_since: str = ""
    """First release that drafts with them; empty for every release of the tables."""
    whole_experts: bool | None = None
    """Whether the family's recipe spreads whole experts over ranks; None where no recipe says."""
    source: str

    @property
    def origin(self) -> str:
        """The first place that the source names, without its details."""
        return self.source.partition(";")[0].partition(",")[0]


class Serving(Made):
    """All that the tables say about serving one model on one release."""

    parsers: Parsers = Parsers()
    family: ServingFamily | None = None
    """The family that the model surely belongs to."""
    base: bool = False
    """True where the repository's name says that the model was not tuned to follow instructions."""
    candidates: tuple[ServingFamily, ...] = ()
    """Families of the model's `model_type` that it may belong to, where `family` is None."""
