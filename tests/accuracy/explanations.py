"""Why a start may differ from its plan: what its log leaves unsaid, what the table was not calibrated for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generator.planning.memory import encoder
from generator.units import GIB
from tests.accuracy.requantized import is_requantized

if TYPE_CHECKING:
    from tests.accuracy.bootlogs import Scored

_SMALL = 2 * GIB


def explanation(one: Scored, figure: str) -> str:
    """Reasons that apply to the row's figure, the heaviest first."""
    rest = (_sequences, _encoder, _collectives, _graphs, _limits)
    reasons = [reason(one) for reason in (_weights, *(() if figure == "weights_error" else rest))]
    if figure == "concurrency_error" and one.available is not None:
        reasons.append(f"a pool of {one.available / GIB:.2f} GiB magnifies every error of the budget")
    return "; ".join(filter(None, reasons)) or "no input is missing: run-to-run spread"


def _weights(one: Scored) -> str:
    row = one.case.row
    if is_requantized(row):
        return "requantized checkpoint: its layers' formats are the producer's usual scheme, not read"
    if row["quantization"] == "mxfp4":
        return "MXFP4 experts keep scales twice where Triton runs them, which other kernels of the release do not"
    if one.memory.weights_bytes.expected < _SMALL:
        return "the fixed extras of loading weigh on a small model"
    return "the tower is read by its family's fields" if one.case.architecture.towers else ""


def _sequences(one: Scored) -> str:
    """The sampler's share of the peak where nobody says how many sequences it was profiled with."""
    case = one.case
    if case.row["max_num_seqs"] or not case.settings.samples:
        return ""
    share = case.settings.max_num_seqs * case.architecture.vocab_size * 4 / GIB
    assumed = f"vLLM's default {case.settings.max_num_seqs} assumed ({share:.2f} GiB a copy of the logits)"
    return f"max_num_seqs not stated, {assumed}"


def _encoder(one: Scored) -> str:
    case, tokens = one.case, encoder.tokens(one.case.replica)
    if not tokens or not case.architecture.towers:
        return ""
    logged = "" if case.row["encoder_cache_budget_tokens"] else ", budget not logged"
    return f"encoder profiled with {tokens} tokens{logged}"


def _collectives(one: Scored) -> str:
    return f"collectives of {one.case.world} ranks over {one.case.link}" if one.case.world > 1 else ""


def _graphs(one: Scored) -> str:
    case = one.case
    if not one.memory.cuda_graph_bytes.high:
        return ""
    logged = case.figure("cudagraph_est_gib")
    planned = f"{one.memory.cuda_graph_bytes.expected / GIB:.2f} GiB planned"
    return f"graph estimate: {planned}, " + ("not logged" if logged is None else f"{logged} logged")


def _limits(one: Scored) -> str:
    return one.memory.calibration.partition("; ")[2]
