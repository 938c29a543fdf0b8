"""Write tests/fixtures/crds.json: what the CRDs of others say of the objects that we render, without their prose.

    python .github/scripts/write_crds.py DIRECTORY-OF-CRDS DIRECTORY-OF-VALUE-SCHEMAS

Only what a rendered example uses stays of a schema, by name; a field that no CRD knows is then refused by the test.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

OUT = Path(__file__).parents[2] / "tests" / "fixtures" / "crds.json"
_USED = frozenset({
    "Application", "Certificate", "ExternalSecret", "HTTPRoute", "HelmRelease", "InferencePool", "LLMInferenceService",
    "LeaderWorkerSet", "PodMonitor", "PrometheusRule", "ScaledObject",
})  # fmt: skip
_KEPT = ("type", "enum", "pattern", "required", "minimum", "maximum", "additionalProperties", "anyOf", "oneOf")
_PODS = ("containers", "ephemeralContainers", "initContainers")
_DEEPEST = 9


def lean(schema: Any, depth: int = 0) -> Any:
    """A schema without descriptions; below a pod's containers, which kubernetes-validate reads, any object."""
    if not isinstance(schema, dict) or depth > _DEEPEST or schema.get("x-kubernetes-preserve-unknown-fields"):
        return {}
    properties = schema.get("properties") or {}
    if all(name in properties for name in _PODS):
        return {"type": "object"}
    kept = {name: schema[name] for name in _KEPT if name in schema and not isinstance(schema[name], dict)}
    if schema.get("x-kubernetes-int-or-string"):
        kept = {}
    if properties:
        kept["properties"] = {name: lean(one, depth + 1) for name, one in properties.items()}
        kept["additionalProperties"] = schema.get("additionalProperties", False)
    elif isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = lean(schema["additionalProperties"], depth + 1)
    if "items" in schema:
        kept["items"] = lean(schema["items"], depth + 1)
    return kept


def main(crds: Path, values: Path) -> None:
    """Write the file."""
    found: dict[str, Any] = {}
    for path in sorted(crds.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in (
            (v for v in definition["versions"] if v["storage"]) if definition["names"]["kind"] in _USED else ()
        ):
            name = f"{definition['group']}/{version['name']} {definition['names']['kind']}"
            whole = lean(version["schema"]["openAPIV3Schema"])
            whole["properties"] = {key: one for key, one in whole["properties"].items() if key != "status"}
            whole["properties"]["metadata"] = {"type": "object"}
            found[name] = whole
    for path in sorted(values.glob("*.json")):
        found[path.name.removesuffix(".schema.json")] = lean(json.loads(path.read_text(encoding="utf-8")))
    OUT.write_text(json.dumps(found, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
