"""imported(): a deployment that exists as answers, and as overlays for what answers have no place for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from generator.catalogue.engines import all_versions
from generator.catalogue.engines import engine as find_engine
from generator.catalogue.gpus import find_gpu
from generator.errors import GeneratorError, RequestError
from generator.models.engine import Engine
from generator.models.running import ImportedDeployment, ImportKind, ImportNote, Running
from generator.planning.rules.owned import check_owners
from generator.rendering.answers import SERVICE
from generator.sources.running.arguments import arguments_of, checked

_RELEASE = re.compile(r":v?(\d+\.\d+(?:\.\d+)?)(?:[-@+].*)?$")
_OFFICIAL = re.compile(r"^(docker\.io/)?vllm/vllm-openai:v[0-9.]+$")
_SECRETS = {"VLLM_API_KEY": "VLLM_API_KEY", "HF_TOKEN": "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN": "HF_TOKEN"}
_PLACES = frozenset({"HF_HOME", "VLLM_CACHE_ROOT", "HF_HUB_CACHE", "TRANSFORMERS_CACHE", "HUGGINGFACE_HUB_CACHE"})
_DEVICES = frozenset({"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"})
_ENGINES = re.compile(
    r"^(VLLM|NCCL|HF|GLOO|UCX|CUDA|TORCH|PYTORCH|TRITON|FLASHINFER|OMP|TRANSFORMERS|LMCACHE|HTTPS?_PROXY|NO_PROXY)"
)
_CACHE = ("/.cache", "/.cache/huggingface", "/.cache/huggingface/hub", "/.cache/vllm")
_HOME = "/home/vllm/.cache"
_PLAIN = re.compile(r"[A-Za-z0-9._/:@%+=,~-]+")
"""What means the same in .env to all of its readers (scripts/env.sh)."""
_OPEN = re.compile(r"\$[{\w]|\{\{")
"""A name that a shell or another tool fills in."""
_HIDDEN = re.compile(r"(key|token)", re.IGNORECASE)


class _Taking:
    """Collects answers and notes while one thing after another is taken."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.answers: dict[str, Any] = {"artefacts": list(running.artefacts)}
        self.environment: dict[str, str] = {}
        self.compose: dict[str, Any] = dict(running.compose)
        self.values: dict[str, Any] = dict(running.values)
        self.notes: list[ImportNote] = []

    def note(self, kind: ImportKind, what: str, why: str = "") -> None:
        """Write down what became of one thing."""
        self.notes.append(ImportNote(kind=kind, what=what, why=why))


def imported(running: Running, model: str = "") -> ImportedDeployment:
    """Answers, overlays and what became of each thing that the file said; a `model` here wins over the file's.

    Raises:
        RequestError: it names no model, or by a name that its own tool fills in.
    """
    taking = _Taking(running)
    engine = _release(taking)
    positional, words = arguments_of(running.words, engine)
    arguments = dict(running.arguments) | words
    named = (
        model
        or positional
        or str(arguments.pop("model", "") or arguments.pop("model-tag", "") or arguments.pop("model_tag", ""))
    )
    arguments.pop("model", None)
    if not named:
        raise RequestError("the file names no model: give it with --model")
    if _OPEN.search(named):
        raise RequestError(f"the file leaves the model open ({named}): give it with --model")
    _model(taking, named)
    _engine_values(taking, arguments, engine)
    _hardware(taking)
    _variables(taking)
    _volumes(taking)
    _port(taking)
    _name(taking)
    return ImportedDeployment(
        answers=taking.answers,
        environment=taking.environment,
        compose=taking.compose if "compose" in running.artefacts else {},
        values=taking.values if "kubernetes" in running.artefacts else {},
        notes=(*taking.notes, *running.notes),
    )


