"""This machine's GPUs, where the user names none."""

from __future__ import annotations

from typing import Any

from generator.errors import HardwareDetectionError


def with_detected_gpus(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers with this machine's GPUs where no GPU is named."""
    if answers.get("gpu", "auto") != "auto":
        return answers
    from generator.workflow import detected_hardware  # noqa: PLC0415 - start-up time

    try:
        return {**detected_hardware(), **{name: value for name, value in answers.items() if name != "gpu"}}
    except HardwareDetectionError as error:
        raise HardwareDetectionError(f"{error}; or name the GPU: --gpu H100 --gpus 1") from error
