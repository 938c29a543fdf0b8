"""The command line as a user meets it: statuses, one line for every bad input, nothing written, no traceback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pexpect
import pytest
import yaml
from fixtures.checkpoints import TINY_LLAMA, TINY_LLAMA_TENSORS
from fixtures.deployments import git
from fixtures.hub_server import safetensors_files
from fixtures.nvml_library import L4, NVML

from generator.cli import app, console

QWEN = ("--model", "Qwen/Qwen3-8B", "--offline")
H100 = (*QWEN, "--gpu", "H100")
DRAWN = r"\x1b\[\?7h\x1b\[0m"
"""What a prompt prints last; keys that come before it may be lost."""
MODEL_QUESTION = "Model,"
QUESTIONS = ("GPUs of one node", "Workload preset", "Requests in flight", "Name of the service", "What to render")
"""What a person is asked where model and GPU are named, in copier.yml's order."""


@pytest.fixture(autouse=True, scope="module")
def _own_store(tmp_path_factory):
    """A HOME of this module's own: the store of other tests holds other releases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def vllm_wizard(monkeypatch, capsys):
    """Run the command line in this process: its status, standard output and standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["vllm-wizard", *map(str, words)])
        console.stdout.cache_clear()
        console.stderr.cache_clear()
        status = app.run()
        return status, *capsys.readouterr()

    yield run
    console.stdout.cache_clear()
    console.stderr.cache_clear()


@pytest.fixture
def refused(vllm_wizard):
    """Run a command that must fail with this status and one line of error; the line."""

    def run(status, *words):
        found, _, err = vllm_wizard(*words)
        lines = [line for line in err.splitlines() if line]
        assert (found, len(lines)) == (status, 1), err
        assert lines[0].startswith("error: ")
        assert "Traceback" not in err
        return lines[0]

    return run


