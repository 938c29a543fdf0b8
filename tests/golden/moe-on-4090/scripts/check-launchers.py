#!/usr/bin/env python3
"""Check that every launcher of this repository starts the same vLLM: one model, and the arguments of serve.yaml.

What a launcher has to say for itself (where it listens, which rank it is) may differ; nothing else may. The scripts run
with stand-ins for vllm and docker, which say what they were given. Your overlays take no part: they are yours to change.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import yaml
except ImportError:
    print("skipped: python3 has no yaml (it comes with yamllint)")
    sys.exit(0)

HERE = Path(__file__).resolve().parents[1]
OWN = {"--config", "--host", "--port", "--nnodes", "--node-rank", "--master-addr", "--headless"}
SAYS = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -c 'import json, sys; print("argv", json.dumps(sys.argv[1:]))' "$@"
"""
PLACE = {"VLLM_API_KEY": "check", "NODE_RANK": "0", "HEAD_ADDR": "head", "NODE_ADDR": "head", "IFACE_NAME": "check"}


def read(name: str) -> dict:
    """A YAML file of this repository; nothing where it is not there."""
    path = HERE / name
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def plain(value: object) -> object:
    """A value as its word on a command line, JSON as what it says."""
    try:
        value = json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except ValueError:
        return value
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else str(value)


def of_file(serve: dict) -> dict[str, list]:
    """Options and their values, as serve.yaml says them."""
    held = {}
    for key, value in serve.items():
        values = value if isinstance(value, list) else [] if value is True else [value]
        held[f"--{key}"] = [plain(one) for one in values]
    return held


def of_words(words: list[str]) -> dict[str, list]:
    """Options and their values, as a command line says them; what is before the first option is the model."""
    held: dict[str, list] = {"": []}
    last = ""
    for word in words:
        if word.startswith("--"):
            last, _, value = word.partition("=")
            held[last] = [plain(value)] if value else []
        else:
            held[last].append(plain(word))
    return held


def said(script: str, program: str) -> list[str]:
    """What the script gives to the program, which a stand-in says."""
    with tempfile.TemporaryDirectory() as place:
        stand_in = Path(place) / program
        stand_in.write_text(SAYS, encoding="utf-8")
        stand_in.chmod(0o755)
        variables = os.environ | PLACE | {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run([HERE / script], env=variables, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("argv ")]
    return json.loads(lines[0][5:]) if lines else sys.exit(f"{script}: {done.stderr.strip()}")


def charted() -> list[tuple[str, list[str], dict]]:
    """The chart's containers of vLLM, with the serve.yaml that they read; nothing without helm."""
    chart = HERE / "deploy/chart"
    if not chart.exists():
        return []
    try:
        done = subprocess.run(["helm", "template", "check", chart], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        print("skipped: helm is not installed, so nothing says what the chart starts")
        return []
    except subprocess.CalledProcessError as error:
        sys.exit(f"deploy/chart: {error.stderr.strip()}")
    made = [one for one in yaml.safe_load_all(done.stdout) if one]
    (config,) = (one["data"]["serve.yaml"] for one in made if "nginx.conf" in one.get("data", {}))
    pods = []
    for one in made:
        spec = one.get("spec", {})
        group = spec.get("leaderWorkerTemplate", {})
        pods += [(one["kind"], pod) for pod in (spec.get("template"), *group.values()) if isinstance(pod, dict)]
    return [(f"deploy/chart, {kind}", one["args"], yaml.safe_load(config))
            for kind, pod in pods for one in pod["spec"]["containers"] if one["name"] == "vllm"]  # fmt: skip


def launchers() -> list[tuple[str, list[str], dict]]:
    """Each launcher that is here: its name, its words behind `vllm serve`, and the file that they name."""
    serve = read("serve.yaml")
    found = []
    for name in ("compose.yaml", "compose.multinode.yaml"):
        services = read(name).get("services", {})
        found += [(f"{name}, {one}", services[one]["command"], serve) for one in ("vllm", "head", "worker") if one in services]
    if (HERE / "scripts/serve.sh").exists():
        found.append(("scripts/serve.sh", said("scripts/serve.sh", "vllm")[1:], serve))
    if (HERE / "scripts/docker-run.sh").exists():
        run = said("scripts/docker-run.sh", "docker")
        found.append(("scripts/docker-run.sh", run[run.index("--config") - 1 :], serve))
    for unit in HERE.glob("systemd/*.service"):
        (line,) = (one for one in unit.read_text(encoding="utf-8").splitlines() if one.startswith("ExecStart="))
        if shlex.split(line.partition("=")[2])[1:] != ["scripts/serve.sh"]:
            sys.exit(f"systemd/{unit.name}: starts something else than scripts/serve.sh")
    return [*found, *charted()]


def platforms() -> list[tuple[str, list[str]]]:
    """Words of the files for other platforms, which have no serve.yaml."""
    stack, llmd, kserve = (read(f"platform/{name}.yaml") for name in ("production-stack.values", "llm-d.values", "kserve"))
    found = []
    if stack:
        found.append(("platform/production-stack", stack["servingEngineSpec"]["modelSpec"][0]["vllmConfig"]["extraArgs"]))
    if llmd:
        found.append(("platform/llm-d", llmd["decode"]["containers"][0]["args"]))
    if kserve:
        (main,) = (one for one in kserve["spec"]["template"]["containers"] if one["name"] == "main")
        (words,) = (one["value"] for one in main["env"] if one["name"] == "VLLM_ADDITIONAL_ARGS")
        found.append(("platform/kserve", shlex.split(words)))
    return found


def main() -> int:
    """0 where all agree; 1 otherwise, a line for each that does not."""
    wanted = of_file(read("serve.yaml"))
    wrong, seen = [], []
    for name, words, serve in launchers():
        held = of_words(words)
        models = held.pop("")
        arguments = of_file(serve) | {key: value for key, value in held.items() if key not in OWN}
        seen.append(name)
        wrong += [f"{name}: names {len(models)} models" for _ in [0] if len(models) != 1]
        wrong += differences(name, arguments, wanted)
    for name, words in platforms():
        held = of_words(words)
        del held[""]
        seen.append(name)
        wrong += differences(name, held, wanted)
    if wrong or seen:
        print("\n".join(wrong) or f"launchers: {len(seen)} start vLLM with the arguments of serve.yaml")
    return bool(wrong)


def differences(name: str, held: dict[str, list], wanted: dict[str, list]) -> list[str]:
    """A line for each option that one of the two has otherwise."""
    return [f"{name}: {key} is {held.get(key, 'left out')}, serve.yaml says {wanted.get(key, 'nothing')}"
            for key in sorted(held.keys() | wanted.keys()) if held.get(key) != wanted.get(key)]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
