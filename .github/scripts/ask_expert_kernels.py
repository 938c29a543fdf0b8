"""Ask vLLM itself which `moe_backend` takes which experts: the truth of `tests/unit/test_expert_kernels.py`.

    VLLM_WIZARD_ORACLE=DIR python .github/scripts/ask_expert_kernels.py RELEASE [RELEASE ...]

One layer of experts is built for each way to store them, on a card of each generation, by the judge that
`.ci/install-oracle DIR` installs; then every name of the release is put to the choice that vLLM made for it. Answers
are added to `tests/fixtures/expert_kernels.json`; about four seconds each.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.oracle.judge import Judge, oracle_home

HERE = Path(__file__).parents[2]
TARGET = HERE / "tests" / "fixtures" / "expert_kernels.json"
STORED = HERE / "tests" / "fixtures" / "stored_experts.json"
CARDS = {
    "7.5": ("Tesla T4", 16, 40),
    "8.0": ("NVIDIA A100-SXM4-80GB", 80, 108),
    "8.9": ("NVIDIA L40S", 48, 142),
    "9.0": ("NVIDIA H100 80GB HBM3", 80, 132),
    "10.0": ("NVIDIA B200", 180, 148),
    "12.0": ("NVIDIA GeForce RTX 5090", 32, 170),
}
"""Name, GiB and multiprocessors of a card of each generation."""
_HALF = "7.5"


def question(release: str, capability: str, directory: Path, argv: list[str]) -> dict[str, Any]:
    """What the judge is asked."""
    name, gib, multiprocessors = CARDS[capability]
    card = {"name": name, "capability": capability, "bytes": gib << 30, "multiprocessors": multiprocessors}
    half = ["--dtype", "half"] if capability == _HALF else []
    return {
        "id": f"{release} {directory.name} {capability}", "directory": str(directory), "release": release, "gpu": card,
        "argv": ["--max-model-len", "4096", *half, *argv], "count": 1, "nodes": 1, "cache_bytes": 40 << 30,
        "cache_bytes_low": None, "worst_stage": None, "experts": True,
    }  # fmt: skip


def answers(judge: Judge, release: str, home: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """What a release says to each way to store experts: {way: {capability: what `_kept` keeps}}."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    known = json.loads(STORED.read_text(encoding="utf-8"))
    judge.ask(question(release, "9.0", _written(home, "unquantized", known), []))  # imports what the rest asks for
    for way, stated in known["ways"].items():
        directory = _written(home, way, known)
        for capability in CARDS:
            told = judge.ask(question(release, capability, directory, stated.get("argv", [])))
            if told["verdict"] == "unanswered":
                raise SystemExit(f"{release}, {way} on {capability}: {told['error']['text']}")
            found.setdefault(way, {})[capability] = _kept(told.get("experts", {}))
    return found


def _kept(said: dict[str, Any]) -> dict[str, Any]:
    """Names that vLLM takes, and which it takes by itself; none where it starts no such checkpoint on the card."""
    names = said.get("names", {})
    return {
        "runs": sorted(name for name, reason in names.items() if reason is None),
        "chosen": said.get("chosen"),
        "chosen_whole": said.get("chosen_expert_parallel"),
    }


def _written(home: Path, way: str, known: dict[str, Any]) -> Path:
    directory, stated = home / way.replace(" ", "-"), known["ways"][way]
    directory.mkdir(exist_ok=True)
    config = known["models"][stated["model"]] | stated.get("changes", {})
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory


def main(releases: list[str]) -> None:
    """Ask, and keep what each release answers."""
    home = oracle_home()
    if home is None:
        raise SystemExit("VLLM_WIZARD_ORACLE names no judge: .ci/install-oracle DIR makes one")
    kept = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    with Judge(home) as judge, tempfile.TemporaryDirectory() as place:
        for release in releases:
            kept[release] = answers(judge, release, Path(place))
            TARGET.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
