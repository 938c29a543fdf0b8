"""What the planner asks of a kind of mixer, the tensors that kinds are made of, and where a ladder of kinds ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.errors import RequestError, UnsupportedArchitectureError
from generator.models.attention import Indexer
from generator.models.backend import Backend
from generator.models.dtype import DType
from generator.models.matrix import Matrix, Shard
from generator.models.speed import KVRead
from generator.planning.kv_cache.backend_rules import narrowed
from generator.planning.kv_cache.backends import attention_backend
from generator.planning.kv_cache.specs import DTYPE_BYTES, MambaSpec

if TYPE_CHECKING:
    from typing import Never

    from generator.planning.kv_cache.attention_query import AttentionQuery
    from generator.planning.kv_cache.context import Blocks, Context
    from generator.planning.kv_cache.specs import KVCacheSpec


class KeptState(NamedTuple):
    """One request's state in one layer on one rank."""

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all its tensors."""
        return sum(prod(s) * DTYPE_BYTES[d] for s, d in zip(self.shapes, self.dtypes, strict=True))


class Kind(ABC):
    """The mixer of a layer: its matrices, and the attention blocks and the state that it is made of."""

    shared_attention = False
    """True where layers share the attention's weights, which then lie outside them."""

    @abstractmethod
    def matrices(self, hidden_size: int) -> Iterable[Matrix]:
        """Tensors of the mixer in a layer `hidden_size` wide, unsharded."""

    @abstractmethod
    def attentions(self) -> tuple[Attention, ...]:
        """Its attention blocks, in the order in which vLLM registers them."""

    @abstractmethod
    def state(self) -> StateKind | None:
        """The state that it keeps; None where it keeps none."""


