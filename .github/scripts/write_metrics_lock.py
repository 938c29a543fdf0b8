"""Write metrics.lock of the templates: the series of vLLM that rules and dashboard may name.

    python .github/scripts/write_metrics_lock.py EXPOSITION TREE...

EXPOSITION is what /metrics of the newest release prints; a TREE is a source tree of another supported release. What
one of them lacks is left out: a repository may pin any of them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LOCK = (
    Path(__file__).parents[2] / "templates" / "{% if 'monitoring' in artefacts %}monitoring{% endif %}" / "metrics.lock"
)
_HEAD = """\
# Series of vLLM that rules and dashboard may name: those of 0.33.0 that every supported release has, with their labels.
# scripts/check-metrics.py (make check) compares. Written by a script of vllm-wizard from what vLLM itself exposes.
"""


def series(exposition: str) -> dict[str, set[str]]:
    """Names of vLLM's series and the labels of each."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(vllm:\w+)\{(.*)\} ", exposition, re.MULTILINE):
        if not name.endswith("_created"):
            found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    return found


def main(exposition: Path, trees: list[Path]) -> None:
    """Write the lock."""
    sources = ["\n".join(path.read_text() for path in (tree / "vllm/v1/metrics").rglob("*.py")) for tree in trees]

    def everywhere(name: str) -> bool:
        base = re.sub(r"_(total|bucket|sum|count)$", "", name)
        return all(f'"{base}"' in source or f'"{base}_total"' in source for source in sources)

    found = series(exposition.read_text(encoding="utf-8"))
    lines = [f"{name} {' '.join(sorted(labels))}" for name, labels in sorted(found.items()) if everywhere(name)]
    LOCK.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
