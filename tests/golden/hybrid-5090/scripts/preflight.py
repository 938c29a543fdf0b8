"""Ask the vLLM of this image whether it would start this deployment, before a byte of weights is downloaded.

    make preflight                                            in the pinned image, with or without a GPU
    python3 scripts/preflight.py --json preflight.json        where vLLM is installed
    vllm-wizard check --preflight preflight.json              what to do about a refusal

VLLM's own code parses serve.yaml, builds the engine's configuration and the model's layers without weights, and plans
the cache. Only the model's config is fetched (kilobytes). Status 0: it starts; 8: vLLM refuses; 4: a file is missing.
"""

import importlib.abc
import importlib.util
import sys


class _Packed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules that stand below in this file."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in MODULES:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=fullname in PACKAGES)

    def exec_module(self, module):
        name = module.__name__
        exec(compile(MODULES[name], f"{__file__}:{name}", "exec"), module.__dict__)


PACKAGES = {"vllm_judge", "vllm_judge.fake"}
MODULES = {}

MODULES['vllm_judge'] = r'''
"""What runs beside vLLM, in the environment of `.ci/install-oracle`: questions as JSON lines in, answers out."""
'''

MODULES['vllm_judge.building'] = r'''
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
'''

MODULES['vllm_judge.caching'] = r'''
"""The cache as vLLM plans it for given bytes: blocks, groups, capacity, and the later checks of blocks and graphs."""

from __future__ import annotations

from vllm.config import set_current_vllm_config
from vllm.v1.attention.backends import utils
from vllm.v1.core import kv_cache_utils
from vllm.v1.engine import core
from vllm_judge.building import register_specs

_ENDLESS = 1 << 60


def planned(config, stages, question, answer):
    """Plan the cache of all stages; the figures go into `answer`, a refusal is raised.

    The figures that no number of bytes changes come first, so that a cache that is too small hides none of them.
    """
    answer["level"] = "groups"
    config.cache_config.block_size = stages[0]["block"]
    specs = [one["specs"] for one in stages]
    with set_current_vllm_config(config):
        register_specs(config)
        more = _resolve(config, stages, specs, answer)
        if not any(specs):
            return
        answer.update(_lasting(config, specs, more))
        answer["level"] = "plan"
        made = _plan(config, specs, _bytes_of_stages(question, stages, question["cache_bytes"]), more)
        answer.update(_figures(config, made))
        answer["level"] = "blocks"
        _check_blocks(config, made)
        answer["block"] = config.cache_config.block_size
        answer["level"] = "graphs"
        check_states(config, made[0])
        if question.get("cache_bytes_low") is not None:
            answer["level"] = "low end"
            low = _bytes_of_stages(question, stages, question["cache_bytes_low"])
            made = _plan(config, specs, low, more)
            answer["blocks_low"] = made[0].num_blocks
            check_states(config, made[0])


def check_states(config, made):
    """VLLM's own check of sequences against blocks that hold states (config/compilation.py), made after planning."""
    seqs = config.scheduler_config.max_num_seqs
    full = config.compilation_config.cudagraph_mode.has_full_cudagraphs()
    if made.has_mamba_layers and full and seqs > made.num_blocks:
        raise ValueError(f"max_num_seqs ({seqs}) exceeds available Mamba cache blocks ({made.num_blocks}).")


def _resolve(config, stages, specs, answer):
    layouts = [one["layouts"] for one in stages if one["layouts"]]
    every = [one for of_stage in specs for one in of_stage.values()]
    if layouts and every:  # 0.29 and newer
        answer["layout"] = utils.resolve_kv_cache_layout(config, layouts, every).name
    newer = hasattr(core, "get_global_kv_cache_groups")  # 0.33
    return [core.get_global_kv_cache_groups(config, specs)] if newer else []


def _bytes_of_stages(question, stages, cache_bytes):
    """Bytes of each stage: a plan states its worst rank's, the others have more by what their weights are smaller."""
    weights = [one["parameter_bytes"] for one in stages]
    worst = question.get("worst_stage")
    if worst is None or worst >= len(weights):
        return [int(cache_bytes)] * len(weights)
    less = (weights[worst] - one for one in weights)
    return [int(cache_bytes) + (one if worst else max(0, one)) for one in less]  # the first one's peak is an encoder's


def _plan(config, specs, available, more):
    return core.get_kv_cache_configs(config, specs, available, *more)


def _lasting(config, specs, more):
    """Groups, and bytes of a block on each stage: asked with more memory than there is."""
    length = config.model_config.max_model_len
    found = {"bytes_per_block": []}
    for stage, of_stage in enumerate(specs):
        available = [2 * _ENDLESS] * len(specs)
        available[stage] = _ENDLESS
        made = _plan(config, specs, available, more)
        found["bytes_per_block"].append(_ENDLESS // made[0].num_blocks if of_stage else 0)
        config.model_config.max_model_len = length  # `auto` has taken the whole context
    found["groups"] = [[_group(config, one) for one in stage.kv_cache_groups] for stage in made]
    found["states"] = any(stage.has_mamba_layers for stage in made)
    return found


def _figures(config, made):
    whole = core.generate_scheduler_kv_cache_config(made)
    concurrency = float(kv_cache_utils.get_max_concurrency_for_kv_cache_config(config, whole))
    length = config.model_config.max_model_len
    return {
        "blocks": made[0].num_blocks,
        "max_model_len": length,
        "capacity_tokens": int(concurrency * length),
        "concurrency": round(concurrency, 4),
    }


def _group(config, group):
    """Kind, layers, tokens and bytes of a page, and pages that one request of the full length takes."""
    spec = group.kv_cache_spec
    pages = -(-spec.max_memory_usage_bytes(config) // spec.page_size_bytes)
    return [type(spec).__name__, len(group.layer_names), spec.block_size, spec.page_size_bytes, pages]


def _check_blocks(config, made):
    scheduler = core.generate_scheduler_kv_cache_config(made)
    specs = [one.kv_cache_spec for one in scheduler.kv_cache_groups]
    cached = [one.block_size for one in specs if getattr(one, "prefix_cacheable", True)]
    config.cache_config.num_gpu_blocks = scheduler.num_blocks
    config.cache_config.block_size = min(cached or [one.block_size for one in specs])
    config.validate_block_size()
    if hasattr(core, "resolve_kv_cache_block_sizes"):
        core.resolve_kv_cache_block_sizes(scheduler, config)
'''

