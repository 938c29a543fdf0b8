"""Values of the speed model: what a rank does in a step, the load on it, and the fitted coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from generator.errors import UnknownFactError
from generator.models.capability import Capability, CapabilitySet
from generator.models.release import release_key
from generator.models.speculation import tokens_per_step
from generator.models.value import NONE, Made

WeightKernel = Literal["native", "fp8", "fp8_block", "int4", "int8", "mxfp4", "nvfp4"]
"""How matrix products read their weights: in the model's own dtype, or through a quantized kernel."""
Arrival = Literal["closed", "burst", "open"]
Balancing = Literal["even", "random"]
ReleaseRange = Literal["early", "middle", "late"]

_RANGES: tuple[tuple[tuple[int, ...], ReleaseRange], ...] = (((0, 12), "early"), ((0, 17), "middle"))
"""First release that is no longer in the range."""


MEMORY_CLASSES = ("hbm", "gddr", "unified")
GENERATIONS = ("sm80", "sm89", "sm90", "sm100", "sm120")
_CAPABILITIES = {
    "sm80": CapabilitySet("7.0-8.7"),
    "sm89": CapabilitySet("8.9"),
    "sm90": CapabilitySet("9.x"),
    "sm100": CapabilitySet("10.x 11.x"),
    "sm120": CapabilitySet("12.x"),
}
"""Compute capabilities of each generation; what is older than SM80 is timed as it."""
RELEASES: tuple[ReleaseRange, ...] = ("early", "middle", "late")
KERNELS = ("native", "fp8", "fp8_block", "int4", "int8", "mxfp4", "nvfp4", "fp4")
"""Kernels as they run: those of `WeightKernel`, and FP4 arithmetic where the GPU has it."""
COEFFICIENTS: dict[str, tuple[str, ...]] = {
    "bandwidth": MEMORY_CLASSES,
    "read": (*KERNELS, "kv", "kv_8bit", "latent", "state", "widened"),
    "experts": (*MEMORY_CLASSES, *KERNELS, "fall", "turn"),
    "compute": GENERATIONS,
    "compute_native": GENERATIONS,
    "compute_experts": GENERATIONS,
    "mfu": (*KERNELS, "attention", "sparse"),
    "mfu_experts": KERNELS,
    "balance": MEMORY_CLASSES,
    "layer": ("base", "latent", "sparse", "state", "moe", "shared", "shared_beside", "quantize"),
    "pace": GENERATIONS,
    "release": RELEASES,
    "launch": (*RELEASES, "captured", "eager"),
    "step": RELEASES,
    "sequence": RELEASES,
    "reduction": ("nvlink", "pcie", "growth"),
    "link": ("nvlink", "pcie", "growth"),
    "request": (*RELEASES, "prompt_token", "intake"),
    "cold": ("plain", "state"),
    "proxy": ("workers",),
    "experts_chosen": ("routing", "imbalance"),
}
"""Every coefficient that an estimate may ask for, by group: each GPU class, kernel, layer kind and release range."""


@lru_cache(maxsize=64)
def speed_class(capability: Capability) -> str | None:
    """The generation whose coefficients time a GPU; None for one that no row knows."""
    return next((name for name, held in _CAPABILITIES.items() if held.has(capability)), None)


def release_range(release: str) -> ReleaseRange:
    """The range of vLLM releases that share coefficients: before 0.12, before 0.17, and since."""
    key = release_key(release)
    return next((name for end, name in _RANGES if key < end), "late")


class KVRead(Made):
    """Layers that look back equally far: the cache bytes that one sequence makes one rank read in a step."""

    window_tokens: int | None = None
    """Tokens that a layer looks back at most, None for all of them."""
    bytes_per_token: float = 0.0
    """Bytes of one token over all the layers."""
    flops_per_pair: float = 0.0
    """FLOPs of one query token against one earlier token, over all the layers."""


class Exchange(Made):
    """Messages of one step among ranks that share caches, or experts of several replicas."""

    ranks: int
    messages: float
    bytes_per_token: float
    """What all of them bring to one rank for one of its tokens."""
    prompt_bytes_per_token: float
    """The same for a token of a prompt."""


