"""Traces: the four public formats are summarised, and any other file is refused in one line."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from generator.cli.app import app
from generator.errors import SourceError
from generator.sources.trace import read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:16:46.6805900,20000,5000
2023-11-16 18:17:00.0000000,0,7
2023-11-16 18:18:46.6805900,400,100
"""
BURST = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
118,GPT-4,417,276,693,Conversation log
120,GPT-4,300,0,300,API log
"""
BURST_3 = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
0,a,1.5,ChatGPT,100,20,120,Conversation log
10,a,1.5,ChatGPT,200,40,240,Conversation log
"""
MOONCAKE = """{"timestamp": 0, "input_length": 1100, "output_length": 500, "hash_ids": [0, 1, 2]}
{"timestamp": 2000, "input_length": 1024, "output_length": 490, "hash_ids": [0, 14]}
{"timestamp": 4000, "input_length": 1500, "output_length": 10, "hash_ids": [0, 1, 5]}
"""
BENCH = {
    "completed": 3, "duration": 9.5, "request_rate": "inf", "max_concurrency": 8, "total_input_tokens": 3000,
    "total_output_tokens": 300, "input_lens": [900, 1000, 1100], "output_lens": [100, 90, 110], "itls": [[0.1]],
}  # fmt: skip


def written(folder, content, name="trace"):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_azure_s_csv_has_dates_of_seven_digits(tmp_path):
    found = read_trace(written(tmp_path, AZURE))
    assert (found.format, found.requests, found.left_out, found.span_s) == ("azure", 4, 1, 180.0)
    assert found.sha256 == sha256(AZURE.encode()).hexdigest()
    assert (found.prompt_tokens.mean, found.prompt_tokens.p50, found.prompt_tokens.most) == (5292.5, 396, 20000)
    assert found.longest_request_tokens == 25000
    assert found.answers["prompt_tokens"] == 5293


def test_burstgpt_s_csv_leaves_failed_requests_out(tmp_path):
    found = read_trace(written(tmp_path, BURST))
    assert (found.format, found.requests, found.left_out, found.span_s) == ("burstgpt", 3, 1, 113.0)
    assert found.gen_tokens.p95 == 276
    assert found.rates.mean == pytest.approx(3 / 113)
    assert read_trace(written(tmp_path, BURST_3)).requests == 2


def test_mooncake_s_blocks_say_what_a_cache_would_hold(tmp_path):
    """The second request begins with one known block of 512 tokens, the third with two."""
    found = read_trace(written(tmp_path, MOONCAKE))
    assert (found.format, found.requests, found.span_s) == ("mooncake", 3, 4.0)
    assert found.prefix_reuse == pytest.approx(3 * 512 / (1100 + 1024 + 1500), abs=1e-4)


def test_a_result_of_vllm_bench_has_requests_in_flight(tmp_path):
    found = read_trace(written(tmp_path, json.dumps(BENCH, indent=1)))
    assert (found.format, found.requests, found.concurrency, found.rates) == ("vllm bench", 3, 8, None)
    assert found.answers == {"prompt_tokens": 1000, "gen_tokens": 100, "concurrency": 8}
    short = {name: value for name, value in BENCH.items() if not name.endswith("lens")} | {"request_rate": 2.5}
    bare = read_trace(written(tmp_path, json.dumps(short | {"max_concurrency": None})))
    assert bare.answers == {"prompt_tokens": 1000, "gen_tokens": 100, "requests_per_s": 2.5}


def test_the_busy_minute_lies_between_the_mean_and_the_busiest(tmp_path):
    random = Random(3)
    rows = "".join(f"{random.expovariate(1) * 600:.3f},m,100,10,110,log\n" for _ in range(4000))
    found = read_trace(written(tmp_path, BURST.partition("\n")[0] + "\n" + rows))
    assert found.rates.mean <= found.rates.busy <= found.rates.most
    assert found.answers["requests_per_s"] == pytest.approx(found.rates.busy, rel=1e-3)


