"""Duration of one engine step of one replica, from bytes, FLOPs, layers and messages.

A step serves decoding sequences and prompt tokens together (chunked prefill, vLLM 0.32
v1/core/sched/scheduler.py). Weight reads and arithmetic of one matrix product overlap, so the longer one counts;
cache reads, a prompt's attention, collectives and fixed costs add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from generator.models.estimate import Bound
from generator.models.speed import Drafting, Footprint

if TYPE_CHECKING:
    from generator.planning.speed.rates import Rates

_CAPTURED_TOKENS = 512
"""Tokens up to which vLLM captures CUDA graphs by default (vLLM 0.32 config/vllm.py, cudagraph_capture_sizes)."""
_OVERLAP = 4.0
"""Exponent of the sum of two overlapping times: 1 adds them, a large one takes the longer."""


_NO_DRAFTS = Drafting()


class Step(NamedTuple):
    """Seconds of one step, whole and by cause; the causes overlap, so they do not add up to the whole."""

    total_s: float
    weights_s: float
    compute_s: float
    kv_s: float
    fixed_s: float
    link_s: float

    @property
    def largest(self) -> Bound:
        """The cause that takes the most time."""
        parts: dict[Bound, float] = {
            "memory_bandwidth": self.weights_s + self.kv_s,
            "compute": self.compute_s,
            "layer_cost": self.fixed_s,
            "link": self.link_s,
        }
        return max(parts, key=parts.__getitem__)


class StepModel:
    """Step durations of one replica; immutable, every figure resolved to a float."""

    __slots__ = (
        "_drafting",
        "_eager",
        "_exchange_bytes",
        "_fp",
        "_message_bytes",
        "_prompt_bytes",
        "_r",
        "_reads",
        "_repeat",
        "_sharing",
        "_verified",
    )

    def __init__(
        self,
        footprint: Footprint,
        rates: Rates,
        *,
        drafts: int = 0,
        drafting: Drafting = _NO_DRAFTS,
        eager: bool = False,
    ) -> None:
        self._fp, self._r, self._eager = footprint, rates, eager
        self._verified, self._drafting = 1 + drafts, drafting
        self._reads = tuple(
            (float(read.window_tokens or "inf"), read.bytes_per_token, read.flops_per_pair)
            for read in footprint.kv_reads
        )
        experts = footprint.num_experts
        self._repeat = 1 - footprint.num_experts_per_tok / experts if experts else 0.0
        tp = footprint.tensor_parallel_size
        self._exchange_bytes = sum(one.bytes_per_token for one in footprint.exchanges)
        self._prompt_bytes = sum(one.prompt_bytes_per_token for one in footprint.exchanges)
        self._sharing = footprint.decode_context_parallel_size
        self._message_bytes = 2 * (tp - 1) / tp * footprint.hidden_size * footprint.activation_bytes

    @property
    def engines(self) -> int:
        """Replicas that step together: those that share experts, as each mixture needs all of them.

        vLLM 0.32 v1/engine/core.py:2363 runs a dummy batch where a replica has nothing to do.
        """
        return self._fp.data_parallel_size if self._fp.moe_layers else 1

    @property
    def rates(self) -> Rates:
        """The rates that the model was built with."""
        return self._r

    def read_bytes(self, context: float) -> float:
        """Cache bytes that one sequence of `context` tokens makes one rank read in a step."""
        held = 0.0
        for window, size, _ in self._reads:
            held += min(window, context) * size
        return held / self._sharing

    def prompt_flops(self, prompt: float, cached: float = 0.0) -> float:
        """Attention FLOPs on one rank of a whole prompt whose first `cached` tokens are in the cache."""
        return sum(flops * (_pairs(prompt, window) - _pairs(cached, window)) for window, _, flops in self._reads)

    @property
    def stages(self) -> int:
        """Pipeline stages."""
        return self._fp.pipeline_parallel_size

    def step(
        self,
        seqs: float,
        context: float,
        new_tokens: float = 0.0,
        attention_flops: float = 0.0,
        *,
        whole: bool = False,
    ) -> Step:
        """One step for `seqs` decoding sequences of `context` tokens and `new_tokens` of prompts.

        With pipeline stages each holds a share of the batch, and a token passes all of them. `whole`: the prompt's
        tokens pass together, each stage after the other, as one prompt does: vLLM spreads none over stages.
        """
        fp, r, stages = self._fp, self._r, self._fp.pipeline_parallel_size
        if stages > 1:
            if not whole:
                new_tokens, attention_flops = new_tokens / stages, attention_flops / stages
            seqs = max(seqs / stages, 1.0 - new_tokens)
        tokens = seqs * self._verified + new_tokens
        weights = fp.dense_bytes / r.dense_bytes_per_s
        compute = (fp.dense_flops * tokens + fp.head_flops * seqs * self._verified) / r.dense_flops
        busy = _longer(weights, compute)
        if fp.moe_layers:
            read, math = self._experts(tokens)
            busy += _longer(read, math)
            weights, compute = weights + read, compute + math
        kv = seqs * (self.read_bytes(context) / r.kv_bytes_per_s + fp.state_bytes / r.state_bytes_per_s)
        link = self._reductions(tokens, new_tokens)
        attention = attention_flops / r.attention_flops
        device = self._with_drafts(busy + kv + attention + link + r.layers_s)
        total = self._launched(device, tokens) if new_tokens or self._eager else device
        host = r.step_s + r.sequence_s * seqs
        return Step(stages * (total + host), weights, compute + attention, kv, total - device + r.layers_s + host, link)

    def _with_drafts(self, device: float) -> float:
        """A step of the model and the passes of its draft: each reads weights, or runs layers like the model's own."""
        draft, layers = self._drafting, self._fp.layers
        if not draft.passes:
            return device
        fixed = draft.other_layers * self._r.layers_s / layers
        each = draft.read_bytes / self._r.dense_bytes_per_s + draft.own_layers * device / layers + fixed
        return device + draft.passes * each

    def _launched(self, device: float, tokens: float) -> float:
        """A step whose kernels the host launches itself, or replays in part from a captured graph."""
        if self._eager:
            return _longer(device, self._r.launch_s * self._r.eager)
        if tokens > _CAPTURED_TOKENS:
            return _longer(device, self._r.launch_s)
        return _longer(device, self._r.launch_s * self._r.captured)

    def _reductions(self, tokens: float, of_prompts: float) -> float:
        fp, r = self._fp, self._r
        exchanged = (tokens - of_prompts) * self._exchange_bytes + of_prompts * self._prompt_bytes
        others = r.exchange_s + exchanged / r.link_bytes_per_s
        if fp.tensor_parallel_size == 1:
            return others
        return fp.reductions * (r.reduction_s + tokens * self._message_bytes / r.link_bytes_per_s) + others

    def _experts(self, tokens: float) -> tuple[float, float]:
        """Seconds to read the distinct experts that `tokens` choose, and to compute them."""
        fp, r = self._fp, self._r
        chosen: float = (tokens * fp.data_parallel_size) ** r.routing
        touched = fp.local_experts * (1 - self._repeat**chosen)
        read = fp.moe_layers * touched * (fp.expert_bytes + r.turn_bytes) * r.imbalance / r.expert_bytes_per_s
        return read, fp.expert_flops * tokens * r.imbalance / r.expert_flops


def _pairs(tokens: float, window: float) -> float:
    """Pairs of a token and an earlier one within the window, over a text of `tokens`."""
    return tokens * tokens / 2 if tokens <= window else window * (tokens - window / 2)


def _longer(first: float, second: float) -> float:
    """The longer of two overlapping times, somewhat more where they are alike."""
    if first <= 0 or second <= 0:
        return first + second
    short, long = (first, second) if first < second else (second, first)
    both: float = (1 + (short / long) ** _OVERLAP) ** (1 / _OVERLAP)
    return long * both
