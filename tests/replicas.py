"""Replicas for tests of memory and rules: a model on GPUs, the engine's values by name."""

from __future__ import annotations

from generator.catalogue.behaviours import release_of
from generator.catalogue.gpus import find_gpu
from generator.models.capability import Capability
from generator.models.hardware import GPU, Cluster
from generator.models.parallelism import Layout
from generator.planning.kv_cache.settings import CacheSettings
from generator.planning.replica import Replica
from generator.units import GIB


def card(capability: int) -> GPU:
    """An invented GPU of that compute capability."""
    return GPU(name="this GPU", memory_bytes=80 * GIB, capability=Capability(capability))


def replica_of(architecture, layout=None, *, gpu="H100-SXM-80GB", release="0.32.0", gpus=8, nodes=1, **more):
    """A replica on nodes of eight H100; `more` are engine values, a link, and what is known about the checkpoint."""
    gpu = find_gpu(gpu) if isinstance(gpu, str) else gpu
    cluster = Cluster(gpu=gpu, gpus_per_node=gpus, nodes=nodes, interconnect=more.pop("link", "nvlink"))
    known = {name: more.pop(name) for name in Replica.fields.keys() & more.keys()}
    batch = {"max_num_batched_tokens": 8192, "max_num_seqs": 256, "max_model_len": 4096}
    return Replica(
        architecture=architecture,
        layout=layout or Layout(),
        cluster=cluster,
        settings=CacheSettings(release=release_of(str(release)), capability=gpu.capability, **batch | more),
        **known,
    )
