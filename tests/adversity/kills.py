"""Kills at random moments of every command that writes, each recovered by the next command, by seed and number."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from fixtures.deployments import commit, git, request_for
from fixtures.processes import home, is_writing, killed, snapshot
from fixtures.walk import four_releases

from generator.errors import GeneratorError
from generator.operations import templates
from generator.operations.adopt import adopt
from generator.operations.generate import generate
from generator.operations.resolve import resolve
from generator.operations.transaction import is_interrupted
from generator.operations.undo import recovered, resume, undo
from generator.operations.update import update
from tests.adversity.rows import append, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "dépôt"


@dataclass
class Scene:
    """One command: the tree that it starts from, what it does, and what is there when nothing disturbs it."""

    start: Path
    act: Callable[[Path], object]
    nexts: tuple[str, ...] = ("again", "undo", "continue", "tell")
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
    seconds: float = 0


def kill(seed: int, wanted: int, state: Path) -> bool:
    """Kill `wanted` commands of `seed`, but for those that `state` holds; True where each was recovered."""
    file = state / f"kills-{seed}.jsonl"
    done = {row["number"] for row in read(file)}
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as name, home(Path(name)):
        place = Path(name)
        scenes = _scenes(place / "scenes", four_releases(place / "releases"))
        for number in range(wanted):
            if number not in done:
                append(file, _one(seed, number, place, scenes))
    return not any(row["failed"] for row in read(file))


def counts(seed: int, state: Path) -> dict[str, int]:
    """How many of each kind were killed, where, and recovered by what."""
    total: Counter[str] = Counter()
    for row in read(state / f"kills-{seed}.jsonl"):
        how = "killed" if row["how"] == "killed" else "ended before the kill"
        total.update([f"{row['kind']}: {how}", f"recovered by: {row['next']}"])
        total.update({"kills": how == "killed", "not recovered": bool(row["failed"]), "while it wrote": row["wrote"]})
    return dict(sorted(total.items()))


def _one(seed: int, number: int, place: Path, scenes: dict[str, Scene]) -> dict:
    dice = Random(f"{seed}/{number}")
    kind = list(scenes)[number % len(scenes)]
    scene = scenes[kind]
    row = {"number": number, "kind": kind, "how": "", "wrote": False, "next": "", "failed": ""}
    with tempfile.TemporaryDirectory(dir=place, prefix="kill", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / NAME
        if scene.start.exists():
            shutil.copytree(scene.start, root, symlinks=True)
        moment = None if dice.random() < 0.4 else dice.random() * scene.seconds * 1.05
        row["how"] = killed(lambda: scene.act(root), dice, moment, lambda: _is_writing(root), group=dice.random() < 0.5)
        row["wrote"] = _is_writing(root)
        choices = [one for one in scene.nexts if one not in ("undo", "continue") or row["wrote"]]
        row["next"] = dice.choice(choices)
        try:
            _recovered(scene, root, row["next"], place)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is written down
            row["failed"] = f"{type(error).__name__}: {error}"[:2000]
            sys.stderr.write(f"NOT RECOVERED {row}\n")
    return row


def _recovered(scene: Scene, root: Path, choice: str, place: Path) -> None:
    """Run the next command; what is there must be what was before or comes after, whole."""
    commands = {
        "again": lambda: scene.act(root),
        "undo": lambda: undo(root),
        "continue": lambda: resume(root),
        "tell": lambda: recovered(root),
    }
    refused = None
    try:
        commands[choice]()
    except GeneratorError as error:
        refused = error
    now = state_of(root)
    expected = {"again": scene.after, "continue": scene.after, "undo": scene.before, "tell": scene.before}[choice]
    whole = (scene.before, scene.after) if choice == "tell" or refused is not None else (expected,)
    assert now in whole, f"{choice} ({refused}): {_difference(now, expected)}"
    assert not is_interrupted(root)
    left = [path for path in root.parent.rglob("*") if ".vllm-wizard-" in path.name or path.name == "index.lock"]
    left += list((root / ".git").glob("worktrees/*"))
    known = {"home", "releases", "scenes", root.parent.name}
    left += [path for path in place.iterdir() if path.name not in known]
    left += [path for path in (place / "home/.local/share/vllm-wizard").glob("*") if path.name != "templates.bundle"]
    assert not left, f"left behind: {left}"


def _difference(now: dict, expected: dict) -> list[str]:
    return [name for name in {**now, **expected} if now.get(name) != expected.get(name)]


def state_of(root: Path) -> dict:
    """What lies in a tree, and what git's index says of it."""
    if not root.is_dir():
        return {}
    if not (root / ".git").exists():
        return snapshot(root)
    return snapshot(root) | {"(index)": git(root, "ls-files", "--stage")}


