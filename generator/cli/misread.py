"""What a command line meant that cannot be read: words of other tools, with what says the same here."""

import re
import shlex
from collections.abc import Collection
from difflib import get_close_matches

_OPTION = re.compile(r"No such option: (--?[\w-]+)")
_EXTRA = re.compile(r"Got unexpected extra argument(?:\(s\)|s)? \((?P<words>.+)\)")
_PLAINER = {
    "Input should be a valid integer, unable to parse string as an integer": "write a whole number, like 2",
    "Input should be a valid number, unable to parse string as a number": "write a number, like 0.5",
}
"""What the reader of options says of a figure that is none, and the same for people."""
_ELSEWHERE = {
    "--max-model-len": "context context-length context-size ctx ctx-size n-ctx max-context max-length max-seq-len",
    "--concurrency": "users parallel requests max-concurrency batch batch-size clients",
    "--gpus": "num-gpus gpu-count ngpus n-gpus count",
    "--gpu": "hardware device accelerator gpu-type gpu-name",
    "--vram-gb": "vram memory gpu-memory vram-size",
    "--quantization": "quant precision bits",
    "--prompt-tokens": "input-len input-tokens prompt-len prompt-length isl",
    "--gen-tokens": "output-len output-tokens max-tokens gen-len osl",
    "--vllm": "vllm-version engine engine-version",
    "--model": "model-id model-name",
    "--output-dir": "output out dir directory path",
    "--service": "name",
    "--workload": "preset use-case",
}
"""Options here, each with what other tools call it."""
_HERE = {f"--{word}": here for here, words in _ELSEWHERE.items() for word in words.split()}
_ALIKE = 0.75
"""Likeness of two options under which naming one for the other misleads."""


def meant(said: str, options: Collection[str]) -> str:
    """What the reader of a command line said, or what to type instead; `options` are the command's own."""
    for theirs, plainer in _PLAINER.items():
        said = said.replace(theirs, plainer)
    option, extra = _OPTION.match(said), _EXTRA.match(said)
    if option:
        return _of_option(option[1], options)
    if extra and "--gpu" in options and _is_gpu(extra["words"]):
        return f"{extra['words']} is a GPU: name it with --gpu {shlex.quote(extra['words'])}"
    return said


def _of_option(name: str, options: Collection[str]) -> str:
    here = _HERE.get(name, "")
    if here in options:
        return f"No such option: {name}; here it is {here}"
    if "--set" in options and (argument := name.removeprefix("--").replace("-", "_")) in _arguments():
        return f"No such option: {name}; here it is --set {argument}=VALUE, an argument of vLLM"
    near = get_close_matches(name, options, n=2, cutoff=_ALIKE)
    return f"No such option: {name}" + (f"; nearest: {', '.join(near)}" if near else "")


def _arguments() -> Collection[str]:
    """Arguments of the newest release."""
    from generator.catalogue.engines import engine  # noqa: PLC0415 - start-up time

    return engine().by_name


def _is_gpu(words: str) -> bool:
    """Whether words without an option name a GPU of the table."""
    from generator.catalogue.gpu_words import counted  # noqa: PLC0415 - start-up time
    from generator.catalogue.gpus import find_gpu  # noqa: PLC0415 - likewise
    from generator.errors import GeneratorError  # noqa: PLC0415 - likewise

    try:
        find_gpu(counted(words)[1])
    except GeneratorError:
        return False
    return True
