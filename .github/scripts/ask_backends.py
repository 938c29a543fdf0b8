"""Which attention backend a release takes for a layer, by its own code (`vllm_tree.Tree`): no torch, no GPU."""

from __future__ import annotations

import ast
import inspect
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from vllm_tree import Tree, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CUDA = "vllm.platforms.cuda"
REGISTRY = "vllm.v1.attention.backends.registry"
PLAIN: dict[str, Any] = {
    "capability": 90, "dtype": "bfloat16", "kv_cache_dtype": "auto", "head_size": 128, "num_heads": 32,
    "num_kv_heads": 8, "block_size": None, "mla": False, "sparse": False, "sink": False, "sliding_window": False,
    "mm_prefix": False, "non_causal": False, "softcap": False, "dcp": False, "qk_nope_head_dim": None,
    "qk_rope_head_dim": None, "kv_lora_rank": None, "v_head_dim": None, "index_topk": None,
}  # fmt: skip
"""A question about a plain layer on an H100."""
_DTYPES = ("float16", "bfloat16", "float32", "uint8", "int8", "float8_e4m3fn", "float8_e5m2")
_ASKED = (
    "is_flash_attn_varlen_func_available", "has_nvidia_artifactory", "has_flashinfer", "has_flashinfer_trtllm",
    "has_flashinfer_sparse_mla_sm120", "has_flashinfer_sm90_nope_mla",
)  # fmt: skip
"""Questions for a library that vLLM's image has, in the version that the release pins."""
_BUILT = (
    *("FA2_AVAILABLE", "FA3_AVAILABLE", "FA4_AVAILABLE"),
    *("_flashmla_C_AVAILABLE", "_flashmla_extension_C_AVAILABLE"),
)
"""Compiled extensions that vLLM's wheel carries."""


class MultipleOf:
    """vLLM's own, by value."""

    def __init__(self, base: int) -> None:
        self.base = base


class Capability(NamedTuple):
    """vLLM's DeviceCapability."""

    major: int
    minor: int

    def to_int(self) -> int:
        """As major * 10 + minor."""
        return self.major * 10 + self.minor


class Platform:
    """vLLM's current_platform, on a GPU of one compute capability."""

    device_type, device_name = "cuda", "cuda"

    def __init__(self) -> None:
        self.capability = Capability(9, 0)

    def get_device_capability(self, *_: Any) -> Capability:
        """The GPU's."""
        return self.capability

    def has_device_capability(self, least: Any, *_: Any, **__: Any) -> bool:
        """At least."""
        return self.capability >= _pair(least)

    def is_device_capability(self, wanted: Any, *_: Any, **__: Any) -> bool:
        """Exactly."""
        return self.capability == _pair(wanted)

    def is_device_capability_family(self, wanted: int, *_: Any, **__: Any) -> bool:
        """The major version."""
        return self.capability.major == wanted // 10

    def __getattr__(self, name: str) -> Any:
        if name.startswith("is_"):
            return lambda *_: name in {"is_cuda", "is_cuda_alike"}
        return Unknown(f"current_platform.{name}")


class Backends:
    """A release that is asked; one question at a time."""

    def __init__(self, path: Path) -> None:
        self.platform = Platform()
        self.config: Any = None
        world = _world(self)
        self.tree = Tree(path, world)
        world["envs"] = world["vllm.envs"] = _Envs(self.tree)
        self.paths = _paths(self.tree)

    def priorities(self, question: Mapping[str, Any]) -> list[str]:
        """Backends in the release's order."""
        self.turn(question)
        found = self.tree.value(CUDA, "_get_backend_priorities")
        given = {
            "use_mla": question["mla"],
            "device_capability": self.platform.capability,
            "num_heads": question["num_heads"],
            "kv_cache_dtype": question["kv_cache_dtype"],
            "use_non_causal": question.get("non_causal", False),
            "head_size": question["head_size"],
            "use_mm_prefix": question["mm_prefix"],
        }
        names: list[str] = found(**_taken(found, given))
        return names

    def reasons(self, name: str, question: Mapping[str, Any]) -> list[str]:
        """Why a backend does not take the layer; empty where it does."""
        self.turn(question)
        backend = self.backend(name)
        given = {
            "head_size": question["head_size"],
            "dtype": question["dtype"],
            "kv_cache_dtype": question["kv_cache_dtype"],
            "block_size": question["block_size"],
            "use_mla": question["mla"],
            "has_sink": question["sink"],
            "use_sparse": question["sparse"],
            "use_mm_prefix": question["mm_prefix"],
            "use_non_causal": question.get("non_causal", False),
            "use_per_head_quant_scales": False,
            "device_capability": self.platform.capability,
            "attn_type": "decoder",
            "has_sliding_window": question["sliding_window"],
            "use_dcp": question["dcp"],
        }
        validate = backend.validate_configuration
        found: list[str] = validate(**_taken(validate, given))
        return found

    def chosen(self, question: Mapping[str, Any]) -> str | None:
        """The first backend that takes the layer."""
        return next((name for name in self.priorities(question) if not self.reasons(name, question)), None)

    def blocks(self, name: str, question: Mapping[str, Any]) -> list[str]:
        """Block sizes of a backend's kernels: "64" as it is, "16n" for its multiples."""
        self.turn(question)
        sizes = self.backend(name).get_supported_kernel_block_sizes()
        return [f"{one.base}n" if isinstance(one, MultipleOf) else str(one) for one in sizes]

    def takes_dcp(self, name: str) -> bool:
        """Whether a backend's implementation takes decode context parallelism; older releases do not ask before."""
        implementation = self.backend(name).get_impl_cls()
        able = getattr(implementation, "supports_dcp", None)
        return bool(getattr(implementation, "can_return_lse_for_decode", True) if able is None else able)

    def backend(self, name: str) -> Any:
        """The class behind a name of the registry."""
        module, _, leaf = self.paths[name].rpartition(".")
        return self.tree.value(module, leaf)

    def turn(self, question: Mapping[str, Any]) -> None:
        """Be the GPU and the model of a question."""
        self.platform.capability = Capability(*divmod(question["capability"], 10))
        self.config = _config(question)