MODULES['vllm_judge.command'] = r'''
"""`vllm serve` up to the engine's configuration: parse, validate, the server's own checks, configure."""

from __future__ import annotations

import importlib

from vllm.config.reasoning import ReasoningConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser

_SERVER_CHECKS = ("vllm.entrypoints.launchers.launcher", "vllm.entrypoints.openai.api_server")


class _Parser(FlexibleArgumentParser):
    """VLLM's parser, which says its error to us and not to a terminal."""

    def error(self, message):
        raise ValueError(message)


def configured(question, answer):
    """The engine's configuration; `answer["level"]` names how far the command came."""
    answer["level"] = "parse"
    command = ServeSubcommand()
    given = _parsed(command, question)
    answer["level"] = "validate"
    command.validate(given)
    answer["level"] = "server"
    _server_checks()(given)
    given.skip_tokenizer_init, given.load_format = True, "dummy"
    answer["level"] = "config"
    ReasoningConfig.initialize_token_ids = lambda *_args: None  # it would ask for a tokenizer
    config = AsyncEngineArgs.from_cli_args(given).create_engine_config(UsageContext.OPENAI_API_SERVER)
    _as_one_engine(config)
    answer.update(_figures(config))
    return config


def _parsed(command, question):
    words = list(question["argv"])
    if question.get("nodes", 1) > 1:
        words += ["--nnodes", str(question["nodes"]), "--node-rank", "0", "--master-addr", "127.0.0.1"]
    parser = _Parser()
    below = parser.add_subparsers(dest="subparser", required=False)
    command.subparser_init(below).set_defaults(dispatch_function=command.cmd)
    given = parser.parse_args(["serve", question["directory"], *words])
    given.model = given.model_tag or given.model
    given.revision = question.get("revision") or given.revision
    return given


def _server_checks():
    """`validate_api_server_args`, which knows the parsers' names; its module moved in 0.32."""
    for place in _SERVER_CHECKS:
        try:
            return importlib.import_module(place).validate_api_server_args
        except (ImportError, AttributeError):
            continue
    return lambda _given: None


def _as_one_engine(config):
    """Each replica is an engine of its own; only mixtures of experts keep the group (v1/engine/core.py)."""
    parallel = config.parallel_config
    if parallel.data_parallel_size > 1:
        parallel.data_parallel_rank = 0
        if not config.model_config.is_moe:
            parallel.data_parallel_size = parallel.data_parallel_size_local = 1


def _figures(config):
    scheduler, cache = config.scheduler_config, config.cache_config
    return {
        "max_num_batched_tokens": scheduler.max_num_batched_tokens,
        "max_num_seqs": scheduler.max_num_seqs,
        "max_model_len": config.model_config.max_model_len,
        "kv_cache_dtype": cache.cache_dtype,
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "cudagraph_mode": str(config.compilation_config.cudagraph_mode).rpartition(".")[2],
    }
'''