def _is_writing(root: Path) -> bool:
    if not (root / ".git").is_dir():
        return root.is_dir() or any(root.parent.glob(".vllm-wizard-*/*/*"))
    return is_writing(root)


def _scenes(place: Path, bundle: Path) -> dict[str, Scene]:
    """Every command with its start and its undisturbed end."""
    place.mkdir()
    found = dict(_starts(place, bundle))
    for kind, scene in found.items():
        root = place / f"{kind} ended" / NAME
        if scene.start.exists():
            shutil.copytree(scene.start, root, symlinks=True)
            scene.before = state_of(root)
        began = time.monotonic()
        with suppress(GeneratorError):
            scene.act(root)
        scene.seconds, scene.after = time.monotonic() - began, state_of(root)
    return found


def _starts(place: Path, bundle: Path) -> Iterator[tuple[str, Scene]]:
    options = {"packaged": bundle}
    made = generate(request_for(), place / "made" / NAME, template="1.0.0", packaged=bundle).path
    for name in ("README.md", "scripts/run.sh"):
        with (made / name).open("a", encoding="utf-8") as file:
            file.write("# mine\n")
    commit(made)
    yield (
        "generate",
        Scene(place / "nothing", lambda root: generate(request_for(), root, template="1.2.0", **options), ("again",)),
    )
    yield "update", Scene(made, lambda root: update(root, {"gpus": 2, "artefacts": ["command"]}, **options))
    yield "upgrade", Scene(made, lambda root: update(root, {}, upgrade=True, **options))
    edited = Path(shutil.copytree(made, place / "edited" / NAME))
    serve = edited / "serve.yaml"
    lines = serve.read_text(encoding="utf-8").splitlines()
    serve.write_text(
        "".join(f"{'max-num-seqs: 7' if one.startswith('max-num-seqs:') else one}\n" for one in lines), encoding="utf-8"
    )
    yield "adopt", Scene(edited, lambda root: adopt(root, **options))
    yield "resolve", Scene(_merging(place, made, bundle), lambda root: resolve(root, **options))
    yield "template sync", Scene(made, lambda root: _synced(root, bundle), ("again",))


def _merging(place: Path, made: Path, bundle: Path) -> Path:
    """A merge of two updates under way."""
    root = Path(shutil.copytree(made, place / "merging" / NAME))
    git(root, "checkout", "--quiet", "-b", "side")
    update(root, {"gpus": 2}, packaged=bundle)
    commit(root)
    git(root, "checkout", "--quiet", "main")
    update(root, {"overrides": {"max_num_seqs": 48}}, packaged=bundle)
    commit(root)
    with suppress(subprocess.CalledProcessError):
        git(root, "merge", "--quiet", "--no-edit", "side")
    return root


def _synced(root: Path, bundle: Path) -> None:
    """A machine without the store gets it."""
    store = Path.home() / ".local/share/vllm-wizard/templates.bundle"
    if root.parent.name.startswith("kill") and not (root.parent / "removed").exists():
        (root.parent / "removed").touch()
        store.unlink(missing_ok=True)
    templates.sync(bundle)
    assert store.read_bytes() == bundle.read_bytes()
