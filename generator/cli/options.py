"""Command-line options: one field of `Request` is one option; engine flags write `overrides`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError

from generator.cli import console
from generator.cli.spellings import merged
from generator.cli.words import PARSERS
from generator.errors import RequestError
from generator.models.question import PANELS
from generator.models.request import ASKED, Request
from generator.models.value import Value, problem, shortened

if TYPE_CHECKING:
    from generator.sources.profile import Profile

_ENGINE: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "tensor_parallel_size": (("--tensor-parallel-size", "--tp"), int, "GPUs that share every layer"),
    "pipeline_parallel_size": (("--pipeline-parallel-size", "--pp"), int, "Groups of GPUs in a pipeline"),
    "data_parallel_size": (("--data-parallel-size", "--dp"), int, "Replicas inside one server"),
    "max_model_len": (("--max-model-len",), str, "Longest context, like 32768 or 32k"),
    "max_num_seqs": (("--max-num-seqs",), int, "Sequences in one batch"),
    "max_num_batched_tokens": (("--max-num-batched-tokens",), int, "Tokens in one step"),
    "gpu_memory_utilization": (("--gpu-memory-utilization",), float, "Share of the GPU that vLLM may use"),
    "dtype": (("--dtype",), str, "Computing dtype"),
    "quantization": (("--quantization", "-q"), str, "Quantize at load time, where vLLM can"),
    "kv_cache_dtype": (("--kv-cache-dtype",), str, "KV cache dtype"),
    "enforce_eager": (("--enforce-eager",), bool, "No CUDA graphs"),
}
_OWN = "Engine (your choice; the planner works around it)"
MODEL_HELP = "The model: id or address of the Hub, an embedded name, a directory; as --model."
_METAVARS = {int: "N", float: "X", str: "WORD", Path: "PATH"}
_NOT_STATED = {"quantization": "none", "interconnect": "unknown"}
"""Words of the ancestor's command line that state nothing."""


class Stated(Value):
    """What flags and profile say together; a flag wins over the profile."""

    answers: dict[str, Any]
    warnings: tuple[str, ...] = ()
    whole: bool = False
    """True where a profile states all of the user's engine values, so that one it leaves out is dropped."""
    dropped: tuple[str, ...] = ()
    """Engine values that the planner is to choose again."""


def with_request_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every request option in front of its own; it receives them as one `stated: Stated`."""
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "stated"]
    offered = list(_parameters())
    names = {parameter.name for parameter in offered}

    def wrapper(**given: Any) -> None:
        ours = {name: value for name, value in given.items() if name in names}
        rest = {name: value for name, value in given.items() if name not in names}
        command(stated=_stated(ours), **rest)

    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__signature__ = inspect.Signature([*offered, *own])  # type: ignore[attr-defined]
    return wrapper


def named_too(stated: Stated, word: str) -> dict[str, Any]:
    """The stated answers, with the model that a command names by position.

    Raises:
        RequestError: two models are named.
    """
    if not word:
        return dict(stated.answers)
    meant = model_answers(word)
    model = meant["model"]
    if stated.answers.get("model", model) != model:
        raise RequestError(f"two models are named, {model} and {stated.answers['model']}: drop one of the two")
    return {**meant, **stated.answers, "model": model}


def model_answers(word: str) -> dict[str, str]:
    """The model that `word` means: a directory that is one, else by an embedded name or an address of the Hub.

    With the revision that the address names, where it is not the usual one.
    """
    with suppress(OSError):  # no name of a file: too long for one
        if (Path(word) / "config.json").is_file():
            return {"model": word}
    from generator.catalogue.models import named, revision_in  # noqa: PLC0415 - start-up time

    revision = revision_in(word)
    return {"model": named(word)} | ({"revision": revision} if revision else {})


def answers_of(stated: dict[str, Any]) -> dict[str, Any]:
    """Answers as a caller states them, the model by the name that it has here, the GPU and its number taken apart.

    Raises:
        RequestError: the GPU's name and `gpus` say different numbers.
    """
    answers = dict(stated)
    if answers.get("model"):
        answers = _with_model(answers)
    return answers | _counted(answers, stated)


def _with_model(answers: dict[str, Any]) -> dict[str, Any]:
    """Answers with the model by the name that it has here; a revision that is stated wins over an address's."""
    meant = model_answers(answers["model"])
    return {**meant, **answers, "model": meant["model"]}


def request_from(answers: dict[str, Any]) -> Request:
    """The request that these answers make; answers that only name the repository are left out.

    Raises:
        RequestError: the model is missing, or a value is out of its range; names the option.
    """
    if not answers.get("model"):
        raise RequestError("no model given; name one: --model ORG/NAME, an embedded id or a local directory")
    try:
        return Request.model_validate({name: answers[name] for name in Request.model_fields if name in answers})
    except ValidationError as error:
        field, said = problem(error)
        got = shortened(error.errors()[0]["input"])
        raise RequestError(f"--{field.replace('_', '-')}: {said}, got {got}") from error


def changes_of(flags: Sequence[str]) -> dict[str, Any]:
    """Fields of the request that options as a plan proposes them would set: `--tp 2`, `--set KEY=VALUE`."""
    engine = {flag: name for name, (own, _, _) in _ENGINE.items() for flag in own}
    changes: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    for flag, word in zip(flags[::2], flags[1::2], strict=True):
        if flag == "--set":
            overrides |= [_assignment(word)]
        elif flag in engine:
            overrides[engine[flag]] = _number(word)
        else:
            changes[flag.lstrip("-").replace("-", "_")] = _share(word)
    return changes | ({"overrides": overrides} if overrides else {})


