"""A JSON file that `scripts/preflight.py` wrote, as the value that it holds."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from generator.errors import SourceError
from generator.models.value import Value, problem

Written = TypeVar("Written", bound=Value)


def read_written(file: Path, kind: type[Written], *, what: str, script: str) -> Written:
    """The content of `file`; `what` names it and `script` says what writes it.

    Raises:
        SourceError: it cannot be read, is no JSON, or is something else.
    """
    try:
        return kind.model_validate(json.loads(file.expanduser().read_text(encoding="utf-8")))
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}; {script}") from error
    except ValidationError as error:
        where, why = problem(error)
        raise SourceError(f"{file} is no {what}: {where}: {why}; {script}") from error
    except ValueError as error:
        raise SourceError(f"{file} is no JSON: {error}; {script}") from error
