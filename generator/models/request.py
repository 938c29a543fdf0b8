"""Request: everything that a user may ask for; one field is one option and one question of copier.yml.

What a field says of itself is all that the option, the profile's key and the documents say of it. A new field needs its
question in copier.yml, and .github/scripts/write_reference.py, which writes what follows from both.
"""

from typing import Annotated, Any, Literal
from unicodedata import category

from pydantic import ConfigDict, Field, field_validator

from generator.models.hardware import Interconnect
from generator.models.measured import Measurement
from generator.models.question import Asked, asked
from generator.models.value import Value
from generator.models.workload import PRESETS, BatchingMode, Preset, Targets, Workload

Artefact = Literal[
    "command", "profile", "compose", "kubernetes", "monitoring", "systemd", "gitops", "airgap", "production-stack",
    "llm-d", "kserve", "inference-pool",
]  # fmt: skip
NEEDS: dict[Artefact, Artefact] = {"systemd": "command", "gitops": "kubernetes", "inference-pool": "kubernetes"}
"""What an artefact starts or installs, which is to be rendered too."""
ONE_NODE: frozenset[Artefact] = frozenset({"production-stack", "llm-d", "kserve"})
"""Artefacts that are rendered for one node only; the chart serves from several."""
CI = Literal["github", "gitlab", "none"]
SourceChoice = Literal["auto", "hub", "local", "embedded"]
MOST = 128
"""GPUs of one node, and nodes, that a plan takes: beyond any machine (72 in an NVL72 rack), yet searched in seconds."""
MOST_GIB = 16384
"""GiB of one GPU that a plan takes: fifty times the largest of 2026."""
MOST_LOAD = 1_000_000
"""Requests, at once or a second, and price of a GPU-hour: beyond any deployment."""


MOST_LETTERS = 1000
"""Letters of a name or a path."""
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of what moves a terminal's cursor, turns its text round, or is no text."""


def one_line(value: str) -> str:
    """The value, a name or a path.

    Raises:
        ValueError: it is too long for one, or holds control characters.
    """
    if len(value) > MOST_LETTERS:
        raise ValueError(f"{value[:40]!r}... has more than {MOST_LETTERS:,} letters")
    if any(category(letter) in _CONTROLS for letter in value):
        raise ValueError(f"{value[:40]!a} holds control characters")
    return value


_MODEL = Asked("Model", "model")
_GPUS = Asked("GPUs", "hardware")
_LOAD = Asked("Workload", "workload")
_POLICY = Asked("Policy", "policy")


