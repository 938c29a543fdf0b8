"""Servers that a platform starts from words of its own: KServe, llm-d, Ray Serve, SkyPilot."""

from collections.abc import Mapping
from typing import Any

import yaml

from generator.errors import SourceError
from generator.models.running import ImportNote, Running
from generator.sources.plain_yaml import LOADER
from generator.sources.running.shell import container_words, script, split

_PARALLEL = {
    "tensor": "tensor_parallel_size", "data": "data_parallel_size", "pipeline": "pipeline_parallel_size",
    "expert": "enable_expert_parallel",
}  # fmt: skip
"""Keys of `parallelism` in LLMInferenceService and in llm-d's values."""
_CHART = ("command", "profile", "kubernetes")
_RUNTIME = {"model_id": "model", "model_name": "served_model_name"}
"""Arguments of KServe's Hugging Face runtime with another name than vLLM's (kserve python/huggingfaceserver)."""
_ROUTER = ImportNote(
    kind="left out", what="router",
    why="the chart's Service and httpRoute take its place; --emit kserve or llm-d renders the platform's own",
)  # fmt: skip
_PREFILL = ImportNote(
    kind="left out", what="prefill", why="prefill and decode apart are not planned: one role does both"
)
_SCALE = ImportNote(
    kind="left out", what="deployment_config", why="replicas and autoscaling in deploy/values.local.yaml"
)
_OWN_IMAGE = ImportNote(kind="changed", what="runtime huggingface", why="vLLM's own image and server")


def kserve(one: Mapping[str, Any]) -> Running | None:
    """The server of an LLMInferenceService, or of an InferenceService of the Hugging Face runtime; None for others."""
    spec = _map(one, "spec")
    name = str(_map(one, "metadata").get("name", ""))
    if one.get("kind") == "LLMInferenceService":
        found = _of_model(_map(spec, "model"), spec, _map(spec, "template"))
        return found.model_copy(update={"service": name})
    model = _map(spec, "predictor", "model")
    if one.get("kind") == "InferenceService" and _map(model, "modelFormat").get("name") == "huggingface":
        return _of_runtime(model).model_copy(update={"service": name})
    return None


def llmd(content: Mapping[str, Any]) -> Running:
    """The decoding server of llm-d-modelservice's values."""
    decode = _map(content, "decode")
    found = _of_model(_map(content, "modelArtifacts"), decode, decode)
    apart = _map(content, "prefill").get("create", False)
    return found.model_copy(update={"notes": (*found.notes, _PREFILL)}) if apart else found


def ray(one: Mapping[str, Any]) -> Running:
    """The server of a RayService's `serveConfigV2`, or of Ray Serve's own file.

    Raises:
        SourceError: it has no model of vLLM's, or several.
    """
    models = _llm_configs(one)
    if len(models) != 1:
        raise SourceError(f"llm_configs of Ray Serve has {len(models)} models: import one, a repository each")
    loading = _map(models[0], "model_loading_config")
    name = loading.get("model_id")
    names = {"model": loading.get("model_source") or name, "served_model_name": name}
    return Running(
        arguments={key: value for key, value in names.items() if value} | _map(models[0], "engine_kwargs"),
        gpu=str(models[0].get("accelerator_type") or ""),
        artefacts=_CHART,
        notes=(_SCALE,) if "deployment_config" in models[0] else (),
    )


