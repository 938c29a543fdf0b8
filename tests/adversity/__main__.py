"""Measure what an update can lose: `python -m tests.adversity lives SEED NUMBER`. What is done already is not again."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from tests.adversity import conflicts, kills, lives


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.adversity", description=__doc__)
    parser.add_argument("what", choices=["conflicts", "kills", "lives", "quiet-lives"])
    parser.add_argument("seed", type=int, nargs="?", default=2026)
    parser.add_argument("number", type=int, nargs="?", default=300)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "measured")
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    state = given.state.absolute()
    if given.what == "kills":
        good, found = kills.kill(given.seed, given.number, state), kills.counts(given.seed, state)
    elif given.what == "conflicts":
        good, found = conflicts.situations(state), conflicts.counts(state)
    else:
        kind = lives.QuietLife if given.what == "quiet-lives" else lives.Life
        good, found = lives.live(given.seed, given.number, state, kind=kind), lives.counts(given.seed, state)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if good else 1


sys.exit(main())
