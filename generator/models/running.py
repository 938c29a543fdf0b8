"""Running: a deployment that exists, as its own files describe it, before anything is planned."""

from typing import Any, Literal

from pydantic import Field

from generator.models.value import Value

ImportKind = Literal["taken", "changed", "overlay", "left out"]


class ImportNote(Value):
    """What became of one thing that a file said."""

    kind: ImportKind
    what: str
    why: str = ""


class Running(Value):
    """One vLLM server of a file: how it is started and what is around it."""

    words: tuple[str, ...] = ()
    """What follows `vllm serve`, variables put in."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Engine arguments that stand in a mapping (serve.yaml, config.yml) and not on a command line."""
    image: str = ""
    environment: dict[str, str] = Field(default_factory=dict)
    gpus: int = 0
    """GPUs of one node; 0 where the file does not say."""
    gpu_ids: tuple[str, ...] = ()
    gpu: str = ""
    """The GPU's product name, where a node selector tells it."""
    nodes: int = 1
    mounts: tuple[tuple[str, str], ...] = ()
    """Directories of the host or names of volumes, and where the container has them."""
    published: tuple[str, int] | None = None
    """Address and port of the host that clients use."""
    service: str = ""
    compose: dict[str, Any] = Field(default_factory=dict)
    """What compose.override.yaml keeps."""
    values: dict[str, Any] = Field(default_factory=dict)
    """What deploy/values.local.yaml keeps."""
    artefacts: tuple[str, ...] = ("command", "profile", "compose")
    notes: tuple[ImportNote, ...] = ()


class ImportedDeployment(Value):
    """What `vllm-wizard generate` is asked for, and the files of the user's that go beside what it renders."""

    answers: dict[str, Any]
    environment: dict[str, str] = Field(default_factory=dict)
    """Lines of .env; secrets are in it."""
    compose: dict[str, Any] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[ImportNote, ...] = ()
