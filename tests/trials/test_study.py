"""The feedback loop's suggestions: the same after a kill, never twice, and stopped for a reason."""

from pathlib import Path
from typing import Any

import pytest
from project import ROOT

from selfsame.core.errors import SelfsameError
from selfsame.dag.experiments import Trial
from selfsame.params.feedback import FeedbackParams
from selfsame.trials import study as module
from selfsame.trials.study import Study

METRIC = "models/student/validation.json"
RATE, DROPOUT = "training.learning_rate", "model.dropout"


def settings(**changes: Any) -> FeedbackParams:
    return FeedbackParams.model_validate(
        {
            "metric": f"{METRIC}:accuracy",
            "direction": "maximize",
            "target": 2.0,  # out of reach
            "max_trials": 8,
            "max_minutes": 60.0,
            "seed": 0,
            "search": {
                RATE: {"low": 0.0001, "high": 0.1, "log": True},
                DROPOUT: {"choices": [0.0, 0.25, 0.5]},
            },
            **changes,
        }
    )


class Pipeline:
    """Stands for the pipeline: the closer the learning rate is to 0.01, the better."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fails = -1

    def __call__(self, overrides: dict[str, Any], name: str, log: Any, targets: Any = ()) -> Trial:
        self.asked.append(overrides)
        if len(self.asked) - 1 == self.fails:
            raise SelfsameError("the loss became nan")
        rate, dropout = overrides.get(RATE, 0.002), overrides.get(DROPOUT, 0.3)
        accuracy = 1 - abs(rate - 0.01) - 0.1 * dropout
        return Trial(name, overrides, {METRIC: {"accuracy": accuracy, "loss": 1 - accuracy}}, {}, 30.0)


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    made = Pipeline()
    monkeypatch.setattr(module, "run_experiment", made)
    return made


def run(settings: FeedbackParams, trials: int = 1000) -> str | None:
    """Make trials as a process does that is ended after some."""
    study = Study(settings)
    for _ in range(trials):
        with study.turn():
            if reason := study.reason_to_stop():
                return reason
            study.run_next(print)
    return None


def test_the_same_suggestions_whether_ended_or_not(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(settings()) == "budget spent: 8 trials"
    unbroken = list(pipeline.asked)
    (tmp_path / ".scratch/feedback/studies.db").unlink()
    pipeline.asked.clear()
    assert run(settings(), trials=3) is None

    def killed(*_: Any) -> Trial:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_experiment", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings())
    monkeypatch.setattr(module, "run_experiment", pipeline)
    assert run(settings()) == "budget spent: 8 trials"
    assert pipeline.asked == unbroken
    assert unbroken[0] == {}, "the first trial is the parameters as they are"
    assert run(settings()) == "budget spent: 8 trials" and len(pipeline.asked) == 8
    other = settings(seed=1)
    run(other, trials=2)
    assert pipeline.asked[-1] != unbroken[1]


def test_it_stops_at_the_target_and_knows_the_best(pipeline: Pipeline) -> None:
    reason = run(settings(target=0.97, max_trials=100))
    best = Study(settings()).best
    assert reason is not None and reason.startswith("target 0.97 reached")
    assert best is not None and best.overrides == pipeline.asked[-1]
    assert best.value is not None and best.value >= 0.97


def test_a_loss_is_brought_down(pipeline: Pipeline) -> None:
    own = settings(metric=f"{METRIC}:loss", direction="minimize", target=0.0, max_trials=5)
    run(own)
    best = Study(own).best
    values = [attempt.value for attempt in Study(own).attempts]
    assert best is not None and best.value == min(value for value in values if value is not None)


def test_a_small_space_is_searched_once_each(pipeline: Pipeline) -> None:
    search = {
        DROPOUT: {"choices": [0.0, 0.25, 0.3]},
        "training.batch_size": {"low": 127, "high": 128, "log": False},
    }
    assert run(settings(search=search, max_trials=50)) == "search space exhausted"
    assert len(pipeline.asked) == 6
    points = [(asked.get(DROPOUT, 0.3), asked.get("training.batch_size", 128)) for asked in pipeline.asked]
    assert len(set(points)) == 6


def test_time_is_a_budget(pipeline: Pipeline) -> None:
    assert run(settings(max_minutes=1.2)) == "budget spent: 1.5 minutes"


def test_a_failed_trial_is_one_of_the_trials(pipeline: Pipeline) -> None:
    pipeline.fails = 1
    assert run(settings(max_trials=3)) == "budget spent: 3 trials"
    attempts = Study(settings()).attempts
    assert [attempt.error for attempt in attempts] == ["", "the loss became nan", ""]
    assert attempts[1].value is None


def test_what_cannot_be_searched_is_refused(pipeline: Pipeline) -> None:
    ends = {"low": 0, "high": 3, "log": False}
    for search, message in {
        "split.seed": "would change the rows",
        "feedback.seed": "is no stage's",
        "pseudo_label.treshold": "nearest valid name: threshold",
        "pseudo_label.threshold": r"threshold = 3",
    }.items():
        with pytest.raises(SelfsameError, match=message):
            Study(settings(search={search: ends}))
    with pytest.raises(SelfsameError, match=r"no stage writes models/other\.json"):
        Study(settings(metric="models/other.json:accuracy"))
    with pytest.raises(SelfsameError, match=f"a trial has {METRIC}:accuracy"):
        run(settings(metric=f"{METRIC}:f1"))
    with pytest.raises(ValueError, match="pattern"):
        settings(metric="reports/metrics.json:student.holdout.accuracy")
    with pytest.raises(ValueError, match="no range"):
        settings(search={RATE: {"low": 0.0, "high": 1.0, "log": True}})
    assert pipeline.asked == [{}]
