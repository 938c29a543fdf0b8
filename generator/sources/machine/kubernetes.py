"""kubernetes(): nodes, quotas, API groups and storage of the cluster that kubectl talks to."""

from collections.abc import Iterator, Mapping
from typing import Any

from generator.sources.machine.facts import Kubernetes, Node, Quota, Unseen
from generator.sources.machine.programs import answered, said

_BRIEFLY = "--request-timeout=5s"
_PRODUCT = "nvidia.com/gpu.product"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def kubernetes(service: str, resource: str) -> Kubernetes | Unseen:
    """What the API server says of GPUs named `resource` and of the Secret named `service`."""
    context = said("kubectl", "config", "current-context")
    if isinstance(context, Unseen):
        return context
    versions = said("kubectl", "api-versions", _BRIEFLY)
    if isinstance(versions, Unseen):
        return versions
    nodes = answered("kubectl", "get", "nodes", "--output=json", _BRIEFLY)
    classes = _items(answered("kubectl", "get", "storageclasses", "--output=json", _BRIEFLY))
    return Kubernetes(
        context=context.strip(),
        namespace=_namespace(),
        nodes=None if isinstance(nodes, Unseen) else tuple(_node(one, resource) for one in _items(nodes)),
        quotas=tuple(_quotas(resource)),
        groups=frozenset(line.partition("/")[0] for line in versions.split()),
        storage_classes=tuple(_name(one) for one in classes),
        default_storage=next((_name(one) for one in classes if _annotation(one, _DEFAULT) == "true"), ""),
        secret=_there(service),
    )


def _namespace() -> str:
    named = said("kubectl", "config", "view", "--minify", "--output=jsonpath={..namespace}")
    return "default" if isinstance(named, Unseen) or not named.strip() else named.strip()


def _there(secret: str) -> bool | None:
    """Whether the Secret is there by its name; nothing of its content is read."""
    found = said("kubectl", "get", "secret", secret, "--output=name", _BRIEFLY)
    if isinstance(found, Unseen):
        return False if "not found" in found.why.lower() else None
    return True


def _node(one: Mapping[str, Any], resource: str) -> Node:
    status = one.get("status") or {}
    conditions = {kind.get("type"): kind.get("status") for kind in status.get("conditions") or []}
    tried = not (one.get("spec") or {}).get("unschedulable")
    return Node(
        name=_name(one),
        gpus=_count((status.get("allocatable") or {}).get(resource)),
        product=str(((one.get("metadata") or {}).get("labels") or {}).get(_PRODUCT, "")),
        ready=conditions.get("Ready", "True") == "True" and tried,
    )


def _quotas(resource: str) -> Iterator[Quota]:
    for one in _items(answered("kubectl", "get", "resourcequotas", "--output=json", _BRIEFLY)):
        status = one.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for key in (f"requests.{resource}", f"limits.{resource}"):
            if key in hard:
                yield Quota(name=_name(one), free=_count(hard[key]) - _count(used.get(key)))


def _items(listed: Any) -> list[Any]:
    return list(listed.get("items") or []) if isinstance(listed, dict) else []


def _name(one: Mapping[str, Any]) -> str:
    return str((one.get("metadata") or {}).get("name", "?"))


def _annotation(one: Mapping[str, Any], key: str) -> str:
    return str(((one.get("metadata") or {}).get("annotations") or {}).get(key, ""))


def _count(text: Any) -> int:
    """A whole quantity; 0 for what is none."""
    return int(text) if str(text).isdigit() else 0