class Request(Value):
    """One deployment, as asked for; a zero or an empty string means "not stated"."""

    model_config = ConfigDict(allow_inf_nan=False)

    model: Annotated[str, Asked("Model", "model", ("id",), "-m")] = Field(
        min_length=1, description="Model: id of the Hub, embedded id or local directory"
    )
    revision: Annotated[str, _MODEL] = Field(
        "", description="Branch, tag or commit of the model; empty: the newest, pinned"
    )
    source: Annotated[SourceChoice, _MODEL] = Field("auto", description="Where model facts come from")
    gpu: Annotated[str, Asked("GPUs", "hardware", ("gpu", "gpu_name"))] = Field(
        "auto", description="GPU: name of the product; auto: this machine's; custom: its memory and capability"
    )
    gpus: Annotated[int, _GPUS] = Field(1, gt=0, le=MOST, description="GPUs of one node")
    nodes: Annotated[int, _GPUS] = Field(1, gt=0, le=MOST, description="Nodes of one replica")
    servers: Annotated[int, _GPUS] = Field(
        0,
        ge=0,
        le=MOST,
        description="Equal servers on the node; on shares of its GPUs behind one gateway, as is best unless stated",
    )
    interconnect: Annotated[Interconnect, _GPUS] = Field("auto", description="Link between the GPUs of one node")
    vram_gb: Annotated[float, _GPUS] = Field(
        0.0, ge=0, le=MOST_GIB, description="GiB of one GPU, where the table should not decide"
    )
    capability: Annotated[str, _GPUS] = Field("", description="CUDA compute capability of a custom GPU, like 8.9")
    reserve_gb: Annotated[float, _GPUS] = Field(
        0.0, ge=0, le=MOST_GIB, description="GiB of each GPU that other processes hold"
    )
    vllm: Annotated[str, _POLICY] = Field("", description="vLLM release; empty: the newest that this version knows")
    workload: Annotated[Preset, Asked("Workload", "workload", ("preset",))] = Field(
        "chat", description="Workload preset"
    )
    prompt_tokens: Annotated[int, _LOAD] = Field(0, ge=0, description="Mean prompt tokens; 0: the preset's")
    gen_tokens: Annotated[int, _LOAD] = Field(0, ge=0, description="Mean generated tokens; 0: the preset's")
    concurrency: Annotated[int, Asked("Workload", "workload", short="-c")] = Field(
        0, ge=0, le=MOST_LOAD, description="Requests in flight at once; 0: the preset's"
    )
    batching_mode: Annotated[BatchingMode, Asked("Workload", "workload", ("batching_mode", "mode"))] = Field(
        "balanced", description="What to favour"
    )
    prefix_hit_ratio: Annotated[float, _LOAD] = Field(
        0.0, ge=0, lt=1, description="Share of prompt tokens in the prefix cache"
    )
    acceptance_rate: Annotated[float, _LOAD] = Field(
        0.0, ge=0, le=1, description="Chance that a drafted token is kept; 0: not known"
    )
    ttft_ms: Annotated[float, _LOAD] = Field(0.0, ge=0, description="Target time to first token in ms; 0: none")
    tpot_ms: Annotated[float, _LOAD] = Field(0.0, ge=0, description="Target time per output token in ms; 0: none")
    requests_per_s: Annotated[float, _LOAD] = Field(0.0, ge=0, le=MOST_LOAD, description="Target request rate; 0: none")
    price: Annotated[float, _POLICY] = Field(
        0.0, ge=0, le=MOST_LOAD, description="Price of one GPU-hour; 0: the dated table's"
    )
    headroom_gb: Annotated[float, _POLICY] = Field(
        0.0, ge=0, le=MOST_GIB, description="GiB of each GPU that the plan leaves unused"
    )
    trust_remote_code: Annotated[bool, _MODEL] = Field(default=False, description="Run code from the model repository")
    overrides: Annotated[dict[str, Any], Asked(None, "outputs", ("vllm_args",))] = Field(
        default_factory=dict, description="Engine arguments that you set; null leaves one to vLLM"
    )
    replan: Annotated[int, Asked(None, "policy")] = Field(
        0, ge=0, description="Raise it to plan again with today's planner and facts"
    )
    measured: Annotated[dict[str, Measurement], Asked(None, None)] = Field(
        default_factory=dict, description="What the running deployment measured"
    )

    @field_validator("model", "revision", "gpu", "capability", "vllm", mode="after")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        return one_line(value)

    @property
    def load(self) -> Workload:
        """The workload: the preset with the stated numbers in place of its own."""
        stated = {
            name: getattr(self, name) for name in ("prompt_tokens", "gen_tokens", "concurrency") if getattr(self, name)
        }
        shares = {name: getattr(self, name) for name in ("batching_mode", "prefix_hit_ratio", "acceptance_rate")}
        return PRESETS[self.workload].model_copy(update=stated | shares)

    def load_in(self, context: int) -> Workload:
        """The workload with a preset's lengths cut to a context of so many tokens; stated ones stay."""
        return self.load.within(context, prompt=self.prompt_tokens, gen=self.gen_tokens)

    @property
    def targets(self) -> Targets:
        """The stated service levels."""
        names = ("ttft_ms", "tpot_ms", "requests_per_s")
        return Targets(**{name: getattr(self, name) or None for name in names})


ASKED = asked(Request.model_fields)
"""How each field of `Request` is asked for."""
