"""Requests to the Hub through `huggingface_hub`, and files that its cache holds; imported only when one is made."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import disable_progress_bars, validate_repo_id  # type: ignore[attr-defined] # its own names

from generator.errors import SourceError
from generator.sources.hub_errors import CLIENT_ERRORS, HubQuestion, unusable_answer, why
from generator.sources.hub_stream import Budget, read
from generator.sources.safetensors_headers import INDEX_FILE, MAX_HEADER_BYTES, PREFIX_BYTES, header_bytes, parse_header

if TYPE_CHECKING:
    from generator.sources.safetensors_headers import Tensor

_TIMEOUT_S = 10.0
_FIRST_BYTES = 128 * 1024
"""Most headers fit this, and one request then reads all of one (DeepSeek-V3: 60 kB a file)."""
_CONNECTIONS = 16
_JSON_BYTES, _LISTING_BYTES = 16 * 1024**2, 32 * 1024**2
_MOST_FILES = 20_000
"""A listing of DeepSeek-V3 has 175 files; the Hub itself asks for fewer than 100,000 a repository."""
_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
"""Values that the client itself takes for a set switch."""


class Published(NamedTuple):
    """What the Hub's API says of one commit."""

    commit: str
    files: frozenset[str]
    license: str | None
    gated: bool


@dataclass(frozen=True)
class HubClient:
    """The Hub as the environment describes it, and the model asked of it."""

    model: str
    revision: str | None
    endpoint: str
    cache: Path | None
    offline: bool
    timeout_s: float
    budget: Budget

    @property
    def attempt(self) -> HubQuestion:
        """What an error's text may name."""
        parts = urlsplit(self.endpoint)
        host = parts.netloc.rpartition("@")[2]
        page = parts._replace(netloc=host).geturl() + f"/{self.model}"
        return HubQuestion(self.model, self.revision, page, host, has_token=bool(os.environ.get("HF_TOKEN")))

    def published(self) -> Published:
        """Commit, file names, licence and gate of the model's revision.

        Raises:
            SourceError: the Hub does not say.
        """
        with self._asking():
            validate_repo_id(self.model)
            path = f"{self.endpoint}/api/models/{self.model}"
            path += f"/revision/{quote(self.revision, safe='')}" if self.revision else ""
            body = read(path, self.budget.reader("its list of files", _LISTING_BYTES), timeout_s=self.timeout_s)
            info = _parsed(body)
        if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha) or len(info.siblings or ()) > _MOST_FILES:
            raise unusable_answer(self.attempt)
        return Published(
            commit=str(info.sha),
            files=frozenset(map(str, (one.rfilename for one in info.siblings or ()))),
            license=_license(info),
            gated=bool(info.gated),
        )

    def found(self, most: int) -> tuple[str, ...]:
        """Ids of the models with safetensors whose names hold the word that is asked for, the most downloaded first.

        Raises:
            SourceError: the Hub does not say.
        """
        words = {"search": self.model, "filter": "safetensors", "sort": "downloads", "direction": -1, "limit": most}
        with self._asking():
            path = f"{self.endpoint}/api/models?{urlencode(words)}"
            body = read(path, self.budget.reader("its list of models", _JSON_BYTES), timeout_s=self.timeout_s)
            return _ids(body)[:most]

    def download(self, name: str, commit: str) -> bytes:
        """One small file of `commit`, from the client's cache where it is there, and kept in it."""
        cache = self.cache or Path(constants.HF_HUB_CACHE)
        with self._asking():
            found = held(cache, self.model, commit, name)
            if found is None:
                url = hf_hub_url(self.model, name, revision=commit, endpoint=self.endpoint)
                most = MAX_HEADER_BYTES if name == INDEX_FILE else _JSON_BYTES
                found = read(url, self.budget.reader(name, most), timeout_s=self.timeout_s)
            keep(cache, self.model, self.revision, commit, {name: found})
            return found

    def cached(self, name: str) -> Path:
        """One file from the client's cache, nothing asked of the network."""
        with self._asking():
            return Path(
                HfApi(endpoint=self.endpoint).hf_hub_download(
                    self.model, name, revision=self.revision, cache_dir=self.cache, local_files_only=True
                )
            )

    def tensors(
        self, shards: Sequence[str], commit: str, progress: Callable[[int, int], None] | None
    ) -> tuple[Tensor, ...]:
        """Tensors of all `shards` from their headers, 16 files at a time."""
        pool = ThreadPoolExecutor(min(_CONNECTIONS, len(shards)))
        try:
            pending = {pool.submit(self._shard_tensors, shard, commit): shard for shard in shards}
            for done, future in enumerate(as_completed(pending), start=1):
                future.result()
                if progress is not None:
                    progress(done, len(shards))
            return tuple(tensor for future in pending for tensor in future.result())
        finally:
            self.budget.stopped = True
            pool.shutdown(cancel_futures=True)

    def _shard_tensors(self, shard: str, commit: str) -> tuple[Tensor, ...]:
        """Tensors of one file; a second request only where the header is longer than the first read."""
        where = f"{self.model}/{shard}"
        start = self._first_bytes(shard, commit, _FIRST_BYTES)
        end = PREFIX_BYTES + header_bytes(start, where)
        if end > len(start):
            start = self._first_bytes(shard, commit, end)
        return parse_header(start[PREFIX_BYTES:end], where)

    def _first_bytes(self, shard: str, commit: str, count: int) -> bytes:
        """The first `count` bytes of a file, no more even from a server that ignores ranges."""
        url = hf_hub_url(self.model, shard, revision=commit, endpoint=self.endpoint)
        check = self.budget.reader(shard, MAX_HEADER_BYTES + _FIRST_BYTES)
        span = {"Range": f"bytes=0-{count - 1}"}
        with self._asking():
            return read(url, check, timeout_s=self.timeout_s, count=count, headers=span)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Every refusal as one of our errors; the client's own text may hold what nobody should print."""
        try:
            yield
        except CLIENT_ERRORS as error:
            raise why(error, self.attempt) from error


