"""Kubernetes manifests: the workload that runs vLLM, the Service in front, and what the chart has a value for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from generator.errors import SourceError
from generator.models.running import ImportNote, Running
from generator.sources.running.shell import container_words

_POD_VALUES = (
    "nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName", "schedulerName",
    "runtimeClassName", "imagePullSecrets", "serviceAccountName", "hostAliases", "dnsPolicy", "dnsConfig",
    "initContainers", "resourceClaims",
)  # fmt: skip
_PRODUCTS = (
    "nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "eks.amazonaws.com/instance-gpu-name",
    "karpenter.k8s.aws/instance-gpu-name", "gpu.nvidia.com/model", "accelerator",
)  # fmt: skip
_CACHES = ("/.cache/huggingface", "/.cache", "/huggingface", "/hf-cache", "/hf_cache")
_WORKLOADS = (
    "Deployment", "StatefulSet", "DaemonSet", "Pod", "LeaderWorkerSet", "InferenceService", "LLMInferenceService",
)  # fmt: skip
_KEY, _TOKENS = "VLLM_API_KEY", ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_OWN_LABELS = frozenset({"app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "pod-template-hash"})
_PLANNED = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports", "imagePullPolicy")
_GATEWAYS = 8080
"""The default port of the chart's Service."""


def manifests(documents: Sequence[Mapping[str, Any]]) -> Running:
    """The server of Kubernetes objects.

    Raises:
        SourceError: none of them runs vLLM.
    """
    objects = [*_flat(documents)]
    for one in objects:
        for pod, nodes in _pods(one):
            container = next((it for it in pod.get("containers") or () if _is_vllm(it)), None)
            if container is not None:
                return _running(one, pod, container, nodes, objects)
    raise SourceError("no container of these objects runs vLLM")


def secret_values(environment: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Chart values of the variables that come from Secrets, and the rest of the environment as it is."""
    values: dict[str, Any] = {}
    rest = []
    for one in environment:
        reference = (one.get("valueFrom") or {}).get("secretKeyRef")
        if one.get("name") == _KEY and reference:
            values |= {"secretName": reference["name"], "secretKey": reference["key"]}
        elif one.get("name") in _TOKENS and reference:
            values["hfToken"] = {"secretName": reference["name"], "key": reference["key"]}
        elif one.get("name") not in (_KEY, *_TOKENS, "HF_HOME", "VLLM_CACHE_ROOT"):
            rest.append(dict(one))
    return values | ({"env": [_texted(one) for one in rest]} if rest else {})


def product(selector: Mapping[str, Any]) -> str:
    """The GPU's product name in a node selector, in words of the catalogue; empty where it names none."""
    found = next((str(selector[key]) for key in _PRODUCTS if selector.get(key)), "")
    plain = (
        found.replace("nvidia-tesla-", "").replace("nvidia-", "").replace("NVIDIA-", "NVIDIA ").replace("Tesla-", "")
    )
    return plain.replace("NVIDIA ", "")


def _flat(documents: Iterable[Any]) -> Iterable[Mapping[str, Any]]:
    for one in documents:
        if isinstance(one, dict):
            yield from one.get("items") or () if one.get("kind") == "List" else (one,)


def _pods(one: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], int]]:
    """Pod specs of an object, and how many nodes one replica takes."""
    spec = one.get("spec") or {}
    group = spec.get("leaderWorkerTemplate") or {}
    if one.get("kind") == "Pod":
        yield spec, 1
    if spec.get("predictor"):
        yield spec["predictor"], 1
    for template in (spec.get("template"), group.get("leaderTemplate"), group.get("workerTemplate")):
        if template:
            yield template.get("spec") or template, int(group.get("size", 1))


def _is_vllm(container: Mapping[str, Any]) -> bool:
    started = " ".join(map(str, [*(container.get("command") or ()), *(container.get("args") or ())]))
    image = str(container.get("image", "")).rsplit("/", 1)[-1]
    return "vllm" in image or "vllm serve" in started or "vllm.entrypoints" in started


def _running(
    owner: Mapping[str, Any],
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    nodes: int,
    objects: Sequence[Mapping[str, Any]],
) -> Running:
    environment = [one for one in container.get("env") or () if isinstance(one, dict)]
    plain = {str(one["name"]): str(one["value"]) for one in environment if one.get("value") is not None}
    limits = _resources(container, "limits") | _resources(container, "requests")
    values = _values(owner, pod, container, environment)
    values |= _exposed(objects)
    return Running(
        words=container_words(_words(container, "command"), _words(container, "args"), plain),
        image=str(container.get("image", "")),
        environment={name: value for name, value in plain.items() if name in ("HF_HOME", _KEY, *_TOKENS)},
        gpus=next((int(value) for name, value in limits.items() if "gpu" in name), 0),
        gpu=product(pod.get("nodeSelector") or {}),
        nodes=nodes,
        mounts=_host_mounts(pod, container),
        service=str((owner.get("metadata") or {}).get("name", "")),
        values=values,
        artefacts=("command", "profile", "kubernetes"),
        notes=_notes(container, values, objects),
    )


