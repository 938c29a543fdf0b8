"""What public startup logs say about each coefficient: the observations that `fit_overheads.py` fits to."""

from __future__ import annotations

import json
import re
import sys
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from generator.catalogue.behaviours import release_of  # noqa: E402
from generator.errors import GeneratorError  # noqa: E402
from generator.models.architecture import Architecture  # noqa: E402
from generator.models.interval import ByteInterval  # noqa: E402
from generator.models.overheads import OverheadTable, Term  # noqa: E402
from generator.models.release import release_key  # noqa: E402
from generator.planning.memory import encoder, graphs, overhead, workspace  # noqa: E402
from generator.planning.memory.budget import with_load_extras  # noqa: E402
from generator.planning.weights.rank import rank_weights  # noqa: E402
from generator.units import GIB, MIB  # noqa: E402
from tests.accuracy.requantized import is_requantized  # noqa: E402
from tests.accuracy.startup_rows import Case, case, every_row, read_model  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = ROOT / "tests" / "accuracy" / "data" / "shapes.json"
_RELEASE = re.compile(r"0\.[2-9]\d*(\.\d+)*|0\.1\d(\.\d+)*")
ENOUGH_GRAPHS = 500
"""Captured sizes times layers below which the fixed part of the graphs hides their slope."""
NOISE = GIB // 4
"""A remainder this little below zero says that nothing is left, not that another term is wrong."""
REFERENCE = {
    "token_factor": 1.0,
    "sampler_v1": 38.4,
    "sampler_v2": 2.0,
    "compilation_factor": 1.0,
    "encoder_factor": 1.0,
    "encoder_fixed_factor": 0.8,
}
"""Bytes a unit by the mechanism alone; `sampler_v1` without a sort from 0.16 on: 16-bit logits, three fp32 copies."""
REFERENCE_NO_SORT = 14.0
GRAPHS_IN_PEAK = (0, 27)
"""From here on the logged peak includes the estimate of the graphs (0.27.1 v1/worker/gpu_worker.py:527)."""
BUILDS = {"0.1.dev15917+g0a6396b45": "0.20.0", "0.1.dev16040+g93ea1fcd5.d20260508": "0.20.0"}
"""Builds between releases, by the release that their log lines match."""
FAR_BELOW = 0.7
DOMINANT = 1.1
"""A phase is told apart where it is this much larger than every other."""


class Phase(NamedTuple):
    """One phase of the profile: the units of its coefficient, and bytes that are known beside them."""

    units: int
    beside: float


class Seen(NamedTuple):
    """One observation of a term: which row of the table, which sweep, what figure it implies."""

    term: str
    since: str
    capabilities: str
    source: str
    sweep: str
    row: str
    stock: bool
    value: float


def observations(truth: Path, configs: Path) -> list[Case]:
    """Every start that can be read, from config.json or from the committed shapes."""
    shapes = json.loads(SHAPES.read_text(encoding="utf-8"))
    found = []
    for row in every_row(truth):
        shape = shapes.get(row["id"])
        own = Architecture.model_validate(shape["architecture"]) if shape else None
        release = _RELEASE.match(row["vllm_version"])
        named = BUILDS.get(row["vllm_version"], release[0] if release else "")
        if (own is None and not row["config_file"]) or not named:
            continue
        try:
            model = (own, None) if own else read_model(row, configs)
            found.append(case(row, *model, named))
        except (GeneratorError, ValueError) as error:
            print(f"{row['id']} left out: {error}", file=sys.stderr)
    return found


def seen(start: Case, table: OverheadTable) -> Iterator[Seen]:
    """Every observation that one start gives."""
    yield from _graphs(start, table)
    if not start.discrete or (start.settings.encoder_tokens and not start.architecture.towers):
        return
    yield from _logged(start, table)
    need = _need(start, table)
    if need is not None and start.ran:
        yield from _left_over(start, table, need)


def _need(start: Case, table: OverheadTable) -> float | None:
    """Bytes between requested memory and weights plus cache; None where the row does not say.

    Weights are as planned where the row does not log them, unless its checkpoint is another than its config.json's.
    """
    load, available = start.figure("model_load_gib"), start.figure("avail_kv_gib")
    if available is None or not start.utilization_stated:
        return None
    if load is None:
        if is_requantized(start.row):
            return None
        held = rank_weights(start.architecture, start.quantization, start.layout, language_model_only=start.text_only)
        extras = with_load_extras(
            ByteInterval.exact(held.worst.total_bytes),
            start.architecture,
            release=release_of(start.release),
            table=table,
        )
        load = extras.expected / GIB
    total = overhead.device_total(start.gpu, table).expected
    return start.utilization * total - (load + available) * GIB


def _phases(start: Case, table: OverheadTable) -> dict[str, Phase]:
    """Units of each phase of the profile, and its bytes that are known."""
    replica, architecture = start.replica, start.architecture
    encodes = overhead.profiles_encoder(replica)
    kept = encoder.output(replica) if encodes else 0
    none = table.changed(terms=())
    first = overhead.model_runner(architecture, replica.release) == "v1"
    stays = kept + table.term("activation_fixed_mib", start.release).expected * MIB * first
    stays += overhead.expert_workspaces(replica).expected
    units = {"token_factor": Phase(overhead.token_bytes(replica), stays)}
    if replica.settings.samples:
        runner = overhead.model_runner(architecture, replica.release)
        rows = overhead.logits(replica, runner)
        whole = overhead.sampler(replica, _ones(none))
        units[f"sampler_{runner}"] = Phase(rows, stays + whole.expected - rows)
    if table.term("compilation_factor", start.release).expected:
        copied = overhead.compilation(replica, _ones(none))
        units["compilation_factor"] = Phase(copied.expected, stays)
    if encodes:
        units[encoder.term(architecture)] = Phase(encoder.block_bytes(replica), 0)
    return units


