"""config.json and headers put together: what every source hands over becomes one ModelFacts here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from generator.errors import SourceError
from generator.models.architecture import Architecture
from generator.models.checkpoint import Checkpoint, FactsSource, ModelFacts, SentenceFacts
from generator.models.quantization import Quantization
from generator.sources.architectures import names_no_method, read_architecture, read_quantization
from generator.sources.architectures.composite import SHIP_HEADS
from generator.sources.architectures.fields import text_config
from generator.sources.bounds import check_config
from generator.sources.safetensors_headers import aggregate, total_bytes

if TYPE_CHECKING:
    from typing import Any

from generator.sources.safetensors_headers import Tensor

MAX_JSON_BYTES = 8000
"""Model facts are a recorded answer of every generated repository: they stay short enough to read."""
_TOTAL_BYTES_DIGITS = 20
_HEAD = re.compile(r"(^|\.)lm_head\.(weight|qweight|weight_packed)$")


def parse_object(text: bytes, where: str) -> dict[str, Any]:
    """The JSON object that `text` holds.

    Raises:
        SourceError: it holds anything else; the line and column of a syntax error are named.
    """
    value = parse_json(text, where)
    if not isinstance(value, dict):
        raise SourceError(f"{where} is not a JSON object: fetch it again or correct it.")
    return value


def parse_json(text: bytes, where: str) -> Any:
    """The JSON value that `text` holds.

    Raises:
        SourceError: it holds none; the line and column of a syntax error are named.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise SourceError(f"{where} is not valid JSON ({at}): fetch it again or correct it.") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where} is not valid JSON: fetch it again or correct it.") from error


def assemble(
    *,
    id: str,  # noqa: A002 - ModelFacts' own name
    revision: str | None,
    source: FactsSource,
    config: dict[str, Any],
    quant_config: dict[str, Any] | None,
    tensors: Sequence[Tensor] | None,
    sentence: SentenceFacts | None = None,
    tokenizer_code: bool | None = None,
    license: str | None = None,  # noqa: A002 - ModelFacts' own name
    gated: bool | None = None,
) -> ModelFacts:
    """Facts of one revision, 8 kB of JSON at most; `tensors` is None where no safetensors header is known.

    Raises:
        SourceError: config.json states what cannot be.
        UnknownFactError: it is of a class or a quantization that no reader knows.
    """
    check_config(config, f"config.json of {id}")
    facts = ModelFacts(
        id=id,
        revision=revision,
        source=source,
        architecture=read_architecture(config, quant_config),
        checkpoint=Checkpoint(
            quantization=_quantization(config, quant_config, f"config.json of {id}"),
            nameless=names_no_method(config, quant_config),
        ),
        license=license,
        gated=gated,
        custom_code=bool(config.get("auto_map")),
        tokenizer_code=tokenizer_code,
        sentence=sentence,
    )
    facts = facts.model_copy(update={"architecture": _untied(facts.architecture, config, tensors)})
    if tensors is None:
        return facts
    groups = aggregate(tensors, MAX_JSON_BYTES - len(facts.model_dump_json(exclude={"draft"})) - _TOTAL_BYTES_DIGITS)
    stored = {"total_bytes": total_bytes(tensors), "tensors": groups}
    return facts.model_copy(update={"checkpoint": facts.checkpoint.model_copy(update=stored)})


def _untied(architecture: Architecture, config: Mapping[str, Any], tensors: Sequence[Tensor] | None) -> Architecture:
    """The shapes with a head of its own where the checkpoint ships one and its config does not say that it is tied.

    vLLM builds such a head (0.29 config/model.py: maybe_untie_word_embeddings); one that a config calls tied is a copy
    that it drops again.
    """
    said = any(part.get("tie_word_embeddings") is not None for part in (config, text_config(config)))
    if said or not architecture.tie_word_embeddings or not architecture.lm_head:
        return architecture
    if tensors is None:
        ships = architecture.model_type in SHIP_HEADS
    else:
        ships = any(_HEAD.search(tensor.name) for tensor in tensors)
    return architecture.model_copy(update={"tie_word_embeddings": False}) if ships else architecture


def _quantization(config: dict[str, Any], quant_config: dict[str, Any] | None, where: str) -> Quantization | None:
    """The declared scheme.

    Raises:
        SourceError: a field of it is of a wrong type or value.
    """
    try:
        return read_quantization(config, quant_config)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as wrong:
        reason = str(wrong).splitlines()[0] if str(wrong) else type(wrong).__name__
        raise SourceError(
            f"{where} has a quantization_config with a field of a wrong type or value ({reason}): fetch it anew"
        ) from wrong
