"""Fit the coefficients of the speed estimates to bench.csv: writes generator/catalogue/speed.toml and the folds.

    python .github/scripts/fit_speed.py --truth bench.csv --configs hf_configs

A regularised, robust Gauss-Newton fit of the logarithms of all coefficients to the logarithmic errors of TPOT, TTFT
and throughput, deterministic: fixed order, no random start. The prior of each coefficient is a physical guess, so
one that no row speaks to stays at it. With `--folds` each GPU and each model is left out in turn and the fit repeated
from the full one's Jacobian; those tables are what the leave-one-out figures of the accuracy report are taken with.
Needs numpy.
"""

from __future__ import annotations

import argparse
import json
import sys
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from generator.models.speed import Coefficients, release_range  # noqa: E402
from generator.planning.speed.rates import rates  # noqa: E402
from tests.accuracy.bench_rows import Case, cases, read_rows  # noqa: E402
from tests.accuracy.bench_scores import FIGURES, Score, quantile, scores  # noqa: E402
from tests.accuracy.benchmarks import SIDES  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Vector = np.ndarray[Any, Any]

TABLE = ROOT / "generator/catalogue/speed.toml"
FOLDS = ROOT / "tests/accuracy/data/speed_folds.json"

GROUPS: dict[str, tuple[str, float, dict[str, float]]] = {
    "bandwidth": ("share of the datasheet's memory bandwidth that a long read achieves", 0.12,
                  {"hbm": 0.85, "gddr": 0.85, "unified": 0.85}),
    "read": ("share of it by the kernel that reads dense weights; caches, states; gain of widening on slow memory", 0.3,
             {"native": 1, "fp8": 0.95, "fp8_block": 0.75, "int4": 0.8, "int8": 0.85, "mxfp4": 0.85, "nvfp4": 0.85,
              "fp4": 0.85, "kv": 0.65, "latent": 0.65, "state": 0.6, "widened": 1.2}),
    "experts": ("the same for routed experts: by kind of memory, times by kernel", 0.3,
                {"hbm": 0.48, "gddr": 0.68, "unified": 0.7, "native": 1, "fp8": 0.9, "fp8_block": 0.8, "int4": 0.8,
                 "int8": 0.8, "mxfp4": 0.85, "nvfp4": 0.9, "fp4": 1.15}),
    "compute": ("share of the datasheet's FLOP/s by GPU generation, times the kernel's share below", 0.25,
                {"sm80": 1, "sm89": 0.9, "sm90": 0.8, "sm100": 0.7, "sm120": 0.8}),
    "compute_experts": ("the same for the products of routed experts", 0.25,
                        {"sm80": 1, "sm89": 0.9, "sm90": 0.8, "sm100": 0.7, "sm120": 0.8}),
    "mfu": ("share of FLOP/s by kernel, always-active weights and a prompt's attention", 0.35,
            {"native": 0.47, "fp8": 0.5, "fp8_block": 0.3, "int4": 0.35, "int8": 0.32, "mxfp4": 0.4, "nvfp4": 0.4,
             "fp4": 0.5, "attention": 0.6, "sparse": 0.4}),
    "mfu_experts": ("share of FLOP/s by kernel, routed experts", 0.35,
                    {"native": 0.28, "fp8": 0.18, "fp8_block": 0.2, "int4": 0.18, "int8": 0.16, "mxfp4": 0.22,
                     "nvfp4": 0.2, "fp4": 0.3}),
    "balance": ("FLOP per byte of bandwidth of GPUs whose FLOP/s no source states", 0.2,
                {"hbm": 250, "gddr": 250, "unified": 400}),
    "layer": ("seconds that a layer of a kind costs in every step, whatever its size", 0.5,
              {"base": 25e-6, "latent": 25e-6, "sparse": 40e-6, "state": 20e-6, "moe": 17e-6, "shared": 25e-6,
               "quantize": 10e-6}),
    "pace": ("factor on layer costs by GPU generation", 0.25,
             {"sm80": 1.1, "sm89": 1.1, "sm90": 1, "sm100": 1, "sm120": 1.1}),
    "release": ("factor on layer costs by range of vLLM releases: before 0.12, before 0.17, since", 0.2,
                {"early": 1, "middle": 0.85, "late": 0.8}),
    "launch": ("layer costs of a step with prompts over one without; the share left in a captured graph", 0.5,
               {"early": 18, "middle": 9, "late": 14, "captured": 0.6}),
    "step": ("seconds of scheduler, sampler and output a step", 0.5,
             {"early": 1e-3, "middle": 0.7e-3, "late": 0.6e-3}),
    "sequence": ("seconds of host work a step for each running sequence", 0.5,
                 {"early": 20e-6, "middle": 10e-6, "late": 6e-6}),
    "reduction": ("seconds of an all-reduce of two ranks by link; exponent of its growth with ranks / 2", 0.5,
                  {"nvlink": 6e-6, "pcie": 25e-6, "growth": 0.5}),
    "link": ("share of the link's bandwidth that an all-reduce achieves; fall with PCIe ranks", 0.35,
             {"nvlink": 0.5, "pcie": 0.5, "growth": 0.3}),
    "request": ("seconds of a request outside the engine by release, of a prompt token, between two of a crowd", 0.5,
                {"early": 20e-3, "middle": 20e-3, "late": 20e-3, "prompt_token": 1e-6, "intake": 1e-3}),
    "experts_chosen": ("exponent of the batch in the number of distinct experts; busiest rank over the mean", 0.12,
                       {"routing": 0.75, "imbalance": 1.15}),
}  # fmt: skip
"""Group: what it is, the prior's standard deviation (natural log), and the prior of each coefficient."""
FIXED = {
    "read.native",
    "experts.native",
    "release.early",
    "pace.sm90",
    "compute.sm90",
    "compute_experts.sm90",
    "balance.hbm",
}
"""References of their groups, which another coefficient scales."""

