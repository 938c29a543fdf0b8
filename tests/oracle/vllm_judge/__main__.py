"""A warm process of one release and capability: imports vLLM once, forks for each question.

A question a line on stdin: id, directory, argv (without `vllm serve DIR`), gpu {name, bytes, multiprocessors}, count
(GPUs of a node), nodes, cache_bytes, cache_bytes_low, worst_stage. An answer a line on stdout.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from vllm_judge.fake import pretend

os.environ["HUMMING_DISABLE_PARALLEL_BUILD"] = "1"  # humming would compile helpers in the background
pretend()

from vllm.model_executor.models import registry  # noqa: E402
from vllm.platforms import current_platform  # noqa: E402

SECONDS = int(os.environ.get("ORACLE_SECONDS", "120"))


def prepare():
    """Have vLLM inspect classes in this process, and never ask for a tokenizer."""
    registry._run_in_subprocess = lambda function: function()  # noqa: SLF001 - a child would lack the stand-ins
    from vllm.config.reasoning import ReasoningConfig  # noqa: PLC0415

    ReasoningConfig.initialize_token_ids = lambda *_args: None


def in_a_fork(question):
    """The answer of a child that may die; a line of JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(question, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as end:
        data = end.read()
    os.waitpid(child, 0)
    died = {"type": "Died", "text": f"no answer within {SECONDS} s", "where": ""}
    return data.decode() or json.dumps({"id": question["id"], "verdict": "unanswered", "level": "died", "error": died})


def _answer(question, writer):
    from vllm_judge.question import answered  # noqa: PLC0415 - imported by the parent already

    signal.alarm(SECONDS)
    log = os.open(os.environ.get("ORACLE_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    data = json.dumps(answered(question), default=str).encode()
    with os.fdopen(writer, "wb") as out:
        out.write(data)
    os._exit(0)


def main():
    """Answer until stdin ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepare()
    import vllm_judge.question  # noqa: F401, PLC0415 - vLLM's modules, once for all children

    print(json.dumps({"ready": type(current_platform).__name__}), file=out, flush=True)
    for line in sys.stdin:
        print(in_a_fork(json.loads(line)), file=out, flush=True)


main()
