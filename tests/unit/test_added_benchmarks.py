"""Benchmarks of our own search: each page counts once, and names itself."""

from collections import Counter

from tests.accuracy.bench_rows import read_rows
from tests.accuracy.startup_rows import DATA

ROWS = read_rows(DATA / "bench_added.csv")
FIGURES = ("mean_ttft_ms", "median_ttft_ms", "mean_tpot_ms", "median_tpot_ms", "output_tok_s")


def test_no_run_is_there_twice():
    """Two rows with the same load and all figures alike are one run that two searches found."""
    runs = Counter(
        tuple(row[name] for name in ("gpu", "config_dir", "concurrency", "input_len", *FIGURES)) for row in ROWS
    )
    assert [run for run, count in runs.items() if count > 1] == []


def test_each_row_has_its_own_number_and_a_page():
    """A figure that nobody can look up is no evidence."""
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert all(row["source"] and row["source_ref"] for row in ROWS)


def test_every_row_states_a_figure_and_a_load():
    for row in ROWS:
        assert any(row[name] for name in FIGURES), row["id"]
        assert row["concurrency"] or row["num_prompts"], row["id"]