def _llm_configs(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = _map(one, "spec").get("serveConfigV2")
    try:
        content = yaml.load(text, Loader=LOADER) if isinstance(text, str) else one  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise SourceError(f"serveConfigV2 is not valid YAML: {str(error).splitlines()[0]}") from error
    applications = _list(content, "applications") if isinstance(content, dict) else []
    return [config for it in applications for config in _list(_map(it, "args"), "llm_configs")]


def sky(content: Mapping[str, Any], variables: Mapping[str, str]) -> Running:
    """The server that a task of SkyPilot runs, on its accelerators.

    Raises:
        SourceError: its `run` starts none.
    """
    asked = _map(content, "resources").get("accelerators") or ""
    first = next(iter(asked)) if isinstance(asked, (dict, list)) else asked
    gpu, _, count = str(first).partition(":")
    count = str(asked[first]) if isinstance(asked, dict) else count
    gpus = int(count) if count.isdecimal() else 1
    known = {key: str(value) for key, value in _map(content, "envs").items() if value is not None}
    known |= {"SKYPILOT_NUM_GPUS_PER_NODE": str(gpus)}
    found = script(str(content["run"]), {**variables, **known})
    nodes = content.get("num_nodes")
    return found.model_copy(update={"gpus": gpus, "gpu": gpu, "nodes": nodes if isinstance(nodes, int) else 1})


def _of_model(model: Mapping[str, Any], sized: Mapping[str, Any], pod: Mapping[str, Any]) -> Running:
    """What KServe and llm-d share: a model by its URI, `parallelism` and replicas, a container with more arguments."""
    container = next(iter(_list(pod, "containers")), {})
    plain = {str(one.get("name")): str(one.get("value", "")) for one in _list(container, "env")}
    given = [*_words(container), *split(plain.get("VLLM_ADDITIONAL_ARGS", ""))]
    arguments = {_PARALLEL[key]: value for key, value in _map(sized, "parallelism").items() if key in _PARALLEL}
    arguments |= {"served_model_name": model["name"]} if isinstance(model.get("name"), str) else {}
    devices, kept = _limits(container)
    values: dict[str, Any] = {"resources": {"limits": kept}} if kept else {}
    replicas = sized.get("replicas")
    values |= {"replicas": replicas} if isinstance(replicas, int) and replicas != 1 else {}
    stages = arguments.get("pipeline_parallel_size")
    return Running(
        words=container_words([], [_located(str(model.get("uri", ""))), *given], plain),
        arguments=arguments,
        image=str(container.get("image", "")),
        gpus=devices,
        nodes=stages if "worker" in sized and isinstance(stages, int) else 1,
        values=values,
        artefacts=_CHART,
        notes=(*(ImportNote(kind="overlay", what=key) for key in values), _ROUTER),
    )


def _of_runtime(model: Mapping[str, Any]) -> Running:
    arguments: dict[str, Any] = {}
    words: list[str] = []
    for word in _words(model):
        key, equals, value = word.removeprefix("--").partition("=")
        known = _RUNTIME.get(key.replace("-", "_"))
        if known and equals:
            arguments[known] = value
        elif key != "backend":
            words.append(word)
    gpus = _limits(model)[0]
    return Running(words=tuple(words), arguments=arguments, gpus=gpus, artefacts=_CHART, notes=(_OWN_IMAGE,))


def _limits(container: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    """GPUs of a container, and what else its limits or requests say."""
    resources = _map(container, "resources")
    asked = _map(resources, "requests") | _map(resources, "limits")
    gpus = next((int(value) for key, value in asked.items() if "gpu" in key and str(value).isdecimal()), 0)
    return gpus, {key: str(value) for key, value in asked.items() if "/" not in key}


def _located(uri: str) -> str:
    """A model's id, or the path that a claim is mounted at."""
    scheme, _, rest = uri.partition("://")
    if scheme.startswith("pvc"):
        return f"/model/{rest.partition('/')[2]}"
    return rest if scheme == "hf" else uri


def _words(container: Mapping[str, Any]) -> list[str]:
    held = container.get("args")
    return [str(one) for one in held] if isinstance(held, list) else []


def _map(content: Any, *path: str) -> dict[str, Any]:
    """The mapping at the path; an empty one where there is none."""
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _list(content: Any, key: str) -> list[dict[str, Any]]:
    """The mappings of the list under the key."""
    held = content.get(key) if isinstance(content, dict) else None
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
