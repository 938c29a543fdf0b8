"""One of vLLM's model classes, as a release builds it: what it can do beyond its shapes."""

from collections.abc import Mapping
from typing import Literal

from generator.models.value import NONE, Made

ClassTask = Literal["generate", "embed", "classify", "score", "draft"]
AdaptedEnd = Literal["embedding", "head"]


class ModelClass(Made):
    """One name of config.json's `architectures`; the defaults are those of a class that no row knows."""

    name: str = ""
    task: ClassTask | None = None
    """What vLLM's registry lists it for; None where no row says."""
    served: bool = True
    """Whether the release's own registry has it; a class without a row is Transformers' own or a plug-in's."""
    first_release: str = ""
    """The release that brought it, for one that is older."""
    last_release: str = ""
    """The last release that served it, for one that is newer and has no other way to serve it."""
    stages: bool = True
    """Whether it has pipeline stages."""
    head_apart: bool = False
    """Whether those need a head of its own: the class ties it on stages that lack the embedding."""
    lora: bool = False
    """Whether it takes adapters."""
    adapted_ends: tuple[AdaptedEnd, ...] = ()
    """What adapters may change outside the layers."""
    gives_states: bool = False
    """Whether it hands a draft the states of its layers."""
    relays_states: bool = False
    """Whether its pipeline stages hand those states on."""
    whole_encoders: bool = False
    """Whether each rank may hold the encoders beside its decoder whole."""
    adapters_counted: bool = False
    """Whether the adapters that vLLM allocates for it were compared with what is planned."""
    one_pair: frozenset[str] = frozenset()
    """Matrices that adapters share another's half of, for the checkpoint stores both as one."""
    own_modules: bool = False
    """Whether it answers with modules that no reader counts."""
    pools_tokens: bool = False
    """Whether it classifies each token."""
    pools_steps: bool = False
    """Whether it pools at each step of an answer, which takes whole prompts."""
    pooling_task: str = ""
    """The task of its server where vLLM names one of its own."""
    draft_class: str = ""
    """What its own layers of multi-token prediction are built as; vLLM drafts with none of a class without."""


class ModelType(Made):
    """What vLLM decides by a config.json's `model_type` and not by the class."""

    name: str = ""
    float16: bool = True
    """False where vLLM refuses to compute in float16."""
    has_config_class: bool = True
    """Whether the release or Transformers brings a class for its config.json; else that is code of the repository."""
    tokenizer_code: bool = False
    """Whether its checkpoints' tokenizers are code of their repositories, where only config.json is at hand."""
    largest_item_tokens: int = 0
    """Tokens of the largest image or video, where the processor states them without a file; 0 where it does not."""


class ModelClasses(Made):
    """Classes of one release: those that a plan may ask for, or all."""

    rows: Mapping[str, ModelClass] = NONE
    """By name."""
    with_adapters: tuple[str, ...] = ()
    """Names of all classes whose adapters are planned."""
    strangers: frozenset[str] = frozenset()
    """Names that were asked for and that neither vLLM's registry nor Transformers has, in any release."""

    def of(self, name: str) -> ModelClass:
        """The class of this name; one of defaults where no row has it."""
        return self.rows.get(name) or ModelClass(name=name)