BAD = [
    ("unknown GPU", 7, ("plan", *QWEN, "--gpu", "H10O"), r"unknown GPU 'H10O'; nearest: H100"),
    ("custom GPU without memory", 2, ("plan", *QWEN, "--gpu", "custom"), r"--vram-gb N --capability X\.Y"),
    ("custom GPU of no capability", 2,
     ("plan", *QWEN, "--gpu", "custom", "--vram-gb", 24, "--capability", "new"), r"'new' is not of the form 8\.9"),
    ("no GPU named", 2, ("plan", *QWEN, "--gpu", " "), r"no GPU named; name one of the tables with --gpu"),
    ("capability of a known GPU", 2, ("plan", *H100, "--capability", "8.9"), r"H100 has its own, leave it out"),
    ("custom GPU older than vLLM's", 2,
     ("plan", *QWEN, "--gpu", "custom", "--vram-gb", 24, "--capability", "1.0"), r"built for compute capability 7\.0"),
    ("unknown embedded model", 4, ("plan", "--model", "Qwen/Qwen3-9B", "--gpu", "L4", "--offline"),
     r"not an embedded model; nearest: Qwen/Qwen3-8B.*or a local directory"),
    ("embedded without that revision", 4, ("plan", *H100, "--revision", "abc"), r"drop --revision"),
    ("no network", 4, ("plan", "--model", "nobody/nothing", "--gpu", "L4"), r"was not reached.*nearest|not.*reached"),
    ("no directory", 4, ("plan", "--model", "./nowhere", "--gpu", "L4"), r"is not a directory"),
    ("no model", 2, ("plan", "--gpu", "L4"), r"no model given; name one: --model"),
    ("empty model", 2, ("plan", "--model", "", "--gpu", "L4"), r"no model given"),
    ("TP that does not divide", 2, ("plan", *H100, "--gpus", 8, "--tp", 3), r"\(32\) must be divisible.*\(3\); use --"),
    ("TP over the GPUs", 2, ("plan", *H100, "--gpus", 2, "--tp", 4), r"world size 4 is larger than the 2"),
    ("DP over the GPUs", 2, ("plan", *H100, "--dp", 3), r"there are 1"),
    ("PP over the GPUs", 2, ("plan", *H100, "--pp", 100), r"world size 100"),
    *((f"{flag} {size}", 2, ("plan", *H100, flag, size), r"must be at least 1, got")
      for flag in ("--tp", "--pp", "--dp", "--max-num-seqs", "--max-num-batched-tokens") for size in (0, -1)),
    ("no context", 2, ("plan", *H100, "--max-model-len", 0), r"max_model_len must be at least 1"),
    ("no block", 2, ("plan", *H100, "--set", "block_size=0"), r"block_size must be at least 1"),
    ("DCP of 0", 2, ("plan", *H100, "--set", "decode_context_parallel_size=0"), r"at least 1, got 0"),
    ("context over the model's", 2, ("plan", *H100, "--max-model-len", 999999),
     r"999999 is greater.*40960 tokens.*RoPE"),
    ("context that is no number", 2, ("plan", *H100, "--max-model-len", "long"), r"'long' is not a whole number"),
    ("context below the workload", 2, ("plan", *H100, "--max-model-len", 512, "--prompt-tokens", 1024),
     r"1,280 tokens.*512.*--prompt-tokens"),
    ("prompt over the model's context", 2, ("plan", *H100, "--prompt-tokens", 10**9), r"lower --prompt-tokens"),
    *((f"utilization {share}", 2, ("plan", *H100, "--gpu-memory-utilization", share), r"above 0 and at most 1, got")
      for share in (0, -0.5, 1.5, "nan", "inf")),
    ("utilization that others hold", 2,
     ("plan", *H100, "--reserve-gb", 40, "--gpu-memory-utilization", 0.9), r"lower --gpu-memory-utilization"),
    *((f"{flag} inf", 2, ("plan", *H100, flag, "inf"), rf"{flag}: input should be a finite number")
      for flag in ("--vram-gb", "--reserve-gb", "--headroom-gb", "--ttft-ms", "--price")),
    *((f"{flag} 1e30", 2, ("plan", *H100, flag, "1e30"), rf"{flag}: input should be less than or equal to")
      for flag in ("--vram-gb", "--reserve-gb", "--headroom-gb", "--requests-per-s", "--price")),
    ("too many requests", 2, ("plan", *H100, "-c", 10**9), r"--concurrency: input should be less than or equal to"),
    ("no GPUs", 2, ("plan", *H100, "--gpus", 0), r"--gpus: input should be greater than 0"),
    ("too many GPUs", 2, ("plan", *H100, "--gpus", 1000), r"--gpus: input should be less than or equal to 128"),
    ("GPUs that are no number", 2, ("plan", *H100, "--gpus", "x"), r"'--gpus': write a whole number, like 2"),
    ("unknown workload", 2, ("plan", *H100, "--workload", "x"),
     r"'--workload': 'x' is not one of.*'batch' \(see --help"),
    ("set and unset", 2, ("plan", *H100, "--set", "seed=1", "--unset", "seed"), r"seed is set and unset at once"),
    ("blocks that no backend takes", 2, ("plan", *H100, "--set", "block_size=7"),
     r"blocks of 7.*leave --block-size out"),
    ("unknown flag", 2, ("plan", *H100, "--nope"), r"No such option: --nope"),
    ("unknown command", 2, ("proof",), r"No such command 'proof'"),
    ("unknown vLLM", 7, ("plan", *H100, "--vllm", "0.1.0"), r"the newest known is 0\.33\.0"),
    ("argument the release lacks", 2, ("plan", *H100, "--set", "max_num_seq=4"), r"nearest: max_num_seqs"),
    ("value the release lacks", 2, ("plan", *H100, "--dtype", "bf16"), r"takes one of .*, not 'bf16': bfloat16\?$"),
    ("set without a value", 2, ("plan", *H100, "--set", "max_num_seqs"), r"write KEY=VALUE"),
    ("set with a broken value", 2, ("plan", *H100, "--set", "seed={"), r"not valid YAML"),
    ("the model as an engine value", 2, ("plan", *H100, "--set", "model=x"), r"name it with --model"),
    ("batch below its sequences", 2, ("plan", *H100, "--max-num-seqs", 64, "--max-num-batched-tokens", 32),
     r"32 must be at least max_num_seqs 64"),
    ("more slices than GPUs", 2, ("plan", *H100, "--set", "tensor_parallel_size=2"), r"world size 2"),
    ("two sizes that contradict", 2, ("plan", *H100, "--tp", 1, "--set", "tensor_parallel_size=2"),
     r"--tensor-parallel-size 1 and --set tensor_parallel_size=2 say different values"),
    ("draft as a list", 2, ("plan", *H100, "--set", "speculative_config=[1]"), r"must be a mapping"),
    ("draft of no method", 2, ("plan", *H100, "--set", "speculative_config={method: 3}"), r"method must be a name"),
    ("draft of no tokens", 2, ("plan", *H100, "--set", "speculative_config={num_speculative_tokens: 0}"),
     r"num_speculative_tokens must be at least 1, got 0"),
    ("AWQ that nobody made", 2, ("plan", *H100, "--quantization", "awq"), r"with awq: .*; at load it can with fp8"),
    ("quantized twice", 2,
     ("plan", "--model", "Qwen/Qwen2.5-7B-Instruct-AWQ", "--offline", "--gpu", "L4", "-q", "fp8"), r"with awq already"),
    ("no profile", 4, ("plan", *H100, "--profile", "nowhere.yaml"), r"cannot read profile nowhere\.yaml"),
    ("no driver", 4, ("plan", *QWEN), r"driver"),
    ("fit without a model", 2, ("fit",), r"no model given"),
    ("fit of two models", 2, ("fit", "Qwen/Qwen3-14B", *QWEN), r"two models are named"),
    ("fit on an unknown GPU", 7, ("fit", *QWEN, "--gpu", "L5"), r"unknown GPU 'L5'"),
    ("the cheapest of three GPUs", 2, ("fit", *QWEN, "--cheapest", "--gpus", 3), r"with 1, 2, 4, 8 GPUs, not with 3"),
    ("fit on a GPU of one's own", 2, ("fit", *QWEN, "--gpu", "custom"), r"leave --vram-gb and --gpu custom out"),
    ("no deployment to update", 2, ("update", "nowhere", "--gpus", 2), r"no \.copier-answers\.yml"),
    ("no deployment to check", 2, ("check", "nowhere"), r"no \.copier-answers\.yml"),
    ("a command of another tool", 2, ("list",), r"no command list: `gpus` and `models` list"),
    ("a command that nobody has", 2, ("lisst",), r"No such command 'lisst' \(see --help\)"),
    ("a directory of Windows", 2, ("generate", *H100, "--yes", "-o", "C:\\deploy"), r"a path of Windows.*/mnt/c"),
    ("a model of Windows", 4, ("plan", "C:\\x", "--gpu", "L4", "--offline"), r"no directory with a config\.json here"),
    ("four bits at load", 2, ("plan", *H100, "-q", "int4"), r"no 'int4'; .* option: --model Qwen/Qwen3-8B-AWQ$"),
    ("AWQ at load", 2, ("plan", *H100, "-q", "awq"), r"stored quantized, --model Qwen/Qwen3-8B-AWQ"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=[row[0] for row in BAD])
def test_bad_input_is_one_line_with_the_next_step(refused, tmp_path, monkeypatch, bad):
    _, status, words, line = bad
    monkeypatch.chdir(tmp_path)
    assert re.search(line, refused(status, *words))
    assert not list(tmp_path.iterdir())


def test_an_unknown_architecture_is_named_with_what_is_needed(refused, tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"architectures": ["NobodysForCausalLM"], "model_type": "nobodys"}), encoding="utf-8"
    )
    line = refused(7, "plan", "--model", tmp_path, "--gpu", "L4")
    assert "NobodysForCausalLM (model_type 'nobodys')" in line
    assert "num_attention_heads" in line


