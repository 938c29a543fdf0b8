"""What is read of boot logs: figures of public starts in each release's own format, and what is not logged."""

import json
import re
from pathlib import Path

import pytest
from fixtures.boot_logs import log_of, rows

from generator.catalogue.boot_lines import boot_failures, boot_lines
from generator.errors import SourceError
from generator.models.release import release_key
from generator.sources.boot_log import boot_of_text, read_boot
from generator.units import GIB, gib

ROWS = rows()
LINES = json.loads((Path(__file__).parents[1] / "fixtures" / "boot_lines.json").read_text())
"""Messages of real releases, one of each known end, and lines that no row of the corpus has."""
RELEASES = ("0.32.0", "0.33.0")
"""Releases that no public row is of; the last row's figures are written in their formats."""
CORPUS = [*((row, row["vllm_version"]) for row in ROWS), *((ROWS[-1], release) for release in RELEASES)]


def near(value, text, *, of=min):
    return value is not None and abs(value - of(gib(one) for one in text.split("|"))) <= GIB // 500


def test_the_corpus_has_the_releases_from_0_10_to_0_33():
    minors = {release_key(release)[1] for _, release in CORPUS}
    assert len(CORPUS) >= 30
    assert min(minors) == 10
    assert max(minors) == 33
    assert len(minors) >= 15


@pytest.mark.parametrize("colour", [False, True])
def test_every_start_gives_its_figures_or_a_lack(colour):
    for row, release in CORPUS:
        boot = boot_of_text(log_of(row, release=release, colour=colour, debug=True))
        assert (boot.starts, boot.version, boot.model, boot.ready) == (1, release, row["model"], True), row["id"]
        for held, column in ((boot.weights_bytes, "model_load_gib"), (boot.cache_bytes, "avail_kv_gib")):
            assert (held is None) is (not row[column]), (row["id"], column)
            assert held is None or (near(held.low, row[column]) and near(held.high, row[column], of=max)), row["id"]
        assert boot.cache_tokens == (int(row["kv_cache_tokens"].split("|")[-1]) if row["kv_cache_tokens"] else None)
        if row["concurrency_x"] and row["kv_cache_tokens"]:
            assert boot.concurrency == float(row["concurrency_x"].split("|")[-1]), row["id"]
        if row["peak_activation_gib"] and row["non_torch_gib"] and release_key(release) < (0, 27):
            assert near(boot.activation_bytes, row["peak_activation_gib"]), row["id"]
            assert near(boot.non_torch_bytes, row["non_torch_gib"]), row["id"]
        assert boot.backend in {"FLASH_ATTN", "Flash Attention"}
        assert boot.config["tensor_parallel_size"] == (row["tp"] or "1")
        assert boot.failure is None


def test_without_debug_lines_their_figures_are_lacking():
    row = next(row for row in ROWS if row["peak_activation_gib"] and row["non_torch_gib"])
    boot = boot_of_text(log_of(row))
    assert (boot.activation_bytes, boot.non_torch_bytes) == (None, None)
    assert boot.cache_bytes is not None


def test_a_log_that_is_cut_anywhere_gives_what_it_had():
    """At each line: no figure that the whole log does not give, and no error."""
    row = next(row for row in ROWS if row["tp"] == "2" and row["model_load_gib"] and row["cudagraph_gib"])
    text = log_of(row)
    whole = boot_of_text(text)
    places = [found.start() for found in re.finditer("\n", text)]
    for place in places:
        boot = boot_of_text(text[:place])
        for name in ("version", "cache_tokens", "concurrency", "context"):
            assert getattr(boot, name) in {None, getattr(whole, name)}
        assert boot.ready is (place >= text.index("startup complete"))
    headless = boot_of_text(text[text.index("Available KV cache") - 60 :])
    assert (headless.version, headless.weights_bytes) == (None, None)
    assert headless.cache_tokens == whole.cache_tokens


def test_bytes_that_are_no_text_and_other_lines_disturb_nothing():
    row = next(row for row in ROWS if row["model_load_gib"] and row["avail_kv_gib"] and row["kv_cache_tokens"])
    lines = log_of(row).encode().split(b"\n")
    noisy = b"\n".join(
        part for line in lines for part in (line, b"\xff\xfe \x80 GiB \xc3( Model loading took GiB", b"x" * 70000)
    )
    plain, mixed = boot_of_text(log_of(row)), boot_of_text(noisy)
    assert mixed.model_copy(update={"read_bytes": 0}) == plain.model_copy(update={"read_bytes": 0})


