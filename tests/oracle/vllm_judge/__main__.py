"""A warm process of one release: imports vLLM once, forks for each question.

A question a line on stdin: id, directory, argv (without `vllm serve DIR`), gpu {name, capability, bytes,
multiprocessors}, count (GPUs of a node), nodes, cache_bytes, cache_bytes_low, worst_stage. An answer a line on stdout.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
from contextlib import suppress

from vllm_judge.fake import pretend

os.environ["HUMMING_DISABLE_PARALLEL_BUILD"] = "1"  # humming would compile helpers in the background
pretend()

from vllm.model_executor.models import registry  # noqa: E402
from vllm.platforms import current_platform  # noqa: E402

SECONDS = int(os.environ.get("ORACLE_SECONDS", "120"))


def prepare():
    """Have vLLM inspect classes in this process: a child would lack the stand-ins."""
    registry._run_in_subprocess = lambda function: function()  # noqa: SLF001


def in_a_fork(question):
    """The answer of a child that may die."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(question, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as end:
        data = end.read()
    os.waitpid(child, 0)
    died = {"type": "Died", "text": f"no answer within {SECONDS} s of computing", "where": ""}
    answer = json.loads(data) if data else {"verdict": "unanswered", "level": "died", "error": died, "imported": []}
    return {"id": question["id"]} | answer


def _answer(question, writer):
    from vllm_judge import experts  # noqa: PLC0415 - imported by the parent already
    from vllm_judge import question as whole  # noqa: PLC0415

    gc.disable()  # a child lives seconds: collecting would copy all that the parent imported
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # a busy machine is no reason to give up
    log = os.open(os.environ.get("ORACLE_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    known = set(sys.modules)
    answer = (experts if question.get("experts") else whole).answered(question)
    answer["imported"] = [name for name in sys.modules if name not in known]
    data = json.dumps(answer, default=str).encode()
    with os.fdopen(writer, "wb") as out:
        out.write(data)
    os._exit(0)


def warm(names):
    """Import what a child had to import, once for all that follow."""
    for name in names:
        if name.partition(".")[0] in {"vllm", "flashinfer", "transformers", "humming", "compressed_tensors"}:
            with suppress(Exception):  # only time is lost: a child says what cannot be imported
                importlib.import_module(name)


def main():
    """Answer until stdin ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepare()
    import vllm_judge.experts  # noqa: F401, PLC0415 - vLLM's modules, once for all children

    print(json.dumps({"ready": type(current_platform).__name__}), file=out, flush=True)
    for line in sys.stdin:
        answer = in_a_fork(json.loads(line))
        imported = answer.pop("imported")
        print(json.dumps(answer), file=out, flush=True)
        warm(imported)


main()
