"""Command lines: a script with `vllm serve`, its older module form, or `docker run`, and the variables that it sets."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from generator.errors import SourceError
from generator.models.running import ImportNote, Running

_MODULES = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main", "vllm.entrypoints.api_server")
_ENDS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", ">&", "<", "(", ")"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-=?]([^}]*))?\}|(\w+))")
_CALLERS = ("$@", "$*", "${@}", "${*}")
_OF_MAKE = re.compile(r"\$\((\w+)\)")
"""A variable as a Makefile writes it, or what one command prints: neither is known, and its brackets end no command."""
_UNIT = re.compile(r"^(ExecStart=[-@:+!]*|Environment=)")
"""Keys of a systemd unit in front of a command or a variable."""
_STARTS = re.compile(
    r"^(?:ENTRYPOINT|CMD)\s+(\[\s*\"(?:[^\"\\\]]|\\.)*\"(?:\s*,\s*\"(?:[^\"\\]|\\.)*\")*\s*\])\s*$", re.MULTILINE
)
"""What a Dockerfile starts, as a JSON list."""
_ALONE = frozenset({
    "-d", "-it", "-ti", "-i", "-t", "-dit", "-itd", "-P", "--rm", "--init", "--privileged", "--detach", "--interactive",
    "--tty", "--read-only", "--no-healthcheck", "--oom-kill-disable", "--publish-all", "--quiet", "-q",
})  # fmt: skip
"""Options of `docker run` that take no value (docker/cli cli/command/container/opts.go)."""


def script(text: str, known: Mapping[str, str]) -> Running:
    """The server that a script starts; `known` are variables from a file beside it.

    Raises:
        SourceError: no line of it starts one.
    """
    variables = dict(known)
    for words in _commands(text):
        plain = _assign(words, variables)
        if not plain:
            continue
        if plain[0] in ("docker", "podman", "nerdctl", "sudo") and "run" in plain:
            return docker_run(plain[plain.index("run") + 1 :], variables)
        wrapped = _wrapped(plain)
        if wrapped and any(engine_words(words) is not None for words in _commands(wrapped)):
            return script(wrapped, variables)
        served = engine_words(plain)
        if served is not None:
            return _served(served, variables)
    raise SourceError("no line starts a server: expected `vllm serve MODEL ...` or `docker run ... IMAGE ...`")


def _wrapped(words: Sequence[str]) -> str:
    """What a shell is given to run, as in `bash -lc TEXT`; empty where the command is none."""
    if words[0].rsplit("/", 1)[-1] not in ("bash", "sh", "zsh") or len(words) < 3:  # noqa: PLR2004 - shell, -c, text
        return ""
    return words[2] if words[1].startswith("-") and words[1].endswith("c") else ""


def engine_words(words: Sequence[str]) -> tuple[str, ...] | None:
    """What follows `vllm serve` or the server's module; None where the command starts something else."""
    for index, word in enumerate(words):
        if word.rsplit("/", 1)[-1] == "vllm" and words[index + 1 : index + 2] == ["serve"]:
            return tuple(words[index + 2 :])
        if word in _MODULES or word.endswith("/api_server.py"):
            return tuple(words[index + 1 :])
    return None


