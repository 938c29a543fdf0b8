"""A model on the Hub: its config.json and the headers of its safetensors files, no weights.

The client is imported with the first call only: it takes longer to load than a plan takes to make.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from generator.errors import SourceError
from generator.models.checkpoint import ModelFacts
from generator.sources.config import assemble, parse_json, parse_object
from generator.sources.local import below, directory_tensors, read_object, read_value
from generator.sources.repository_files import brings_tokenizer, sentence_facts
from generator.sources.safetensors_headers import INDEX_FILE, shard_names

if TYPE_CHECKING:
    from typing import Any

    from generator.sources.hub_client import HubClient
    from generator.sources.safetensors_headers import Tensor

_CONFIG_FILE = "config.json"
_QUANT_FILE = "hf_quant_config.json"


def hub_facts(
    model: str,
    *,
    revision: str | None = None,
    cached_only: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ModelFacts:
    """Facts of `model` at `revision` (branch, tag or commit; the default branch if None), pinned to a commit.

    HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HF_HOME, HF_HUB_CACHE and HF_HUB_ETAG_TIMEOUT are read at the call.
    `progress` is told of headers read and headers in all; `cached_only` asks nothing of the network.

    Raises:
        HubUnreachableError: no network, a timeout, a server error, or offline and not in the cache.
        GatedModelError: the model's licence was not accepted, or no token says so.
        SourceError: no such model or revision, no config.json, or a file that is malformed.
    """
    from generator.sources.hub_client import connect  # noqa: PLC0415 - see the module's docstring

    client = connect(model, revision)
    if cached_only or client.offline:
        return _cached_facts(client)
    return _fetched_facts(client, progress)


def hub_search(word: str, *, most: int = 4) -> tuple[str, ...]:
    """Ids of the Hub's most downloaded models whose names hold `word`; none where the Hub does not answer."""
    from generator.sources.hub_client import connect  # noqa: PLC0415 - see the module's docstring

    try:
        client = connect(word, None)
        return () if client.offline else client.found(most)
    except SourceError:
        return ()


def _fetched_facts(client: HubClient, progress: Callable[[int, int], None] | None) -> ModelFacts:
    published = client.published()
    if _CONFIG_FILE not in published.files:
        raise SourceError(
            f"{client.model} has no config.json, so vLLM's safetensors loader cannot serve it:"
            " choose the repository of the original weights."
        )
    config = _fetched_object(client, _CONFIG_FILE, published.commit) or {}
    quant = _fetched_object(client, _QUANT_FILE, published.commit) if _QUANT_FILE in published.files else None
    index = _fetched_object(client, INDEX_FILE, published.commit) if INDEX_FILE in published.files else None
    shards = shard_names(published.files, index)

    def read(name: str) -> Any:
        return (
            parse_json(client.download(name, published.commit), f"{client.model}/{name}")
            if name in published.files
            else None
        )

    return assemble(
        id=client.model,
        revision=published.commit,
        source="hub",
        config=config,
        quant_config=quant,
        tensors=client.tensors(shards, published.commit, progress) if shards else None,
        sentence=sentence_facts(read, config),
        tokenizer_code=brings_tokenizer(read),
        license=published.license,
        gated=published.gated,
    )


def _cached_facts(client: HubClient) -> ModelFacts:
    """Facts from the client's cache; headers only where all the weights are there too."""
    snapshot = client.cached(_CONFIG_FILE).parent
    config = read_object(snapshot / _CONFIG_FILE) or {}
    return assemble(
        id=client.model,
        revision=snapshot.name,
        source="hub",
        config=config,
        quant_config=read_object(snapshot / _QUANT_FILE),
        tensors=_cached_tensors(snapshot),
        sentence=sentence_facts(lambda name: read_value(below(snapshot, name)), config),
        tokenizer_code=brings_tokenizer(lambda name: read_value(snapshot / name)),
    )


def _cached_tensors(snapshot: Path) -> tuple[Tensor, ...] | None:
    try:
        return directory_tensors(snapshot)
    except SourceError:  # an unfinished download: config.json is still worth planning from
        return None


def _fetched_object(client: HubClient, name: str, commit: str) -> dict[str, Any]:
    return parse_object(client.download(name, commit), f"{client.model}/{name}")