def engine_options() -> frozenset[str]:
    """Options that are arguments of vLLM: `--max-model-len`, `--tp`."""
    return frozenset(flag for flags, _, _ in _ENGINE.values() for flag in flags)


def _parameters() -> Iterable[inspect.Parameter]:
    asked = [(panel, name, one) for panel in PANELS for name, one in ASKED.items() if one.panel == panel]
    for panel, name, one in asked:
        field = Request.model_fields[name]
        flags = (f"--{name.replace('_', '-')}", *filter(None, (one.short,)))
        default = "" if field.is_required() or field.default in ("", 0, False) else f" [default: {field.default}]"
        yield _parameter(name, _option_type(name), flags, f"{field.description}{default}", panel)
    for name, (flags, kind, text) in _ENGINE.items():
        yield _parameter(name, kind, flags, text, _OWN)
    yield _parameter(
        "set_",
        list[str],
        ("--set",),
        "Any vLLM argument: KEY=VALUE; KEY=null leaves it to vLLM",
        _OWN,
    )
    yield _parameter("unset", list[str], ("--unset",), "Drop a value of yours: the planner chooses it again", _OWN)
    yield _parameter("trace", Path, ("--trace",), "Lengths and rate from recorded requests; flags win", "Workload")
    yield _parameter("profile", Path, ("--profile", "-p"), "Answers from a profile.yaml; flags win", "Policy")


def _parameter(name: str, kind: Any, flags: tuple[str, ...], text: str, panel: str) -> inspect.Parameter:
    option = typer.Option(
        *flags,
        help=text,
        rich_help_panel=panel,
        show_default=False,
        parser=PARSERS.get(name),
        metavar=_METAVARS.get(kind),
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _option_type(name: str) -> Any:
    if name == "interconnect":
        return Literal["auto", "nvlink", "pcie", "unknown"]
    return Request.model_fields[name].annotation


def _stated(given: dict[str, Any]) -> Stated:
    profile = _profile(given["profile"]) if given["profile"] else None
    answers = (dict(profile.answers) if profile else {}) | (_traced(given["trace"]) if given.get("trace") else {})
    flags = {name: value for name, value in given.items() if value is not None and value != _NOT_STATED.get(name)}
    answers |= {name: value for name, value in flags.items() if name in Request.model_fields}
    if flags.get("capability") and answers.get("gpu", "custom") not in {"custom", "auto"}:
        raise RequestError(f"--capability describes --gpu custom: {answers['gpu']} has its own, leave it out")
    if answers.get("model"):
        answers = _with_model(answers)
    answers |= _counted(answers, flags)
    engine = {name: _number(value) for name, value in flags.items() if name in _ENGINE}
    engine = merged(engine, map(_assignment, flags.get("set_", ())))
    if engine:
        answers["overrides"] = answers.get("overrides", {}) | engine
    dropped = tuple(map(_argument, flags.get("unset", ())))
    both = sorted(engine.keys() & set(dropped))
    if both:
        raise RequestError(f"{both[0]} is set and unset at once: drop one of the two")
    if "overrides" in answers:
        answers["overrides"] = {k: v for k, v in answers["overrides"].items() if k not in dropped}
    whole = profile is not None and "overrides" in profile.answers
    return Stated(answers=answers, warnings=profile.warnings if profile else (), whole=whole, dropped=dropped)


def _profile(path: Path) -> Profile:
    from generator.sources.profile import load_profile  # noqa: PLC0415 - start-up time

    return load_profile(path)


def _traced(path: Path) -> dict[str, Any]:
    from generator.presenting.trace import lines_of  # noqa: PLC0415 - start-up time
    from generator.sources.trace import read_trace  # noqa: PLC0415 - likewise

    found = read_trace(path)
    for line in lines_of(found):
        console.note(line)
    return found.answers | {"trace": found.sha256}


def _counted(answers: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """The GPU and their number where the name says it too: `2x3090`.

    Raises:
        RequestError: `--gpus` says another number.
    """
    if "gpu" not in answers:
        return {}
    from generator.catalogue.gpu_words import counted  # noqa: PLC0415 - start-up time

    count, name = counted(str(answers["gpu"]))
    if count is None:
        return {}
    if flags.get("gpus", count) != count:
        raise RequestError(f"--gpu {answers['gpu']} says {count} GPUs and --gpus {flags['gpus']}: drop one of the two")
    return {"gpu": name, "gpus": count}


def _share(word: str) -> Any:
    """A number typed as text as that number, `0.7` too; any other word as it is."""
    whole, point, part = word.partition(".")
    return float(word) if point and whole.isdecimal() and part.isdecimal() else _number(word)


def _number(value: Any) -> Any:
    """A whole number typed as text as that number; `32k` and `auto` stay for vLLM to read."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _argument(word: str) -> str:
    """VLLM's name of an argument, however it is typed: `--max-num-seqs` as `max_num_seqs`."""
    return word.strip().lstrip("-").replace("-", "_")


def _assignment(word: str) -> tuple[str, Any]:
    from generator.sources import plain_yaml  # noqa: PLC0415 - start-up time

    key, equals, text = word.partition("=")
    if not equals or not key.strip():
        raise RequestError(f"--set {word}: write KEY=VALUE, like --set max_num_seqs=64")
    try:
        return _argument(key), plain_yaml.load(text.encode("utf-8", "surrogateescape"))
    except plain_yaml.NotPlainError as error:
        raise RequestError(f"--set {key[:40]}=...: the value is not plain YAML or JSON: {error.reason}") from error
