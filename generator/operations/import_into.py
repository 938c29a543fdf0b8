"""import_into(): the imported deployment as a repository, or beside the files of a directory that has some."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from generator.errors import RequestError
from generator.models.running import ImportedDeployment
from generator.operations.generate import Generated, generate
from generator.rendering import repository
from generator.rendering.answers import ANSWERS_FILE
from generator.rendering.workspace import workspace

if TYPE_CHECKING:
    from generator.workflow import Proof

_OWN_MODE = 0o600


def import_into(
    found: ImportedDeployment, proof: Proof, destination: Path, answers: Mapping[str, Any], template: str | None
) -> tuple[Generated, tuple[str, ...]]:
    """The deployment at `destination` with the user's own files, and the names of files there that stayed.

    Raises:
        RequestError: it is a deployment repository already.
        RenderError: Copier or git refused.
    """
    place = destination.expanduser().absolute()
    naming: dict[str, Any] = {name: answers.get(name) for name in ("artefacts", "service", "ci")}
    if not place.is_dir() or not any(place.iterdir()):
        made = generate(proof.request, place, **naming, template=template, commit=False, proof=proof)
        _write(made.path, _files(found))
        within = repository.enclosing(place)
        if within is None:
            first = repository.create(place, f"Import {proof.request.model}\n\nRendered by vllm-wizard.")
            made = made.model_copy(update={"commit": first})
        return made, ()
    with workspace(place.parent) as scratch:
        made = generate(proof.request, scratch / place.name, **naming, template=template, commit=False, proof=proof)
        _write(made.path, _files(found))
        kept = _merged(made.path, place)
    return made.model_copy(update={"path": place, "within": place}), kept


def _files(found: ImportedDeployment) -> dict[str, str]:
    """The user's own files beside what is rendered, by name."""
    head = "# Imported by `vllm-wizard import`, and yours: updates never touch it.\n"
    made = {}
    if found.compose:
        made["compose.override.yaml"] = head + _dumped(found.compose)
    if found.values:
        made["deploy/values.local.yaml"] = head + _dumped(found.values)
    if found.environment:
        lines = {"VLLM_API_KEY": secrets.token_hex(32)} | found.environment
        made[".env"] = "".join(f"{name}={value}\n" for name, value in lines.items())
    return made


def _merged(made: Path, place: Path) -> tuple[str, ...]:
    """Move what was rendered into a directory that has files, none of which is overwritten; those that stayed.

    Raises:
        RequestError: it is a deployment repository already.
    """
    kept = []
    if (place / ANSWERS_FILE).exists():
        raise RequestError(f"{place} is a deployment repository already: change it with `vllm-wizard update`")
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        name = path.relative_to(made)
        target = place / name
        if target.exists() or target.is_symlink():
            kept.append(str(name))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    return tuple(kept)


def _write(place: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if name == ".env":
            target.chmod(_OWN_MODE)


def _dumped(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=120)
