"""Ask the vLLM of this image whether it would start this deployment, before a byte of weights is downloaded.

    make preflight                                            in the pinned image, with or without a GPU
    python3 scripts/preflight.py --json preflight.json        where vLLM is installed
    vllm-wizard check --preflight preflight.json              what to do about a refusal

VLLM's own code parses serve.yaml, builds the engine's configuration and the model's layers without weights, and plans
the cache. Only the model's config is fetched (kilobytes). Status 0: it starts; 8: vLLM refuses; 4: a file is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

STARTS, UNREADABLE, REFUSED = 0, 4, 8
_ANSWERS = ".copier-answers.yml"
_GIB = 1 << 30
_H100 = {"name": "NVIDIA H100 80GB HBM3", "capability": "9.0", "bytes": 81559 << 20, "multiprocessors": 132}
"""What a model is built for where no plan names a GPU."""
_WHICH = "ask with this machine's GPUs, or with the plan's (auto: this machine's where it has any)"


def main(words=None):
    """Ask, print, and write what is asked for; the exit status."""
    given = _given(words)
    try:
        question = _question(given)
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}: run this in a deployment that `vllm-wizard generate` made", file=sys.stderr)
        return UNREADABLE
    _quiet()
    pretended = _pretend(given, question)
    if given.facts:
        return _facts(given, question)
    answer = _asked(question)
    report = _report(question, answer, pretended)
    _write(report, given.json)
    for line in _lines(report):
        print(line, file=sys.stderr if given.json == "-" else sys.stdout)
    return STARTS if report["starts"] else REFUSED


def _facts(given, question):
    """Write what vLLM builds of the model, for `vllm-wizard plan --facts FILE`."""
    import vllm  # noqa: PLC0415 - after the stand-ins

    _inspect_here(question)
    from vllm_judge.facts import dumped  # noqa: PLC0415

    asked = question | {"argv": [], "count": 8, "nodes": 1}
    found = {"schema": 1, "vllm": vllm.__version__.partition("+")[0], "model": question["directory"], **dumped(asked)}
    _write(found, given.facts)
    return STARTS


def _write(report, place):
    text = json.dumps(report, indent=2) + "\n"
    if place == "-":
        print(text, end="")
    elif place:
        Path(place).write_text(text, encoding="utf-8")


def _given(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(sys.argv[0]).resolve().parent.parent
    parser.add_argument("--root", type=Path, default=here, help="the deployment (default: beside scripts/)")
    parser.add_argument("--plan", type=Path, help=f"the recorded plan (default: {_ANSWERS} of the deployment)")
    parser.add_argument("--serve", type=Path, help="the configuration (default: serve.yaml of the deployment)")
    parser.add_argument("--model", help="a directory or id in place of the recorded model")
    parser.add_argument("--json", help="write the report to this file; -: to the output, words to the errors")
    parser.add_argument("--facts", help="ask nothing: write what vLLM builds of the model (-: to the output)")
    parser.add_argument("--gpu", choices=("auto", "real", "pretended"), default="auto", help=_WHICH)
    return parser.parse_args(words)


def _question(given):
    """What is asked: serve.yaml as it stands, and the machine and cache bytes of the recorded plan."""
    import yaml  # noqa: PLC0415 - vLLM brings it

    if given.facts and given.model:
        return {"id": "facts", "directory": given.model, "gpu": _H100, "plan": {}}
    recorded = yaml.safe_load((given.plan or given.root / _ANSWERS).read_text(encoding="utf-8"))
    serve = given.serve or given.root / "serve.yaml"
    if not serve.is_file():
        raise ValueError(f"{serve} is missing")
    plan = recorded.get("plan", recorded)
    figures = plan.get("figures") or {}
    nodes = plan["runtime"].get("nodes", 1)
    return {
        "id": "preflight",
        "directory": given.model or plan["inputs"]["model"],
        "revision": plan["inputs"].get("revision") or None,
        "argv": ["--config", str(serve)],
        "gpu": figures.get("gpu"),
        "count": plan["runtime"].get("gpus_per_node", 1),
        "nodes": nodes,
        "cache_bytes": figures.get("cache_bytes", 1 << 60),
        "cache_bytes_low": figures.get("cache_bytes_low"),
        "worst_stage": figures.get("worst_stage"),
        "plan": figures,
    }


def _quiet():
    for name, value in {
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "HUMMING_DISABLE_PARALLEL_BUILD": "1",
    }.items():
        os.environ.setdefault(name, value)


def _pretend(given, question):
    """Be the plan's GPUs where this machine has none and vLLM is a CUDA build; whether that was done."""
    if given.gpu == "real" or question["gpu"] is None or (given.gpu == "auto" and (_cpu_build() or _has_gpu())):
        question.pop("gpu")
        return False
    os.environ.setdefault("VLLM_HAS_FLASHINFER_CUBIN", "1")
    from vllm_judge.fake import pretend  # noqa: PLC0415 - before vLLM

    pretend()
    return True