def _release(taking: _Taking) -> Engine:
    """The release of the image where it is known, else the newest."""
    image = taking.running.image
    found = _RELEASE.search(image)
    known = all_versions()
    release = next((one for one in reversed(known) if found and one.startswith(found[1])), "")
    if release:
        taking.answers["vllm"] = release
        taking.note("taken", f"vLLM {release}", image)
        if not _OFFICIAL.match(image):
            taking.environment["VLLM_IMAGE"] = image
            taking.values["image"] = image
            taking.note("overlay", f"image {image}")
    elif image:
        newest = find_engine("").version
        taking.note(
            "changed", f"image {image}", f"its release is none of {known[0]} to {known[-1]}: planned for {newest}"
        )
    return find_engine(release)


def _model(taking: _Taking, named: str) -> None:
    host = _on_host(taking, named)
    taking.answers["model"] = host
    taking.note("taken", f"model {named}", f"{host} on this host" if host != named else "")


def _engine_values(taking: _Taking, arguments: Mapping[str, Any], engine: Engine) -> None:
    """Every argument as an answer or an engine value, or the reason why it is neither."""
    plain = {name.replace("-", "_"): value for name, value in arguments.items()}
    for name, field in (("revision", "revision"), ("nnodes", "nodes"), ("trust_remote_code", "trust_remote_code")):
        if name in plain:
            taking.answers[field] = plain.pop(name)
            taking.note("taken", _option(name, taking.answers[field]))
    _secrets(taking, plain)
    owned = {name: why for name in plain if (why := _owned(name))}
    for name, why in owned.items():
        taking.note("changed", _option(name, plain.pop(name)), why)
    good, bad = checked({name: _translated(taking, value) for name, value in plain.items()}, engine)
    for name, why in bad.items():
        taking.note("left out", _option(name, plain.get(name, "")), why)
    for name, value in good.items():
        taking.note("taken", _option(name, value))
    taking.answers["overrides"] = {name: value for name, value in good.items() if value is not None}
    if taking.running.nodes > 1:
        taking.answers["nodes"] = taking.running.nodes


def _secrets(taking: _Taking, plain: dict[str, Any]) -> None:
    """Take secrets out of the arguments."""
    for name, variable in (("api_key", "VLLM_API_KEY"), ("hf_token", "HF_TOKEN")):
        if name in plain:
            value = plain.pop(name)
            _secret(taking, variable, str(value[0] if isinstance(value, list) and value else value))
            taking.note("changed", f"--{name.replace('_', '-')}", f"a secret: {variable} in .env")


def _owned(name: str) -> str:
    try:
        check_owners({name})
    except RequestError as error:
        return str(error).removeprefix(f"{name} ")
    return ""


