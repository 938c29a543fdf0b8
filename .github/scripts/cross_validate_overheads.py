"""Score each stock start with coefficients fitted without its source: what a stranger's start may expect.

python .github/scripts/cross_validate_overheads.py --truth startup_logs.csv --configs hf_configs
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, median

import fit_overheads as fitting
from overhead_rows import observations

from generator.catalogue.overheads import overheads
from tests.accuracy.bootlogs import plan


def main() -> None:
    """Print error and coverage of each start, then of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    options = parser.parse_args()
    starts = observations(options.truth, options.configs)
    scored = []
    tables = {}
    for start in starts:
        if not (start.stock and start.discrete and start.row["config_file"]):
            continue
        if start.source not in tables:
            tables[start.source] = fitting.fit(starts, overheads(), start.source)[0]
        one = plan(start, tables[start.source])
        if one.inside is None or one.kv_error is None:
            continue
        share = one.kv_error / one.memory.requested_bytes.expected
        scored.append((abs(share), abs(one.kv_error / (one.available or 1)), one.inside, one.width))
        print(f"{start.id} {share:+.4f} inside={one.inside} width={one.width:.3f} {start.source}")
    shares, pools, inside, widths = zip(*scored, strict=True)
    print(f"kv_median {median(shares):.4f} kv_pool_median {median(pools):.4f} rows={len(scored)}")
    print(f"in_interval {mean(inside):.4f} interval_width {mean(widths):.4f} rows={len(scored)}")


if __name__ == "__main__":
    main()
