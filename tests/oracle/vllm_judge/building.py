"""One rank's model on the meta device: its parameters, its kernels and what its layers say of the cache."""

from __future__ import annotations

from unittest.mock import MagicMock

import torch
import vllm.model_executor.model_loader as loader
from vllm.config import set_current_vllm_config
from vllm.distributed.kv_transfer.kv_connector import utils as connectors
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.platforms import current_platform
from vllm.v1.engine import core
from vllm.v1.worker import worker_base
from vllm.v1.worker.gpu import attn_utils
from vllm_judge import ranks
from vllm_judge.meta import ToMeta

_KERNELS = ("kernel", "fp8_linear", "mxfp4_backend", "fp8_backend", "nvfp4_backend", "unquantized_backend")


def _built(*, vllm_config, model_config=None, prefix="", **_rest):
    """A draft as vLLM's own loader would give it, without its weights."""
    return initialize_model(vllm_config, model_config=model_config or vllm_config.model_config, prefix=prefix)


loader.get_model = _built


_layouts = getattr(worker_base, "get_supported_kv_cache_layouts", lambda _backends: ())
"""Of 0.29 and newer."""


def stage_of(config, stage, answer):
    """What rank 0 of a pipeline stage holds; `answer["level"]` names how far it came."""
    return model_of(config, stage, answer)[1]


def model_of(config, stage, answer):
    """The model of rank 0 of a pipeline stage, and what it holds."""
    ranks.become(config, stage)
    _workspace()
    with set_current_vllm_config(config):
        torch.set_default_dtype(config.model_config.dtype)
        with torch.device("meta"), ToMeta():
            answer["level"] = "model"
            model = initialize_model(config)
            draft = _draft(config, model, answer)
        torch.set_default_dtype(torch.float32)
        answer["level"] = "cache"
        current_platform.update_block_size_for_backend(config)
        register_specs(config)
        specs = attn_utils.get_kv_cache_spec(config)
        backends = connectors.get_current_attn_backends(config)
        layouts = [one.name for one in _layouts(backends)] if backends else []
    return model, {
        "class": type(model).__name__,
        "target_bytes": _bytes(model.parameters()),
        "parameter_bytes": _bytes(one for part in (model, draft) if part for one in part.parameters()),
        "buffer_bytes": _bytes(model.buffers()),
        "specs": specs,
        "layouts": layouts,
        "backends": sorted({one.get_name() for one in backends}),
        "block": config.cache_config.block_size,
        "kernels": _kernels(model),
    }


def register_specs(config):
    """Have vLLM know the cache kinds that models bring (0.32 and newer)."""
    if hasattr(core, "register_all_kvcache_specs"):
        core.register_all_kvcache_specs(config)


def _workspace():
    from vllm.v1.worker.workspace import init_workspace_manager  # noqa: PLC0415 - asks for the faked device

    init_workspace_manager(torch.device("meta"))


def _draft(config, model, answer):
    """The draft beside the model, built by vLLM's own helper; None where this stage has none."""
    asked = config.speculative_config
    if asked is None or not ranks.last_stage() or not ("mtp" in str(asked.method) or asked.use_eagle()):
        return None
    answer["level"] = "draft"
    if hasattr(asked, "use_gemma4_mtp") and asked.use_gemma4_mtp():  # newer than 0.20
        from vllm.v1.worker.gpu.spec_decode import init_speculator  # noqa: PLC0415 - 0.32 and newer

        speculator = init_speculator(config, torch.device("meta"), MagicMock())
        return speculator.load_draft_model(model, set(config.compilation_config.static_forward_context))
    from vllm.v1.worker.gpu.spec_decode.eagle.utils import load_eagle_model  # noqa: PLC0415

    return load_eagle_model(model, config)


def _bytes(tensors):
    """Bytes of tensors, each counted once."""
    return sum({id(one): one.numel() * one.element_size() for one in tensors}.values())


def _kernels(model):
    """Layers by the class of their quantization and the kernel that it chose."""
    counts = {}
    for module in model.modules():
        method = getattr(module, "quant_method", None)
        if method is not None:
            name = ":".join([type(method).__name__, *_chosen(method)])
            counts[name] = counts.get(name, 0) + 1
    return counts


def _chosen(method):
    values = (getattr(method, name, None) for name in _KERNELS)
    return [
        str(getattr(one, "name", None) or type(one).__name__)
        for one in values
        if one is not None and not isinstance(one, MagicMock)
    ]
