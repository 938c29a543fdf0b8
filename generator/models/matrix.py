"""Matrix: one kind of parameter tensor, unsharded, and the rule by which vLLM splits it over ranks."""

from typing import Literal

from generator.models.dtype import DType
from generator.models.value import Value

Part = Literal["embed", "attention", "experts", "dense", "lm_head", "vision", "other", "draft"]
"""What a tensor belongs to; `dense` are feed-forward blocks and shared experts, `vision` all towers.

`draft` is all of a separate draft model.
"""

Shard = Literal["replicated", "column", "row", "vocab"]
"""Which side tensor parallelism splits: none, the rows (outputs), the columns (inputs), the padded vocabulary."""


class Matrix(Value):
    """`copies` tensors of `rows x columns`, by the checkpoint's name below its layer."""

    name: str
    rows: int
    columns: int = 1
    part: Part
    shard: Shard = "replicated"
    units: int | None = None
    """Parts of the split side that stay whole, such as KV heads; repeated where ranks outnumber them."""
    bias: bool = False
    """True where a vector of `rows` goes with the matrix."""
    linear: bool = True
    """False for norms, embeddings, convolutions and states, which no quantization method touches."""
    dtype: DType | None = None
    """Fixed number format; None for the model's own."""
    copies: int = 1
    experts: int = 0
    """Routed experts that hold the tensors, 0 outside experts; they follow expert parallelism."""
    activated: int = 0
    """Of the experts, those that one token uses."""
    activation: str = ""
    """The experts' activation, on which the kernel that pads them depends; empty where no fused kernel routes so."""
    whole_by_tokens: bool = False
    """True where a rank holds the whole matrix once experts' tokens, not channels, are split over the ranks."""
    undivided: int = 0
    """Heads that the ranks must divide, or the matrix stays whole; 0 for no such condition."""

    @property
    def parameters(self) -> int:
        """Elements of all copies and experts, the bias included."""
        each = self.rows * self.columns + (self.rows if self.bias else 0)
        return each * self.copies * max(self.experts, 1)

    @property
    def active_parameters(self) -> int:
        """Elements that one token uses: of experts only the activated ones."""
        return self.parameters * self.activated // self.experts if self.experts else self.parameters