def container_words(entrypoint: Sequence[str], command: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """What follows `vllm serve` where a container has this entrypoint and command; the image's own is `vllm serve`."""
    words = [*entrypoint, *command]
    if "-c" in words[:3] or "-lc" in words[:3] or "-ec" in words[:3]:
        text = next(word for word in words[1:] if not word.startswith("-"))
        return script(text, variables).words
    found = engine_words(words)
    plain = tuple(words) if found is None else found
    return tuple(expanded(word, variables) for word in plain)


def docker_run(words: Sequence[str], variables: Mapping[str, str]) -> Running:
    """The server of `docker run`'s words, those after `run`."""
    given, rest = _docker_options(words)
    entrypoint = [*given.get("--entrypoint", ())]
    environment = dict(_pair(one, variables) for one in (*given.get("-e", ()), *given.get("--env", ())))
    binds = (_bind(one) for one in (*given.get("-v", ()), *given.get("--volume", ()), *given.get("--mount", ())))
    ports = [*given.get("-p", ()), *given.get("--publish", ())]
    devices = [one.partition("nvidia.com/gpu=")[2] for one in given.get("--device", ()) if "nvidia.com/gpu=" in one]
    ids, count = _gpus(given.get("--gpus", ("",))[0], {"NVIDIA_VISIBLE_DEVICES": ",".join(devices)} | environment)
    names = ("--restart", "--ipc", "--shm-size", "--network", "--net", "--runtime", "--user", "-u", "--ulimit")
    why = "the rendered launchers set what the plan needs"
    started = [part for word in rest[1:] for part in _split(word, expanded(word, variables))]
    return Running(
        words=container_words(entrypoint, started, {**variables, **environment}),
        image=expanded(rest[0], variables) if rest else "",
        environment=environment,
        gpu_ids=ids,
        gpus=count,
        mounts=tuple(pair for pair in binds if pair),
        published=published(ports[0]) if ports else None,
        service=given.get("--name", ("",))[0],
        notes=tuple(
            ImportNote(kind="changed", what=f"{name} {given[name][0]}", why=why) for name in names if name in given
        ),
    )


def published(port: str) -> tuple[str, int] | None:
    """Address and port of the host in Docker's ADDRESS:HOST:CONTAINER."""
    parts = port.split("/", maxsplit=1)[0].rsplit(":", 2)
    host = parts[-2] if len(parts) > 1 else parts[-1]
    address = parts[0] if len(parts) > 2 else "0.0.0.0"  # noqa: PLR2004, S104 - what Docker means by leaving it out
    return (address, int(host)) if host.isdecimal() else None


def expanded(word: str, variables: Mapping[str, str]) -> str:
    """The word with the variables that are known, and with the default of one that is not."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        return variables.get(name) or found[2] or (found[0] if name not in variables else "")

    return _VARIABLE.sub(value, word)


def environment_file(text: str) -> dict[str, str]:
    """Variables of an env.sh or .env file."""
    found: dict[str, str] = {}
    for words in _commands(text):
        _assign(words, found)
    return found


def _commands(text: str) -> Iterable[list[str]]:
    """The simple commands of a script, in words; what is no shell is left out."""
    for start in _STARTS.findall(text):
        yield [str(word) for word in json.loads(start)]
    plain = _OF_MAKE.sub(r"${\1}", without_arrays(text.replace("\r\n", "\n")))
    for whole in plain.replace("\\\n", " ").splitlines():
        line = _UNIT.sub("", whole)
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>()")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        command: list[str] = []
        for word in [*words, ";"]:
            if word in _ENDS:
                if word.startswith(">") and command and command[-1] in ("1", "2"):
                    command.pop()
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def _assign(words: Sequence[str], variables: dict[str, str]) -> list[str]:
    """Put the assignments in front of a command into `variables`; the command."""
    left = [word for word in words if word not in ("export", "exec", "env", "nohup", "time")]
    while left and _ASSIGNMENT.match(left[0]):
        name, _, value = left.pop(0).partition("=")
        before = variables.get(name[:-1], "") if name.endswith("+") else ""
        variables[name.removesuffix("+")] = before + expanded(value, variables)
    return left


def _served(words: Sequence[str], variables: Mapping[str, str]) -> Running:
    ids = tuple(filter(None, variables.get("CUDA_VISIBLE_DEVICES", "").split(",")))
    plain = tuple(part for word in words for part in _split(word, expanded(word, variables)))
    return Running(words=plain, environment=dict(variables), gpu_ids=ids, gpus=len(ids))


def split(text: str) -> list[str]:
    """The words of a line.

    Raises:
        SourceError: a quotation in it does not end.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SourceError(f"{text[:60]!r} is no command line: {str(error).lower()}") from error


def _split(word: str, value: str) -> list[str]:
    """The words of a variable that holds options, as a shell takes them apart; none of a caller's; else the word."""
    if word in _CALLERS:
        return []
    if word != value and value.startswith("-") and _VARIABLE.fullmatch(word):
        return split(value)
    return [value] if value or word == value else []


def _docker_options(words: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Options by name with their values, and the words from the image on."""
    given: dict[str, tuple[str, ...]] = {}
    left = list(words)
    while left and left[0].startswith("-"):
        name, equals, value = left.pop(0).partition("=")
        if name in _ALONE:
            continue
        if not equals:
            value = left.pop(0) if left else ""
        given[name] = (*given.get(name, ()), value)
    return given, left


def _pair(assignment: str, variables: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = assignment.partition("=")
    return name, expanded(value, variables) if equals else variables.get(name, "")


def _bind(volume: str) -> tuple[str, str] | None:
    if "=" in volume and ("source=" in volume or "src=" in volume):
        fields = dict(part.partition("=")[::2] for part in volume.split(","))
        source, target = fields.get("source") or fields.get("src"), fields.get("target") or fields.get("dst")
        return (source, target) if source and target else None
    parts = volume.split(":")
    return (parts[0], parts[1]) if len(parts) > 1 else None


def _gpus(asked: str, environment: Mapping[str, str]) -> tuple[tuple[str, ...], int]:
    """GPU ids and their number in `--gpus all`, `--gpus 2`, `--gpus '"device=0,1"'`, or NVIDIA_VISIBLE_DEVICES."""
    text = asked.strip("\"'")
    if "device=" in text:
        ids = tuple(text.partition("device=")[2].strip("\"'").split(","))
        return ids, len(ids)
    if text.isdecimal():
        return (), int(text)
    seen = environment.get("NVIDIA_VISIBLE_DEVICES") or environment.get("CUDA_VISIBLE_DEVICES") or ""
    ids = tuple(part for part in seen.split(",") if part not in ("", "all", "void", "none"))
    return ids, len(ids)


_MADE = re.compile(
    r"^[ \t]*(?:(?:declare|local|readonly)[ \t]+(?:-\w+[ \t]+)*)?(\w+)(\+?)=\(([^)]*)\)[ \t]*(?:#.*)?$", re.MULTILINE
)
_USED = re.compile(r"\"?\$\{(\w+)\[[@*]\]\}\"?")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


def without_arrays(text: str) -> str:
    """The script with each array's words where it is used; one that nothing makes is left as it is written."""
    held: dict[str, str] = {}
    for name, added, words in _MADE.findall(text):
        plain = " ".join(_COMMENT.sub(" ", words.replace("\\\n", " ")).split("\n"))
        held[name] = f"{held.get(name, '')} {plain}" if added else plain
    if not held:
        return text
    return _USED.sub(lambda found: held.get(found[1], found[0]), _MADE.sub("", text))