class Footprint(Made):
    """What one rank of the mean pipeline stage holds, reads and computes for a token."""

    layers: float
    latent_layers: float = 0.0
    """Layers with multi-head latent attention."""
    sparse_layers: float = 0.0
    """Layers whose attention picks its tokens."""
    state_layers: float = 0.0
    """Layers with a recurrent state."""
    moe_layers: float = 0.0
    shared_layers: float = 0.0
    """Layers with a shared expert beside the routed ones."""
    reductions: float = 0.0
    """All-reduces of one step: one behind each mixer and each feed-forward block."""
    hidden_size: int
    activation_bytes: int = 2
    dense_bytes: float
    """Weights that every step reads."""
    expert_bytes: float = 0.0
    """Weights of one routed expert of one layer."""
    num_experts: int = 0
    local_experts: float = 0.0
    """Routed experts of one layer that this rank holds, whole or in part."""
    num_experts_per_tok: int = 0
    dense_flops: float
    """FLOPs of one token in the weights that every token meets, the head left out."""
    head_flops: float = 0.0
    """FLOPs of one sampled token in the output head."""
    expert_flops: float = 0.0
    """FLOPs of one token in its routed experts, mean over the ranks."""
    kv_reads: tuple[KVRead, ...] = ()
    kv_bytes: float = 2.0
    """Bytes of one cached number."""
    state_bytes: float = 0.0
    """Recurrent state that one sequence makes the rank read and write in a step."""
    dense_kernel: WeightKernel = "native"
    expert_kernel: WeightKernel = "native"
    tensor_parallel_size: int = 1
    decode_context_parallel_size: int = 1
    exchanges: tuple[Exchange, ...] = ()
    """Messages of one step beside the all-reduces."""
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    expert_parallel_size: int = 1


class Drafting(Made):
    """What one rank does to draft the tokens of a step."""

    passes: float = 0.0
    """Passes of the draft, one after the other: one a token, or one for all where they are drafted at once."""
    read_bytes: float = 0.0
    """Weights that each pass reads beside layers like the model's own: a head's, and an output head that it borrows."""
    own_layers: float = 0.0
    """Layers of each pass that are like the model's own."""
    other_layers: float = 0.0
    """Further layers of each pass, whose fixed costs add to what reading their weights takes."""


class Scenario(Made):
    """The load on one deployment."""

    arrival: Arrival = "closed"
    """closed: `concurrency` clients, each of which sends its next request at once; burst: all requests at the
    start; open: independent arrivals at `requests_per_s`."""
    prompt_tokens: float
    gen_tokens: float
    concurrency: float = 1.0
    """Requests in flight over all replicas; the size of a burst."""
    num_prompts: int | None = None
    """Requests of the whole run; None for a load without an end."""
    requests_per_s: float | None = None
    length_variation: float = 0.0
    """Standard deviation of the answers' lengths over their mean: 0 fixed, 0.58 evenly up to twice the mean."""
    prefix_hit_ratio: float = 0.0
    num_speculative_tokens: int = 0
    acceptance_rate: float = 0.0
    """Chance that a drafted token is kept, given that those before it were."""
    drafting: Drafting = Drafting()
    """What drafting takes beside a step of the model; nothing for n-grams."""
    in_process: bool = False
    """True where the engine is called without its HTTP server."""
    warmed: bool = False
    """True where the server had served requests of this kind before the run."""
    replicas: int = 1
    """Independent engines behind one address."""
    balancing: Balancing = "even"
    """How requests reach the replicas: `random` for a proxy that does not know their load."""

    @property
    def tokens_per_step(self) -> float:
        """Tokens that a sequence gains in a step."""
        return tokens_per_step(self.acceptance_rate, self.num_speculative_tokens)


class Limits(Made):
    """Admission limits of one engine rank group."""

    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    enforce_eager: bool = False
    """True where no CUDA graphs are captured, so that the host launches every kernel of every step."""
    cache_sequences: float | None = None
    """Mean requests that the KV cache holds at once; None where it never binds."""
    full_sequences: float | None = None
    """Requests that the KV cache holds at their full length; None where it is not known."""


class Coefficients(Made):
    """The fitted table (`catalogue/speed.toml`): shares of a datasheet figure, times in seconds, exponents."""

    values: dict[str, float]
    half_widths: Mapping[str, float] = NONE
    """Natural logarithm of the factor that holds 90 % of the calibration rows, by figure and kind of load."""
    regions: Mapping[str, float] = NONE
    """What is added to each half-width in a kind of server or load (planning/speed/regions.py)."""
    few_sources: Mapping[str, float] = NONE
    """The same of kernels that fewer than three sources show, and of those that none does."""
    calibration: str = ""
    """What the table was fitted to."""
    gpus: tuple[str, ...] = ()
    """GPUs of the calibration rows."""

    def widened(self, more: float) -> Coefficients:
        """The table with `more` added to each half-width."""
        if not more:
            return self
        return self.changed(half_widths={name: width + more for name, width in self.half_widths.items()})

    def get(self, name: str) -> float:
        """The coefficient `name`.

        Raises:
            UnknownFactError: the table lacks it.
        """
        try:
            return self.values[name]
        except KeyError:
            raise UnknownFactError(f"the speed table has no coefficient {name!r}; run the fit again") from None