def connect(model: str, revision: str | None) -> HubClient:
    """The Hub that the environment names at this moment; the client's own messages and bars are silenced.

    Raises:
        SourceError: HF_ENDPOINT is no web address.
    """
    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    if urlsplit(endpoint).scheme not in {"http", "https"} or not urlsplit(endpoint).netloc:
        raise SourceError(f"HF_ENDPOINT is {endpoint!r}, which is no web address: correct or unset it.")
    switches = (os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or "").upper()
    budget = Budget(urlsplit(endpoint).netloc.rpartition("@")[2], model)
    return HubClient(
        model, revision, endpoint, _cache(), offline=switches in _TRUE, timeout_s=_timeout_s(), budget=budget
    )


def _cache() -> Path | None:
    """The cache that the environment names; None for the client's default."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(os.path.expandvars(cache)).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(os.path.expandvars(home)).expanduser() / "hub"
    return None


def _timeout_s() -> float:
    """Seconds to wait for one answer: HF_HUB_ETAG_TIMEOUT, else 10."""
    asked = os.environ.get("HF_HUB_ETAG_TIMEOUT", "")
    return float(asked) if re.fullmatch(r"\d+(\.\d+)?", asked) else _TIMEOUT_S


def _parsed(body: bytes) -> ModelInfo:
    """What the Hub says of a model, as its own client reads it."""
    try:
        return ModelInfo(**json.loads(body))  # type: ignore[no-untyped-call]
    except RecursionError as error:
        raise ValueError from error


def _ids(body: bytes) -> tuple[str, ...]:
    """Ids in a list of models; what is no such list has none."""
    try:
        ids = [one.get("id") for one in json.loads(body)]
    except RecursionError as error:
        raise ValueError from error
    return tuple(one for one in ids if isinstance(one, str) and _ID.fullmatch(one))


def _license(info: ModelInfo) -> str | None:
    """The licence that the model card declares; its name or link where it is `other`."""
    card = info.card_data
    declared = getattr(card, "license_name", None) or getattr(card, "license", None)
    if isinstance(declared, str):
        return declared
    tags = (tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:"))
    return next(tags, None)


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
"""Names below a directory, and never out of it."""
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")


def folder_of(cache: Path, model: str) -> Path:
    """The model's directory of the cache (huggingface_hub's repo_folder_name)."""
    return cache / "--".join(["models", *model.split("/")])


def held(cache: Path, model: str, commit: str, name: str) -> bytes | None:
    """A file of a commit that the cache has; None where it lacks it."""
    if not _NAME.fullmatch(name):
        return None
    with suppress(OSError):
        return (folder_of(cache, model) / "snapshots" / commit / name).read_bytes()
    return None


def keep(cache: Path, model: str, revision: str | None, commit: str, files: dict[str, bytes]) -> None:
    """Keep files of a commit, and which commit the revision stands for.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = folder_of(cache, model)
    for name, content in files.items():
        if _NAME.fullmatch(name):
            _write(folder / "snapshots" / commit / name, content)
    stated = revision or "main"
    if stated != commit and _REVISION.fullmatch(stated):
        _write(folder / "refs" / stated, commit.encode())


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=place.parent, prefix=".vllm-wizard-", delete=False) as new:
        new.write(content)
    Path(new.name).chmod(0o644)
    Path(new.name).replace(place)
