"""Case: all that one plan is made from, checked and ready; the planner looks nothing up."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from generator.errors import UnknownFactError
from generator.models.architecture import Architecture
from generator.models.checkpoint import ModelFacts
from generator.models.hardware import Cluster
from generator.models.model_class import ModelClass
from generator.models.parallelism import Layout
from generator.models.published_drafts import PublishedDraft
from generator.models.request import Request
from generator.models.serving import Pooling
from generator.models.speculation import folded
from generator.models.workload import Workload
from generator.planning.as_given import AsGiven
from generator.planning.common import Common
from generator.planning.drafts.draft import Draft, draft_of, is_named, pinned_draft
from generator.planning.equal_servers import share_of
from generator.planning.kv_cache.settings import CacheSettings, resolved_dtype
from generator.planning.memory.overhead import offloads_weights
from generator.planning.memory.pinned import offloaded
from generator.planning.overridden import overridden
from generator.planning.own_values import own_values
from generator.planning.replica import Replica
from generator.planning.serving.pooling import pooling_of
from generator.planning.weights.sharding import encoders_whole
from generator.units import ceil_div

if TYPE_CHECKING:
    from generator.planning.defaults import BatchLimits
    from generator.planning.tables import Tables


class Case(AsGiven):
    """One request with its facts, GPUs and tables, and the user's engine values as the release reads them."""

    servers: int = 1
    """Equal servers on the node, of which this is one: those that are asked for, or that the planner chose."""
    in_flight: int = 0
    """Requests in flight on one replica, worked out where a rate is stated and they are not; 0: the request's."""
    drafts_chosen: bool = False
    """Whether the planner chose how tokens are drafted."""

    @classmethod
    def of(cls, request: Request, facts: ModelFacts, cluster: Cluster, tables: Tables) -> Self:
        """The case of a request.

        Raises:
            RequestError: the release lacks or refuses an argument that the user sets, or the servers do not divide.
        """
        checked = own_values(request.overrides, tables)
        return cls(
            request=request,
            facts=facts,
            cluster=share_of(cluster, request),
            servers=request.servers or 1,
            tables=tables,
            fixed=pinned_draft({name: value for name, value in folded(checked).items() if value is not None}, facts),
            left_to_vllm=frozenset(name for name, value in checked.items() if value is None),
        )

    def __repr__(self) -> str:
        """What is asked for and of which GPUs: the tables would fill pages."""
        asked, gpus = self.request.model_dump(exclude_defaults=True), self.cluster.gpus_per_node
        return f"Case({asked!r} on {self.cluster.nodes} x {gpus} x {self.gpu.name})"

    def on_servers(self, number: int, in_flight: int = 0) -> Self:
        """The case of one of so many equal servers on these GPUs, at so many requests over all where given."""
        each = self.cluster.model_copy(update={"gpus_per_node": self.cluster.gpus_per_node // number})
        stated = {"servers": number} | ({"concurrency": in_flight} if in_flight else {})
        return self.beside(request=self.request.model_copy(update=stated), cluster=each, servers=number)

    @cached_property
    def pooling(self) -> Pooling | None:
        """How the server pools; None where it generates text."""
        return pooling_of(self.facts, self.model_class, self.tables.serving.family, self.fixed)

    @cached_property
    def architecture(self) -> Architecture:
        """The model's shapes; vLLM builds no head of a model that pools (0.32 models/adapters.py:139).

        Raises:
            RequestError: the user overrides its context with what is no length.
        """
        own = overridden(self.facts.architecture, self.fixed.get("hf_overrides"), self.vllm)
        return own.model_copy(update={"lm_head": False}) if self.pooling and own.lm_head else own

    @cached_property
    def model_class(self) -> ModelClass:
        """VLLM's class of the model, as the release has it."""
        return self.tables.classes.of(self.facts.architecture.architecture)

    @cached_property
    def load(self) -> Workload:
        """The workload of one server: a preset's lengths are cut to the context, and pooling generates nothing."""
        longest = self.asked_context or self.model_context
        load = self.request.load if self.pooling else self.request.load_in(longest)
        share = self.in_flight or ceil_div(load.concurrency, self.servers)
        if share != load.concurrency:
            load = load.model_copy(update={"concurrency": share})
        if self.pooling is None:
            return load
        prompt = self.request.prompt_tokens or min(load.prompt_tokens, longest)
        return load.model_copy(update={"prompt_tokens": prompt, "gen_tokens": 0})

    @property
    def states_load(self) -> bool:
        """Whether the user states what the cache must hold: requests, their lengths, a context or a rate."""
        asked = self.request
        stated = (asked.concurrency, asked.prompt_tokens, asked.gen_tokens, asked.requests_per_s)
        return any(stated) or self.asked_context is not None

    @property
    def dtype(self) -> str:
        """The dtype that weights are kept and computed in where they are not quantized."""
        asked, kind = str(self.fixed.get("dtype", "auto")), self.tables.model_type
        return resolved_dtype(self.architecture.dtype, asked, self.gpu.capability, float16=kind.float16)

    @property
    def chunked_prefill(self) -> bool:
        """Whether a step may hold a piece of a prompt."""
        own = self.pooling.chunked if self.pooling else True
        return bool(self.fixed.get("enable_chunked_prefill", own))

    @cached_property
    def model_context(self) -> int:
        """The longest context that vLLM accepts for this model, in tokens."""
        own, sentence = self.architecture.max_position_embeddings, self.facts.sentence
        if sentence is None:
            return own
        capped = min(own, sentence.tokenizer_max_length or own) if self.pooling else own
        return sentence.max_seq_length or capped

    @property
    def drafts(self) -> int:
        """Multi-token-prediction layers that are loaded beside the model."""
        return len(self.architecture.drafts) if self.speculation.method == "mtp" else 0

    @cached_property
    def published(self) -> PublishedDraft | None:
        """What is known of the draft of this model that is asked for; None where nothing is."""
        spoken = self.speculation
        own = spoken.method == "mtp" and spoken.checkpoint is None
        named = (spoken.checkpoint or "").casefold()
        return next(
            (row for row in self.tables.drafts if (own if row.method == "mtp" else row.draft.casefold() == named)), None
        )

    @property
    def kept_rate(self) -> float:
        """The chance that a drafted token is kept: as the user states, else as measured of this draft, else 0."""
        known = self.published.kept if self.published else None
        return self.load.acceptance_rate or (known.rate if known else 0.0)

    @cached_property
    def draft(self) -> Draft | None:
        """The draft model with weights and a cache of its own; None where nothing drafts, or nothing is loaded for it.

        Raises:
            UnknownFactError: its facts are not those of the model that the user names.
            RequestError: vLLM has no class for it, or it was made for another target.
        """
        spoken, known = self.speculation, self.facts.draft
        if spoken.checkpoint is None:
            return None
        if known is None or not is_named(known, spoken.checkpoint):
            known = self.published.facts if self.published else None
        if known is None:
            raise UnknownFactError(
                f"the facts of the draft model {spoken.checkpoint} are not recorded: plan again where the Hub answers "
                "(vllm-wizard update --replan)"
            )
        return draft_of(spoken, known, self.architecture, self.tables.heads)

    def replica(self, layout: Layout, limits: BatchLimits) -> Replica:
        """One replica of the case under a layout and batch limits, the same one each time."""
        key, known = (self.engine_of(layout), limits), self.common.replicas
        found = known.get(key) or self._replica(layout, limits)
        if found.layout != layout or found.cluster is not self.cluster:
            found = found.keeping(layout=layout, cluster=self.cluster)
        known[key] = found
        return found

    def engine_of(self, layout: Layout) -> tuple[int, ...]:
        """What of a layout decides what a rank holds."""
        return layout.of_engine(shares_experts=self.architecture.is_moe)

    @cached_property
    def common(self) -> Common:
        """What cases share that `beside` makes of this one."""
        return Common.nothing()

    def beside(self, **fields: Any) -> Self:
        """The case with another load, GPUs of its node or servers: what depends on none of them is worked out once."""
        made = self.changed(**fields)
        made.__dict__["common"] = self.common
        return made

    @property
    def _quantization_dtypes(self) -> tuple[str, ...]:
        """Dtypes that the weights' quantization computes in; none where they are not quantized, which takes any."""
        own, method = self.quantization, self.method
        if method is None:
            return ()
        if own is not None and method.runs_plain(self.release, own, asked=self.fixed.get("quantization")):
            return ("float16",)
        return method.computes_in(online=own is None)

    def _replica(self, layout: Layout, limits: BatchLimits) -> Replica:
        method = self.method
        return Replica(
            architecture=self.architecture,
            layout=layout,
            cluster=self.cluster,
            settings=self._settings(limits),
            model_class=self.model_class,
            asked_context=self.fixed.get("max_model_len"),
            quantization=self.method_name,
            quantization_minimum_capability=method.minimum_for(self.release) if method else None,
            quantization_dtypes=self._quantization_dtypes,
            stored=self.on_gpu,
            quantizes_online=self.quantization is None and self.on_gpu is not None,
            drafts=self.drafts,
            modelopt_algorithm=self.quantization.modelopt_algorithm if self.quantization else None,
            chunked_prefill=self.chunked_prefill,
            encoders_whole=encoders_whole(self.model_class, self.fixed),
        )

    def _settings(self, limits: BatchLimits) -> CacheSettings:
        """The engine's values at these limits."""
        spoken, draft, quantization = self.speculation, self.draft, self.quantization
        given = {name: value for name, value in self.fixed.items() if name in CacheSettings.fields} | {
            "release": self.vllm,
            "capability": self.gpu.capability,
            "float16": self.tables.model_type.float16,
            "max_num_seqs": limits.max_num_seqs,
            "max_num_batched_tokens": limits.max_num_batched_tokens,
            "max_model_len": self.asked_context or self.model_context,
            "speculative_method": draft.method if draft else spoken.method,
            "num_speculative_tokens": spoken.num_speculative_tokens or 0,
            "draft": draft.architecture if draft else None,
            "draft_kv_cache_dtype": spoken.kv_cache_dtype,
            "attention_backend": self.attention_backend,
            "enforce_eager": self.eager,
            "samples": self.pooling is None,
            "cpu_offload_bytes": offloaded(self.fixed) if offloads_weights(self.architecture, self.vllm) else 0,
            "disable_hybrid_kv_cache_manager": self.manager_is_off,
        }
        if quantization is not None:
            given |= {"quantization": quantization.method, "checkpoint_kv_cache_dtype": quantization.kv_cache_dtype}
        return CacheSettings(**given)