def test_a_directory_without_a_config_is_no_model(refused, tmp_path):
    assert "config.json" in refused(4, "plan", "--model", tmp_path, "--gpu", "L4")


def test_models_that_the_hub_does_not_give(hub, refused):
    hub.add("org/gated", TINY_LLAMA, TINY_LLAMA_TENSORS, gated=True)
    hub.add("org/private", TINY_LLAMA, TINY_LLAMA_TENSORS, private=True)
    assert "HF_TOKEN" in refused(4, "plan", "--model", "org/gated", "--gpu", "L4")
    assert "org/private" in refused(4, "plan", "--model", "org/private", "--gpu", "L4")
    assert "org/missing" in refused(4, "plan", "--model", "org/missing", "--gpu", "L4")


def test_a_model_of_the_hub_is_planned_at_its_commit(hub, vllm_wizard):
    commit = hub.add("org/tiny", TINY_LLAMA, TINY_LLAMA_TENSORS)
    status, out, _ = vllm_wizard("plan", "--model", "org/tiny", "--gpu", "L4", "--json", "--prompt-tokens", 512)
    plan = json.loads(out)
    assert (status, plan["model"]["revision"], plan["engine"]["revision"]) == (0, commit, commit)
    assert plan["model"]["checkpoint_bytes"] == 213_632


def test_a_directory_is_planned_and_served_under_its_name(vllm_wizard, tmp_path):
    place = tmp_path / "my model"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(TINY_LLAMA), encoding="utf-8")
    for name, file in safetensors_files(TINY_LLAMA_TENSORS).items():
        (place / name).write_bytes(file.head.ljust(file.size, b"\0"))
    status, out, _ = vllm_wizard("plan", "--model", place, "--gpu", "L4", "--json", "--prompt-tokens", 512)
    plan = json.loads(out)
    assert (status, plan["model"]["source"], plan["engine"]["served_model_name"]) == (0, "local", "my model")
    assert plan["model"]["checkpoint_bytes"] == 213_632


# A model that does not fit

TOO_LARGE = ("--model", "Qwen/Qwen3-32B", "--gpu", "L4", "--offline")


