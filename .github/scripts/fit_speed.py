"""Fit the coefficients of the speed estimates to bench.csv: writes generator/catalogue/speed.toml and the folds.

    python .github/scripts/fit_speed.py --truth bench.csv --configs hf_configs

A regularised, robust Gauss-Newton fit of the logarithms of all coefficients to the logarithmic errors of TPOT, TTFT
and throughput, deterministic: fixed order, no random start. The prior of each coefficient is a physical guess. Each
GPU, model, source and kernel is left out in turn: the tables of the report's leave-one-out figures, and of the ranges.
Needs numpy.
"""

from __future__ import annotations

import argparse
import json
import sys
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from generator.catalogue.speed import speed  # noqa: E402
from generator.models.speed import Coefficients, release_range  # noqa: E402
from generator.planning.speed.rates import Rates  # noqa: E402
from tests.accuracy.bench_ranges import half_widths, regions  # noqa: E402
from tests.accuracy.bench_rows import Case, cases, read_rows  # noqa: E402
from tests.accuracy.bench_scores import Score, rates_of, scores  # noqa: E402
from tests.accuracy.benchmarks import SIDES  # noqa: E402

Vector = np.ndarray[Any, Any]

TABLE = ROOT / "generator/catalogue/speed.toml"
FOLDS = ROOT / "tests/accuracy/data/speed_folds.json"
ADDED = ROOT / "tests/accuracy/data/bench_added.csv"  # rows of our own search, in the same format


class Group(NamedTuple):
    """Coefficients of one kind."""

    meaning: str
    spread: float
    """Standard deviation of one coefficient around its prior (natural logarithm), times sqrt(`RIDGE`).

    One figure a group, small where the guess serves the unseen better than the rows do. Most were chosen for the errors
    of GPUs and models left out; those of read, experts, mfu and request, with their priors, were chosen among six
    settings by the errors of all rows in the fit (11/2026), so that the left-out errors have seen that choice too.
    """
    values: dict[str, float]
    """The priors: physical guesses."""


class Optimum(NamedTuple):
    """Where a fit ended."""

    theta: Vector
    jacobian: Vector
    cost: float