class Attention(Kind):
    """One attention block: queries that meet the keys of other tokens."""

    shares_kv_cache = False
    """True where the layer reads the cache of an earlier layer of its kind and keeps none."""
    runs_again = False
    """True where the layer runs an earlier layer's weights and holds none of its own."""
    windowed = False
    """True where it attends within a window or a chunk, which no ranks can share."""
    sparse = False
    """True where it attends to picked or compressed tokens, which takes workspaces of its own."""
    latent = False
    """True where the cache of a token is one latent."""
    indexer: Indexer | None = None
    """What picks the tokens that it attends to; None for all, or for those that an earlier layer picked."""
    block_outermost = False
    """True where pages of different sizes lie side by side in a block."""

    def __init__(self, *, name: str, heads: int, kv_heads: int | None, head_size: int) -> None:
        """Of kind `name`, with query heads that tensor parallelism divides, and key and value heads of one size.

        No `kv_heads` where one latent of `head_size` numbers serves all query heads and every rank keeps it whole.
        """
        self.name, self.heads, self.kv_heads, self.head_size = name, heads, kv_heads, head_size

    @abstractmethod
    def reads(self, tensor_parallel_size: int, kv_bytes: float) -> Iterator[KVRead]:
        """What one decode step reads of its cache for one sequence on one rank; `kv_bytes` is an element's size."""

    @abstractmethod
    def query(self, ctx: Context, *, skipped: bool = False) -> AttentionQuery:
        """What it asks of a backend; `skipped` where its cache stays in the model's dtype."""

    @abstractmethod
    def specs(self, query: AttentionQuery, backend: Backend, ctx: Context, blocks: Blocks) -> list[KVCacheSpec]:
        """Its caches on one rank, in the order in which vLLM registers them."""

    def workspace(self, ctx: Context, backends: tuple[str, ...], longest: int) -> int:  # noqa: ARG002 - dense ones have none
        """Bytes of the scratch that it reserves on a rank under these backends, for requests of `longest` tokens."""
        return 0

    def pass_elements(self, ctx: Context, longest: int) -> int:  # noqa: ARG002 - most are narrower than what follows them
        """Elements that its part of the profiled pass holds on a rank, where they may be the most of a layer's."""
        return 0

    def cached(self) -> Iterator[Attention]:
        """The blocks that keep tokens: itself, or none where it keeps none of its own."""
        yield self

    def resolved_dtype(self, asked: str) -> str:
        """What becomes of a cache dtype that is asked for."""
        return asked

    def stored_dtype(self, ctx: Context) -> str:
        """The cache dtype as the chosen backend calls it."""
        return ctx.kv_cache_dtype

    def backend(self, query: AttentionQuery) -> Backend:
        """The backend that serves it.

        Raises:
            RequestError: none does.
        """
        return attention_backend(query)

    def block_backends(self, backend: Backend, whole: AttentionQuery) -> tuple[Backend, ...]:
        """Backends whose blocks the model's must suit, by the heads that vLLM states for the `whole` model."""
        return (narrowed(backend, whole),)

    @property
    @abstractmethod
    def exchanged_width(self) -> int:
        """Numbers of one head that ranks exchange for one token where they share caches: its query and its output."""

    @property
    def prompts_exchange(self) -> bool:
        """Whether tokens of a prompt are exchanged like those that decode."""
        return True

    def attentions(self) -> tuple[Attention, ...]:
        """Itself."""
        return (self,)

    def _common(self, ctx: Context, *, skipped: bool) -> dict[str, Any]:
        """What every block asks of a backend."""
        return {
            "release": ctx.settings.release,
            "capability": ctx.settings.capability,
            "dtype": ctx.dtype,
            "kv_cache_dtype": "auto" if skipped else ctx.kv_cache_dtype,
            "block_size": ctx.settings.block_size,
            "named": ctx.settings.attention_backend,
            "non_causal": ctx.non_causal,
            "dcp": ctx.layout.decode_context_parallel_size > 1,
            "num_heads": max(1, self.heads // ctx.tp),
        }

    def state(self) -> StateKind | None:
        """None."""
        return None


class StateKind(Kind):
    """A recurrent layer: what it keeps of a sequence does not grow with it."""

    dtypes: tuple[str, ...] = ()
    """Values of `mamba_ssm_cache_dtype` that it is kept in; none for all."""

    def __init__(self, *, divisible: int, elements: int, in_float32: bool, groups: int = 1) -> None:
        """`divisible` heads or channels, which tensor parallelism divides, and `elements` of the recurrent state.

        A step reads and writes these back; a convolution's few do not count. `in_float32` where the model asks for it.
        `groups` of heads are divided too, or one is repeated.
        """
        self.divisible, self.elements, self.in_float32, self.groups = divisible, elements, in_float32, groups

    @abstractmethod
    def shapes(self, tensor_parallel_size: int, drafted: int) -> tuple[tuple[int, ...], ...]:
        """Shapes of the state on one rank, of the convolution first; it keeps `drafted` steps more for speculation.

        Raises:
            RequestError: heads or channels do not divide over the ranks.
        """

    @abstractmethod
    def recurrent_dtype(self, convolution: str) -> str | None:
        """Dtype of the recurrent state beside that of the convolution; None where there is one tensor alone."""

    def checkpoint_blocks(self, ctx: Context) -> int:  # noqa: ARG002 - some kinds' kernels decide by it
        """States that a prefill keeps at block boundaries beside the running one, where its kernel exports them."""
        return 0

    def checkpoint_alignment(self, ctx: Context) -> int:  # noqa: ARG002 - some kinds' kernels decide by it
        """Tokens that a block is a multiple of, so that such states fall on block boundaries; 1 for any."""
        return 1

    def kept(self, ctx: Context) -> KeptState:
        """One request's state in one layer on one rank.

        Raises:
            RequestError: heads or channels do not divide over the ranks.
        """
        asked, settings = ctx.settings.mamba_cache_dtype, ctx.settings
        convolution = ctx.dtype if asked == "auto" else asked
        shapes = self.shapes(ctx.tp, settings.num_speculative_tokens)
        recurrent = self.recurrent_dtype(convolution)
        if recurrent is None:
            return KeptState(shapes, (convolution,))
        own = settings.mamba_ssm_cache_dtype
        return KeptState(shapes, (convolution, recurrent if own == "auto" else own))

    def spec(self, ctx: Context, blocks: Blocks) -> MambaSpec:
        """Its cache on one rank."""
        kept = self.kept(ctx)
        return MambaSpec(
            block_size=blocks.attention if ctx.aligned else ctx.settings.max_model_len or blocks.attention,
            shapes=kept.shapes,
            dtypes=kept.dtypes,
            page_size_padded=blocks.state_page,
            num_speculative_blocks=ctx.settings.num_speculative_tokens,
            num_prefill_checkpoint_blocks=self.checkpoint_blocks(ctx),
        )

    def attentions(self) -> tuple[Attention, ...]:
        """None."""
        return ()

    def state(self) -> StateKind | None:
        """Itself."""
        return self


def divide(size: int, parts: int, what: str) -> int:
    """`size / parts` where it divides.

    Raises:
        RequestError: it does not.
    """
    if size % parts:
        raise RequestError(
            f"{size} {what} do not divide over tensor parallel size {parts}; choose a size that divides {size}"
        )
    return size // parts


def unknown_kind(kind: Never, what: str) -> UnsupportedArchitectureError:
    """The error to raise for a kind that no rule is about; `what` is what the rule would say."""
    name = getattr(kind, "kind", type(kind).__name__)
    return UnsupportedArchitectureError(f"no rule says {what} for layers of kind {name!r}: they cannot be planned yet")


def projection(
    name: str, rows: int, columns: int, shard: Shard = "replicated", units: int | None = None, *, bias: bool = False
) -> Matrix:
    """A projection; `units` heads or groups are split whole."""
    return Matrix(name=name, rows=rows, columns=columns, shard=shard, units=units, bias=bias, part="attention")


def plain(name: str, rows: int, columns: int) -> Matrix:
    """A projection that vLLM builds without the quantization config, on every rank."""
    return unquantized(name, rows, columns, "replicated")


def vector(name: str, rows: int, shard: Shard = "replicated", dtype: DType | None = None) -> Matrix:
    """A norm, a bias or a state of the mixer: `rows` numbers that stay unquantized."""
    return unquantized(name, rows, shard=shard, dtype=dtype)


def unquantized(
    name: str, rows: int, columns: int = 1, shard: Shard = "column", dtype: DType | None = None, *,
    units: int | None = None, bias: bool = False,
) -> Matrix:  # fmt: skip
    """Numbers that no quantization touches: a convolution, a decay, a norm."""
    return Matrix(
        name=name, rows=rows, columns=columns, shard=shard, dtype=dtype, units=units, bias=bias,
        part="attention", linear=False,
    )  # fmt: skip
