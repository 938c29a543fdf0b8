"""Helm values of vLLM's production-stack (chart vllm-stack 0.1.12): one entry of `servingEngineSpec.modelSpec`."""

from collections.abc import Mapping
from typing import Any

from generator.errors import SourceError
from generator.models.running import ImportNote, Running
from generator.sources.running.manifests import product, secret_values

_ENGINE = {
    "enablePrefixCaching": "enable_prefix_caching", "enableChunkedPrefill": "enable_chunked_prefill",
    "maxModelLen": "max_model_len", "dtype": "dtype", "tensorParallelSize": "tensor_parallel_size",
    "maxNumSeqs": "max_num_seqs", "gpuMemoryUtilization": "gpu_memory_utilization", "maxLoras": "max_loras",
    "runner": "runner", "convert": "convert",
}  # fmt: skip
_SAME = (
    "tolerations", "affinity", "runtimeClassName", "serviceAccountName", "priorityClassName", "podAnnotations",
    "podLabels", "extraVolumes", "extraVolumeMounts", "annotations",
)  # fmt: skip
_LEFT = {
    "lmcacheConfig": "a cache server of its own: kv_transfer_config with --set, and the server beside",
    "raySpec": "several nodes are a LeaderWorkerSet here: --nodes N",
    "keda": "autoscaling in deploy/values.local.yaml, with the plan's threshold",
    "initContainer": "initContainers in deploy/values.local.yaml",
    "nodeName": "nodeSelector in deploy/values.local.yaml",
}
_ROUTER = "a Service balances the replicas; --emit production-stack renders values for that chart's router"


def is_stack(content: Mapping[str, Any]) -> bool:
    """Whether these are values of production-stack."""
    return isinstance(content.get("servingEngineSpec"), dict)


def stack(content: Mapping[str, Any]) -> Running:
    """The server of the chart's values.

    Raises:
        SourceError: there is no model, or several.
    """
    spec = content["servingEngineSpec"]
    models = [one for one in spec.get("modelSpec") or () if isinstance(one, dict)]
    if len(models) != 1:
        raise SourceError(f"servingEngineSpec.modelSpec has {len(models)} models: import one, a repository each")
    model = models[0]
    config = model.get("vllmConfig") or {}
    arguments = {_ENGINE[key]: value for key, value in config.items() if key in _ENGINE and value not in ("", None)}
    arguments |= _features(model)
    selector = _selector(model)
    values = _values(model, spec)
    return Running(
        words=(str(model.get("modelURL", "")), *map(str, config.get("extraArgs") or ())),
        arguments=arguments,
        image=f"{model.get('repository', '')}:{model.get('tag', '')}",
        gpus=int(model.get("requestGPU") or 0),
        gpu=product(selector),
        service=str(model.get("name", "")),
        values=values,
        artefacts=("command", "profile", "kubernetes"),
        notes=(
            *(ImportNote(kind="overlay", what=name) for name in values),
            *(ImportNote(kind="left out", what=name, why=why) for name, why in _LEFT.items() if _on(model.get(name))),
            *((ImportNote(kind="left out", what="routerSpec", why=_ROUTER),) if content.get("routerSpec") else ()),
        ),
    )


def _features(model: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"revision": model["modelRevision"]} if model.get("modelRevision") else {}
    found |= {"enable_lora": True} if model.get("enableLoRA") else {}
    if model.get("enableTool"):
        found |= {"enable_auto_tool_choice": True}
        found |= {"tool_call_parser": model["toolCallParser"]} if model.get("toolCallParser") else {}
    return found


def _selector(model: Mapping[str, Any]) -> dict[str, Any]:
    terms = model.get("nodeSelectorTerms") or ()
    wanted = [one for term in terms for one in term.get("matchExpressions") or () if one.get("operator") == "In"]
    return {one["key"]: one["values"][0] for one in wanted if len(one.get("values") or ()) == 1}


def _values(model: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: model.get(name) or spec.get(name) for name in _SAME if model.get(name) or spec.get(name)}
    values |= secret_values(model.get("env") or ())
    requests = {"cpu": model.get("requestCPU"), "memory": model.get("requestMemory")}
    limits = {"cpu": model.get("limitCPU"), "memory": model.get("limitMemory")}
    asked = {kind: {k: str(v) for k, v in it.items() if v} for kind, it in (("requests", requests), ("limits", limits))}
    values |= {"resources": kept} if (kept := {kind: it for kind, it in asked.items() if it}) else {}
    values |= {"replicas": model["replicaCount"]} if model.get("replicaCount", 1) != 1 else {}
    values |= {"nodeSelector": selector} if (selector := _selector(model)) else {}
    values |= {"imagePullSecrets": [{"name": model["imagePullSecret"]}]} if model.get("imagePullSecret") else {}
    token = model.get("hf_token")
    if isinstance(token, dict):
        values["hfToken"] = {"secretName": token["secretName"], "key": token["secretKey"]}
    if model.get("pvcStorage"):
        claim = {"create": True, "size": model["pvcStorage"]}
        claim |= {"storageClassName": model["storageClass"]} if model.get("storageClass") else {}
        claim |= {"accessModes": list(model["pvcAccessMode"])} if model.get("pvcAccessMode") else {}
        values["cache"] = claim
    return values


def _on(value: Any) -> bool:
    return bool(value.get("enabled", True)) if isinstance(value, dict) and value else bool(value)
