"""What the feedback loop has tried and what it tries next: Optuna's suggestions, kept in a SQLite file.

The file has finished trials only. A suggestion follows from the seed, the trial's number and the trials
before it, and from nothing else: after a kill the loop suggests what it was trying, and DVC's cache has
the stages that were finished. Whoever works on a study, in however many processes, does one trial at a time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsame.core.digests import sha256_json
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.dag.experiments import Trial, name_of, run_experiment
from selfsame.params.check import check_params
from selfsame.params.feedback import FeedbackParams, Range
from selfsame.params.overrides import value_at
from selfsame.params.reading import refuse
from selfsame.params.registry import STAGES
from selfsame.params.together import search_problems
from selfsame.processes import lock

FOLDER = Path(".scratch/feedback")
PREFIX = "feedback"  # of the names of studies and experiments


@dataclass(frozen=True)
class Attempt:
    """A finished trial; without a value it failed, for the reason in ``error``."""

    number: int
    overrides: dict[str, Any]
    value: float | None
    seconds: float
    error: str


class Study:
    """The trials of one search: of the same parameters to start from, metric, search space and seed.

    Raises:
        SelfsameError: Optuna isn't installed, or the search space leads to parameters that aren't valid.
    """

    def __init__(self, settings: FeedbackParams) -> None:
        try:
            import optuna
        except ImportError:
            raise SelfsameError("Optuna isn't installed", "pip install 'selfsame[feedback]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.settings, self._optuna = settings, optuna
        self.target = _stage_of(settings.metric_file)
        params = read_yaml(PARAMS_FILE)
        sections = check_params(params)
        refuse(search_problems(params, settings))
        self._written = {key: value_at(sections, key.split(".")) for key in settings.search}
        basis = {
            "params": {name: params[name] for name in STAGES},
            "feedback": settings.model_dump(include={"metric", "direction", "search", "seed"}),
        }
        self.name = f"{PREFIX}-{sha256_json(basis)[:7]}"
        FOLDER.mkdir(parents=True, exist_ok=True)
        with self.turn():
            self._study = optuna.create_study(
                storage=f"sqlite:///{FOLDER / 'studies.db'}",
                study_name=self.name,
                direction=settings.direction,
                load_if_exists=True,
            )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn: what others have tried is known then, and they wait."""
        with (FOLDER / "lock").open("w") as file:
            lock(file)
            yield

    @property
    def attempts(self) -> list[Attempt]:
        """All finished trials, in order."""
        return [
            Attempt(trial.number, value=trial.value, **trial.user_attrs)
            for trial in self._study.get_trials(deepcopy=False)
        ]

    @property
    def best(self) -> Attempt | None:
        """The trial with the best value, of equals the first; None if there is none with a value."""
        sign = 1 if self.settings.direction == "maximize" else -1
        done = [attempt for attempt in self.attempts if attempt.value is not None]
        return max(done, key=lambda attempt: sign * (attempt.value or 0.0), default=None)

    def reason_to_stop(self) -> str | None:
        """Say why no further trial is made; None if one is."""
        attempts, best, own = self.attempts, self.best, self.settings
        minutes = sum(attempt.seconds for attempt in attempts) / 60
        if best is not None and best.value is not None and own.reaches_target(best.value):
            return f"target {own.target:g} reached: {best.value:.4g} in trial {best.number}"
        if len(attempts) >= own.max_trials:
            return f"budget spent: {len(attempts)} trials"
        if minutes >= own.max_minutes:
            return f"budget spent: {minutes:.1f} minutes"
        if len({self._point(attempt.overrides) for attempt in attempts}) >= own.size:
            return "search space exhausted"
        return None

    def suggest(self) -> dict[str, Any]:
        """Return the next trial's overrides; the first trial has none: the parameters as they are."""
        attempts = self.attempts
        if not attempts:
            return {}
        tried = {self._point(attempt.overrides) for attempt in attempts}
        repeats = 0
        while True:
            overrides = self._ask(len(attempts), repeats)
            if self._point(overrides) not in tried:
                return overrides
            repeats += 1

    def run_next(self, log: Callable[[str], None]) -> Attempt:
        """Make the next trial and note what came of it, within one's ``turn``."""
        overrides, start = self.suggest(), time.monotonic()
        try:
            trial = run_experiment(overrides, name_of(PREFIX, overrides), log, [self.target])
        except SelfsameError as error:
            self._add(overrides, None, time.monotonic() - start, str(error))
        else:
            self._add(overrides, self.value_of(trial), trial.seconds, "")
        return self.attempts[-1]

    def run_best(self, log: Callable[[str], None]) -> Trial:
        """Run the whole pipeline with the best trial's overrides: the one time that the holdout is read."""
        assert self.best is not None
        return run_experiment(self.best.overrides, name_of(PREFIX, self.best.overrides), log)

    def value_of(self, trial: Trial) -> float:
        """Return a trial's metric.

        Raises:
            SelfsameError: it has none of that name that is a number.
        """
        value = trial.metrics.get(self.settings.metric_file, {}).get(self.settings.metric_key)
        if not isinstance(value, int | float):
            names = [f"{file}:{key}" for file, found in trial.metrics.items() for key in found]
            raise SelfsameError(
                f"{PARAMS_FILE}: feedback.metric = {self.settings.metric!r}: a trial has no such number",
                f"a trial has {', '.join(names)}",
            )
        return float(value)

    def _point(self, overrides: dict[str, Any]) -> str:
        return sha256_json({**self._written, **overrides})

    def _ask(self, number: int, repeats: int) -> dict[str, Any]:
        """Ask Optuna in memory, from what is finished; what was tried before is answered at random."""
        samplers = self._optuna.samplers
        seed = int(sha256_json([self.settings.seed, number, repeats])[:8], 16)
        sampler = samplers.RandomSampler(seed) if repeats else samplers.TPESampler(seed=seed)
        asked = self._optuna.create_study(direction=self.settings.direction, sampler=sampler)
        asked.add_trials(self._study.get_trials(deepcopy=False))
        trial = asked.ask(self._distributions())
        return {key: trial.params[key] for key in self.settings.search}

    def _add(self, overrides: dict[str, Any], value: float | None, seconds: float, error: str) -> None:
        trial = self._optuna.trial
        spaces = self._distributions()
        point = {
            key: at for key, at in {**self._written, **overrides}.items() if at in self.settings.search[key]
        }
        self._study.add_trial(
            trial.create_trial(
                state=trial.TrialState.FAIL if value is None else trial.TrialState.COMPLETE,
                value=value,
                params=point,
                distributions={key: spaces[key] for key in point},
                user_attrs={"overrides": overrides, "seconds": seconds, "error": error},
            )
        )

    def _distributions(self) -> dict[str, Any]:
        made = self._optuna.distributions
        return {
            key: (made.IntDistribution if space.is_whole else made.FloatDistribution)(
                space.low, space.high, log=space.log
            )
            if isinstance(space, Range)
            else made.CategoricalDistribution(space.choices)
            for key, space in self.settings.search.items()
        }


def _stage_of(file: str) -> str:
    """Return the stage that writes a file."""
    for stage in read_stages().values():
        if any(Path(file).is_relative_to(output) for output in stage.outputs):
            return stage.name
    raise SelfsameError(
        f"{PARAMS_FILE}: feedback.metric: no stage writes {file}", "see the metrics of dvc.yaml"
    )