def test_a_plan_that_does_not_fit_says_how_short_and_what_would_help(vllm_wizard):
    status, out, err = vllm_wizard("plan", *TOO_LARGE)
    assert status == 5
    assert re.fullmatch(r"error: Qwen/Qwen3-32B does not fit .*: [\d.]+ GiB short on each; try .*\n", err)
    assert "DOES NOT FIT" in out
    assert "Smallest changes that make it fit" in out
    assert "vllm serve" not in out


def test_a_plan_that_does_not_fit_is_valid_json_alone_on_stdout(vllm_wizard):
    status, out, _ = vllm_wizard("plan", *TOO_LARGE, "--json")
    plan = json.loads(out)
    assert status == 5
    assert plan["feasibility"]["verdict"] == "does_not_fit"
    assert plan["feasibility"]["shortfall_bytes"] > 0
    assert plan["repairs"]
    assert plan["kv_cache"] is None


def test_a_printed_repair_repairs(vllm_wizard):
    _, out, _ = vllm_wizard("plan", *TOO_LARGE, "--json")
    for repair in json.loads(out)["repairs"]:
        status, repaired, err = vllm_wizard("plan", *TOO_LARGE, "--json", *repair["flags"])
        assert (status, err) == (0, ""), repair
        assert json.loads(repaired)["feasibility"]["fits"]


def test_what_does_not_fit_is_not_generated(vllm_wizard, tmp_path):
    status, _, err = vllm_wizard("generate", *TOO_LARGE, "--yes", "-o", tmp_path / "new")
    assert status == 5
    assert "43.7 GiB short on each" in err
    assert not (tmp_path / "new").exists()


# Profiles


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model:\n  id: a/b\nhardwear:\n  gpus: 2\n", r"line 3: unknown section 'hardwear'; known: model"),
        ("model:\n  id: a/b\nhardware:\n  gpu: L4\n  gups: 2\n", r"line 5: unknown key 'hardware\.gups'; known"),
        ("model:\n  id: [a\n", r"line \d: not valid YAML"),
        ("- a\n", r"expected the sections model, hardware"),
        ("model: Qwen\n", r"line 1: section model must be a mapping"),
        ("model:\n  id: Qwen/Qwen3-8B\nhardware:\n  gpu: L4\n  gpus: many\n", r"gpus: .*valid integer.*'many'"),
        ("model:\n  id: Qwen/Qwen3-8B\noutputs:\n  vllm_args: [a]\n", r"line 4: outputs\.vllm_args must be a mapping"),
    ],
)
def test_a_broken_profile_is_refused_with_line_and_field(refused, tmp_path, text, line):
    path = tmp_path / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    assert re.search(line, refused(2, "plan", "--profile", path, "--offline"))


def test_flags_win_over_the_profile_and_superseded_keys_warn(vllm_wizard, tmp_path):
    path = tmp_path / "profile.yaml"
    path.write_text(
        "model:\n  id: Qwen/Qwen3-8B\n  max_model_len: 8192\nhardware:\n  gpu: L4\n  gpus: 2\n"
        "policy:\n  overhead_gb: 2\n",
        encoding="utf-8",
    )
    status, out, err = vllm_wizard("plan", "--profile", path, "--gpus", 1, "--offline", "--json")
    plan = json.loads(out)
    assert (status, plan["inputs"]["gpus"], plan["engine"]["max_model_len"]) == (0, 1, 8192)
    assert "line 8: policy.overhead_gb has no effect any more" in err


# What people read


def test_a_plan_for_people(vllm_wizard):
    status, out, err = vllm_wizard("plan", *H100, "--gpus", 2, "--explain")
    assert (status, err) == (0, "")
    for part in ("FITS", "Memory of one GPU", "Weights", "KV cache", "Workload", "Speed", "Why", "vllm serve"):
        assert part in out
    assert "tensor_parallel_size" in out


def test_square_brackets_are_printed_as_they_are(vllm_wizard, tmp_path):
    status, out, _ = vllm_wizard("plan", *H100, "--explain", "--set", "chat_template='[/x] [bold]y'")
    assert status == 0
    assert "[/x] [bold]y" in out
    status, out, _ = vllm_wizard("generate", *H100, "--yes", "--emit", "command", "-o", tmp_path / "a [/b] [red]")
    assert status == 0
    assert "[/b] [red]" in out
    assert (tmp_path / "a [/b] [red]" / "serve.yaml").is_file()


def test_which_gpus_hold_a_model(vllm_wizard):
    status, out, _ = vllm_wizard("fit", "Qwen/Qwen3-32B", "--offline", "--json")
    rows = {(row["gpu"], row["gpus"], row["nodes"]): row for row in json.loads(out)}
    assert status == 0
    assert rows["L4-24GB", 1, 1]["shortfall_bytes"] > 0
    assert rows["H200-SXM-141GB", 1, 1]["verdict"] == "fits"
    assert rows["H100-SXM-80GB", 3, 1]["layout"]["tensor_parallel_size"] != 3


