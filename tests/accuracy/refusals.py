"""Configurations that vLLM refuses: ours must refuse them too, for the same reason."""

from __future__ import annotations


def missed(row, configs):
    return "todo"