MODULES['vllm_judge.facts'] = r'''
"""What vLLM built of a model, for a planner that has no reader of its family: `preflight.py --facts FILE`.

The model is built without weights at tensor parallel size 1 and 2. What halves is split; what stays is whole.
"""

from __future__ import annotations

import re

from vllm_judge import building
from vllm_judge.command import configured
from vllm_judge.question import forked

_LAYER = re.compile(r"^(.*?(?:layers|blocks|h))\.(\d+)\.")
_SHAPES = {
    "Attention": ("num_heads", "num_kv_heads", "head_size", "head_size_v", "sliding_window"),
    "MLAAttention": (
        "num_heads", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "indexer"),
    "GatedDeltaNet": ("num_k_heads", "num_v_heads", "head_k_dim", "head_v_dim", "conv_kernel_size"),
    "MambaMixer2": ("num_heads", "head_dim", "n_groups", "ssm_state_size", "conv_kernel_size"),
}  # fmt: skip
"""Attributes of vLLM's layers that keep a cache, by the beginning of their class."""
_EXPERTS = ("num_experts", "experts_per_token", "intermediate_size", "hidden_dim")
"""Fields of vLLM's config of a layer's experts."""


def dumped(question):
    """Both builds, as runs of equal layers."""
    found = {}
    for size in (1, 2):
        asked = question | {"argv": [*question["argv"], "--tensor-parallel-size", str(size)]}
        level = {"level": "start"}
        kind, value = forked(lambda asked=asked, level=level: _built(asked, level), level)
        if kind == "refused":
            if size == 1:
                raise SystemExit(f"vLLM refuses to build the model ({value['level']}): {value['error']['text']}")
            break
        found[f"tp{size}"] = value
    return found


def _built(question, level):
    config = configured(question, level)
    model, stage = building.model_of(config, 0, level)
    first = next(iter(stage["specs"]), "")
    prefix = (_LAYER.match(first) or _LAYER.match("layers.0."))[1]
    return {
        "class": stage["class"],
        "backends": stage["backends"],
        "block": stage["block"],
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "quantization": config.model_config.quantization,
        "max_model_len": config.model_config.max_model_len,
        "text": _text(config.model_config.hf_text_config),
        "buffer_bytes": stage["buffer_bytes"],
        "layers": _runs(_layers(config, model, prefix)),
        "outside": _outside(model, prefix),
    }


def _text(text):
    """The few words of the config that every class has."""
    names = ("model_type", "hidden_size", "vocab_size", "num_hidden_layers", "tie_word_embeddings")
    return {name: getattr(text, name, None) for name in names}


def _layers(config, model, prefix):
    """Each layer: what keeps its cache, its experts, and bytes of its parameters."""
    found = {}
    for name, parameter in model.named_parameters():
        at = _LAYER.match(name)
        if at and at[1] == prefix:
            layer = found.setdefault(int(at[2]), {"mixers": [], "experts": None, "bytes": 0})
            layer["bytes"] += parameter.numel() * parameter.element_size()
    for name, kept in config.compilation_config.static_forward_context.items():
        at = _LAYER.match(name)
        if at and at[1] == prefix and int(at[2]) in found:
            _tell(found[int(at[2])], kept)
    return [found[number] for number in sorted(found)]


def _tell(layer, kept):
    if hasattr(kept, "moe_config"):
        layer["experts"] = {name: _plain(getattr(kept.moe_config, name, None)) for name in _EXPERTS}
    elif hasattr(kept, "get_kv_cache_spec"):
        kind = next((one for one in _SHAPES if type(kept).__name__.startswith(one)), type(kept).__name__)
        shape = {name: _plain(getattr(kept, name, None)) for name in _SHAPES.get(kind, ())}
        layer["mixers"].append({"kind": kind} | shape)


def _plain(value):
    return value if isinstance(value, int | float | str | None) else True


def _outside(model, prefix):
    """Bytes outside the layers: embedding, head and all else."""
    sizes = {"embedding": 0, "head": 0, "rest": 0}
    for name, parameter in model.named_parameters():
        at = _LAYER.match(name)
        if not (at and at[1] == prefix):
            part = "embedding" if "embed_tokens" in name or "word_embeddings" in name else "rest"
            part = "head" if "lm_head" in name else part
            sizes[part] += parameter.numel() * parameter.element_size()
    return sizes


def _runs(layers):
    """Equal layers that follow each other, as [layer, count]."""
    runs = []
    for layer in layers:
        if runs and runs[-1][0] == layer:
            runs[-1][1] += 1
        else:
            runs.append([layer, 1])
    return runs
'''

