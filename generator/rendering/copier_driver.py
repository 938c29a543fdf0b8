"""copy() and update(): the only calls of Copier's `run_copy` and `run_update`, in process and quiet.

Copier is imported on the first call: it costs half a second that `plan` and `detect` need not pay.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from yaml import YAMLError

from generator.errors import GeneratorError, RenderError
from generator.rendering import trust
from generator.rendering.git import telling_line

_LEAKS = (ValueError, TypeError, OSError)
_NEVER = (trust.GIT_PATTERN,)
"""Paths that no template renders, whatever it names them."""


def copy(source: str, destination: Path, data: Mapping[str, Any], *, ref: str | None) -> None:
    """Render the template at `ref` (None: a directory that is no repository) into a new directory.

    The caller has made sure that the template runs nothing but this package's planner; nothing is rendered into a
    `.git`, whatever its paths turn out to be.

    Raises:
        GeneratorError: what the planner raised.
        RenderError: what Copier, Jinja or git refused.
    """
    import copier  # noqa: PLC0415 - see the module's docstring

    with _quiet(), _translated():
        copier.run_copy(
            source,
            destination,
            dict(data),
            vcs_ref=ref,
            settings=copier.Settings(trust=[source]),
            exclude=_NEVER,
            defaults=True,
            quiet=True,
        )


def update(root: Path, data: Mapping[str, Any], *, source: str, ref: str | None, keep: Sequence[str] = ()) -> None:
    """Update the deployment at `root` to the template at `ref` (None: the pinned one), answers changed.

    Files that match `keep`, patterns as in .gitignore, stay as they are where they exist.
    Conflicts stay in the tree as markers and unmerged entries; Copier says nothing about them.

    Raises:
        GeneratorError: what the planner raised.
        RenderError: what Copier, Jinja or git refused.
    """
    import copier  # noqa: PLC0415 - see the module's docstring

    with _quiet(), _translated():
        copier.run_update(
            root,
            dict(data),
            vcs_ref=copier.VcsRef.CURRENT if ref is None else ref,
            settings=copier.Settings(trust=[source]),
            defaults=True,
            overwrite=True,
            conflict="inline",
            exclude=_NEVER,
            skip_if_exists=keep,
            quiet=True,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Copier's git runs in this process's environment, which plumbum copied when it was imported."""
    from copier.errors import CopierWarning  # noqa: PLC0415 - see the module's docstring
    from plumbum import local  # noqa: PLC0415

    with local.env(), warnings.catch_warnings():
        local.env.clear()
        local.env.update(os.environ)
        warnings.simplefilter("ignore", CopierWarning)
        yield


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of this package as they were raised, and everything that leaks out of Copier as one line."""
    from copier.errors import CopierAnswersInterrupt, CopierError  # noqa: PLC0415 - see the module's docstring
    from plumbum import ProcessExecutionError  # noqa: PLC0415

    try:
        yield
    except (CopierAnswersInterrupt, GeneratorError):
        raise
    except ProcessExecutionError as error:
        raise RenderError(f"git: {telling_line(str(error.stderr)) or 'failed'}") from error
    except (MemoryError, RecursionError, OverflowError) as error:
        raise RenderError("the template asks for more memory, or depth, than there is") from error
    except IsADirectoryError as error:
        raise RenderError(_in_the_way(error)) from error
    except (CopierError, TemplateError, YAMLError, LookupError, ArithmeticError, AttributeError, *_LEAKS) as error:
        raise _planners(error) or RenderError(_one_line(error)) from error
    except AssertionError as error:  # Copier's own, where a directory stands in the place of a rendered file
        behind = error.__context__
        said = _in_the_way(behind) if isinstance(behind, IsADirectoryError) else _one_line(behind or error)
        raise RenderError(said) from error


def _planners(error: BaseException) -> GeneratorError | None:
    """The planner's own error behind what Copier made of it."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, GeneratorError):
        behind = behind.__cause__
    return behind


def _in_the_way(error: IsADirectoryError) -> str:
    name = Path(str(error.filename)).name
    return f"{name} is a directory, and the template renders a file of this name: move it, commit, and try again"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