def test_which_gpus_hold_a_model_as_a_table(vllm_wizard, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    status, out, _ = vllm_wizard("fit", "Qwen/Qwen3-32B", "--offline")
    assert status == 0
    assert "H200-SXM-141GB" in out


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (("--gpus", 3), ["3"]),
        (("--gpus", 2, "--nodes", 4), ["4 x 2"]),
        (("--nodes", 2), ["2 x 1", "2 x 2", "2 x 4", "2 x 8"]),
        ((), ["1", "2", "4", "8", "2 x 8"]),
    ],
)
def test_fit_shows_the_counts_that_are_named(vllm_wizard, monkeypatch, words, columns):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = vllm_wizard("fit", *QWEN, "--gpu", "L40S", *words)
    assert status == 0
    assert re.split(r"  +", out.splitlines()[1].strip()) == ["GPU", *columns]


@pytest.mark.parametrize("more", [(), ("--cheapest",)])
def test_a_narrow_terminal_cuts_no_figure(vllm_wizard, monkeypatch, more):
    """A line that the terminal breaks can be read; `2…` can not."""
    monkeypatch.setenv("COLUMNS", "40")
    status, out, _ = vllm_wizard("fit", *QWEN, "--gpu", "H100", *more)
    assert status == 0
    assert "H100-SXM-80GB" in out
    assert "…" not in out


def test_a_terminal_without_the_bars_signs_shows_the_plan(tmp_path):
    words = (sys.executable, "-m", "generator", "plan", *H100)
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Weights" in done.stdout


def test_fit_counts_what_other_processes_hold(vllm_wizard):
    """10 of an L40S's 45 GiB are gone, and the cache of one request fewer is there."""
    words = ("fit", *QWEN, "--gpu", "L40S", "--gpus", 1, "--json")
    (alone,), (shared,) = (json.loads(vllm_wizard(*words, *more)[1]) for more in ((), ("--reserve-gb", 10)))
    assert shared["concurrency"] < alone["concurrency"]
    assert json.loads(vllm_wizard(*words, "--reserve-gb", 50)[1])[0]["verdict"] == "does_not_fit"