GROUPS: dict[str, Group] = {
    "bandwidth": Group("share of the datasheet's memory bandwidth that a long read achieves", 0.12,
                  {"hbm": 0.85, "gddr": 0.85, "unified": 0.85}),
    "read": Group("share of it by kernel of dense weights; caches, 8-bit ones over them; states; gain of widening", 0.4,
             {"native": 1, "fp8": 0.95, "fp8_block": 0.75, "int4": 0.8, "int8": 0.85, "mxfp4": 0.85, "nvfp4": 0.85,
              "fp4": 0.85, "kv": 0.75, "kv_8bit": 0.85, "latent": 0.65, "state": 0.6, "widened": 1.2}),
    "experts": Group("the same for routed experts: by memory, times by kernel; fall with speed; bytes of a turn", 0.3,
                {"hbm": 0.7, "gddr": 0.68, "unified": 0.7, "native": 1, "fp8": 0.9, "fp8_block": 0.8, "int4": 0.8,
                 "int8": 0.8, "mxfp4": 0.85, "nvfp4": 0.9, "fp4": 0.9, "fall": 0.4,
                 "turn": 3e5}),
    "compute": Group("share of the datasheet's FLOP/s by GPU generation, times the kernel's share below", 0.34,
                {"sm80": 1, "sm89": 0.9, "sm90": 0.8, "sm100": 0.7, "sm120": 0.8}),
    "compute_native": Group("the same for products in 16 bits, which large products are known by", 0.06,
                       {"sm80": 0.58, "sm89": 0.58, "sm90": 0.68, "sm100": 0.62, "sm120": 0.65}),
    "compute_experts": Group("the same for the products of routed experts", 0.34,
                        {"sm80": 1, "sm89": 0.9, "sm90": 0.8, "sm100": 0.7, "sm120": 0.8}),
    "mfu": Group("share of FLOP/s by kernel, always-active weights and a prompt's attention", 0.4,
            {"native": 1, "fp8": 0.6, "fp8_block": 0.3, "int4": 0.35, "int8": 0.32, "mxfp4": 0.4, "nvfp4": 0.4,
             "fp4": 0.5, "attention": 0.6, "sparse": 0.4}),
    "mfu_experts": Group("share of FLOP/s by kernel, routed experts", 0.64,
                    {"native": 0.28, "fp8": 0.18, "fp8_block": 0.2, "int4": 0.18, "int8": 0.16, "mxfp4": 0.22,
                     "nvfp4": 0.2, "fp4": 0.3}),
    "balance": Group("FLOP per byte of bandwidth of GPUs whose FLOP/s no source states", 0.2,
                {"hbm": 250, "gddr": 250, "unified": 400}),
    "layer": Group("seconds that a layer of a kind costs in every step, whatever its size", 0.5,
              {"base": 25e-6, "latent": 25e-6, "sparse": 40e-6, "state": 20e-6, "moe": 17e-6, "shared": 25e-6,
               "shared_beside": 8e-6, "quantize": 10e-6}),
    "pace": Group("factor on layer costs by GPU generation", 0.34,
             {"sm80": 1.1, "sm89": 1.1, "sm90": 1, "sm100": 1, "sm120": 1.1}),
    "release": Group("factor on layer costs by range of vLLM releases: before 0.12, before 0.17, since", 0.06,
                {"early": 1, "middle": 0.85, "late": 0.8}),
    "launch": Group("layer costs of a step with prompts over one without; its share in captured graphs, and eager", 1.2,
               {"early": 18, "middle": 9, "late": 14, "captured": 0.6, "eager": 0.7}),
    "step": Group("seconds of scheduler, sampler and output a step", 1.2,
             {"early": 1e-3, "middle": 0.7e-3, "late": 0.6e-3}),
    "sequence": Group("seconds of host work a step for each running sequence", 0.15,
                 {"early": 20e-6, "middle": 10e-6, "late": 6e-6}),
    "reduction": Group("seconds of an all-reduce of two ranks by link; exponent of its growth with ranks / 2", 0.15,
                  {"nvlink": 6e-6, "pcie": 25e-6, "growth": 0.5}),
    "link": Group("share of the link's bandwidth that an all-reduce achieves; fall with PCIe ranks", 0.47,
             {"nvlink": 0.5, "pcie": 0.5, "growth": 0.3}),
    "request": Group("seconds of a request outside the engine by release, of a prompt token, of each of a crowd", 1.0,
                {"early": 6e-3, "middle": 6e-3, "late": 6e-3, "prompt_token": 1e-6, "intake": 1e-3}),
    "cold": Group("seconds that the first requests of a server wait, with recurrent layers and without", 0.68,
                  {"plain": 0.3, "state": 5}),
    "proxy": Group("worker processes of a proxy in front of replicas", 0.9, {"workers": 32}),
    "experts_chosen": Group("exponent of the batch in the number of distinct experts; busiest rank over the mean", 0.16,
                       {"routing": 0.75, "imbalance": 1.15}),
}  # fmt: skip
FIXED = {
    "read.native",
    "experts.native",
    "mfu.native",
    "release.early",
    "pace.sm90",
    "compute.sm90",
    "compute_experts.sm90",
    "balance.hbm",
}
"""References of their groups, which another coefficient scales."""

SIGMA = {"tpot": 0.10, "ttft": 0.23, "throughput": 0.08}
"""Errors that are as good as the data: spread between two runs of the same load in bench.csv."""
HUBER = 1.3
REWEIGHTED = 5
"""Times that one step weighs its errors anew: it costs next to nothing, an evaluation of all rows a second."""
CORE_WEIGHT = 3.0
RIDGE = 80.0
STEP = 0.03
_ENOUGH = 0.5