MODULES['vllm_judge.fake'] = r'''
"""A CUDA platform that only answers questions; `pretend()` comes before the first import of vLLM."""

from __future__ import annotations

from importlib import import_module

_FIRST = ("torch._dynamo", "torch._inductor.utils", "torch._inductor.config", "tvm_ffi", "xgrammar")
"""These choose their own imports by what they find, so they see the machine as it is."""


def pretend() -> None:
    """Put every stand-in in place, in the order that their imports need."""
    for name in _FIRST:
        import_module(name)
    from vllm_judge.fake import device, driver, extensions, operators  # noqa: PLC0415 - after those

    extensions.install()
    driver.install()
    device.install()
    operators.install()
'''

MODULES['vllm_judge.fake.card'] = r'''
"""The card that is pretended: vLLM is imported on an H100, and each question brings its own."""

from __future__ import annotations

from dataclasses import dataclass

SHARED_MEMORY = {
    (7, 0): (98304, 98304),
    (7, 5): (65536, 65536),
    (8, 0): (167936, 166912),
    (8, 6): (102400, 101376),
    (8, 9): (102400, 101376),
    (9, 0): (233472, 232448),
    (10, 0): (233472, 232448),
    (10, 3): (233472, 232448),
    (12, 0): (102400, 101376),
    (12, 1): (102400, 101376),
}
"""Bytes of one multiprocessor, and what one block may ask for: CUDA C++ Programming Guide, technical specifications."""


@dataclass
class Card:
    """One GPU of a node that has `count` of them."""

    capability: tuple[int, int]
    name: str = "NVIDIA H100 80GB HBM3"
    total_bytes: int = 80 << 30
    multiprocessors: int = 132
    count: int = 8

    @property
    def shared_memory(self) -> tuple[int, int]:
        """Bytes of shared memory: of a multiprocessor, of a block."""
        return SHARED_MEMORY[self.capability]


CARD = Card((9, 0))
"""The one card of this process; a question's child makes it its own."""
'''

