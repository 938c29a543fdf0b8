"""tune(): a search by measuring, from the plan on; each step a commit on a branch, what loses reverted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator import recording
from generator.errors import ConflictError, GeneratorError, RequestError, SourceError
from generator.models.checkpoint import ModelFacts
from generator.models.request import Request
from generator.models.tuning import Knob, Tried, Tuned
from generator.operations.running.bench import FOLDER
from generator.operations.running.load import checked, round_of
from generator.operations.running.reach import reach_of
from generator.operations.transaction.lock import locked
from generator.operations.tuning import branch, search
from generator.operations.tuning.score import held, score, unit, wins
from generator.operations.tuning.server import port_of, server_of
from generator.operations.tuning.space import space_of
from generator.operations.update import update
from generator.presenting.tuning import tuned_text, words_text
from generator.rendering import repository
from generator.rendering.answers import Answers, read
from generator.rendering.git import isolated
from generator.workflow import tables_for

if TYPE_CHECKING:
    from generator.operations.running.reach import Reach
    from generator.operations.tuning.server import TunedServer

_SEEN, _UNSEEN = 101, (211, 223)
"""Seeds of prompts: of those that the search sees, and of those that decide what is kept."""
_ROUNDS, _SHORT_ROUNDS = 4, 1
_HOME = "home.json"
_REPORT = f"{FOLDER}/tune.md"


@dataclass(frozen=True)
class _Session:
    """One search of one deployment."""

    place: Path
    answers: Answers
    request: Request
    facts: ModelFacts
    knobs: tuple[Knob, ...]
    search: search.Search
    server: TunedServer
    reach: Reach
    vllm: Sequence[str]
    requests: int
    told: Callable[[str], None]

    def best(self) -> Tried | None:
        """The last step that was kept, the plan at first; None before it was measured."""
        return next((one for one in reversed(self.search.tried) if one.outcome in {"the plan", "kept"}), None)

    def overrides(self, words: Mapping[str, str]) -> dict[str, Any]:
        """The engine values of these options beside the user's own: all of them, so that what was measured is planned.

        Of the plan none are: it stands as it is.
        """
        if all(words[knob.name] == knob.options[0].word for knob in self.knobs):
            return dict(self.request.overrides)
        values = [knob.values_of(words[knob.name]) for knob in self.knobs]
        return self.request.overrides | {name: value for one in values for name, value in one.items()}


def tune(
    root: Path,
    *,
    values: Mapping[str, tuple[Any, ...]] | None = None,
    trials: int = 12,
    minutes: float = 0,
    short: bool = False,
    fresh: bool = False,
    script: bool = False,
    vllm: Sequence[str] = ("vllm",),
    docker: str = "docker compose",
    told: Callable[[str], None] = lambda _: None,
) -> Tuned:
    """Search better engine values for the deployment at `root` by starting and measuring its server.

    `values` names what is searched, and nothing else then; `trials` starts are spent at most, and no start is begun
    after `minutes`. A search that was stopped or killed goes on where it was; with `fresh` it begins anew.

    Raises:
        SourceError: Optuna, or what starts and measures the server, is absent; the plan itself does not start.
        RequestError: `root` is no deployment that can be searched.
        RenderError: the repository has uncommitted changes, or another search is under way.
    """
    search.library()
    place = root.expanduser().absolute()
    with isolated():
        read(place)
        repository.refuse_unborn(place)
        with locked(place, "tune", name="tune.lock"):
            branch.go_home(place, search.folder_of(place) / _HOME)
            if fresh:
                search.forget(place)
            repository.refuse_unready(place)
            session = _session(place, values or {}, trials, short=short, script=script, vllm=vllm, docker=docker,
                               told=told)  # fmt: skip
            return _searched(session, trials, minutes * 60 or None)


def _session(
    place: Path,
    values: Mapping[str, tuple[Any, ...]],
    trials: int,
    *,
    short: bool,
    script: bool,
    vllm: Sequence[str],
    docker: str,
    told: Callable[[str], None],
) -> _Session:
    answers = read(place)
    if answers.plan.pooling is not None:
        raise RequestError("a model that pools has no tokens to time, so nothing to tune by")
    request = recording.request_of(answers.values)
    facts = recording.facts_of(answers.values.get(recording.FACTS) or {})
    plan = recording.prove(request, facts).plan
    knobs = space_of(plan, values, tables_for(request, facts).engine)
    folder = search.folder_of(place)
    folder.mkdir(parents=True, exist_ok=True)
    server = server_of(place, answers, folder / "server.log", script=script, docker=docker)
    url = f"http://127.0.0.1:{port_of(place)}" if script else ""
    name = search.name_of(answers.plan.digest, [knob.model_dump() for knob in knobs], request.load.model_dump(), short)
    return _Session(
        place=place, answers=answers, request=request, facts=facts, knobs=knobs,
        search=search.Search(place, name, knobs, trials), server=server,
        reach=reach_of(place, answers, url=url, docker=docker), vllm=vllm,
        requests=max(2, request.load.concurrency * (_SHORT_ROUNDS if short else _ROUNDS)), told=told,
    )  # fmt: skip


def _searched(session: _Session, trials: int, limit_s: float | None) -> Tuned:
    """Search on the branch, and keep the table there; the server and the tree are left as they were found."""
    _refuse_hopeless(session)
    place, note = session.place, search.folder_of(session.place) / _HOME
    base, best = branch.checked_out(place), session.best()
    name = session.search.note("branch", branch.free(place, f"tune/{session.search.name}"))
    home = branch.Home(branch=name, base=base, best=best.commit if best else branch.head(place))
    try:
        with branch.on_branch(place, home, note):
            try:
                ended = session.search.run(
                    lambda words: _step(session, words, note, home), trials=trials, limit_s=limit_s
                )
            finally:
                session.server.stop()
            found = _found(session, home, ended)
            _kept(place, found, note, home)
    finally:
        _left(session)
    return found


def _left(session: _Session) -> None:
    """Start the server with the user's own plan again, if that plan ever started."""
    why = session.server.leave() if session.best() else ""
    if why:
        session.told(f"the server does not run with your plan again: {why}")