def test_the_cheapest_gpus_come_first(vllm_wizard, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    words = ("fit", "Qwen/Qwen3-8B", "--offline", "--cheapest", "--tpot-ms", 100)
    rows = json.loads(vllm_wizard(*words, "--json")[1])
    costs = [row["cost_per_hour"] for row in rows]
    assert costs == sorted(costs)
    assert all(row["tpot_ms"] <= 100 and row["verdict"] != "does_not_fit" for row in rows)
    first = f"{rows[0]['gpus']} x {rows[0]['gpu']}"
    assert first in vllm_wizard(*words)[1]
    assert "nothing in the table" in vllm_wizard(*words[:-1], 0.001)[1]


@pytest.mark.parametrize("command", ["detect", "fit", "plan", "generate", "update", "check"])
def test_every_command_shows_an_example(vllm_wizard, command):
    status, out, _ = vllm_wizard(command, "--help")
    assert status == 0
    assert "Example: vllm-wizard" in out


@pytest.mark.parametrize(("words", "said"), [(("help",), "Usage: "), (("help", "plan"), "--prompt-tokens")])
def test_help_is_a_command_too(vllm_wizard, words, said):
    status, out, _ = vllm_wizard(*words)
    assert status == 0
    assert said in out


def test_the_version_is_printed(vllm_wizard):
    assert re.fullmatch(r"vllm-wizard \d+\.\d+\.\d+\S*\n", vllm_wizard("--version")[1])


def test_a_bug_is_one_line_and_its_traceback_on_request(vllm_wizard, monkeypatch):
    monkeypatch.setattr("generator.workflow.plan_for", lambda *_, **_named: 1 // 0)
    status, _, err = vllm_wizard("plan", *H100)
    assert status == 1
    assert re.fullmatch(r"error: unexpected ZeroDivisionError: .*VLLM_WIZARD_DEBUG=1 and report it\n", err)
    monkeypatch.setenv("VLLM_WIZARD_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        vllm_wizard("plan", *H100)


def test_a_reader_that_hangs_up_is_no_error(vllm_wizard, monkeypatch):
    def hang_up(*_, **_named):
        raise BrokenPipeError

    monkeypatch.setattr("generator.workflow.plan_for", hang_up)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    assert vllm_wizard("plan", *H100)[0] == 0
    sys.stdout.close()


def test_an_interrupt_is_status_130(vllm_wizard, monkeypatch):
    def interrupt(*_, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr("generator.workflow.plan_for", interrupt)
    status, _, err = vllm_wizard("plan", *H100)
    assert (status, err) == (130, "error: interrupted; nothing was changed\n")


# Generating


def test_generate_into_a_path_with_spaces_and_accents_asks_nothing(vllm_wizard, tmp_path):
    place = tmp_path / "mon dépôt ☃"
    status, out, err = vllm_wizard("generate", *H100, "--yes", "--emit", "command,k8s", "--ci", "none", "-o", place)
    assert (status, err) == (0, "")
    assert "generated" in out
    assert (place / "serve.yaml").is_file()
    assert not (place / "compose.yaml").exists()
    assert git(place, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--emit", "terraform"), r"--emit terraform: .*choose of command"),
        (("--ci", "jenkins"), r"none of github, gitlab"),
        (("--service", "Not A Slug"), r"lower-case letters"),
        (("--model", "a" * 100_000), r"--model: 'a{40}'\.\.\. has more than 1,000 letters"),
        (("--template", "9.9.9"), r"9\.9\.9"),
    ],
)
def test_bad_words_of_generate_write_nothing(refused, tmp_path, words, line):
    assert re.search(line, refused(2, "generate", *H100, "--yes", "-o", tmp_path / "new", *words))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "words", "line"),
    [
        (2, ("check", "{}/nowhere"), r"generate"),
        (2, ("check", "--all", "{}/nowhere"), r"cannot be read"),
        (2, ("check", "--all", "{}"), r"holds no deployment"),
        (2, ("update", "--all", "{}/file"), r"cannot be read: Not a directory"),
        (2, ("update", "--undo", "{}"), r"generate"),
        (2, ("update", "--resolve", "{}"), r"generate"),
        (4, ("update", "{}", "--report", "{}/nowhere/x.md"), r"nothing was changed"),
        (2, ("adopt", "{}/file"), r"generate"),
        (6, ("template", "publish", "{}/none.git"), r"does not appear to be a git repository"),
        (2, ("template", "use", "embedded", "{}"), r"generate"),
        (2, ("template", "diff", "1.0.0", "9.9.9"), r"no template 9\.9\.9; there are 1\.0\.0"),
        (2, ("template", "release", "x", "--when", "2026-01-01"), r"write X\.Y\.Z"),
        (4, ("engine", "import", "{}/nowhere"), r"cannot be read"),
        (4, ("engine", "import", "{}/file"), r"no dump"),
    ],
)  # fmt: skip
def test_bad_words_of_the_other_commands_write_nothing(refused, tmp_path, status, words, line):
    (tmp_path / "file").write_text("mine\n")
    assert re.search(line, refused(status, *(word.format(tmp_path) for word in words)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_taken_destination_is_refused_and_untouched(refused, tmp_path):
    (tmp_path / "mine").touch()
    assert "is not empty" in refused(2, "generate", *H100, "--yes", "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_generate_needs_a_destination_and_a_gpu(refused, tmp_path):
    assert "--output-dir" in refused(2, "generate", *H100)
    line = refused(4, "generate", *QWEN, "--yes", "-o", tmp_path / "new")
    assert "--gpu" in line
    assert not (tmp_path / "new").exists()


def test_this_machines_gpus_are_shown_and_taken(vllm_wizard, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", NVML(L4, L4))
    status, out, _ = vllm_wizard("detect")
    assert status == 0
    assert "driver 580.95.05, CUDA 13.0" in out
    assert [gpu["name"] for gpu in json.loads(vllm_wizard("detect", "--json")[1])["gpus"]] == [L4, L4]
    status, _, err = vllm_wizard("generate", *QWEN, "--yes", "--emit", "command", "-o", tmp_path / "new")
    assert (status, err) == (0, "")
    answers = (tmp_path / "new" / ".copier-answers.yml").read_text(encoding="utf-8")
    assert "\ngpu: L4-24GB\n" in answers
    assert "\ngpus: 2\n" in answers


@pytest.fixture
def terminal(tmp_path):
    """Run the command line on a terminal."""
    started = []

    def run(*words):
        child = pexpect.spawn(
            sys.executable, ["-m", "generator", *map(str, words)], timeout=30, encoding="utf-8", cwd=tmp_path,
            dimensions=(50, 160), env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        started.append(child)
        return child

    yield run
    for child in started:
        child.close(force=True)


def answer(child, *questions, keys="\r"):
    """Answer each question once it is drawn."""
    for question in questions:
        child.expect_exact(question)
        child.expect(DRAWN)
        child.send(keys)


def test_a_bare_command_begins_and_refuses_each_answer_where_it_is_typed(terminal, tmp_path):
    """A short name, a typo in it, a number of GPUs before their name; what a default is stands beside the question."""
    child = terminal()
    answer(child, MODEL_QUESTION, keys="Qwen/Qwen3-8BB\r")
    child.expect_exact("nearest: Qwen/Qwen3-8B")
    answer(child, MODEL_QUESTION, keys="qwen3-8b\r")
    child.expect_exact("Qwen/Qwen3-8B: 8.2B parameters")
    answer(child, "GPU", keys="L5\r")
    child.expect_exact("unknown GPU 'L5'; nearest: L4-24GB")
    answer(child, "GPU", keys="2x3090\r")
    answer(child, *QUESTIONS[1:])
    answer(child, "New directory", keys="mine\r")
    answer(child, "Which one?")
    answer(child, "Generate mine", keys="y")
    child.expect("The same without questions")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    words = shlex.split(child.before[child.before.index("vllm-wizard generate") :])
    assert words[:2] == ["vllm-wizard", "generate"]
    assert tuple(words[words.index("--gpu") :][:4]) == ("--gpu", "RTX-3090-24GB", "--gpus", "2")
    again = ["--offline", *words[2:-3], "--output-dir", "again/mine", "--yes"]
    subprocess.run([sys.executable, "-m", "generator", "generate", *again], cwd=tmp_path, check=True)
    assert tree(tmp_path / "mine") == tree(tmp_path / "again/mine")


def tree(place):
    """Bytes of every file of a repository but git's own, by path."""
    found = (path for path in place.rglob("*") if path.is_file() and ".git" not in path.relative_to(place).parts[:1])
    return {str(path.relative_to(place)): path.read_bytes() for path in found}


def test_ctrl_c_at_a_prompt_writes_nothing(terminal, tmp_path):
    child = terminal("generate", *QWEN, "--output-dir", "new")
    child.expect_exact("GPU")
    child.expect(DRAWN)
    child.send("\x03")
    child.expect("nothing was changed")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert "Traceback" not in child.before
    assert not (tmp_path / "new").exists()


def test_yes_asks_nothing_on_a_terminal(terminal, tmp_path):
    child = terminal("generate", *H100, "--yes", "--output-dir", "new")
    child.expect("generated")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert (tmp_path / "new" / "serve.yaml").is_file()


def test_a_person_is_asked_for_what_is_open_and_confirms(terminal, tmp_path):
    """Every prompt is answered with Enter, its default; the plan is shown before the last one."""
    child = terminal("generate", *H100, "--output-dir", "new")
    answer(child, *QUESTIONS, "Which one?", "Generate new")
    child.expect("generated")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert git(tmp_path / "new", "status", "--porcelain") == ""


def test_a_person_who_declines_is_shown_the_choice_again_and_leaves_with_nothing(terminal, tmp_path):
    child = terminal("generate", *H100, "--output-dir", "new")
    answer(child, *QUESTIONS, "Which one?")
    answer(child, "Generate new", keys="n")
    answer(child, "Which one?", keys="\x1b[A\r")
    child.expect("nothing was changed")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert not (tmp_path / "new").exists()


def test_a_proposed_change_is_put_in_by_its_number(vllm_wizard):
    _, out, _ = vllm_wizard("plan", *TOO_LARGE, "--json")
    repairs = json.loads(out)["repairs"]
    for number, repair in enumerate(repairs, 1):
        status, found, err = vllm_wizard("plan", *TOO_LARGE, "--json", "--apply", number)
        assert status == 0, err
        assert err.startswith("applied: ")
        made = json.loads(found)
        assert {name: made["inputs"][name] for name in repair["changes"]} == repair["changes"]


def test_a_change_that_is_not_proposed_is_refused(refused):
    assert "this plan proposes no change" in refused(2, "plan", *H100, "--apply", 1)


def test_the_cheapest_gpus_that_meet_the_targets_are_planned(vllm_wizard):
    words = (*QWEN, "--cheapest", "--tpot-ms", 30, "--json")
    status, out, err = vllm_wizard("plan", *words)
    assert status == 0
    assert err.startswith("cheapest of ")
    made = json.loads(out)
    assert made["estimate"]["tpot_ms"]["mean"] <= 30
    status, out, _ = vllm_wizard("plan", *words, "--gpu", "H100", "--gpus", 2)
    cluster = json.loads(out)["cluster"]
    assert (status, cluster["gpu"]["name"], cluster["gpus_per_node"]) == (0, "H100-SXM-80GB", 2)


def test_where_nothing_meets_the_targets_the_cheapest_is_refused(refused):
    assert "relax a target" in refused(5, "plan", *QWEN, "--cheapest", "--tpot-ms", 0.1)
    assert "leave --vram-gb" in refused(2, "plan", *QWEN, "--cheapest", "--vram-gb", 40)


def test_a_repository_for_the_cheapest_gpus_is_generated(vllm_wizard, tmp_path):
    words = (*QWEN, "--cheapest", "--tpot-ms", 30, "--output-dir", tmp_path / "made", "--yes")
    status, _, err = vllm_wizard("generate", *words)
    assert status == 0, err
    answers = (tmp_path / "made/.copier-answers.yml").read_text(encoding="utf-8")
    assert "gpu: any" not in answers


def test_a_deployment_takes_a_proposed_change_by_its_number(vllm_wizard, tmp_path):
    place = tmp_path / "made"
    status, _, err = vllm_wizard("generate", *QWEN, "--gpu", "L4", "--output-dir", place, "--yes")
    assert status == 0, err
    status, _, err = vllm_wizard("update", place, "--tpot-ms", 40, "--apply", 1, "--offline")
    assert status == 0, err
    assert "applied: " in err
    answers = (place / ".copier-answers.yml").read_text(encoding="utf-8")
    assert re.search(r"^tpot_ms: 40", answers, re.MULTILINE)
    status, _, err = vllm_wizard("update", place, "--apply", 9, "--offline")
    assert status == 2, err


def test_a_target_that_no_change_meets_is_said(vllm_wizard):
    status, out, _ = vllm_wizard("plan", *H100, "--tpot-ms", 0.1)
    assert status == 0
    assert "no single change that was tried mends it" in out


def test_another_gpu_drops_what_was_recorded_of_the_old_one(vllm_wizard, tmp_path):
    """Memory, capability and price belong to the GPU that they were stated with; other answers stay."""
    place = tmp_path / "one"
    custom = ("--gpu", "custom", "--vram-gb", 48, "--capability", "8.9", "--price", 1.2, "--reserve-gb", 1)
    assert vllm_wizard("generate", *QWEN, *custom, "--output-dir", place, "--yes")[0] == 0
    status, out, err = vllm_wizard("update", place, "--gpu", "L40S", "--unset", "seed", "--offline")
    assert status == 0, err
    assert "vram_gb: 48.0 -> 0.0" in out
    assert "warning: --unset seed: no value of yours; yours are none" in err
    recorded = yaml.safe_load((place / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert [recorded[name] for name in ("vram_gb", "capability", "price", "reserve_gb")] == [0.0, "", 0.0, 1.0]


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("{plan} | head -1; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("{plan} --json | head -1; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("{plan} >&-", 0, ""),
        ("{plan} --gpu H1000 2>&-", 7, ""),
        ("{plan} >/dev/full", 4, "error: No space left on device; free some and run again\n"),
    ],
)
def test_a_stream_that_takes_nothing_is_no_bug(line, status, said):
    """A reader that has seen enough, a closed stream, a full disk."""
    plan = shlex.join([sys.executable, "-m", "generator", "plan", *H100])
    done = subprocess.run(["bash", "-c", line.format(plan=plan)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, said)


def test_fit_shows_one_gpu_and_every_figure_whole(vllm_wizard, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, one, _ = vllm_wizard("fit", *QWEN, "--gpu", "L4")
    assert [line.split()[0] for line in one.splitlines() if "GB " in line] == ["L4-24GB"]
    _, every, _ = vllm_wizard("fit", *QWEN)
    assert "\N{HORIZONTAL ELLIPSIS}" not in every


def test_the_cheapest_are_one_line_each_on_80_columns(vllm_wizard, monkeypatch):
    """Also with many replicas of two nodes each; and a plan's figures hang below their labels."""
    monkeypatch.setenv("COLUMNS", "80")
    words = (*QWEN, "--cheapest", "--requests-per-s", 2000)
    _, out, _ = vllm_wizard("fit", *words, "--nodes", 2)
    rows = [line for line in out.splitlines() if " x (2 x " in line]
    assert len(rows) == 15
    assert all(re.search(r"GB\)( +[\d.,]+){5}( +[a-z])? *$", line) for line in rows)
    _, out, err = vllm_wizard("plan", *words)
    assert all(len(line) <= 80 for line in (*err.splitlines(), *out.splitlines()))
    figures = out[out.index("\nKV cache  ") + 1 : out.index("note:")].splitlines()
    labels = ("KV cache  ", "Workload  ", "Speed     ", "Cost      ", "Replicas  ", "Runner-up ", " " * 10)
    assert all(line.startswith(labels) and line[10] != " " for line in figures)


def test_no_command_is_the_help_and_nothing_more(vllm_wizard):
    status, out, err = vllm_wizard()
    assert (status, err) == (2, "")
    assert "Usage" in out