MODULES['vllm_judge.fake.device'] = r'''
"""torch.cuda, torch.accelerator and Triton's driver as a machine with that card has them."""

from __future__ import annotations

import types
from unittest.mock import MagicMock

import torch
from vllm_judge.fake.card import CARD


class _Stream:
    """A stream or an event: every method gives back the stream itself."""

    def __init__(self, *_args, **_kwargs):
        pass

    def __getattr__(self, _name):
        return lambda *_args, **_kwargs: self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


def _nothing(*_args, **_kwargs):
    """What only has an effect on a device."""


def _memory(*_args):
    return CARD.total_bytes, CARD.total_bytes


def _properties(*_args):
    of_multiprocessor, of_block = CARD.shared_memory
    return types.SimpleNamespace(
        name=CARD.name,
        major=CARD.capability[0],
        minor=CARD.capability[1],
        total_memory=CARD.total_bytes,
        multi_processor_count=CARD.multiprocessors,
        is_integrated=False,
        shared_memory_per_multiprocessor=of_multiprocessor,
        shared_memory_per_block_optin=of_block,
        warp_size=32,
        L2_cache_size=50 << 20,
        gcnArchName="",
        regs_per_multiprocessor=65536,
        max_threads_per_multi_processor=2048,
    )


_CUDA = {
    "is_available": lambda: True,
    "_is_compiled": lambda: True,
    "is_initialized": lambda: False,
    "device_count": lambda: CARD.count,
    "_device_count_nvml": lambda: CARD.count,
    "current_device": lambda: 0,
    "get_device_capability": lambda *_args: CARD.capability,
    "get_device_name": lambda *_args: CARD.name,
    "get_device_properties": _properties,
    "mem_get_info": _memory,
    "_lazy_init": _nothing,
    "Stream": _Stream,
    "Event": _Stream,
    "current_stream": _Stream,
    "default_stream": _Stream,
    "stream": lambda stream: stream,
}
_ACCELERATOR = {
    "is_available": lambda: True,
    "device_count": lambda: CARD.count,
    "current_device_index": lambda: 0,
    "current_stream": _Stream,
    "get_memory_info": _memory,
    "current_accelerator": lambda *_args, **_kwargs: torch.device("cuda"),
}
_EFFECTS = {
    torch.cuda: ("set_device", "synchronize", "empty_cache", "reset_peak_memory_stats"),
    torch.accelerator: ("set_device_index", "synchronize", "empty_cache", "reset_peak_memory_stats"),
}


def install():
    """Replace what asks the device."""
    for name, answer in _CUDA.items():
        setattr(torch.cuda, name, answer)
    for name, answer in _ACCELERATOR.items():
        setattr(torch.accelerator, name, answer)
    for module, names in _EFFECTS.items():
        for name in names:
            setattr(module, name, _nothing)
    torch.version.cuda = "13.0"
    _install_triton()


def _install_triton():
    """Kernels are decorated when they are imported, and ask the driver for its target then."""
    import triton  # noqa: PLC0415 - after torch.cuda
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415

    driver = MagicMock()
    driver.get_current_target.side_effect = lambda: GPUTarget("cuda", CARD.capability[0] * 10 + CARD.capability[1], 32)
    driver.get_current_device.return_value = 0
    triton.runtime.driver.set_active(driver)
'''

MODULES['vllm_judge.fake.driver'] = r'''
"""NVML's answers: vLLM chooses its platform by the device count, and reads capability, name and memory here."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types

from vllm_judge.fake.card import CARD

_NAME = "vllm.third_party.pynvml"


class NVMLError(Exception):
    """What pynvml raises; here never."""


class _Pynvml(types.ModuleType):
    """Every other function of pynvml answers 0."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_args, **_kwargs: 0


def _memory(_handle):
    return types.SimpleNamespace(total=CARD.total_bytes, free=CARD.total_bytes, used=0)


_ANSWERS = {
    "nvmlInit": lambda: None,
    "nvmlShutdown": lambda: None,
    "nvmlDeviceGetCount": lambda: CARD.count,
    "nvmlDeviceGetHandleByIndex": lambda _index: 0,
    "nvmlDeviceGetCudaComputeCapability": lambda _handle: CARD.capability,
    "nvmlDeviceGetName": lambda _handle: CARD.name,
    "nvmlDeviceGetP2PStatus": lambda *_args: 0,
    "nvmlDeviceGetUUID": lambda _handle: "GPU-0",
    "nvmlDeviceGetNumaNodeId": lambda _handle: 0,
    "nvmlSystemGetDriverVersion": lambda: "580.0",
    "nvmlDeviceGetMemoryInfo": _memory,
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Brings the stand-in by the usual way of import, so that its parent package is there and has it."""

    def find_spec(self, name, _path=None, _target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in {_NAME, "pynvml"} else None

    def create_module(self, spec):
        module = _Pynvml(spec.name)
        for name in ("NVMLError", "NVMLError_NotSupported", "NVMLError_LibraryNotFound"):
            setattr(module, name, NVMLError)
        module.NVML_P2P_CAPS_INDEX_NVLINK, module.NVML_P2P_STATUS_OK = 2, 0
        for name, answer in _ANSWERS.items():
            setattr(module, name, answer)
        module.__file__ = "stand-in"
        return module

    def exec_module(self, module):
        pass


def install():
    """Put the stand-in where vLLM looks for pynvml."""
    sys.meta_path.insert(0, _Finder())
'''

