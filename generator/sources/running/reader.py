"""A file of a deployment that exists, read as the server that it starts: `read_running(path)`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from generator.errors import SourceError
from generator.models.running import Running
from generator.sources.plain_yaml import LOADER, MOST_BYTES
from generator.sources.running.compose import compose
from generator.sources.running.manifests import manifests
from generator.sources.running.platforms import kserve, llmd, ray, sky
from generator.sources.running.shell import container_words, environment_file, script
from generator.sources.running.units import of_sections
from generator.sources.running.values import is_stack, stack

_NAMES = (
    "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml", "config.yml", "config.yaml",
    "serve.yaml", "serve.yml", "deployment.yaml", "values.yaml", "run.sh", "serve.sh", "start.sh",
)  # fmt: skip
"""What a directory is looked through for, in this order."""
_YAML = (".yaml", ".yml", ".json")
_COMMAND = re.compile(r"\bvllm serve\b|vllm\.entrypoints|\b(docker|podman|nerdctl) run\b")
"""What a file without a known ending is a script by, though its lines may be read as YAML."""
_BESIDE = (".env", "env.sh")


def read_running(path: Path) -> Running:
    """The server of a file, or of the first known file of a directory.

    Raises:
        SourceError: the file cannot be read, or starts no vLLM.
    """
    file = _file(path)
    text = _text(file)
    variables: dict[str, str] = {}
    for name in _BESIDE:
        if (file.parent / name).is_file() and file.name != name:
            variables |= environment_file(_text(file.parent / name))
    documents = _documents(text, file)
    if documents is None:
        return of_sections(text, variables) or script(text, variables)
    return _of_documents(documents, variables, file)


def _of_documents(documents: list[Any], variables: Mapping[str, str], file: Path) -> Running:
    first = documents[0]
    if any("kind" in one and "apiVersion" in one for one in documents):
        return _of_objects(documents)
    if is_stack(first):
        return stack(first)
    if isinstance(first.get("image"), dict) and first["image"].get("command"):
        return _chart(first, variables)
    found = _of_platform(first, variables)
    if found is not None:
        return found
    if all(isinstance(key, str) for key in first) and not any(
        isinstance(it, dict) and "image" in it for it in first.values()
    ):
        return Running(arguments=dict(first), environment=dict(variables))
    raise SourceError(
        f"{file} is none of: a `vllm serve` or `docker run` script, serve.yaml, a Compose file, Kubernetes objects, "
        "values of production-stack, llm-d or vLLM's chart, a file of Ray Serve or SkyPilot"
    )


def _of_platform(first: Mapping[str, Any], variables: Mapping[str, str]) -> Running | None:
    """The server of a file that its own keys give away; None where they do not."""
    if isinstance(first.get("services"), dict):
        return compose(first, variables)
    if isinstance(first.get("decode"), dict) and isinstance(first.get("modelArtifacts"), dict):
        return llmd(first)
    if isinstance(first.get("applications"), list):
        return ray(first)
    return sky(first, variables) if isinstance(first.get("run"), str) else None


def _of_objects(documents: list[Any]) -> Running:
    """The server of Kubernetes objects; a platform's own kind is read by its own words."""
    for one in documents:
        if one.get("kind") == "RayService":
            return ray(one)
        found = kserve(one)
        if found is not None:
            return found
    return manifests(documents)


def _chart(content: Mapping[str, Any], variables: Mapping[str, str]) -> Running:
    """Values of vLLM's own chart (examples/deployment/chart-helm)."""
    image, resources = content["image"], content.get("resources") or {}
    limits = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    plain = {k: {n: v for n, v in it.items() if "/" not in n} for k, it in resources.items() if isinstance(it, dict)}
    return Running(
        words=container_words([], [str(one) for one in image["command"]], variables),
        image=f"{image.get('repository', '')}:{image.get('tag', '')}",
        gpus=next((int(value) for name, value in limits.items() if "gpu" in name), 0),
        values={"resources": plain} if any(plain.values()) else {},
        artefacts=("command", "profile", "kubernetes"),
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = next((path / name for name in _NAMES if (path / name).is_file()), None)
    if found is None:
        raise SourceError(f"{path} has none of {', '.join(_NAMES)}: name the file")
    return found


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES or b"\0" in content:
        raise SourceError(f"{file} is no text of a deployment: name its script, serve.yaml, Compose file or manifest")
    return content.decode("utf-8", errors="replace").removeprefix("\ufeff")


def _documents(text: str, file: Path) -> list[Any] | None:
    """The mappings of a YAML or JSON file; None where the text is a script."""
    if file.suffix in (".sh", ".bash", ".txt", ".service") or text.startswith("#!"):
        return None
    if file.suffix not in _YAML and _COMMAND.search(text):
        return None
    try:
        found = [one for one in yaml.load_all(text, Loader=LOADER) if one]
    except yaml.YAMLError as error:
        if file.suffix in _YAML:
            raise SourceError(f"{file} is not valid YAML: {str(error).splitlines()[0]}") from error
        return None
    mappings = [one for one in found if isinstance(one, dict)]
    return mappings or None