class _Envs:
    """vLLM's environment variables, each at its default."""

    def __init__(self, tree: Tree) -> None:
        self._defaults: dict[str, Any] = {}
        for node in ast.walk(ast.parse(tree.file("vllm.envs").read_text(encoding="utf-8"))):
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value)):
                    self._defaults[name] = value
                case _:
                    pass

    def __getattr__(self, name: str) -> Any:
        return self._defaults.get(name, Unknown(f"envs.{name}"))


def _world(asked: Backends) -> dict[str, Any]:
    """What a GPU of the image would say: every kernel library is there."""
    torch = types.SimpleNamespace(**{name: name for name in _DTYPES}, Tensor=object, dtype=object)
    torch.cuda = types.SimpleNamespace(get_device_capability=lambda *_: tuple(asked.platform.capability))
    return {
        "torch": torch,
        "current_platform": asked.platform,
        "DeviceCapability": Capability,
        "MultipleOf": MultipleOf,
        "AttentionBackendEnum": _Enum(),
        "get_current_vllm_config": lambda: asked.config,
        "get_current_vllm_config_or_none": lambda: asked.config,
        "_fa4_cute_mla_available": lambda: None,
        **dict.fromkeys(_ASKED, lambda *_, **__: True),
        **dict.fromkeys(_BUILT, True),
        "logger": Unknown("logger"),
        "init_logger": lambda *_: Unknown("logger"),
    }


class _Enum:
    """The registry's names, each by itself."""

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return name


def _config(question: Mapping[str, Any]) -> Any:
    """VLLM's configuration as far as backends read it."""
    names = ("qk_nope_head_dim", "qk_rope_head_dim", "kv_lora_rank", "v_head_dim", "index_topk")
    text = types.SimpleNamespace(**{name: question[name] for name in names if question[name] is not None})
    space = types.SimpleNamespace
    text.attn_logit_softcapping = 30.0 if question["softcap"] else None
    model = space(
        hf_config=text, hf_text_config=text, dtype=question["dtype"], is_mm_prefix_lm=question["mm_prefix"],
        get_head_size=lambda: question["head_size"], get_num_attention_heads=lambda *_: question["num_heads"],
        get_num_kv_heads=lambda *_: question["num_kv_heads"], has_sink=question["sink"], use_mla=question["mla"],
        max_model_len=8192, is_diffusion=False, is_encoder_decoder=False, is_hybrid=False,
    )  # fmt: skip
    attention = dict.fromkeys(("flash_attn_version", "use_trtllm_attention", "backend", "mla_prefill_backend"))
    off = ("disable_flashinfer_q_quantization", "use_prefill_query_quantization", "use_fp4_indexer_cache")
    size = question["block_size"]
    cache = {"cache_dtype": question["kv_cache_dtype"], "block_size": size or 16}
    parallel = {"tensor_parallel_size": 1, "prefill_context_parallel_size": 1}
    return space(
        model_config=model,
        cache_config=space(**cache, user_specified_block_size=size is not None),
        parallel_config=space(**parallel, decode_context_parallel_size=2 if question["dcp"] else 1),
        attention_config=space(**attention, **dict.fromkeys(off, False)),
        scheduler_config=space(max_num_batched_tokens=8192, max_num_seqs=256),
        speculative_config=None,
        kv_transfer_config=None,
    )


def _pair(wanted: Any) -> Capability:
    return Capability(*divmod(wanted, 10)) if isinstance(wanted, int) else Capability(*wanted)


def _taken(function: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    names = inspect.signature(function).parameters
    return {name: value for name, value in given.items() if name in names}


def _paths(tree: Tree) -> dict[str, str]:
    """Class path by the name of a backend."""
    source = ast.parse(tree.file(REGISTRY).read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for node in source.body:
        if isinstance(node, ast.ClassDef) and node.name == "AttentionBackendEnum":
            for one in node.body:
                if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                    value = ast.literal_eval(one.value) if not isinstance(one.value, ast.Call) else None
                    if value:
                        found[one.targets[0].id] = value
    return found