MODULES['vllm_judge.fake.extensions'] = r'''
"""Stand-ins for compiled extensions and for packages that exist with CUDA alone.

They are classes, not mocks: FlashInfer sets `__init__` on them, compares their versions, uses them as decorators and
in isinstance.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types

_CUDA_PACKAGES = ("cuda", "cutlass", "tilelang", "quack", "deep_gemm", "tvm_ffi")
_COMPILED = ("_C", "_C_stable_libtorch", "_extension_C")


def _hidden(name: str) -> bool:
    """Whether Python asks for a protocol of its own, which no stand-in has."""
    return name.startswith("__") and "mlir" not in name


class StandIn(type):
    """A class of which everything can be asked; called as a decorator it gives back what it decorates."""

    def __getattr__(cls, name):
        if _hidden(name):
            raise AttributeError(name)
        value = stand_in(name)
        setattr(cls, name, value)
        return value

    def __call__(cls, *args, **kwargs):
        """Give back a decorated function, else another stand-in; a real subclass is made as ever."""
        if "_plain" not in cls.__dict__:
            return super().__call__(*args, **kwargs)
        decorates = len(args) == 1 and callable(args[0]) and not kwargs
        return args[0] if decorates else stand_in(cls.__name__)

    def __iter__(cls):
        return iter(())

    def _itself(cls, _other):
        return cls

    def _never(cls, _other):
        return False

    def __int__(cls):
        return 0

    __index__ = __int__
    __getitem__ = __or__ = __ror__ = __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __floordiv__ = (
        __rfloordiv__
    ) = _itself
    __gt__ = __lt__ = __ge__ = __le__ = _never


def stand_in(name):
    """A new stand-in of that name."""
    return StandIn(name, (), {"_plain": True, "__init__": lambda *_args, **_kwargs: None})


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if _hidden(name):
            raise AttributeError(name)
        value = stand_in(name)
        setattr(self, name, value)
        return value


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the absent packages and vLLM's compiled extensions."""

    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, fullname, path=None, target=None):
        del path, target
        root, leaf = fullname.split(".")[0], fullname.rpartition(".")[2]
        compiled = root == "vllm" and "." in fullname and leaf.startswith("_") and leaf.endswith(_COMPILED)
        if compiled or root in self.packages:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        module = _Module(spec.name)
        module.__path__ = []
        module.__file__ = "stand-in"
        return module

    def exec_module(self, module):
        """Nothing is to be run."""


def install():
    """Have the imports of absent extensions answered."""
    absent = tuple(name for name in _CUDA_PACKAGES if importlib.machinery.PathFinder.find_spec(name) is None)
    sys.meta_path.insert(0, _Finder(absent))
'''

MODULES['vllm_judge.fake.operators'] = r'''
"""Operators of the compiled extensions: vLLM asks whether they exist, and registers fakes of them."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import MagicMock

import torch

_namespace = torch._ops._OpNamespace  # noqa: SLF001 - there is no public door to operator look-up
_real_getattr = _namespace.__getattr__
_real_register = torch.library.register_fake


def _operator(self, name):
    try:
        return _real_getattr(self, name)
    except AttributeError:
        of_extension = self.name.startswith("_") or self.name == "deep_select"
        if name.startswith("__") or not of_extension:
            raise
        return MagicMock(name=f"{self.name}.{name}")


def _register_fake(operator, function=None, **kwargs):
    def decorate(implementation):
        with suppress(RuntimeError):  # the operator is one of those that this build lacks
            _real_register(operator, **kwargs)(implementation)
        return implementation

    return decorate if function is None else decorate(function)


def install():
    """Answer for the operators that the build lacks."""
    _namespace.__getattr__ = _operator
    torch.library.register_fake = _register_fake
'''

