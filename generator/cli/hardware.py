"""This machine's GPUs, where the user names none."""

from __future__ import annotations

from typing import Any


def with_detected_gpus(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers with this machine's GPUs where a model is named and no GPU is.

    Raises:
        HardwareDetectionError: this machine has none that can be planned for.
    """
    if not answers.get("model") or answers.get("gpu", "auto") != "auto":
        return answers
    from generator.cluster import detected_hardware  # noqa: PLC0415 - start-up time

    return detected_hardware() | {name: value for name, value in answers.items() if name != "gpu"}