def test_the_last_of_several_starts_is_read():
    first, last = ROWS[0], ROWS[-1]
    boot = boot_of_text(log_of(first) + log_of(first) + log_of(last))
    assert (boot.starts, boot.version, boot.model) == (3, last["vllm_version"], last["model"])


def test_ranks_that_interleave_are_a_spread():
    row = ROWS[0] | {"tp": "2", "model_load_gib": "7.50|7.62", "avail_kv_gib": "40.1|40.3", "vllm_version": "0.11.0"}
    boot = boot_of_text(log_of(row))
    assert (boot.weights_bytes.low, boot.weights_bytes.high) == (gib("7.5"), gib("7.62"))
    assert boot.cache_bytes.low == gib("40.1")


def test_newer_releases_give_consumed_memory_and_a_peak_with_the_estimate():
    """0.27 on: non-torch is what is consumed beside the weights; the peak has the estimate for graphs in it."""
    log = (
        "(APIServer pid=1) INFO 11-29 [utils.py:1] non-default args: {'model': 'm'}\n"
        "(EngineCore pid=9) INFO 1 [core.py:1] Initializing a V1 LLM engine (v0.33.0) with config: model='m'\n"
        "(EngineCore pid=9) INFO 11-29 [a.py:1] Model loading took 15.27 GiB memory and 3.0 seconds\n"
        "(EngineCore pid=9) INFO 11-29 [a.py:1] Estimated CUDA graph memory: 0.50 GiB total\n" + LINES["usage"] + "\n"
    )
    boot = boot_of_text(log)
    assert boot.non_torch_bytes == gib("15.8") - gib("15.27")
    assert boot.activation_bytes == gib("2.7") - gib("0.5")
    assert (boot.total_bytes, boot.requested_bytes, boot.utilization) == (gib("79.19"), gib("72.85"), 0.92)


def test_a_file_that_is_no_log_is_said_in_one_line(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("nothing of a start\n" * 100)
    with pytest.raises(SourceError, match="no line of a start"):
        read_boot(file)
    with pytest.raises(SourceError, match="cannot be read"):
        read_boot(tmp_path / "absent.log")


FAILURES = LINES["failures"]


def test_every_known_end_is_recognised_in_a_traceback():
    assert set(FAILURES) == {row.name for row in boot_failures()}
    opening = "\n".join(log_of(ROWS[-1]).splitlines()[:8])
    for kind, message in FAILURES.items():
        log = (
            f"{opening}\n(EngineCore_DP0 pid=9) ERROR 11-29 10:00:00 [core.py:842] EngineCore failed to start.\n"
            f"(EngineCore_DP0 pid=9) ERROR 11-29 10:00:00 [core.py:842] Traceback (most recent call last):\n"
            f"(EngineCore_DP0 pid=9) ERROR 11-29 10:00:00 [core.py:842] {message}\n"
            "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n"
        )
        boot = boot_of_text(log)
        assert boot.failure is not None, kind
        assert boot.failure.kind == kind, boot.failure
        assert not boot.ready
        assert boot.failure.message in message
    assert boot_of_text(f"{opening}\nKeyError: 'model.layers.0.new'\n").failure.kind == "unknown"


def test_figures_of_a_failure_are_read():
    failure = boot_of_text(f"{log_of(ROWS[-1])[:900]}\n{FAILURES['context_too_long']}\n").failure
    assert failure.figures["longest"] == 15280
    assert failure.figures["available_bytes"] == gib("2.10")


def test_each_line_of_the_table_is_met_by_some_release():
    """No row that no text of the corpus, or of the tests here, is read by."""
    texts = [log_of(row, release=release, debug=True) for row, release in CORPUS]
    more = f"{LINES['usage']} {LINES['older']} {LINES['cpu']}"
    for row in boot_lines():
        pattern = re.compile(row.pattern)
        lines = [line for text in texts for line in text.split("\n") if row.anchor in line][:40]
        assert any(pattern.search(line) for line in lines) or pattern.search(more), row.name


def test_the_log_of_a_real_server_on_the_cpu_gives_what_it_says():
    """The CPU build of vLLM 0.32.0 with a tiny random model: a start that served, and was ended."""
    boot = read_boot(Path(__file__).parents[1] / "fixtures" / "boot_cpu_0.32.0.log")
    assert (boot.version, boot.device, boot.ready, boot.failure) == ("0.32.0", "CPU", True, None)
    assert (boot.cache_bytes.low, boot.cache_tokens, boot.context, boot.concurrency) == (GIB, 2097152, 256, 8192.0)
    assert boot.weights_bytes is None