def test_a_sparse_trace_counts_its_empty_minutes(tmp_path):
    """Ten requests in one minute of a hundred: 95 of 100 minutes have none, so the mean is planned for."""
    rows = "".join(f"{at},m,100,10,110,log\n" for at in [*range(10), 6000])
    found = read_trace(written(tmp_path, BURST.partition("\n")[0] + "\n" + rows))
    assert found.rates.busy == found.rates.mean == pytest.approx(11 / 6000)
    assert found.rates.most == pytest.approx(10 / 60)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names none of the columns"), ("a,b\n1,2\n", "names none of the columns"),
        (b"\xff\xfe\x00", "is no trace"),
        (b"\x00" * 50, "is no trace"), ("[1, 2]", "neither requests nor totals"), ("{", "is no trace"),
        ("[" * 200_000, "nested too deeply|is no trace"), ('{"completed": true}', "neither requests nor totals"),
        (BURST.partition("\n")[0], "holds no request"), (AZURE.replace("374", "minus"), "line 2: no request"),
        (AZURE.replace("374", "-3"), "line 2.*'-3' is no count"), (AZURE.replace("374", "1e400"), "line 2: no request"),
        (AZURE.replace("374", "nan"), "line 2: no request"), (AZURE.replace("2023-11-16 18:15:46", "soon"), "line 2"),
        (BURST.replace("\n45,", "\ninf,"), "span more than ten years|line"),
        (BURST.replace("\n45,", "\n-1e300,"), "ten years"),
        (BURST + "1,2\n", "line 6: no request"), (BURST.replace("1087", "9" * 5000), "line 3"),
        (MOONCAKE + "{}\n", "line 4: no request of a trace .'input_length' is missing"), (MOONCAKE + "7\n", "line 4"),
        (MOONCAKE.replace("[0, 14]", '"x"'), "line 2"), (MOONCAKE.replace("2000", '"later"'), "line 2"),
        (MOONCAKE.replace("[0, 14]", "[" * 5000), "line 2"), (json.dumps(BENCH | {"input_lens": [1]}), "as many token"),
        (json.dumps(BENCH | {"input_lens": ["a", 1, 2]}), "as many token"), ("{" + "9" * 5000, "is no trace"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_one_line(tmp_path, content, said):
    with pytest.raises(SourceError, match=said) as caught:
        read_trace(written(tmp_path, content))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_what_is_no_file_is_said(tmp_path):
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(SourceError, match=r"is no file|cannot be read"):
            read_trace(place)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: (BURST + text).encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    file = written(tmp_path_factory.mktemp("any"), content)
    try:
        found = read_trace(file)
    except SourceError:
        return
    assert found.requests > 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*(st.integers(1, most) for most in (10**6, 10**5, 10**4))), min_size=1, max_size=60))
def test_a_summary_lies_within_its_requests(tmp_path_factory, rows):
    """Percentiles rise, means lie between the least and the most, and rates never exceed what arrived."""
    text = "Timestamp,Model,Request tokens,Response tokens\n" + "".join(f"{a},m,{p},{g}\n" for a, p, g in rows)
    found = read_trace(written(tmp_path_factory.mktemp("law"), text))
    for spread in (found.prompt_tokens, found.gen_tokens):
        assert spread.p50 <= spread.p95 <= spread.p99 <= spread.most
        assert spread.mean <= spread.most
    assert found.longest_request_tokens <= found.prompt_tokens.most + found.gen_tokens.most
    if found.rates:
        assert found.rates.mean * found.span_s == pytest.approx(len(rows))


def test_a_plan_takes_its_workload_from_a_trace_and_flags_win(tmp_path):
    file, run = written(tmp_path, MOONCAKE), CliRunner()
    words = ["plan", "Qwen/Qwen3-8B", "--gpu", "L4", "--offline", "--json", "--trace", str(file)]
    made = json.loads(run.invoke(app, words).stdout)
    assert (made["inputs"]["prompt_tokens"], made["inputs"]["gen_tokens"]) == (1208, 334)
    assert made["inputs"]["requests_per_s"] == 0.75
    other = json.loads(run.invoke(app, [*words, "--prompt-tokens", "77"]).stdout)
    assert other["inputs"]["prompt_tokens"] == 77


def test_the_command_prints_lines_and_json(tmp_path):
    file, run = written(tmp_path, AZURE), CliRunner()
    shown = run.invoke(app, ["trace", str(file)])
    assert "azure trace, sha256" in shown.stdout
    assert "planned with --prompt-tokens 5293 --gen-tokens 1314" in " ".join(shown.stdout.split())
    assert json.loads(run.invoke(app, ["trace", str(file), "--json"]).stdout)["answers"]["prompt_tokens"] == 5293