MODULES['vllm_judge.meta'] = r'''
"""Layers that ask for a CUDA device by name get the meta device."""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode

_INDEX_TABLES = (torch.full, torch.arange)
_WHOLE = (torch.int32, torch.int64)


class ToMeta(TorchFunctionMode):
    """Everything lies on the meta device, but small tables of indices that layers read while they are built."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        del types
        asked = dict(kwargs or {})
        if isinstance(asked.get("device"), int) or str(asked.get("device", "")).startswith("cuda"):
            asked["device"] = "meta"
        if function in _INDEX_TABLES and asked.get("dtype") in _WHOLE:
            asked["device"] = "cpu"
        if function is torch.Tensor.pin_memory:
            return args[0]
        if asked.pop("pin_memory", None) and "device" not in asked:
            asked["device"] = "cpu"
        try:
            return function(*args, **asked)
        except (RuntimeError, ValueError) as error:  # an index table meets a parameter: both to meta
            if "device" not in str(error):
                raise
            return function(*_moved(tuple(args)), **{name: _moved(value) for name, value in asked.items()})


def _moved(value):
    if isinstance(value, torch.Tensor):
        return value.to("meta") if value.device.type == "cpu" else value
    return type(value)(map(_moved, value)) if type(value) in {list, tuple} else value
'''

MODULES['vllm_judge.preflight'] = r'''
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
'''

MODULES['vllm_judge.question'] = r'''
"""One question, answered: would vLLM start this command on this machine, and with which figures."""

from __future__ import annotations

import gc
import os
import pickle
import time
from functools import _lru_cache_wrapper

from vllm_judge import building, caching, ranks
from vllm_judge.command import configured
from vllm_judge.fake.card import CARD
from vllm_judge.refusal import RefusedError, described

_REMEMBER = ("vllm", "flashinfer", "humming", "tokenspeed")


def answered(question):
    """The answer: a verdict, and vLLM's message or its figures."""
    answer = {"id": question["id"], "level": "start"}
    begun = time.monotonic()
    _take_card(question)
    try:
        _ask(question, answer)
        answer.update(verdict="accepted", level="done")
    except RefusedError as refused:
        answer.update(verdict="refused", level=refused.level, stage=refused.stage, error=refused.error)
    except BaseException as error:  # noqa: BLE001 - whatever ends vLLM's start is the answer, SystemExit too
        answer.update(verdict="refused", error=described(error))
    answer["seconds"] = round(time.monotonic() - begun, 1)
    return answer


def _take_card(question):
    """Be the question's GPU; what vLLM remembers of the one it was imported on is forgotten."""
    gpu = question.get("gpu")
    if gpu is None:  # this machine's own
        return
    CARD.name, CARD.total_bytes, CARD.multiprocessors = gpu["name"], gpu["bytes"], gpu["multiprocessors"]
    CARD.capability = tuple(int(part) for part in gpu["capability"].split("."))
    CARD.count = question["count"]
    for remembered in gc.get_objects():
        if isinstance(remembered, _lru_cache_wrapper) and str(remembered.__module__).startswith(_REMEMBER):
            remembered.cache_clear()


def _ask(question, answer):
    config = configured(question, answer)
    count = config.parallel_config.pipeline_parallel_size
    stages = [building.stage_of(config, 0, answer)] if count == 1 else _stages(config, count)
    if count > 1:
        ranks.become(config, 0)
    answer.update(
        {
            "class": stages[0]["class"],
            "kernels": stages[-1]["kernels"],
            "backends": sorted({name for one in stages for name in one["backends"]}),
        }
    )
    for name in ("parameter_bytes", "target_bytes", "buffer_bytes"):
        answer[name] = [one[name] for one in stages]
    caching.planned(config, stages, question, answer)


def _stages(config, count):
    """Every pipeline stage, each in a process of its own: a model is built once a process."""
    found = []
    for stage in range(count):
        level = {"level": "model"}
        kind, value = forked(lambda stage=stage, level=level: building.stage_of(config, stage, level), level)
        if kind == "refused":
            raise RefusedError(value["level"], stage, value["error"])
        found.append(value)
    return found


def forked(function, level):
    """`function()` in a fork: its picklable value, or how it was refused."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            result = ("built", function())
        except BaseException as error:  # noqa: BLE001 - the parent tells it
            result = ("refused", {"level": level["level"], "error": described(error)})
        with os.fdopen(writer, "wb") as out:
            pickle.dump(result, out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as end:
        data = end.read()
    os.waitpid(child, 0)
    if not data:
        return "refused", {"level": "died", "error": {"type": "Died", "text": "the stage's process died", "where": ""}}
    return pickle.loads(data)
'''

