"""Attention backends: which one vLLM picks for a layer, by capability and cache dtype, and its blocks.

Which there are, what each takes and in which order they are tried are the release's rows. The first backend whose
`refusal` is None is picked; `backend_rules` has what single backends refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from generator.errors import RequestError
from generator.models.backend import Backend
from generator.models.quantization_method import HALVES
from generator.models.release import Release
from generator.planning.kv_cache.backend_rules import OWN_RULES, narrowed

if TYPE_CHECKING:
    from generator.planning.kv_cache.attention_query import AttentionQuery

DEFAULT_BLOCK_SIZE = 16
"""Tokens of a block where the backend takes it (vLLM 0.32 config/cache.py: DEFAULT_BLOCK_SIZE)."""


@cache
def attention_backend(query: AttentionQuery) -> Backend:
    """The backend that vLLM gives a layer.

    Raises:
        RequestError: the named backend does not take the layer, or none does, in vLLM's order with each one's reason.
    """
    if query.named is not None:
        return _named(query.release.by_name[query.named], query)
    reasons = []
    for backend in _priorities(query):
        reason = refusal(backend, query)
        if reason is None:
            return narrowed(backend, query)
        reasons.append(f"{backend.name}: {reason}")
    which = " of layers that draft at once" if query.non_causal else ""
    sized = f" in blocks of {query.block_size}" if query.block_size else ""
    raise RequestError(
        f"no attention backend of vLLM takes a KV cache of dtype {query.kv_cache_dtype}{which}{sized} here "
        f"({'; '.join(reasons)}); {_way_out(query)}"
    )


def _named(backend: Backend, query: AttentionQuery) -> Backend:
    reason = refusal(backend, query)
    if reason is None:
        return narrowed(backend, query)
    raise RequestError(
        f"attention_backend {backend.name} does not take a KV cache of dtype {query.kv_cache_dtype} with heads of "
        f"{query.head_size} here: {reason}; leave --attention-backend out, and vLLM chooses one that does"
    )


def asked_backend(values: Mapping[str, Any], release: Release) -> str | None:
    """The attention backend that engine arguments name; None where vLLM chooses.

    Raises:
        RequestError: two are named, or one whose needs are not in the tables.
    """
    given = values.get("attention_config")
    inner = given.get("backend") if isinstance(given, dict) else None
    flag = values.get("attention_backend")
    if flag is not None and inner is not None:
        raise RequestError("attention_backend and attention_config.backend say the same: drop one of them")
    name = str(flag or inner or "auto").upper()
    if name == "AUTO":
        return None
    if name not in release.by_name:
        raise RequestError(
            f"attention_backend {name[:40]} is not planned for vLLM {release}: leave it out, or choose one of "
            f"{', '.join(release.by_name)}"
        )
    return name


def _way_out(query: AttentionQuery) -> str:
    """What to leave to vLLM; with everything left to it, only other hardware or another release helps."""
    said = ["leave --block-size out"] if query.block_size else []
    plain = query.dtype if query.dtype in HALVES else "auto"  # auto may be the checkpoint's own
    said += [f"set --kv-cache-dtype {plain}"] if query.kv_cache_dtype not in {"auto", *HALVES} else []
    return " and ".join(said) or "choose another GPU or vLLM release"


def _priorities(query: AttentionQuery) -> tuple[Backend, ...]:
    """Backends in the release's order of preference (platforms/cuda.py: _get_backend_priorities)."""
    asked = {
        "quantized": query.quantized,
        "few_heads": query.few_heads,
        "rope_free": query.rope_free,
        "mm_prefix": query.mm_prefix,
        "non_causal": query.non_causal,
    }
    orders = query.release.orders
    names = next((one.backends for one in orders if one.fits(query.capability, mla=query.mla, **asked)), ())
    return tuple(query.release.by_name[name] for name in names)


def refusal(backend: Backend, query: AttentionQuery) -> str | None:
    """Why the backend does not take the layer; None where it does (v1/attention/backend.py:264)."""
    own = OWN_RULES.get(backend.name)
    return _common_refusal(backend, query) or (own(query) if own else None)


def _common_refusal(backend: Backend, query: AttentionQuery) -> str | None:
    checks = (
        ("head_size not supported", backend.head_sizes and query.head_size not in backend.head_sizes),
        ("dtype not supported", query.dtype not in backend.dtypes),
        ("kv_cache_dtype not supported", query.kv_cache_dtype not in backend.kv_cache_dtypes),
        ("block_size not supported", query.block_size and not backend.supports_block(query.block_size)),
        ("image prefixes not supported", query.mm_prefix and not backend.mm_prefix),
        ("non-causal attention not supported", query.non_causal and not backend.non_causal),
        ("MLA not supported" if query.mla else "non-MLA not supported", query.mla != backend.mla),
        ("attention sinks not supported", query.sink and not backend.sink),
        (
            "sparse not supported" if query.sparse else "non-sparse not supported",
            query.sparse != backend.sparse,
        ),
        ("compute capability not supported", not backend.capabilities.has(query.capability)),
        ("DCP not supported", query.dcp and not backend.dcp),
    )
    return next((reason for reason, refused in checks if refused), None)
