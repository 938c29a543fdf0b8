"""The search itself: Optuna's study in git's own directory, so that a search that was killed goes on."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from generator.errors import SourceError
from generator.models.tuning import STARTED, Knob, Tried
from generator.operations.transaction import journal

_FILE = "trials.jsonl"
_TRIED = "tried"
_SEED = 1
_IN_VAIN = 20
"""Suggestions one after the other that were known already: what is left is not worth the search."""


def library() -> Any:
    """Optuna.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import optuna  # noqa: PLC0415 - not everybody tunes
    except ImportError as error:
        raise SourceError(
            "Optuna is not installed: `pip install 'optuna>=5'` beside vllm-wizard, or install the checkout with its "
            "extra, `pip install '.[tune]'`"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def folder_of(place: Path) -> Path:
    """The directory of the deployment's search, inside the git directory of its working tree."""
    note = journal.folder_of(place)
    return note.with_name(f"{note.name}-tune")


def forget(place: Path) -> None:
    """Drop what was searched."""
    shutil.rmtree(folder_of(place), ignore_errors=True)


def name_of(*parts: Any) -> str:
    """The name of the search over these: the same again goes on, another begins."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:8]


class Search:
    """One study: what was tried, and what is tried next."""

    def __init__(self, place: Path, name: str, knobs: Sequence[Knob], trials: int) -> None:
        self._optuna, self.knobs, self.name = library(), tuple(knobs), name
        self.size = prod(len(knob.options) for knob in knobs)
        file = folder_of(place) / _FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        storages = self._optuna.storages
        self._study = self._optuna.create_study(
            storage=storages.JournalStorage(storages.journal.JournalFileBackend(str(file))),
            study_name=name, direction="maximize", load_if_exists=True,
            sampler=self._optuna.samplers.TPESampler(seed=_SEED),
        )  # fmt: skip
        self._take_up(trials)

    @property
    def tried(self) -> tuple[Tried, ...]:
        """Every step that came to its end, in order; a suggestion that was known already is none."""
        return tuple(sorted(self._known().values(), key=lambda one: one.step))

    def note(self, name: str, value: str) -> str:
        """What was noted of the search under this name, else `value`, which is noted."""
        held = self._study.user_attrs
        if name not in held:
            self._study.set_user_attr(name, value)
        return str(held.get(name, value))

    def run(self, step: Callable[[dict[str, str]], Tried], *, trials: int, limit_s: float | None) -> str:
        """Take steps until the budget of starts, or of time, is spent or nothing is left; why it stopped, in words."""
        vain = 0

        def objective(trial: Any) -> float:
            nonlocal vain
            words = {k.name: trial.suggest_categorical(k.name, [one.word for one in k.options]) for k in self.knobs}
            known = self._known().get(_key(words))
            vain = vain + 1 if known else 0
            if known is None:
                known = step(words)
                trial.set_user_attr(_TRIED, known.model_dump_json())
            if known.score is None:
                raise self._optuna.TrialPruned
            return known.score

        def enough(study: Any, _: Any) -> None:
            if self._is_over(trials) or vain >= _IN_VAIN:
                study.stop()

        if not self._is_over(trials):
            self._study.optimize(objective, timeout=limit_s, callbacks=[enough])
        return self._ended(trials)

    def _is_over(self, trials: int) -> bool:
        return self._starts() >= trials or len(self._known()) >= self.size

    def _starts(self) -> int:
        return sum(one.outcome in STARTED for one in self._known().values())

    def _ended(self, trials: int) -> str:
        if len(self._known()) >= self.size:
            return f"all {self.size} combinations are known"
        if self._starts() >= trials:
            return f"{trials} starts are spent"
        return "no time is left, or nothing new was suggested"

    def _known(self) -> dict[str, Tried]:
        found: dict[str, Tried] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if _TRIED in trial.user_attrs:
                one = Tried.model_validate_json(trial.user_attrs[_TRIED])
                found.setdefault(_key(one.words), one)
        return found

    def _take_up(self, budget: int) -> None:
        """Have the step taken again that a stopped or killed search left open; the plan comes before all else."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            told = trial.user_attrs.get(_TRIED)
            score = Tried.model_validate_json(told).score if told else None
            if score is not None:
                self._study.tell(trial.number, score)
            else:
                self._study.tell(trial.number, state=states.PRUNED if told else states.FAIL)
        trials = self._study.get_trials(deepcopy=False)
        awaited = {_key(one.system_attrs["fixed_params"]) for one in trials if one.state == states.WAITING}
        failed = {_key(one.params): one.params for one in trials if one.state == states.FAIL}
        for key in failed.keys() - awaited - self._known().keys():
            if len(failed[key]) == len(self.knobs):
                self._study.enqueue_trial(failed[key])
        if not trials:
            self._begin(budget)

    def _begin(self, budget: int) -> None:
        """Line up the plan; and all else where the budget covers it, so that the sampler has nothing to choose."""
        words = ([option.word for option in knob.options] for knob in self.knobs)
        wanted = list(product(*words)) if self.size <= budget else [[knob.options[0].word for knob in self.knobs]]
        for one in wanted:
            self._study.enqueue_trial(dict(zip((knob.name for knob in self.knobs), one, strict=True)))


def _key(words: Mapping[str, str]) -> str:
    return json.dumps(dict(words), sort_keys=True)
