"""A deployment learns from its own start: verify, record, update again, take back."""

import json
import subprocess

import pytest
from fixtures.boot_logs import log_of, rows

from generator.errors import RequestError
from generator.models.request import Request
from generator.operations import calibrate
from generator.operations.check import check
from generator.operations.generate import generate
from generator.operations.undo import undo
from generator.operations.update import update
from generator.operations.verify import verify
from generator.presenting.measured import accuracy_rows
from generator.rendering.answers import read
from generator.sources.boot_log import boot_of_text
from generator.units import gib

RESULT = {
    "completed": 32, "mean_tpot_ms": 70.5, "mean_ttft_ms": 900.0, "output_throughput": 210.0, "max_concurrency": 16,
    "total_input_tokens": 32768, "total_output_tokens": 8192, "backend": "vllm", "date": "20261130-101500",
}  # fmt: skip
"""What `vllm bench serve --save-result` writes, in part."""

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def place(tmp_path):
    request = Request(model="Qwen/Qwen3-8B", gpu="L4", vllm="0.32", source="embedded")
    return generate(request, tmp_path / "made").path


def start(place, **columns):
    """The log of a start of the deployment whose cache came out smaller than planned."""
    plan = read(place).plan
    given = ("max_model_len", "max_num_seqs", "max_num_batched_tokens", "gpu_memory_utilization")
    row = dict.fromkeys(rows()[0], "") | {name: str(plan.engine[name]) for name in given}
    row |= {"model": "Qwen/Qwen3-8B", "tp": "1", "model_load_gib": "15.27", "avail_kv_gib": "2.40"}
    row |= {"kv_cache_tokens": "17472"}
    return boot_of_text(log_of(row | columns, release="0.32.0"))


def committed(place):
    subprocess.run(["git", "add", "-A"], cwd=place, check=True)
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "step"], cwd=place, check=True
    )


def test_a_start_is_compared_recorded_planned_with_and_taken_back(place, tmp_path):
    boot = start(place)
    found = verify(place, boot)
    assert [one.item for one in found.outside][:1] == ["memory for the cache"]
    assert next(one for one in found.items if one.item == "weights").inside

    report = calibrate.record(place, calibrate.measurement_of(place, boot))
    assert ".copier-answers.yml" in report.files.changed
    after = read(place)
    assert any("as a start of" in one.reason for one in after.plan.decisions)
    assert len((place / ".copier-answers.yml").read_text().splitlines()) < 300
    committed(place)
    assert not update(place, {}).files.changed
    again = verify(place, start(place))
    assert next(one for one in again.items if one.item == "memory for the cache").inside

    file = tmp_path / "result.json"
    file.write_text(json.dumps(RESULT))
    calibrate.record(place, calibrate.benchmark_of(place, file))
    assert any("benchmarked here" in one.reason for one in read(place).plan.decisions)
    lines = list(accuracy_rows(tuple(calibrate.measurements(place).values())))
    assert "model_load_gib" in lines[0]
    assert "mean_tpot_ms" in lines[2]
    assert str(place) not in "".join(lines)
    undo(place)
    assert list(calibrate.measurements(place)) == ["L4-24GB 0.32.0 tp1 boot"]
    assert not [one for one in check(place, offline=True, quick=True).findings if one.check == "idle_measurements"]


def test_a_log_of_something_else_is_not_recorded(place):
    boot = start(place)
    for other in (boot.model_copy(update={"version": "0.31.0"}), start(place, tp="2")):
        with pytest.raises(RequestError, match="the log is of"):
            calibrate.measurement_of(place, other)


def test_a_failed_start_is_answered_with_what_it_taught(place):
    """2.40 GiB are left and 3.5 GiB needed: the plan that knows it asks for less."""
    text = (
        "ValueError: To serve at least one request with the model's max seq len (9216), (3.50 GiB KV cache is needed, "
        "which is larger than the available KV cache memory (0.90 GiB). Based on the available memory, the estimated "
        "maximum model length is 6400."
    )
    boot = start(place, avail_kv_gib="0.90", kv_cache_tokens="")
    failure = boot_of_text(f"non-default args: {{}}\n{text}\n").failure
    found = verify(place, boot.model_copy(update={"failure": failure, "ready": False}))
    assert found.failed
    assert failure.figures["available_bytes"] == gib("0.9")
    assert found.repairs
    assert all(one.flags for one in found.repairs)