def _values(
    owner: Mapping[str, Any],
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    environment: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    spec = owner.get("spec") or {}
    values = {name: pod[name] for name in _POD_VALUES if pod.get(name)}
    values |= secret_values(environment)
    values |= _storage(pod, container)
    values |= {"envFrom": container["envFrom"]} if container.get("envFrom") else {}
    values |= {"replicas": spec["replicas"]} if spec.get("replicas", 1) != 1 else {}
    resources = {
        kind: {name: it for name, it in _resources(container, kind).items() if "/" not in name}
        for kind in ("requests", "limits")
    }
    values |= {"resources": kept} if (kept := {kind: it for kind, it in resources.items() if it}) else {}
    meta = ((spec.get("template") or {}).get("metadata")) or {}
    labels = {key: str(it) for key, it in (meta.get("labels") or {}).items() if key not in _OWN_LABELS}
    values |= {"podLabels": labels} if labels else {}
    return values | ({"podAnnotations": dict(meta["annotations"])} if meta.get("annotations") else {})


def _storage(pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    """The claim of the Hub's cache, and every other volume at its own place."""
    volumes = {one["name"]: one for one in pod.get("volumes") or ()}
    values: dict[str, Any] = {}
    kept: list[Any] = []
    mounts: list[Any] = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount["name"], {"name": mount["name"], "emptyDir": {}})
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if mount["mountPath"] == "/dev/shm":  # noqa: S108 - shared memory has a size of the plan's
            continue
        if claim and mount["mountPath"].rstrip("/").endswith(_CACHES):
            values["cache"] = {"existingClaim": claim}
            continue
        mounts.append(dict(mount))
        kept += [] if volume in kept else [dict(volume)]
    return values | ({"extraVolumes": kept, "extraVolumeMounts": mounts} if mounts else {})


def _exposed(objects: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The Service's type, port and name of it, where one is among the objects."""
    for one in objects:
        if one.get("kind") != "Service":
            continue
        spec = one.get("spec") or {}
        port = (spec.get("ports") or [{}])[0]
        service: dict[str, Any] = {"port": port.get("port", _GATEWAYS)}
        service |= {"type": spec["type"]} if spec.get("type") in ("NodePort", "LoadBalancer") else {}
        service |= {"portName": port["name"]} if port.get("name") else {}
        service |= {"nodePort": port["nodePort"]} if port.get("nodePort") else {}
        annotations = (one.get("metadata") or {}).get("annotations")
        return {"service": service | ({"annotations": dict(annotations)} if annotations else {})}
    return {}


def _notes(
    container: Mapping[str, Any], values: Mapping[str, Any], objects: Iterable[Mapping[str, Any]]
) -> tuple[ImportNote, ...]:
    notes = [ImportNote(kind="overlay", what=name) for name in values]
    notes += [
        ImportNote(kind="changed", what=name, why="the plan's, sized by what a start and an answer take")
        for name in _PLANNED
        if name in container
    ]
    if "securityContext" in container:
        notes.append(
            ImportNote(kind="changed", what="securityContext", why="an unprivileged user without capabilities")
        )
    known = (*_WORKLOADS, "Service", "Secret")
    for one in objects:
        if one.get("kind") == "Secret":
            why = "never copied: make secret makes one from .env, or secretName names yours"
            notes.append(ImportNote(kind="left out", what="Secret", why=why))
        elif one.get("kind") not in known:
            why = "stays as it is: apply it beside, or put it into extraObjects"
            notes.append(ImportNote(kind="left out", what=str(one.get("kind")), why=why))
    return tuple(notes)


def _words(container: Mapping[str, Any], key: str) -> list[str]:
    return [str(one) for one in container.get(key) or ()]


def _resources(container: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return dict((container.get("resources") or {}).get(kind) or {})


def _host_mounts(pod: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    paths = {one["name"]: (one.get("hostPath") or {}).get("path") for one in pod.get("volumes") or ()}
    mounts = ((paths.get(one["name"]), one["mountPath"]) for one in container.get("volumeMounts") or ())
    return tuple((str(source), str(target)) for source, target in mounts if source)


def _texted(variable: Mapping[str, Any]) -> dict[str, Any]:
    """A variable whose value is text, as Kubernetes wants it."""
    return {key: str(value) if key == "value" else value for key, value in variable.items()}
