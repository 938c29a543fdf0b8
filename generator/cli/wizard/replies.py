"""What a typed reply to a question means, or why it means nothing: told at the question itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from generator.catalogue.gpu_table import all_gpus
from generator.catalogue.gpu_words import counted
from generator.catalogue.gpus import find_gpu
from generator.catalogue.models import embedded_ids, nearest_models
from generator.cli import console
from generator.cli.options import model_answers
from generator.errors import GatedModelError, HubUnreachableError, RequestError, SourceError
from generator.models.hardware import by_memory
from generator.models.request import Request
from generator.models.value import problem
from generator.presenting.text import count_text, gib_text, tokens_text

if TYPE_CHECKING:
    from generator.cli.knowing import Known
    from generator.models.checkpoint import ModelFacts
    from generator.rendering.questions import Question

DIRECTORY = "output_dir"
"""The one question that is the command line's own: where the repository is to lie."""
_PARSERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
_YES, _NO = frozenset({"y", "yes", "true"}), frozenset({"n", "no", "false"})


def meant(question: Question, text: str, answers: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The answers that a reply gives: its own question's, and the number of GPUs where `2x3090` says it too.

    Raises:
        GeneratorError: it is no answer; the line says what would be.
    """
    read = _READERS.get(question.name)
    found = read(text, answers, known) if read else {question.name: _value(question, text)}
    for name, value in found.items():
        _refuse_out_of_range(name, value)
    said = question.problem(found.get(question.name), {**answers, **found})
    if said:
        raise RequestError(said)
    return found


def told(question: Question, answers: Mapping[str, Any], known: Known) -> str:
    """What is worth knowing of an answer that was just given; empty where nothing is."""
    if question.name == "model":
        return model_line(known.of(_naming(answers)))
    if question.name == "gpu" and answers["gpu"] != "custom":
        gpu = find_gpu(str(answers["gpu"]))
        return f"{gpu.name}: {gib_text(gpu.memory_bytes)}, compute capability {gpu.capability.words}"
    return ""


def model_line(facts: ModelFacts) -> str:
    """Size, context, licence, gate, quantized siblings of a model, and where its facts are from."""
    from generator.catalogue.models import siblings_of  # noqa: PLC0415 - start-up time
    from generator.planning.weights.rank import model_totals  # noqa: PLC0415

    totals = model_totals(facts.architecture, facts.checkpoint.quantization)
    stored = facts.checkpoint.total_bytes or totals.stored_bytes
    smaller = [one.id for one in siblings_of(facts.id) if one.id != facts.id]
    parts = (
        f"{facts.id}: {count_text(totals.parameters)} parameters, {gib_text(stored)}",
        f"context {tokens_text(facts.architecture.max_position_embeddings)}",
        facts.license or "",
        "gated: accept its licence and set HF_TOKEN" if facts.gated else "",
        {"embedded": "embedded facts", "local": "a local directory", "hub": "from the Hub"}[facts.source],
        f"quantized: {', '.join(smaller[:2])}" if smaller else "",
    )
    return "; ".join(filter(None, parts))


def offered(question: Question) -> dict[str, str]:
    """What may be typed, each with what is said beside it: embedded models, GPUs of the table by memory."""
    if question.name == "model":
        return dict.fromkeys(embedded_ids(), "")
    if question.name == "gpu":
        ordered = sorted(all_gpus(), key=by_memory)
        return {one.name: gib_text(one.memory_bytes) for one in ordered}
    return {}


def _model(text: str, answers: Mapping[str, Any], known: Known) -> dict[str, Any]:
    named = model_answers(text)
    model = named["model"]
    if not model:
        raise RequestError("name a model, like Qwen/Qwen3-8B")
    try:
        facts = known.of(_naming({**answers, **named}))
    except SourceError as error:
        raise type(error)(f"{str(error).rstrip('.')}{_like(model, error, known)}") from error
    return named | {"model": facts.id if facts.source == "embedded" else model}


def _like(model: str, error: SourceError, known: Known) -> str:
    """What a name may have meant, as the end of a refusal: embedded models, and what the Hub finds where it answers."""
    from generator.sources.hub import hub_search  # noqa: PLC0415 - start-up time

    near = () if re.search("nearest|like it", str(error)) else nearest_models(model)
    unasked = known.offline or isinstance(error, HubUnreachableError | GatedModelError)
    with console.waiting("" if unasked else "searching the Hub"):
        there = () if unasked else hub_search(model.rpartition("/")[2])
    said = (("embedded models like it", near), ("on the Hub", there))
    return "".join(f"; {where}: {', '.join(ids)}" for where, ids in said if ids)


def _gpu(text: str, *_: object) -> dict[str, Any]:
    count, name = counted(text)
    number = {} if count is None else {"gpus": count}
    if name in {"auto", ""}:
        from generator.cluster import detected_hardware  # noqa: PLC0415 - start-up time

        return detected_hardware() | number
    return {"gpu": name if name == "custom" else find_gpu(name).name, **number}


def _directory(text: str, *_: object) -> dict[str, Any]:
    from generator.operations.generate import vacant  # noqa: PLC0415 - start-up time

    if "\\" in text:
        raise RequestError("a backslash would be part of the name here: write / between directories")
    vacant(Path(text))
    return {DIRECTORY: text}


_READERS: dict[str, Callable[[str, Mapping[str, Any], Known], dict[str, Any]]] = {
    "model": _model,
    "gpu": _gpu,
    DIRECTORY: _directory,
}


def _naming(answers: Mapping[str, Any]) -> Request:
    """What is known so far of which model is meant."""
    names = ("model", "revision", "source", "overrides")
    try:
        return Request.model_validate({name: answers[name] for name in names if name in answers})
    except ValidationError as error:
        raise RequestError(problem(error)[1]) from error


def _value(question: Question, text: str) -> Any:
    if question.type == "bool":
        if text.lower() not in _YES | _NO:
            raise RequestError("yes or no?")
        return text.lower() in _YES
    if question.type == "json":
        import json  # noqa: PLC0415 - start-up time

        try:
            return json.loads(text)
        except ValueError as error:
            raise RequestError('write a JSON object, like {"max_num_seqs": 64}') from error
    try:
        return _PARSERS.get(question.type, str)(text.replace(",", "") if question.type in _PARSERS else text)
    except ValueError as error:
        raise RequestError(f"{text!r} is no {'whole number' if question.type == 'int' else 'number'}") from error


def _refuse_out_of_range(name: str, value: Any) -> None:
    if name not in Request.model_fields:
        return
    try:
        Request.model_validate({"model": "any/model", name: value})
    except ValidationError as error:
        raise RequestError(problem(error)[1].removeprefix("input ")) from error