SIGMA = {"tpot": 0.10, "ttft": 0.23, "throughput": 0.10}
"""Errors that are as good as the data: spread between two runs of the same load in bench.csv."""
HUBER = 1.3
CORE_WEIGHT = 2.2
RIDGE = 25.0
STEP = 0.03
_ENOUGH = 0.5


class Problem:
    """Rows, priors and the objective."""

    def __init__(self, all_cases: list[Case]) -> None:
        self.cases = all_cases
        self.prior = {f"{g}.{n}": float(v) for g, (_, _, values) in GROUPS.items() for n, v in values.items()}
        self.names = [name for name in self.prior if name not in FIXED]
        self.center = np.array([log(self.prior[name]) for name in self.names])
        spread = {f"{g}.{n}": sigma for g, (_, sigma, values) in GROUPS.items() for n in values}
        self.precision = RIDGE / np.array([spread[name] for name in self.names]) ** 2
        first = [list(scores(case, self.table(self.center))) for case in all_cases]
        self.owner = np.array([i for i, found in enumerate(first) for _ in found])
        flat = [score for found in first for score in found]
        self.weight = np.array([
            (CORE_WEIGHT if s.case.row["core"] == "1" else 1.0) / SIGMA[s.figure] for s in flat
        ])  # fmt: skip

    def table(self, theta: Vector) -> Coefficients:
        """The coefficients at `theta`."""
        values = self.prior | {name: exp(t) for name, t in zip(self.names, theta, strict=True)}
        return Coefficients(values=values)

    def errors(self, theta: Vector, chosen: Iterable[int] | None = None) -> list[list[float]]:
        """Logarithmic errors of each chosen case."""
        table = self.table(theta)
        rows = range(len(self.cases)) if chosen is None else chosen
        return [[score.log_error for score in scores(self.cases[i], table)] for i in rows]

    def jacobian(self, theta: Vector, base: list[list[float]]) -> Vector:
        """Derivatives by differences; a case whose rates a coefficient leaves alone is not evaluated."""
        columns = []
        own = [_rates(case, self.table(theta)) for case in self.cases]
        for j in range(len(theta)):
            moved = theta.copy()
            moved[j] += STEP
            table = self.table(moved)
            touched = [i for i, case in enumerate(self.cases) if _rates(case, table) != own[i]]
            new = dict(zip(touched, self.errors(moved, touched), strict=True))
            columns.append([
                (after - before) / STEP
                for i, found in enumerate(base)
                for before, after in zip(found, new.get(i, found), strict=True)
            ])  # fmt: skip
        return np.array(columns).T

    def cost(self, residual: Vector, theta: Vector, mask: Vector) -> float:
        """Huber loss of the weighted errors and the prior's."""
        z = np.abs(residual * self.weight)[mask]
        loss = np.where(z < HUBER, z * z / 2, HUBER * (z - HUBER / 2)).sum()
        return float(loss + (self.precision * (theta - self.center) ** 2).sum() / 2)

    def solve(self, theta: Vector, jacobian: Vector, residual: Vector, mask: Vector, damping: float) -> Vector:
        """One step of the damped normal equations with Huber's weights."""
        z = np.abs(residual * self.weight)
        robust = np.where(z < HUBER, 1.0, HUBER / np.maximum(z, 1e-9)) * self.weight**2 * mask
        normal = jacobian.T @ (jacobian * robust[:, None]) + np.diag(self.precision)
        gradient = jacobian.T @ (robust * residual) + self.precision * (theta - self.center)
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
        return np.clip(step, -0.4, 0.4)


def _rates(case: Case, table: Coefficients) -> object:
    return rates(case.footprint, case.gpu, table, link=case.link, release=release_range(case.release))


