"""`status` and `bench`: a running server beside its plan, before a server and a `vllm` that stand in for real ones."""

import json
import os
import signal
import sys
import time

import pexpect
import pytest
import yaml
from fixtures.openai_server import answering

from generator.cli.app import run
from generator.errors import RequestError, SourceError
from generator.models.estimate import Latency
from generator.models.request import Request
from generator.operations.generate import generate
from generator.operations.running.bench import _outcome, bench
from generator.operations.running.status import _rates, status, watched
from generator.sources.metrics import parse

# Names, labels and bounds of vLLM 0.33's own /metrics; two engines.
METRICS = """
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:num_preemptions_total{engine="0",model_name="m"} 1.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 2048.0
vllm:generation_tokens_total{engine="0",model_name="m"} 512.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="m"} 10.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.5",model_name="m"} 18.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 20.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 20.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 4.0
broken line
vllm:request_time_per_output_token_seconds_bucket{engine="0",le="0.01",model_name="m"} 20.0
vllm:request_time_per_output_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 20.0
"""
MEASURES = """
import json, pathlib, sys
words = dict(zip(sys.argv, sys.argv[1:]))
assert sys.argv[1:3] == ["bench", "serve"], sys.argv
count = int(words["--max-concurrency"])
result = {"completed": int(words["--num-prompts"]), "failed": 0, "duration": 2.0, "mean_ttft_ms": 900.0 * count,
          "mean_tpot_ms": 20.0, "output_throughput": 500.0, "request_throughput": 2.0, "max_concurrency": count,
          "model_id": words["--model"], "more": [1]}
pathlib.Path(words["--result-dir"]).mkdir(exist_ok=True)
pathlib.Path(words["--result-dir"], words["--result-filename"]).write_text(json.dumps(result))
"""


def program(folder, name, script):
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Qwen3-8B on an L4 for eight requests at once, each token within 30 ms."""
    request = Request(
        model="Qwen/Qwen3-8B", gpu="L4", vllm="0.33", source="embedded", concurrency=8, prompt_tokens=256,
        gen_tokens=64, tpot_ms=30,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        folder = tmp_path_factory.mktemp("made") / "it"
        return generate(request, folder, offline=True, commit=False, artefacts=("command", "profile")).path


def test_metrics_are_summed_over_engines_and_percentiles_lie_between_bounds():
    """Of 20 first tokens ten came within 0.1 s and 18 within 0.5 s: half within 0.1 s, 0.7 within 0.3 s."""
    read = parse(METRICS.splitlines())
    assert read.value("vllm:num_requests_running") == 7
    first = read.histogram("vllm:no_such_name", "vllm:time_to_first_token_seconds")
    assert (first.count, first.mean) == (20, 0.2)
    assert [round(first.percentile(share), 3) for share in (0.25, 0.5, 0.7, 0.95)] == [0.05, 0.1, 0.3, 0.5]
    assert first.since(first).percentile(0.5) is None
    assert parse([]).histogram("vllm:x").percentile(0.5) is None


def test_status_sets_each_figure_beside_the_plan(place):
    with answering(metrics=METRICS) as url:
        server = watched(place, url=url)
        once = status(server)
        later = status(server, once.metrics, 2.0)
    said = {one.name: one for one in once.gauges}
    assert (said["running"].now, said["running"].plan, said["running"].good) == ("7", "8 planned, room for 64", True)
    assert (said["waiting"].now, said["waiting"].good) == ("2", False)
    assert (said["cache in use"].now, said["preemptions"].good) == ("50%", False)
    assert (said["each token, p95"].now, said["each token, p95"].plan) == ("9.5 ms", "target 30.0 ms")
    assert said["output tokens"].now == "512"
    after = {one.name: one for one in later.gauges}
    assert (after["output tokens/s"].now, after["preemptions"].now) == ("0", "0")
    assert after["first token, p95"].now == "none yet"


def test_status_without_a_terminal_is_one_reading_and_says_what_does_not_answer(place, monkeypatch, capsys):
    with answering(metrics=METRICS) as url:
        monkeypatch.setattr(sys, "argv", ["vllm-wizard", "status", str(place), "--url", url])
        assert run() == 0
        assert "8 planned" in capsys.readouterr().out
    with answering() as url, pytest.raises(SourceError, match="says 404: a gateway keeps /metrics to itself"):
        status(watched(place, url=url))
    with pytest.raises(SourceError, match=r"does not answer .* start the server"):
        status(watched(place, url="http://127.0.0.1:1"))


def _heeds_interrupts():
    """As a shell starts it: a program that runs in the background of a script is started to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_status_on_a_terminal_is_refreshed_and_an_interrupt_leaves_it(place):
    words = ["-m", "generator", "status", str(place), "--every", "0.2", "--url"]
    with answering(metrics=METRICS) as url:
        terminal = os.environ | {"TERM": "xterm"}
        shown = pexpect.spawn(sys.executable, [*words, url], env=terminal, timeout=60, preexec_fn=_heeds_interrupts)
        shown.expect("output tokens/s")
        time.sleep(0.5)
        shown.sendintr()
        shown.expect(pexpect.EOF)
        shown.close()
    assert (shown.exitstatus, shown.before.count(b"rror")) == (0, 0)


