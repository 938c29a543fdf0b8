"""Several deployments on one host: what is asked of each, what is proven of all, and each one's place there."""

from typing import Any

from pydantic import Field

from generator.models.interval import ByteInterval
from generator.models.plan import Plan
from generator.models.request import MOST, Request
from generator.models.value import Value
from generator.models.verdict import OOMRisk, Verdict

FIRST_PORT = 8000
"""Port of what `scripts/serve.sh` starts, where nothing else is on the host."""
_LAST_PORT = 65535


class Neighbour(Value):
    """A deployment that another one's gateway serves too; it lies in `deployments/NAME` of that repository."""

    name: str
    """Its service, also in Compose; clients call it beneath `/NAME/`."""
    gpu_ids: tuple[str, ...]
    """The driver's indices of its GPUs."""
    port: int = Field(ge=1, le=_LAST_PORT)
    """Port of its `scripts/serve.sh`; a container has 8000 for itself."""
    paths: tuple[str, ...] = ()
    """What it answers; empty for a model that generates text, which has the gateway's own list."""
    keyless: tuple[str, ...] = ()
    """What vLLM answers without a key, so that the gateway asks for one."""


class Place(Value):
    """The answer `host`: a deployment's place on a host that it shares; all defaults where it shares none."""

    gpu_ids: tuple[str, ...] = ()
    """The driver's indices of its GPUs; empty where they are the host's first."""
    port: int = Field(FIRST_PORT, ge=1, le=_LAST_PORT)
    beside: tuple[Neighbour, ...] = ()
    """Deployments that its gateway serves too, in the order in which they start after it."""

    @property
    def answer(self) -> dict[str, Any]:
        """What is recorded: nothing of what is at its default."""
        return self.model_dump(mode="json", exclude_defaults=True)


class AskedModel(Value):
    """One model of a host, as asked for."""

    name: str
    request: Request
    share: float | None = Field(None, gt=0, le=1)
    """Of each of its GPUs; None: what its neighbours leave, by need."""
    first_gpu: int | None = Field(None, ge=0, lt=MOST)
    """None: where the fewest models are."""


class SharedHost(Value):
    """The models that one host is to serve, in the order in which they start."""

    gpu: str
    gpus: int = Field(1, gt=0, le=MOST)
    reserve_gb: float = Field(0.0, ge=0)
    """GiB of each GPU that processes of others hold."""
    members: tuple[AskedModel, ...]


class Member(Value):
    """One model of a host, proven within its share."""

    name: str
    share: float
    """Of each of its GPUs."""
    reserve_gb: float
    """GiB of each of its GPUs that are its neighbours': the answer of its deployment."""
    gpu_ids: tuple[int, ...]
    port: int
    path: str
    """What its calls begin with at the gateway; empty for the first."""
    starts_after: str = ""
    """Whom it waits for, so that neither takes the other's growing memory for its own."""
    held_bytes: ByteInterval
    """What it holds of one GPU while it serves: the requested memory, and what vLLM does not budget."""
    plan: Plan


class Filled(Value):
    """One GPU of the host."""

    index: int
    members: tuple[str, ...]
    share: float
    """Of its members together."""
    total_bytes: int
    """As CUDA reports it, at the low end."""
    reserved_bytes: int
    held_bytes: ByteInterval
    """Of its members together."""


class HostPlan(Value):
    """The proof of a host; `host plan --json` prints it."""

    gpu: str
    members: tuple[Member, ...]
    gpus: tuple[Filled, ...]
    verdict: Verdict
    """The worst member's."""
    oom_risk: OOMRisk
    """The worst member's, HIGH where the members of a GPU together hold more than it has."""
