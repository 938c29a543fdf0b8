"""What `doctor` asks of the cluster, where kubectl answers."""

from generator.operations.doctor.examination import (
    MachineCase,
    Said,
    blocker,
    examines,
    in_cluster,
    ok,
    unseen,
    warning,
)
from generator.presenting.text import plural
from generator.sources.machine.facts import Kubernetes, Unseen

_VISIBLE = "platforms/*"
_SERVED = {
    "inference.networking.k8s.io": ("inference-pool", "the Gateway API inference extension"),
    "serving.kserve.io": ("kserve", "KServe"),
    "argoproj.io": ("gitops", "Argo CD (or use Flux)"),
}
"""API groups by the artefact that needs them, and what brings them."""
_GROUPS = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")


def _seen(case: MachineCase) -> Kubernetes | Said:
    """The cluster; what is said where kubectl has none."""
    cluster = case.machine.kubernetes
    if not isinstance(cluster, Unseen):
        return cluster
    return unseen(f"the cluster: {cluster.why}", "choose one: `kubectl config use-context NAME`")


@examines(concerns=in_cluster)
def _cluster(case: MachineCase) -> Said:
    """An API server answers."""
    cluster = _seen(case)
    return cluster if isinstance(cluster, Said) else ok(f"{cluster.context}, namespace {cluster.namespace}")


@examines(concerns=in_cluster, answers=_VISIBLE)
def _allocatable_gpus(case: MachineCase) -> Said:
    """Enough nodes have as many GPUs as one pod asks for."""
    cluster, needs = _seen(case), case.needs
    if isinstance(cluster, Said) or cluster.nodes is None:
        return unseen(
            "allocatable GPUs: "
            + ("no cluster answers" if isinstance(cluster, Said) else "this account may not list nodes")
        )
    fit = [one for one in cluster.nodes if one.ready and one.gpus >= len(needs.gpu_ids)]
    if len(fit) >= needs.nodes:
        return ok(f"{plural(len(fit), 'node')} with {len(needs.gpu_ids)} GPUs or more")
    most = max((one.gpus for one in cluster.nodes if one.ready), default=0)
    step = f"`vllm-wizard update --gpus {most}`" if most else "install the device plugin (NVIDIA's GPU operator)"
    return blocker(
        f"{plural(needs.nodes, 'node')} with {len(needs.gpu_ids)} free GPUs needed, {len(fit)} found (most: {most})",
        step,
    )


@examines(concerns=in_cluster, answers=_VISIBLE)
def _gpu_labels(case: MachineCase) -> Said:
    """Nodes are labelled with the planned GPU."""
    cluster, needs = _seen(case), case.needs
    if isinstance(cluster, Said) or cluster.nodes is None:
        return unseen("labels of nodes")
    products = sorted({one.product for one in cluster.nodes if one.gpus and one.product})
    if not products:
        return unseen("nodes have no label nvidia.com/gpu.product", "install GPU feature discovery")
    planned = {name.replace(" ", "-").removeprefix("NVIDIA-") for name in needs.gpu_names}
    ours = [one for one in products if one.removeprefix("NVIDIA-").removesuffix("-SHARED") in planned]
    if not planned or products == ours:
        return ok(", ".join(products))
    if ours:
        return warning(
            f"the cluster has {', '.join(products)}",
            f"nodeSelector: {{nvidia.com/gpu.product: {ours[0]}}} in deploy/values.local.yaml",
        )
    return blocker(
        f"the cluster has {', '.join(products)}, the plan is for {needs.gpu}", "`vllm-wizard update --gpu NAME`"
    )


@examines(concerns=in_cluster)
def _quota(case: MachineCase) -> Said:
    """The namespace's quota leaves as many GPUs."""
    cluster = _seen(case)
    if isinstance(cluster, Said):
        return unseen("the namespace's quota")
    needed = len(case.needs.gpu_ids) * case.needs.nodes
    short = [one for one in cluster.quotas if one.free < needed]
    if not short:
        return ok(f"{plural(len(cluster.quotas), 'quota')} of GPUs, enough left" if cluster.quotas else "none on GPUs")
    return blocker(
        f"quota {short[0].name} leaves {plural(short[0].free, 'GPU')}, {needed} needed",
        "ask for more, or deploy into another namespace",
    )


@examines(concerns=in_cluster)
def _api_groups(case: MachineCase) -> Said:
    """The cluster serves every kind of object that this repository renders."""
    cluster, needs = _seen(case), case.needs
    if isinstance(cluster, Said):
        return unseen("the cluster's API groups")
    wanted = {group: what for group, (artefact, what) in _SERVED.items() if artefact in needs.artefacts}
    if needs.nodes > 1 and "kubernetes" in needs.artefacts:
        wanted |= dict([_GROUPS])
    absent = [what for group, what in wanted.items() if group not in cluster.groups]
    if absent:
        return blocker(f"the cluster lacks {', '.join(absent)}", "install it there first")
    return ok(", ".join(wanted.values()) if wanted else "nothing beyond Kubernetes itself is needed")


@examines(concerns=in_cluster)
def _storage_class(case: MachineCase) -> Said:
    """A claim for weights finds a class."""
    cluster = _seen(case)
    if isinstance(cluster, Said):
        return unseen("storage classes")
    if cluster.default_storage:
        return ok(f"{cluster.default_storage} by default, of {plural(len(cluster.storage_classes), 'class')[:-1]}es")
    if cluster.storage_classes:
        return warning(
            f"no default among {', '.join(cluster.storage_classes)}",
            "name one in cache.storageClassName of deploy/values.local.yaml, where the chart makes the claim",
        )
    return warning("no storage class", "name a claim in cache.existingClaim, or weights are fetched by every new pod")


@examines(concerns=in_cluster)
def _secret(case: MachineCase) -> Said:
    """The key is in the cluster."""
    cluster = _seen(case)
    if isinstance(cluster, Said) or cluster.secret is None:
        return unseen("the Secret with the key")
    if cluster.secret:
        return ok(f"Secret {case.needs.service}")
    return warning(
        f"no Secret {case.needs.service} in {cluster.namespace}", "`make secret`, or name yours in secretName"
    )


CLUSTER = (_cluster, _allocatable_gpus, _gpu_labels, _quota, _api_groups, _storage_class, _secret)
