"""The feedback loop as a Prefect flow: try, judge on validation rows, adjust, until it is good enough.

Each trial is a task of the flow and a DVC experiment of the project. The holdout is read once, when the
search is over, by the best trial.
"""

from collections.abc import Sequence
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed

from flows.runs import guarded
from selfsame.core.layout import METRICS
from selfsame.dag.experiments import Trial, apply_experiment
from selfsame.params.feedback import FeedbackParams
from selfsame.params.reading import load_section
from selfsame.trials.repeats import read_figures
from selfsame.trials.study import Attempt, Study


@flow(name="feedback")
def feedback(apply: bool = False) -> State:
    """Change parameters until the validation metric reaches its target or the budget is spent.

    What may change, the target and the budget stand in section ``feedback`` of ``params.yaml``. A loop
    that was killed goes on where it was; several at once share the work.

    Args:
        apply: leave the best trial's parameters and outputs in the workspace.

    Returns:
        A completed state whose message says why the loop stopped, or a failed one.
    """
    return guarded(lambda: run_loop(apply))


def run_loop(apply: bool) -> State:
    """Make trials until there is a reason to stop, then let the best one be evaluated."""
    study = Study(load_section("feedback", FeedbackParams))
    while True:
        with study.turn():
            if reason := study.reason_to_stop():
                break
            number = len(study.attempts)
            run_trial.with_options(task_run_name=f"trial {number}")(study, return_state=True)
    best = study.best
    if best is None:
        last = study.attempts[-1]
        return Failed(message=f"{reason}; every trial failed, the last with: {last.error}")
    trial = evaluate_best(study)
    if apply:
        apply_experiment(trial.name)
    figures = read_figures(trial.metrics[METRICS.as_posix()])
    message = (
        f"{reason}; best: trial {best.number}, {study.settings.metric} {best.value:.4g}; "
        f"holdout, read once: {_first(figures, 'champion.')}; "
        + (f"experiment {trial.name} is applied" if apply else f"to take it: dvc exp apply {trial.name}")
    )
    create_markdown_artifact(
        f"{message}\n\n{trials_table(study.attempts, study.settings.metric)}\n",
        key="feedback",
        description="What the feedback loop tried.",
    )
    return Completed(message=message)


@task(cache_policy=NO_CACHE, persist_result=False)
def run_trial(study: Study) -> State:
    """Make one trial."""
    attempt = study.run_next(get_run_logger().info)
    if attempt.value is None:
        return Failed(message=attempt.error)
    return Completed(message=f"{attempt.value:.4g} in {attempt.seconds:.0f} s: {_changes(attempt.overrides)}")


@task(task_run_name="best, on the holdout", cache_policy=NO_CACHE, persist_result=False)
def evaluate_best(study: Study) -> Trial:
    """Run the whole pipeline with the best trial's parameters."""
    return study.run_best(get_run_logger().info)


def trials_table(attempts: Sequence[Attempt], metric: str) -> str:
    """Return the trials as a Markdown table."""
    lines = [f"| trial | {metric} | seconds | changed |", "|---|---|---|---|"]
    for attempt in attempts:
        value = "failed" if attempt.value is None else f"{attempt.value:.4g}"
        lines.append(
            f"| {attempt.number} | {value} | {attempt.seconds:.0f} | {_changes(attempt.overrides)} |"
        )
    return "\n".join(lines)


def _changes(overrides: dict[str, Any]) -> str:
    texts = (
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in overrides.items()
    )
    return ", ".join(texts) or "nothing"


def _first(figures: dict[str, float], prefix: str) -> str:
    name = next(name for name in figures if name.startswith(prefix))
    return f"{name.removeprefix(prefix)} {figures[name]:.4f}"