def _refuse_hopeless(session: _Session) -> None:
    """Return only where some value, in place of the plan's own, is planned and fits.

    Raises:
        RequestError: the planner refuses each; says why the first.
    """
    plan = {knob.name: knob.options[0].word for knob in session.knobs}
    others = [plan | {knob.name: one.word} for knob in session.knobs for one in knob.options[1:]]
    refused = [_refused(session, words) for words in others]
    if all(refused):
        raise RequestError(f"no value beside the plan's own can be planned: {refused[0]}")


def _found(session: _Session, home: branch.Home, ended: str) -> Tuned:
    best = session.best()
    if best is None:
        raise SourceError("no time was left to measure the plan itself: more --minutes")
    won = session.overrides(best.words) if best.outcome == "kept" else {}
    return Tuned(
        path=str(session.place), unit=unit(session.request.load.batching_mode), knobs=session.knobs,
        tried=session.search.tried, best=best, base=home.base, branch=home.branch, ended=ended,
        overrides={name: value for name, value in won.items() if session.request.overrides.get(name, ...) != value},
    )  # fmt: skip


def _kept(place: Path, found: Tuned, note: Path, home: branch.Home) -> None:
    """The table of the search on its branch."""
    file = place / _REPORT
    file.parent.mkdir(exist_ok=True)
    file.write_text(tuned_text(found) + "\n", encoding="utf-8")
    commit = branch.commit(place, (_REPORT,), "Keep what tuning measured")
    branch.keep(note, home.model_copy(update={"best": commit}))


def _step(session: _Session, words: dict[str, str], note: Path, home: branch.Home) -> Tried:
    """One step: plan, commit, start, measure; revert where it does not win."""
    best, number = session.best(), len(session.search.tried)
    session.told(f"{number}: {words_text(words) if best else 'the plan'}")
    tried = Tried(step=number, words=words, outcome="refused")
    why = _refused(session, words)
    if why:
        return tried.model_copy(update={"why": why})
    session.server.stop()
    try:
        commit = _committed(session, words, number)
        told = _measured(session, best)
    except _Failed as failed:
        if best is None:
            raise SourceError(f"the plan itself cannot be measured: {failed}") from failed
        told = {"outcome": failed.outcome, "why": str(failed)}
        commit = ""
    done = tried.model_copy(update=told | {"commit": commit})
    if done.outcome in {"the plan", "kept"}:
        branch.keep(note, home.model_copy(update={"best": commit}))
        return done
    assert best is not None  # noqa: S101 - the plan is the first
    branch.take_back(session.place, best.commit)
    return done.model_copy(update={"commit": ""})


class _Failed(Exception):  # noqa: N818 - an end of a step, which the search goes on after
    """A step that came to no figure."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


def _refused(session: _Session, words: Mapping[str, str]) -> str:
    """Why the planner refuses these values; empty where they are planned, and fit."""
    request = session.request.model_copy(update={"overrides": session.overrides(words)})
    try:
        recording.refuse_unfit(recording.prove(request, session.facts, compared=False).plan)
    except GeneratorError as error:
        return str(error)
    return ""


def _committed(session: _Session, words: Mapping[str, str], number: int) -> str:
    """The commit with these values; the plan's own is the branch's beginning."""
    place = session.place
    try:
        report = update(place, {"overrides": session.overrides(words)}, offline=True)
    except ConflictError as error:
        raise _Failed("refused", f"your edits conflict with it in {', '.join(error.files)}") from error
    files = report.files
    names = (*files.added, *files.changed, *files.deleted)
    return branch.commit(place, names, f"Try {words_text(words)} (step {number})") if names else branch.head(place)


def _measured(session: _Session, best: Tried | None) -> dict[str, Any]:
    """What the server with the tree's values comes to: on unseen prompts too where it is the best on seen ones."""
    why = session.server.start()
    if why:
        raise _Failed("did not start", why)
    try:
        seen = _score(session, _SEEN)
        if best is not None and best.score is not None and seen <= best.score:
            return {"outcome": "no better", "score": seen}
        unseen = held([_score(session, seed) for seed in _UNSEEN])
    except SourceError as error:
        raise _Failed("not measured", str(error)) from error
    if best is None or best.held is None:
        return {"outcome": "the plan", "score": seen, "held": unseen}
    return {"outcome": "kept" if wins(unseen, best.held) else "no better", "score": seen, "held": unseen}


def _score(session: _Session, seed: int) -> float:
    load = session.request.load_in(session.answers.plan.engine["max_model_len"])
    session.told(f"   {session.requests} requests, {load.concurrency} at once, prompts of seed {seed}")
    result = round_of(session.reach, session.answers, load, requests=session.requests, vllm=session.vllm, seed=seed)
    return score(checked(result).run(load.concurrency), session.request.targets, load.batching_mode)