def test_bench_keeps_what_was_measured_and_compares_it(place, tmp_path):
    """One request, a quarter of the load and the load; a target decides, else the estimate's range."""
    vllm = program(tmp_path, "vllm", MEASURES)
    told = []
    found = bench(place, vllm=[str(vllm)], told=told.append)
    assert [run.run.concurrency for run in found.runs] == [1, 2, 8]
    assert told[-1] == "32 requests of 256 + 64 tokens, 8 at once"
    token = [next(one for one in run.figures if one.unit == "ms" and one.target) for run in found.runs]
    assert [one.outcome for one in token] == ["met"] * 3
    assert "first token at 8 worse than estimated" in found.failures
    kept = sorted(path.name for path in (place / "measurements").iterdir())
    assert kept == ["bench-1.json", "bench-2.json", "bench-8.json", "bench.md", "bench.svg"]
    raw = json.loads((place / "measurements" / "bench-8.json").read_text())
    assert (raw["model_id"], raw["more"]) == ("Qwen/Qwen3-8B", [1])
    assert "| 8 | each further token | 20.0 ms |" in (place / "measurements" / "bench.md").read_text()
    assert (place / "measurements" / "bench.svg").read_text().count("<rect") == 6


def test_bench_in_the_servers_container_brings_its_result_out(place, tmp_path, monkeypatch):
    """The container's own key is used; nothing of it stands in the words."""
    program(tmp_path, "vllm", MEASURES)
    log = tmp_path / "log"
    program(
        tmp_path,
        "docker",
        "import os, sys\n"
        f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "assert sys.argv[1:5] == ['compose', 'exec', '-T', 'vllm']\n"
        "os.environ['VLLM_API_KEY'] = 'of the container'\nos.execvp(sys.argv[5], sys.argv[5:])\n",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    inside = tmp_path / "inside"
    inside.mkdir()
    answers = yaml.safe_load((place / ".copier-answers.yml").read_text()) | {"artefacts": ["compose"]}
    (inside / ".copier-answers.yml").write_text(yaml.safe_dump(answers))
    found = bench(inside, short=True)
    assert [run.run.completed for run in found.runs] == [8]
    assert "key" not in log.read_text().replace("VLLM_API_KEY", "").replace("OPENAI_API_KEY", "").lower()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit('no route to host')", "failed: no route to host"),
        ("", "wrote no result"),
        (MEASURES.replace('"completed": int(words["--num-prompts"])', '"completed": 0'), "no request .* was answered"),
        (MEASURES.replace('"mean_tpot_ms": 20.0,', ""), "has no mean_tpot_ms"),
    ],
    ids=["fails", "nothing", "none answered", "another release"],
)
def test_a_benchmark_that_fails_says_why(place, tmp_path, script, said):
    with pytest.raises(SourceError, match=said):
        bench(place, short=True, vllm=[str(program(tmp_path, "vllm", script))])


def test_a_cluster_that_does_not_answer_is_one_line_with_the_way_on(place, tmp_path, monkeypatch):
    """Five lines of kubectl's own log come before the one that says what is wrong."""
    noise = "E1130 12:51:06.019061 13266 memcache.go:265] Unhandled Error\\n" * 5
    program(tmp_path, "kubectl", f"import sys; sys.exit('{noise}The connection was refused')")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answers = yaml.safe_load((place / ".copier-answers.yml").read_text()) | {"artefacts": ["kubernetes"]}
    (tmp_path / ".copier-answers.yml").write_text(yaml.safe_dump(answers))
    with pytest.raises(SourceError) as refusal:
        bench(tmp_path, short=True)
    said = str(refusal.value)
    assert said.endswith("failed: The connection was refused; start the server, or name its address with --url")


def test_a_command_that_is_absent_and_a_model_without_tokens_are_refused(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", "bench", str(place), "--vllm", "no-such-program"])
    assert run() == SourceError.status
    assert "--vllm PATH" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["vllm-wizard", "bench", "/nonexistent"])
    assert run() == RequestError.status


@pytest.mark.parametrize(
    ("measured", "target", "lower", "outcome"),
    [
        (30, 30, True, "met"), (31, 30, True, "missed"), (5, 4, False, "met"), (3, 4, False, "missed"),
        (20, None, True, "as estimated"), (5, None, True, "better than estimated"),
        (50, None, True, "worse than estimated"), (5, None, False, "worse than estimated"),
    ],
)  # fmt: skip
def test_a_target_decides_where_there_is_one(measured, target, lower, outcome):
    expected = Latency(mean=20, median=20, p95=25, low=10, high=40)
    assert _outcome(measured, expected, target, lower_is_better=lower) == outcome
    assert _outcome(measured, None, None, lower_is_better=lower) == "no estimate"


def test_two_readings_at_one_moment_have_no_rate():
    """The clock may stand: all tokens so far are shown then, as without an earlier reading."""
    now = parse("vllm:prompt_tokens_total 40\nvllm:generation_tokens_total 20\n".splitlines())
    shown = [(one.name, one.now) for one in _rates(now, now, 0)]
    assert shown == [(one.name, one.now) for one in _rates(now, None, 5)] == [
        ("prompt tokens", "40"), ("output tokens", "20"),
    ]  # fmt: skip
    before = parse("vllm:prompt_tokens_total 30\nvllm:generation_tokens_total 10\n".splitlines())
    assert [one.now for one in _rates(now, before, 5)] == ["2", "2"]
