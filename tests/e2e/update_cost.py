"""What `update` costs beside bare in-process Copier, in CPU of Python and git; by hand, in a quiet machine.

    python tests/e2e/update_cost.py [RUNS]

Both change the model of one generated deployment. Each run is a process of its own on a fresh copy; the least counts.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from generator.models.request import Request
from generator.operations.generate import generate

OURS = "from pathlib import Path; from generator.operations.update import update; update(Path('.'), {'model': MODEL})"
BARE = (
    "import copier; copier.run_update('.', {'model': MODEL}, vcs_ref=copier.VcsRef.CURRENT, defaults=True, quiet=True,"
    " overwrite=True, settings=copier.Settings(trust=['~/.local/share/vllm-wizard/templates.bundle']))"
)
MODEL = "Qwen/Qwen3-14B"
LIMIT = 1.25


def cpu_of(code: str, place: Path) -> float:
    """CPU seconds of a Python process and its children that runs `code` in a copy of `place`."""
    with tempfile.TemporaryDirectory() as scratch:
        copied = shutil.copytree(place, Path(scratch) / "copy", symlinks=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        words = [sys.executable, "-c", f"MODEL = {MODEL!r}; {code}"]
        subprocess.run(words, cwd=copied, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int) -> int:
    """Print both figures and their ratio; 1 where it is over the limit."""
    with tempfile.TemporaryDirectory() as scratch:
        request = Request(model="Qwen/Qwen3-8B", gpu="L4", gpus=2, source="embedded")
        place = generate(request, Path(scratch) / "made").path
        ours, bare = (min(cpu_of(code, place) for _ in range(runs)) for code in (OURS, BARE))
    sys.stdout.write(f"update {ours:.2f} s, bare Copier {bare:.2f} s, ratio {ours / bare:.3f} (at most {LIMIT})\n")
    return int(ours / bare > LIMIT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