def flat(errors: list[list[float]]) -> Vector:
    """All errors in one vector."""
    return np.array([value for found in errors for value in found])


def fit(problem: Problem, theta: Vector, rounds: int, say: Callable[[str], object]) -> tuple[Vector, Vector]:
    """The optimum from `theta` and the Jacobian there."""
    everything = np.ones(len(problem.owner))
    base = problem.errors(theta)
    damping, jacobian = 0.3, np.zeros((0, 0))
    for number in range(rounds):
        jacobian = problem.jacobian(theta, base)
        before = after = problem.cost(flat(base), theta, everything > 0)
        for _ in range(5):
            moved = theta + problem.solve(theta, jacobian, flat(base), everything, damping)
            new = problem.errors(moved)
            after = problem.cost(flat(new), moved, everything > 0)
            if after < before:
                theta, base, damping = moved, new, damping / 4
                break
            damping *= 5
        say(f"round {number}: {before:.1f} -> {after:.1f}")
        if before - after < _ENOUGH:
            break
    return theta, jacobian


def refit(problem: Problem, theta: Vector, jacobian: Vector, left_out: set[int], rounds: int = 4) -> Vector:
    """The optimum without some cases, by chords of the full Jacobian."""
    mask = np.array([owner not in left_out for owner in problem.owner])
    residual, best = flat(problem.errors(theta)), np.inf
    for _ in range(rounds):
        cost = problem.cost(residual, theta, mask)
        if best - cost < _ENOUGH:
            break
        best = cost
        theta = theta + problem.solve(theta, jacobian, residual, mask, 0.1)
        residual = flat(problem.errors(theta))
    return theta


def half_widths(found: list[Score]) -> dict[str, float]:
    """Logarithm of the factor that holds nine rows in ten, by figure and kind of load; kinds with few rows share."""
    widths = {}
    found = [s for s in found if s.case.row["core"] == "1"]
    for figure in FIGURES:
        for kind in ("lasting", "finite"):
            errors = [abs(s.log_error) for s in found if s.figure == figure and s.kind in (kind, "decode")]
            widths[f"{figure}.{kind}"] = round(quantile(errors, 0.915), 3)
    for kind in ("lasting", "finite"):
        widths[f"itl.{kind}"] = widths[f"tpot.{kind}"]
        widths[f"e2e.{kind}"] = max(widths[f"tpot.{kind}"], widths[f"throughput.{kind}"])
    return widths


def write(problem: Problem, theta: Vector, found: list[Score]) -> None:
    """The table, group by group with what it means."""
    values = problem.table(theta).values
    lines = ["# Fitted by .github/scripts/fit_speed.py; edit the script's priors, not this file.", ""]
    for group, (meaning, _, names) in GROUPS.items():
        lines += [f"# {meaning}", f"[{group}]", *(f"{n} = {values[f'{group}.{n}']:.4g}" for n in names), ""]
    lines += ["# natural logarithm of the factor that holds 90 % of the rows, by figure and kind of load"]
    lines += ["[half_widths]", *(f'"{name}" = {width}' for name, width in half_widths(found).items()), ""]
    gpus = sorted({case.gpu.name for case in problem.cases})
    text = f"{len(problem.cases)} published vLLM runs (0.8 to 0.26) on {', '.join(gpus)}"
    lines += ["[calibration]", f'set = "{text}"', f"gpus = {json.dumps(gpus)}", ""]
    TABLE.write_text("\n".join(lines), encoding="utf-8")


def folds(problem: Problem, theta: Vector, jacobian: Vector) -> dict[str, dict[str, dict[str, float]]]:
    """Tables without each GPU and without each model."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for side, key in SIDES.items():
        result[side] = {}
        for name in sorted({key(case) for case in problem.cases}):
            left_out = {i for i, case in enumerate(problem.cases) if key(case) == name}
            values = problem.table(refit(problem, theta, jacobian, left_out)).values
            result[side][name] = {n: float(f"{v:.4g}") for n, v in values.items()}
    return result


def main() -> None:
    """Fits and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--resume", action="store_true", help="start from the table on disk")
    options = parser.parse_args()
    problem = Problem([c for _, c in cases(read_rows(options.truth), options.configs) if isinstance(c, Case)])
    start = problem.center
    if options.resume:
        from generator.catalogue.speed import speed  # noqa: PLC0415 - the table may not exist yet

        known = problem.prior | speed().values
        start = np.array([log(known[name]) for name in problem.names])
    theta, jacobian = fit(problem, start, options.rounds, print)
    write(problem, theta, [s for case in problem.cases for s in scores(case, problem.table(theta))])
    if options.folds:
        FOLDS.write_text(json.dumps(folds(problem, theta, jacobian), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
