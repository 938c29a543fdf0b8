"""Ask vLLM about plans: `python -m tests.oracle lot SEED LOT --models DIR --state DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tests.oracle.carried import record as carry_out
from tests.oracle.draws import RELEASES, models_in
from tests.oracle.judge import Judge, oracle_home
from tests.oracle.lots import judge_lot, offer_lot, plan_lot, record_lots
from tests.oracle.mended import record
from tests.oracle.offered import refused as refused_rows
from tests.oracle.siblings import composed

REFUSED = 8


def words() -> argparse.Namespace:
    """What the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", default=11)
    parser.add_argument("lots", type=int, nargs="*")
    parser.add_argument("--models", type=Path, nargs="+", default=[Path("../shared/data/hf_configs")])
    parser.add_argument("--state", type=Path, default=Path(".cache/oracle"))
    parser.add_argument("--record", action="store_true", help="ask nothing: record what the seed's lots were answered")
    parser.add_argument("--offered", action="store_true", help="ask about alternatives, repairs and rows of `fit`")
    parser.add_argument("--refused", action="store_true", help="ask about what the planner refuses, status 2 or 7")
    parser.add_argument("--census", action="store_true", help="ask about answers of the census, and record them")
    parser.add_argument("--mended", action="store_true", help="ask about repairs of failed starts, and record them")
    parser.add_argument("--releases", nargs="+", default=RELEASES, help="releases that are drawn and asked")
    return parser.parse_args()


def main() -> int:
    """Run what the command line names."""
    given = words()
    models = models_in(given.models)
    if given.record:
        print(record_lots(given.seed, given.state), "answers are recorded")
        return 0
    home = oracle_home()
    if home is None:
        sys.exit("the judge is not installed: .ci/install-oracle DIR, then VLLM_WIZARD_ORACLE=DIR")
    given.state.mkdir(parents=True, exist_ok=True)
    models = composed(models, given.state / "composed")
    refused = 0
    with Judge(home) as judge:
        if given.census:
            print(carry_out(judge, models, given.state), "answers of the census were carried out")
        if given.mended:
            print(record(judge, models), "repairs were asked about")
        for lot in given.lots:
            name, rows = rows_of(given, lot, models)
            told = {row["name"]: row["words"] for row in rows}
            for release in given.releases:
                for one in judge_lot(given.seed, name, rows, judge, given.state, release=release):
                    tell(one["answer"], told[one["name"]])
                    refused += one["answer"]["verdict"] == "refused"
    return REFUSED if refused else 0


def rows_of(given: argparse.Namespace, lot: int, models: dict[str, Path]) -> tuple[str, list[dict[str, Any]]]:
    """The lot's name in the state, and the rows to ask about."""
    if given.offered:
        return f"{lot}-offered", offer_lot(given.seed, lot, models, given.state)
    rows = plan_lot(given.seed, lot, models, given.state, given.releases)
    return (f"{lot}-refused", list(refused_rows(rows, models))) if given.refused else (str(lot), rows)


def tell(answer: dict[str, Any], words: str) -> None:
    """Print what vLLM refuses."""
    if answer["verdict"] != "accepted":
        print(answer["verdict"].upper(), answer["level"], words)
        print("   ", answer["error"]["text"][:400].replace("\n", " "))
        print("   @", answer["error"]["where"][:200], flush=True)


sys.exit(main())
