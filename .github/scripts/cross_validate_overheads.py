"""Score each stock start with coefficients fitted without its model and build: what a new start may expect.

python .github/scripts/cross_validate_overheads.py --truth startup_logs.csv --configs hf_configs
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, median

import fit_overheads as fitting

from generator.catalogue.overheads import overheads
from tests.accuracy.bootlogs import plan


def main() -> None:
    """Print error and coverage of each start, then of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    options = parser.parse_args()
    starts = fitting.observations(options.truth, options.configs)
    scored = []
    for start in starts:
        if not (start.stock and start.discrete and start.row["config_file"]):
            continue
        one = plan(start, fitting.fit(starts, overheads(), start)[0])
        if one.inside is None or one.kv_error is None:
            continue
        share = one.kv_error / one.memory.requested_bytes.expected
        scored.append((abs(share), one.inside))
        print(f"{start.id} {share:+.4f} inside={one.inside} width={one.width:.3f}")
    shares, inside = zip(*scored, strict=True)
    print(f"kv_median {median(shares):.4f} in_interval {mean(inside):.4f} rows={len(scored)}")


if __name__ == "__main__":
    main()
