"""Every error that a user can meet, and the exit status of each.

GeneratorError                  1   unexpected: a bug
├── RequestError                2   malformed or contradictory request
│   └── UnevenError
├── ConflictError               3   an update left conflicts
├── SourceError                 4   Hub, network, driver, file
│   ├── GatedModelError
│   ├── HubUnreachableError
│   └── HardwareDetectionError
├── InfeasiblePlanError         5   the model does not fit
├── RenderError                 6   Copier or git refused
├── UnknownFactError            7   not in the tables
│   └── UnsupportedArchitectureError
└── FindingsError               8   check, verify or doctor found something
"""

from collections.abc import Callable
from typing import Any, ClassVar

INTERRUPTED = 130


class GeneratorError(Exception):
    """Base of every error of this package; its text is one line that says what to do next."""

    status: ClassVar[int] = 1


class RequestError(GeneratorError):
    """The request is malformed, contradicts itself, or asks for what vLLM would refuse."""

    status = 2


class UnevenError(RequestError):
    """Ranks do not divide the model; the text ends in layouts that do, worked out where somebody reads it."""

    instead: Callable[[], str] = str

    def __str__(self) -> str:
        said, instead = super().__str__(), self.instead()
        return f"{said}; {instead}" if instead else said


class ConflictError(GeneratorError):
    """An update left conflicts in the tree; `files` names them, `report` is the update's own report."""

    status = 3

    def __init__(self, message: str, *, files: tuple[str, ...] = (), report: Any = None) -> None:
        super().__init__(message)
        self.files = files
        self.report = report


class SourceError(GeneratorError):
    """The Hub, the network, the driver or a file did not deliver."""

    status = 4


class GatedModelError(SourceError):
    """The repository exists, but this account may not read it."""


class HubUnreachableError(SourceError):
    """The Hub did not answer, or nothing may be asked of it: another source may still have the model."""


class HardwareDetectionError(SourceError):
    """The NVIDIA driver did not answer."""


class InfeasiblePlanError(GeneratorError):
    """The model does not fit the GPUs: `shortfall_bytes` says by how much on the worst rank, `repairs` what helps."""

    status = 5

    def __init__(self, message: str, *, shortfall_bytes: int = 0, repairs: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.shortfall_bytes = shortfall_bytes
        self.repairs = repairs
        """Changes that nobody was shown yet."""


class RenderError(GeneratorError):
    """Copier or git refused to render."""

    status = 6


class UnknownFactError(GeneratorError):
    """A GPU, quantization or vLLM release that the tables do not have."""

    status = 7


class UnsupportedArchitectureError(UnknownFactError):
    """A model class, or a kind of attention, that no reader knows."""


class FindingsError(GeneratorError):
    """A check ran to its end and found something."""

    status = 8