def _ones(table: OverheadTable) -> OverheadTable:
    """A table whose terms are all one, so that a mechanism gives its units."""
    names = ("sampler_v1", "sampler_v2", "compilation_factor")
    terms = tuple(Term(name=name, since="0.1", expected=1, low=1, high=1, source="a unit") for name in names)
    return table.changed(terms=terms)


def _peak(start: Case, table: OverheadTable) -> tuple[str, Phase, bool]:
    """The phase that decides, its units, and whether it stands apart from the others."""
    phases = _phases(start, table)
    reference = REFERENCE | ({"sampler_v1": REFERENCE_NO_SORT} if release_key(start.release) >= (0, 16) else {})
    sizes = sorted(
        ((reference[name] * phase.units + phase.beside, name) for name, phase in phases.items()), reverse=True
    )
    apart = len(sizes) == 1 or sizes[0][0] > DOMINANT * sizes[1][0]
    return sizes[0][1], phases[sizes[0][1]], apart


def _left_over(start: Case, table: OverheadTable, need: float) -> Iterator[Seen]:
    """What the row's remainder says: of the collectives where there are any, else of the deciding phase."""
    release = start.release
    captured = _subtracted(start, table)
    persistent = overhead.persistent_buffers(start.replica).expected
    context = table.term("context_mib", release, start.gpu.capability).expected * MIB
    phase, seen_in, apart = _peak(start, table)
    peak = start.figure("peak_activation_gib")
    if peak is None:
        taken = table.term(phase, release).expected * seen_in.units + seen_in.beside + captured
    else:
        taken = peak * GIB + (_kept(start) if release_key(release) >= GRAPHS_IN_PEAK else captured)
    if start.reduced > 1 and start.figure("non_torch_gib") is None:
        yield from _collectives(start, table, need - persistent - context - taken)
    elif start.world == 1 and peak is not None and start.figure("non_torch_gib") is None:
        yield _one(start, table, "context_mib", (need - persistent - taken) / MIB)
    elif start.world == 1 and peak is None and apart:
        left = need - persistent - context - captured - seen_in.beside
        yield from _of_phase(start, table, phase, left / seen_in.units)


def _kept(start: Case) -> int:
    """Workspaces of the experts, which count as consumed and no longer as peak."""
    return workspace.expert_workspace(start.replica).expected


def _of_phase(start: Case, table: OverheadTable, phase: str, value: float) -> Iterator[Seen]:
    """An observation of a phase; none where sequences that the row does not state must have been fewer than assumed."""
    fewer = phase.startswith("sampler") and not start.row["max_num_seqs"]
    term = table.term(phase, start.release)
    if not (fewer and value < min(term.expected, term.other_way.expected) * FAR_BELOW):
        yield _one(start, table, phase, value)


def _subtracted(start: Case, table: OverheadTable) -> float:
    """Bytes that this start subtracted for graphs: as logged, else as the table has them."""
    planned = graphs.cuda_graph_estimate(start.replica, table).expected
    logged = start.figure("cudagraph_est_gib")
    return logged * GIB if planned and logged is not None else planned


def _logged(start: Case, table: OverheadTable) -> Iterator[Seen]:
    """Components that vLLM logs by name."""
    peak, other = start.figure("peak_activation_gib"), start.figure("non_torch_gib")
    context = table.term("context_mib", start.release, start.gpu.capability).expected * MIB
    phase, seen_in, apart = _peak(start, table)
    clean = not _subtracted(start, table) or release_key(start.release) < GRAPHS_IN_PEAK
    if peak is not None and apart and clean:
        yield from _of_phase(start, table, phase, (peak * GIB - seen_in.beside) / seen_in.units)
    if other is not None and start.reduced > 1:
        yield from _collectives(start, table, other * GIB - context)
    elif other is not None and start.world == 1:
        yield _one(start, table, "context_mib", other * GIB / MIB)


def _collectives(start: Case, table: OverheadTable, left: float) -> Iterator[Seen]:
    """Of what is left beside the context: the step that two ranks take, or the fused all-reduce where it runs."""
    left = max(left, 0) if left > -NOISE else left
    step, release, capability = f"collectives_{start.link}_mib", start.release, start.gpu.capability
    doubling = table.term(f"collectives_{start.link}_doubling_mib", release).expected
    left = left / MIB - doubling * (log2(start.reduced) - 1)
    if not overhead.fuses_all_reduce(start.replica):
        yield _one(start, table, step, left)
    else:
        yield _one(start, table, "fused_all_reduce_mib", left - table.term(step, release, capability).expected)


def _graphs(start: Case, table: OverheadTable) -> Iterator[Seen]:
    captures = graphs.capture_sizes(start.replica)
    units = captures * start.architecture.num_hidden_layers * 1024
    estimate, actual = start.figure("cudagraph_est_gib"), start.figure("cudagraph_gib")
    base = table.term("graph_estimate_mib", table.calibrated_until).expected * MIB
    if units >= ENOUGH_GRAPHS * 1024 and estimate is not None:
        yield _one(start, table, "graph_layer_kib", (estimate * GIB - base) / units)
    if units >= ENOUGH_GRAPHS * 1024 and actual is not None:
        yield _one(start, table, "graph_actual_kib", actual * GIB / units)


def _one(start: Case, table: OverheadTable, name: str, value: float) -> Seen:
    sweep = f"{start.row['model']} {start.row['vllm_version']} {start.layout} {start.settings.enforce_eager}"
    term = table.term(name, start.release, start.gpu.capability)
    return Seen(name, term.since, term.capabilities, start.source, sweep, start.id, start.stock, value)