def _hardware(taking: _Taking) -> None:
    running, overrides = taking.running, taking.answers["overrides"]
    sizes = [overrides.get(f"{kind}_parallel_size", 1) for kind in ("tensor", "pipeline", "data")]
    ranks = 1
    for size in sizes:
        ranks *= size if isinstance(size, int) and size > 0 else 1
    nodes = int(taking.answers.get("nodes", 1) or 1)
    taking.answers["gpus"] = running.gpus or max(1, ranks // nodes)
    taking.note("taken", f"{taking.answers['gpus']} GPUs of a node")
    if running.gpu:
        try:
            taking.answers["gpu"] = find_gpu(running.gpu).name
            taking.note("taken", f"GPU {taking.answers['gpu']}", "from the node selector")
        except GeneratorError:
            taking.note("left out", f"GPU {running.gpu}", "not in the tables: name it with --gpu")
    if running.gpu_ids and list(running.gpu_ids) != [str(number) for number in range(len(running.gpu_ids))]:
        taking.environment |= {f"GPU_{number}": one for number, one in enumerate(running.gpu_ids)}
        taking.note("overlay", f"GPUs {', '.join(running.gpu_ids)}", "GPU_0 ... in .env")


def _variables(taking: _Taking) -> None:
    kept: dict[str, str] = {}
    for name, value in taking.running.environment.items():
        if name in _SECRETS:
            _secret(taking, _SECRETS[name], value)
            taking.note("changed", name, f"a secret: {_SECRETS[name]} in .env")
        elif name in _DEVICES | _PLACES:
            taking.note("changed", f"{name}={value}", "the launchers set it")
        elif _ENGINES.match(name) or not taking.running.words or taking.running.compose:
            kept[name] = value
            taking.note("overlay", f"{name}={'...' if _HIDDEN.search(name) else value}")
    if kept:
        services = taking.compose.setdefault("services", {})
        services["vllm"] = {**services.get("vllm", {}), "environment": kept}
        own = taking.values.setdefault("env", [])
        taking.values["env"] = [*own, *({"name": name, "value": value} for name, value in kept.items())]


def _secret(taking: _Taking, variable: str, value: str) -> None:
    """Keep a secret that the file holds in the clear; a reference like ${NAME} says nothing."""
    if _PLAIN.fullmatch(value):
        taking.environment[variable] = value
    elif value and "$" not in value:
        taking.note("left out", variable, "Compose, the shell and kubectl would read it differently: a new one is made")


def _volumes(taking: _Taking) -> None:
    """Directories of the host that are neither the model nor named by an engine value."""
    used = {taking.answers["model"], *_texts(taking.answers["overrides"])}
    for source, target in taking.running.mounts:
        host = source.startswith(("/", "./", "../", "~"))
        plain = target.rstrip("/")
        if plain.endswith(_CACHE):
            place = f"{_HOME}{plain.partition('/.cache')[2]}"
            if host:
                _volume(taking, f"{source}:{place}")
                taking.note("overlay", f"{source} at {target}", f"at {place}; group 0 must be able to write it")
            else:
                taking.note(
                    "changed", f"volume {source}", "a cache of this project's own: the weights are fetched once more"
                )
        elif host and any(str(one).startswith(source.rstrip("/")) for one in used):
            taking.note("taken", f"{source} at {target}", "mounted where the plan names it")
        elif host:
            _volume(taking, f"{source}:{target}")
            taking.note("overlay", f"{source} at {target}")


def _volume(taking: _Taking, text: str) -> None:
    service = taking.compose.setdefault("services", {}).setdefault("vllm", {})
    service["volumes"] = [*service.get("volumes", ()), text]


def _port(taking: _Taking) -> None:
    if taking.running.published is None:
        return
    address, port = taking.running.published
    taking.environment["PORT"] = str(port)
    taking.note("taken", f"port {port}", "PORT in .env")
    if address not in ("127.0.0.1", "localhost"):
        why = "the gateway listens on 127.0.0.1 and asks for a key; BIND_ADDR in .env publishes it"
        taking.note("changed", f"open to {address}", why)


def _name(taking: _Taking) -> None:
    plain = re.sub(r"[^a-z0-9]+", "-", taking.running.service.lower()).strip("-0123456789")[:52].strip("-")
    if plain and plain != "vllm" and SERVICE.fullmatch(plain):
        taking.answers["service"] = plain


def _on_host(taking: _Taking, path: str) -> str:
    """A path of the container as the host has it, where a directory of the host is mounted there."""
    for source, target in sorted(taking.running.mounts, key=lambda pair: -len(pair[1])):
        plain = target.rstrip("/")
        if source.startswith(("/", "./", "../", "~")) and (path == plain or path.startswith(f"{plain}/")):
            return source.rstrip("/") + path.removeprefix(plain)
    return path


def _translated(taking: _Taking, value: Any) -> Any:
    """A value with the container's paths as the host has them."""
    if isinstance(value, str):
        name, equals, path = value.rpartition("=")
        return f"{name}{equals}{_on_host(taking, path)}" if path.startswith("/") else value
    if isinstance(value, dict):
        return {key: _translated(taking, one) for key, one in value.items()}
    return [_translated(taking, one) for one in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value).rpartition("=")[2]


def _option(name: str, value: Any) -> str:
    return f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