class Problem:
    """Rows, priors and the objective."""

    def __init__(self, all_cases: list[Case]) -> None:
        self.cases = all_cases
        self.prior = {f"{g}.{n}": float(v) for g, group in GROUPS.items() for n, v in group.values.items()}
        self.names = [name for name in self.prior if name not in FIXED]
        self.center = np.array([log(self.prior[name]) for name in self.names])
        spread = [GROUPS[name.partition(".")[0]].spread for name in self.names]
        self.precision = np.diag(RIDGE / np.array(spread) ** 2)
        first = [list(scores(case, self.table(self.center))) for case in all_cases]
        self.owner = np.array([i for i, found in enumerate(first) for _ in found])
        self.weight = np.array([weight_of(score) for found in first for score in found])

    def table(self, theta: Vector) -> Coefficients:
        """The coefficients at `theta`."""
        values = self.prior | {name: exp(t) for name, t in zip(self.names, theta, strict=True)}
        return Coefficients(values=values)

    def errors(self, theta: Vector) -> Vector:
        """Logarithmic errors of every figure."""
        return self.at(self.table(theta), self.paces(theta))

    def at(self, table: Coefficients, paces: list[Rates]) -> Vector:
        """Logarithmic errors at given rates of each case."""
        pairs = zip(self.cases, paces, strict=True)
        return np.array([score.log_error for case, pace in pairs for score in scores(case, table, pace)])

    def paces(self, theta: Vector) -> list[Rates]:
        """The rates of each case."""
        table, known = self.table(theta), dict[Any, Rates]()
        for case in self.cases:
            key = _server(case)
            if key not in known:
                known[key] = rates_of(case, table)
        return [known[_server(case)] for case in self.cases]

    def jacobian(self, theta: Vector, base: Vector) -> Vector:
        """Derivatives by differences: of the errors by the rates, and of the rates by the coefficients."""
        table, own = self.table(theta), self.paces(theta)
        by_rate = []
        for field in Rates._fields:
            moved = [pace._replace(**{field: getattr(pace, field) * exp(STEP)}) for pace in own]
            by_rate.append((self.at(table, moved) - base) / STEP)
        errors, logs = np.array(by_rate).T, _logs(own)
        columns = []
        for j in range(len(theta)):
            moved_theta = theta.copy()
            moved_theta[j] += STEP
            slope = (_logs(self.paces(moved_theta)) - logs) / STEP
            columns.append((errors * slope[self.owner]).sum(axis=1))
        return np.array(columns).T

    def cost(self, residual: Vector, theta: Vector, mask: Vector) -> float:
        """Huber loss of the weighted errors and the prior's."""
        z = np.abs(residual * self.weight)[mask]
        loss = np.where(z < HUBER, z * z / 2, HUBER * (z - HUBER / 2)).sum()
        off = theta - self.center
        return float(loss + off @ self.precision @ off / 2)

    def solve(self, theta: Vector, jacobian: Vector, residual: Vector, mask: Vector, damping: float) -> Vector:
        """The damped step to the optimum of the errors as the Jacobian foretells them, with Huber's weights."""
        step = np.zeros_like(theta)
        for _ in range(REWEIGHTED):
            foretold = residual + jacobian @ step
            z = np.abs(foretold * self.weight)
            robust = np.where(z < HUBER, 1.0, HUBER / np.maximum(z, 1e-9)) * self.weight**2 * mask
            normal = jacobian.T @ (jacobian * robust[:, None]) + self.precision
            damped = damping * np.diag(np.diag(normal))
            gradient = jacobian.T @ (robust * foretold) + self.precision @ (theta + step - self.center) + damped @ step
            step = np.clip(step + np.linalg.solve(normal + damped, -gradient), -0.4, 0.4)
        return step

    def optimum(
        self,
        theta: Vector,
        mask: Vector,
        jacobian: Vector | None = None,
        base: Vector | None = None,
        *,
        rounds: int = 10,
    ) -> Optimum:
        """The optimum from `theta`, where errors are `base`, over the figures in `mask`; by chords of a `jacobian`."""
        base, damping, known = self.errors(theta) if base is None else base, 0.1, jacobian
        after = self.cost(base, theta, mask)
        for _ in range(rounds):
            slope = known = jacobian if jacobian is not None else self.jacobian(theta, base)
            before = after
            for _ in range(4):
                moved = theta + self.solve(theta, slope, base, mask, damping)
                new = self.errors(moved)
                after = self.cost(new, moved, mask)
                if after < before:
                    theta, base, damping = moved, new, damping / 4
                    break
                damping = max(damping, 0.02) * 6
            if before - after < _ENOUGH:
                break
        return Optimum(theta, known if known is not None else self.jacobian(theta, base), after)