MODULES['vllm_judge.ranks'] = r'''
"""Parallel groups that are numbers alone: any TP, PP, DP and EP without a process group."""

from __future__ import annotations

from unittest.mock import MagicMock

import torch
from vllm.distributed import parallel_state


def become(config, stage):
    """Be rank 0 of that pipeline stage."""
    parallel = config.parallel_config
    tensor, stages = parallel.tensor_parallel_size, parallel.pipeline_parallel_size
    replicas = parallel.data_parallel_size
    sizes = {
        "_INNER_DP_WORLD": tensor * stages,
        "_TP": tensor,
        "_DP": replicas,
        "_EP": tensor * replicas,
        "_EPLB": tensor * replicas,
        "_PCP": 1,
        "_DCP": getattr(parallel, "decode_context_parallel_size", 1),
    }
    for name, size in sizes.items():
        if hasattr(parallel_state, name):
            setattr(parallel_state, name, _group(size, 0))
    parallel_state._PP = _group(stages, stage)  # noqa: SLF001 - what vLLM's own start fills
    parallel_state._WORLD = _group(tensor * stages * replicas, stage * tensor)  # noqa: SLF001
    parallel.rank = stage * tensor


def last_stage():
    """Whether this process is the last stage, which alone has the draft."""
    return parallel_state.get_pp_group().is_last_rank


def _group(size, rank):
    group = MagicMock()
    group.world_size, group.ranks = size, list(range(size))
    group.rank = group.rank_in_group = group.local_rank = rank
    group.is_first_rank, group.is_last_rank, group.first_rank = rank == 0, rank == size - 1, 0
    group.device = torch.device("meta")
    group.use_custom_op_call = False
    return group
'''

MODULES['vllm_judge.refusal'] = r'''
"""A refusal in vLLM's own words, with its place in vLLM's source."""

from __future__ import annotations

import traceback

_FRAMES = 6
_CHAIN = 4


class RefusedError(Exception):
    """A refusal that another process met: at which level, in which stage, and what vLLM said."""

    def __init__(self, level, stage, error):
        super().__init__(error.get("text", ""))
        self.level, self.stage, self.error = level, stage, error


def described(error):
    """Type, text, place (innermost frame first) and causes of an error."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "/vllm/" in one.filename]
    places = [f"{one.filename.rpartition('/vllm/')[2]}:{one.lineno} {one.name}" for one in frames[-_FRAMES:]]
    return {
        "type": type(error).__name__,
        "text": str(error)[:1500],
        "where": " < ".join(reversed(places)),
        "causes": _causes(error)[1:],
    }


def _causes(error):
    chain = []
    while error is not None and len(chain) < _CHAIN:
        chain.append(f"{type(error).__name__}: {str(error)[:400]}")
        error = error.__cause__ or error.__context__
    return chain
'''

MODULES['vllm_judge.runner'] = r'''
"""What the model runner does with planned blocks: metadata builders, context parallelism, graph sizes.

A failure here may be a stand-in's, so it is reported beside the verdict and does not decide it.
"""

from __future__ import annotations

import copy

import torch
from vllm.config import set_current_vllm_config
from vllm.v1.worker.gpu import attn_utils
from vllm_judge.meta import ToMeta


def graphs_of(config, made):
    """The graph mode and sizes that vLLM would settle on."""
    from vllm.v1.worker.cp_utils import check_attention_cp_compatibility  # noqa: PLC0415 - asks for the device

    with set_current_vllm_config(config):
        with torch.device("meta"), ToMeta():
            _, support, _ = attn_utils.init_attn_backend(copy.deepcopy(made), config, torch.device("meta"))
        check_attention_cp_compatibility(config)
        drafted = config.speculative_config.num_speculative_tokens if config.speculative_config else 0
        mode = config.compilation_config.resolve_cudagraph_mode_and_sizes(
            support.min_cg_support,
            support.min_cg_attn_backend,
            1 + drafted,
            use_v2_model_runner=bool(config.use_v2_model_runner),
            kv_cache_config=made,
            max_num_reqs=config.scheduler_config.max_num_seqs,
        )
    return str(mode).rpartition(".")[2]
'''


if __name__ == "__main__":
    sys.meta_path.insert(0, _Packed())
    from vllm_judge.preflight import main

    sys.exit(main())
