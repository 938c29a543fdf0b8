"""Tables: what a plan is proven against; the planner looks nothing up."""

from collections.abc import Mapping

from generator.models.checkpoint import ModelFacts
from generator.models.cost import GPUPrice
from generator.models.draft_heads import DraftHead
from generator.models.engine import Engine
from generator.models.hardware import GPU
from generator.models.model_class import ModelClasses, ModelType
from generator.models.overheads import OverheadTable
from generator.models.published_drafts import PublishedDraft
from generator.models.quantization_method import QuantizationMethod
from generator.models.scheme import KnownScheme
from generator.models.serving import Serving
from generator.models.speed import Coefficients
from generator.models.value import NONE, Made


class Tables(Made):
    """The tables that a plan is proven against."""

    engine: Engine
    overheads: OverheadTable
    methods: tuple[QuantizationMethod, ...] = ()
    """Quantization methods and what they ask of a GPU."""
    schemes: tuple[KnownScheme, ...] = ()
    """Schemes that the release has of the checkpoint's method; none where that is said without."""
    serving: Serving = Serving()
    """What is known about serving the model."""
    classes: ModelClasses = ModelClasses()
    """VLLM's model classes as the release has them."""
    heads: tuple[DraftHead, ...] = ()
    """Draft heads that the release builds."""
    model_type: ModelType = ModelType()
    """What vLLM decides by the model's `model_type`."""
    drafts: tuple[PublishedDraft, ...] = ()
    """Heads that are published to draft for the model, and what is known of the layers that it ships."""
    siblings: tuple[ModelFacts, ...] = ()
    """Quantized checkpoints of the same weights, which repairs may propose."""
    gpus: tuple[GPU, ...] = ()
    """GPUs that repairs may propose."""
    speed: Coefficients | None = None
    """Coefficients of the speed estimates; None for a plan without speed."""
    prices: tuple[GPUPrice, ...] = ()
    """Dated prices, cheapest first."""
    path_kinds: Mapping[str, str] = NONE
    """How arguments name paths, where their values alone do not say it."""
    planner: str = ""
    """Version of this package."""

    def method(self, name: str | None) -> QuantizationMethod | None:
        """The quantization method that vLLM or a config.json calls `name`; None where no row does."""
        return next((row for row in self.methods if row.goes_by(name)), None)
