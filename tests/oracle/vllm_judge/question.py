"""One question, answered: would vLLM start this command on this machine, and with which figures."""

from __future__ import annotations

import gc
import os
import pickle
import time
from functools import _lru_cache_wrapper

from vllm_judge import building, caching, ranks
from vllm_judge.command import configured
from vllm_judge.fake.card import CARD
from vllm_judge.refusal import RefusedError, described

_REMEMBER = ("vllm", "flashinfer", "humming", "tokenspeed")


def answered(question):
    """The answer: a verdict, and vLLM's message or its figures."""
    answer = {"id": question["id"], "level": "start"}
    begun = time.monotonic()
    _take_card(question)
    try:
        _ask(question, answer)
        answer.update(verdict="accepted", level="done")
    except RefusedError as refused:
        answer.update(verdict="refused", level=refused.level, stage=refused.stage, error=refused.error)
    except BaseException as error:  # noqa: BLE001 - whatever ends vLLM's start is the answer, SystemExit too
        answer.update(verdict="refused", error=described(error))
    answer["seconds"] = round(time.monotonic() - begun, 1)
    return answer


def _take_card(question):
    """Be the question's GPU; what vLLM remembers of the one it was imported on is forgotten."""
    gpu = question.get("gpu")
    if gpu is None:  # this machine's own
        return
    CARD.name, CARD.total_bytes, CARD.multiprocessors = gpu["name"], gpu["bytes"], gpu["multiprocessors"]
    CARD.capability = tuple(int(part) for part in gpu["capability"].split("."))
    CARD.count = question["count"]
    for remembered in gc.get_objects():
        if isinstance(remembered, _lru_cache_wrapper) and str(remembered.__module__).startswith(_REMEMBER):
            remembered.cache_clear()


def _ask(question, answer):
    config = configured(question, answer)
    count = config.parallel_config.pipeline_parallel_size
    stages = [building.stage_of(config, 0, answer)] if count == 1 else _stages(config, count)
    if count > 1:
        ranks.become(config, 0)
    answer.update(
        {
            "class": stages[0]["class"],
            "kernels": stages[-1]["kernels"],
            "backends": sorted({name for one in stages for name in one["backends"]}),
        }
    )
    for name in ("parameter_bytes", "target_bytes", "buffer_bytes"):
        answer[name] = [one[name] for one in stages]
    caching.planned(config, stages, question, answer)


def _stages(config, count):
    """Every pipeline stage, each in a process of its own: a model is built once a process."""
    found = []
    for stage in range(count):
        level = {"level": "model"}
        kind, value = forked(lambda stage=stage, level=level: building.stage_of(config, stage, level), level)
        if kind == "refused":
            raise RefusedError(value["level"], stage, value["error"])
        found.append(value)
    return found


def forked(function, level):
    """`function()` in a fork: its picklable value, or how it was refused."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            result = ("built", function())
        except BaseException as error:  # noqa: BLE001 - the parent tells it
            result = ("refused", {"level": level["level"], "error": described(error)})
        with os.fdopen(writer, "wb") as out:
            pickle.dump(result, out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as end:
        data = end.read()
    os.waitpid(child, 0)
    if not data:
        return "refused", {"level": "died", "error": {"type": "Died", "text": "the stage's process died", "where": ""}}
    return pickle.loads(data)
