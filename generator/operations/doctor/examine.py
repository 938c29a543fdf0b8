"""doctor(): facts of the machine gathered once, then every examination that concerns this plan."""

from pathlib import Path

from generator.models.value import Value
from generator.operations.doctor.cluster import CLUSTER
from generator.operations.doctor.engine import ENGINE
from generator.operations.doctor.examination import Examination, MachineCase, State
from generator.operations.doctor.gpus import GPUS
from generator.operations.doctor.host import HOST
from generator.operations.doctor.needs import NodeNeeds, needs_of
from generator.rendering.answers import read
from generator.sources.machine.docker import docker
from generator.sources.machine.driver import driver
from generator.sources.machine.facts import Docker, Kubernetes, Machine, Unseen
from generator.sources.machine.kubernetes import kubernetes
from generator.sources.machine.linux import Subject, linux, weights_place

EXAMINATIONS: tuple[Examination, ...] = (*GPUS, *ENGINE, *HOST, *CLUSTER)
"""Everything that is looked at, in the order in which it is printed."""
_NOT_NEEDED = Unseen(why="this repository has no launcher for it")


class Observation(Value):
    """What one examination found."""

    check: str
    state: State
    message: str
    fix: str = ""
    """One line that mends it; empty where nothing is to mend."""
    answers: str = ""
    """Entry of the census of vLLM's refusals that it answers."""


class Examined(Value):
    """Everything that was found out about one machine for one plan."""

    path: Path
    image: str
    gpus: str
    findings: tuple[Observation, ...]

    @property
    def blockers(self) -> tuple[Observation, ...]:
        """What stops a start, the first first."""
        return tuple(one for one in self.findings if one.state == "blocker")


def doctor(root: Path, *, serves_here: bool = False) -> Examined:
    """This machine before the plan of the deployment at `root`.

    Raises:
        RequestError: `root` is no deployment.
        RenderError: its answers are unreadable.
    """
    place = root.expanduser().absolute()
    needs = needs_of(place, read(place, updated=False))
    return examined(MachineCase(needs=needs, machine=machine_for(needs), serves_here=serves_here))


def examined(case: MachineCase) -> Examined:
    """What every examination that concerns the plan says of the machine."""
    needs = case.needs
    said = ((one, one.look(case)) for one in EXAMINATIONS if one.concerns(needs))
    return Examined(
        path=Path(needs.place),
        image=needs.image,
        gpus=f"{len(needs.gpu_ids)} {needs.gpu}" + (f" on each of {needs.nodes} nodes" if needs.nodes > 1 else ""),
        findings=tuple(
            Observation(check=one.name, state=it.state, message=it.message, fix=it.fix, answers=one.answers)
            for one, it in said
        ),
    )


def machine_for(needs: NodeNeeds) -> Machine:
    """The facts of this machine, as far as the plan is about them."""
    engine = docker(needs.image) if needs.containers else _NOT_NEEDED
    return Machine(
        driver=driver() if needs.here and not needs.rocm else _NOT_NEEDED,
        docker=engine,
        linux=linux(_asked(needs, engine)),
        kubernetes=_cluster(needs) if needs.cluster else _NOT_NEEDED,
    )


def _cluster(needs: NodeNeeds) -> Kubernetes | Unseen:
    return kubernetes(needs.service, "amd.com/gpu" if needs.rocm else "nvidia.com/gpu")


def _asked(needs: NodeNeeds, engine: Docker | Unseen) -> Subject:
    """What of the host the plan is about: where weights will lie, and what is mounted."""
    weights = engine.root if isinstance(engine, Docker) else weights_place()
    read = [path for path, writable in needs.mounts if not writable]
    return Subject(
        newest=str(Path(needs.place) / ".copier-answers.yml"),
        address=needs.address,
        port=needs.port,
        disks=(weights,),
        read=(*needs.shared, *read, *([needs.local_model] if needs.local_model else [])),
        written=tuple(path for path, writable in needs.mounts if writable),
    )
