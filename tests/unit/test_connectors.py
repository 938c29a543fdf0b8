"""KV connectors beside hybrids and windows: the manager of groups stays on or goes as vLLM decides it by release."""

from __future__ import annotations

import pytest

from generator.catalogue.models import embedded_model
from generator.errors import RequestError
from generator.models.request import Request
from generator.workflow import plan_for

_HYBRID, _WINDOWS = "Qwen/Qwen3.5-27B", "google/gemma-3-12b-it"


def planned(model, release, own, **asked):
    request = Request(model=model, gpu="H100", gpus=1, source="embedded", vllm=release, overrides=own, **asked)
    return plan_for(request, embedded_model(model))


def transfer(*names):
    """kv_transfer_config of one connector, or of several in one."""
    if len(names) == 1:
        return {"kv_transfer_config": {"kv_connector": names[0], "kv_role": "kv_both"}}
    inner = [{"kv_connector": name, "kv_role": "kv_both"} for name in names]
    outer = {"kv_connector": "MultiConnector", "kv_role": "kv_both", "kv_connector_extra_config": {"connectors": inner}}
    return {"kv_transfer_config": outer}


@pytest.mark.parametrize(
    ("release", "own"),
    [
        ("0.20.2", transfer("LMCacheConnectorV1")),
        ("0.20.2", transfer("MooncakeConnector")),
        ("0.21.0", transfer("MooncakeConnector")),
        ("0.33.0", transfer("LMCacheConnectorV1")),
        ("0.33.0", transfer("NixlConnector", "LMCacheConnectorV1")),
        ("0.33.0", {"kv_offloading_size": 16, "kv_offloading_backend": "lmcache"}),
    ],
)
def test_a_hybrid_cannot_be_one_group(release, own):
    """Recurrent layers and attention in one group: vLLM's own start-up code refuses it (0.20.2, 0.33.0 asked)."""
    with pytest.raises(RequestError, match="cannot be kept as one group"):
        planned(_HYBRID, release, own)


@pytest.mark.parametrize(
    ("release", "own"),
    [
        ("0.23.0", transfer("MooncakeConnector")),
        ("0.33.0", transfer("NixlConnector")),
        ("0.33.0", transfer("NixlConnector", "MooncakeConnector")),
        ("0.33.0", {"kv_offloading_size": 16}),
        ("0.33.0", {"kv_transfer_config": {
            "kv_connector": "Own", "kv_connector_module_path": "own.module", "kv_role": "kv_both"}}),
    ],
)  # fmt: skip
def test_a_hybrid_starts_beside_a_connector_that_keeps_groups(release, own):
    """Each class is a SupportsHMA of its release."""
    assert planned(_HYBRID, release, own).feasibility.fits


def test_windows_hold_the_whole_context_without_groups():
    """Gemma 3 at 131,072 tokens takes 48 GiB in vLLM 0.33 with LMCache, as its own code says."""
    plain = planned(_WINDOWS, "0.33.0", {"max_model_len": 131072})
    beside = planned(_WINDOWS, "0.33.0", transfer("LMCacheConnectorV1") | {"max_model_len": 131072})
    per_request = beside.memory.kv_cache_available_bytes.expected / beside.kv_cache.max_concurrency
    assert per_request / 2**30 == pytest.approx(48, abs=0.1)
    assert beside.kv_cache.max_concurrency < plain.kv_cache.max_concurrency / 3


@pytest.mark.parametrize("release", ["0.20.2", "0.33.0"])
def test_an_unknown_connector_is_refused(release):
    """With what the release has."""
    with pytest.raises(RequestError, match=r"has no kv_connector 'Nope'; it has .*LMCacheConnectorV1"):
        planned("Qwen/Qwen3-8B", release, transfer("Nope"))


def test_a_connector_without_groups_refuses_the_manager():
    """Where the user insists on it."""
    own = transfer("LMCacheConnectorV1") | {"disable_hybrid_kv_cache_manager": False}
    with pytest.raises(RequestError, match="does not work with the hybrid KV cache manager"):
        planned("Qwen/Qwen3-8B", "0.33.0", own)


def test_early_offloading_wants_the_manager_off():
    """Release 0.20 names the connector after it has left the manager on, and refuses it then."""
    with pytest.raises(RequestError, match="disable_hybrid_kv_cache_manager=true"):
        planned("Qwen/Qwen3-8B", "0.20.2", {"kv_offloading_size": 16})
    own = {"kv_offloading_size": 16, "disable_hybrid_kv_cache_manager": True}
    assert planned("Qwen/Qwen3-8B", "0.20.2", own).feasibility.fits