def _cpu_build():
    try:
        return "cpu" in version("vllm")
    except PackageNotFoundError:
        return False


def _has_gpu():
    import torch  # noqa: PLC0415 - may be replaced after this

    return torch.cuda.is_available()


def _inspect_here(question):
    from vllm.model_executor.models import registry  # noqa: PLC0415 - after the stand-ins

    if "gpu" in question:
        registry._run_in_subprocess = lambda function: function()  # noqa: SLF001 - a child would lack the stand-ins


def _asked(question):
    _inspect_here(question)
    from vllm_judge.question import answered  # noqa: PLC0415 - after the stand-ins

    return answered(question)


def _report(question, answer, pretended):
    import vllm  # noqa: PLC0415 - after the stand-ins

    starts = answer["verdict"] == "accepted"
    plan = question["plan"]
    rows = [
        {"figure": name, "vllm": _figure(answer, name), "plan": plan.get(name)}
        for name in ("weights_bytes", "bytes_per_block", "block_size_tokens", "blocks", "max_model_len")
    ]
    return {
        "schema": 1,
        "vllm": vllm.__version__,
        "model": question["directory"],
        "gpu": question.get("gpu", {}).get("name") if pretended else "this machine's",
        "starts": starts,
        "level": answer["level"],
        "error": answer.get("error"),
        "backends": answer.get("backends"),
        "class": answer.get("class"),
        "figures": rows if answer.get("parameter_bytes") else [],
    }


def _figure(answer, name):
    """VLLM's figure: of the stage that holds most, and of the cache as it was planned."""
    stages = [sum(pair) for pair in zip(answer.get("parameter_bytes", ()), answer.get("buffer_bytes", ()), strict=True)]
    found = {
        "weights_bytes": max(stages, default=None),
        "bytes_per_block": max(answer.get("bytes_per_block", ()), default=None),
        "block_size_tokens": answer.get("block"),
        "blocks": answer.get("blocks"),
        "max_model_len": answer.get("max_model_len"),
    }
    return found[name]


def _lines(report):
    yield f"vLLM {report['vllm']}, {report['model']}, GPUs: {report['gpu']}"
    for row in report["figures"]:
        if row["vllm"] is not None:
            beside = "" if row["plan"] is None else f"   the plan: {_shown(row['figure'], row['plan'])}"
            yield f"  {row['figure'].replace('_', ' '):<18} {_shown(row['figure'], row['vllm']):>14}{beside}"
    if report["backends"]:
        yield f"  {'backends':<18} {', '.join(report['backends'])}"
    if report["starts"]:
        yield "starts: vLLM takes this configuration"
    else:
        yield f"refused ({report['level']}): {report['error']['text'].strip()}"
        yield "what to do about it: vllm-wizard check --preflight FILE, with the file of --json"


def _shown(name, value):
    return f"{value / _GIB:.2f} GiB" if name == "weights_bytes" else f"{value:,}"