def weight_of(score: Score) -> float:
    """What one figure counts."""
    return (CORE_WEIGHT if score.case.row["core"] == "1" else 1.0) / SIGMA[score.figure]


def _server(case: Case) -> tuple[object, ...]:
    return id(case.footprint), case.gpu.name, case.link, release_range(case.release)


def _logs(paces: list[Rates]) -> Vector:
    logs: Vector = np.log(np.maximum(np.array(paces, dtype=float), 1e-30))
    return logs


def write(values: dict[str, float], fitted: list[Case], found: list[Score], apart: list[Score]) -> None:
    """The table, group by group with what it means; `found` without the row's source, `apart` without its kernel."""
    lines = ["# Fitted by .github/scripts/fit_speed.py; edit the script's priors, not this file.", ""]
    for name, group in GROUPS.items():
        lines += [f"# {group.meaning}", f"[{name}]"]
        lines += [*(f"{n} = {values[f'{name}.{n}']:.4g}" for n in group.values), ""]
    lines += ["# natural logarithm of the factor that holds 90 % of the rows, by figure and kind of load"]
    widths = half_widths(found)
    lines += ["[half_widths]", *(f'"{name}" = {width}' for name, width in widths.items()), ""]
    lines += ["# what a kind of server or load adds to it (planning/speed/regions.py)", "[regions]"]
    added = regions(found, widths, apart)
    lines += [*(f'"{name}" = {width}' for name, width in added.enough.items()), ""]
    lines += ["# the same of kernels that fewer than three sources show", "[few_sources]"]
    lines += [*(f'"{name}" = {width}' for name, width in added.few.items()), ""]
    gpus = sorted({case.gpu.name for case in fitted})
    text = f"{len(fitted)} published vLLM runs (0.8 to 0.26) on {', '.join(gpus)}"
    lines += ["[calibration]", f'set = "{text}"', f"gpus = {json.dumps(gpus)}", ""]
    TABLE.write_text("\n".join(lines), encoding="utf-8")


def folds(problem: Problem, full: Optimum) -> dict[str, dict[str, dict[str, float]]]:
    """Tables without each of every side: chords of the full fit's Jacobian."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    base = problem.errors(full.theta)
    for side, key in SIDES.items():
        result[side] = {}
        for name in sorted({key(case) for case in problem.cases}):
            left = np.array([key(problem.cases[i]) == name for i in problem.owner])
            found = problem.optimum(full.theta, ~left, full.jacobian, base, rounds=6)
            values = problem.table(found.theta).values
            result[side][name] = {n: float(f"{v:.4g}") for n, v in values.items()}
    return result


def fit(fitted: list[Case], *, rounds: int, start: dict[str, float]) -> dict[str, float]:
    """The coefficients from all rows; those without each source, GPU, model and kernel are written as folds."""
    problem = Problem(fitted)
    known = problem.prior | start
    theta = np.array([log(known[name]) for name in problem.names])
    full = problem.optimum(theta, np.ones(len(problem.owner)) > 0, rounds=rounds)
    left_out = folds(problem, full)
    FOLDS.write_text(json.dumps(left_out, indent=1) + "\n", encoding="utf-8")
    return problem.table(full.theta).values


def main() -> None:
    """Fits and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--resume", action="store_true", help="start from the table on disk")
    parser.add_argument("--ranges", action="store_true", help="keep the coefficients on disk, write their ranges anew")
    options = parser.parse_args()
    rows = [*read_rows(options.truth), *read_rows(ADDED)]
    fitted = [c for _, c in cases(rows, options.configs) if isinstance(c, Case) and not c.forked]
    known = speed().values if options.ranges or options.resume else {}
    values = known if options.ranges else fit(fitted, rounds=options.rounds, start=known)
    whole = Coefficients(values=values)
    without = json.loads(FOLDS.read_text(encoding="utf-8"))
    found, apart = (
        [s for case in fitted for s in scores(case, whole.changed(values=without[side][SIDES[side](case)]))]
        for side in ("source", "kernel")
    )
    write(values, fitted, found, apart)


if __name__ == "__main__":
    main()
