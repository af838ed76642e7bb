"""Stage pseudo_label: the baseline, as teacher, labels the pool; the gate accepts the labels to trust.

In: ``pool``, ``validation``, ``calibration``, ``baseline``, params ``compute pseudo_label``.
Out: ``pseudo_labels``, one row for every pool row, accepted or not, with the decision, its reason and
the teacher's digest; its metadata hold the gate's record (``selfsame.selection.record`` for classes,
``selfsame.selection.agreement`` for values).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from selfsame.core.digests import sha256_file
from selfsame.core.layout import ENSEMBLE, WEIGHTS
from selfsame.core.stage import Stage
from selfsame.core.tables import BATCH_ROWS, TableWriter, count_rows, iter_batches
from selfsame.observe.progress import progress
from selfsame.params.compute import ComputeParams
from selfsame.params.prediction import PredictionParams
from selfsame.params.pseudo_label import (
    AgreementGate,
    ClassGate,
    PseudoLabelParams,
    TargetPrecisionGate,
    ThresholdGate,
    TopK,
)
from selfsame.selection.agreement import decide_values, judge
from selfsame.selection.balance import most_confident, rows_for_prior
from selfsame.selection.calibration import calibrate, fit_temperature, measure_reliability
from selfsame.selection.record import GateRecord
from selfsame.selection.threshold import Search, lowest_threshold

if TYPE_CHECKING:
    from pathlib import Path

    from selfsame.model.models import Model, Predictions

FIRST_ROUND = 1
SCHEMA = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("pseudo_label", pa.int64(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("calibrated_confidence", pa.float32(), nullable=False),
        pa.field("threshold", pa.float32()),  # null where no threshold keeps the promise
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("round", pa.int64(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("probabilities", pa.list_(pa.float32()), nullable=False),  # of all classes, uncalibrated
    ]
)


@dataclass(frozen=True)
class Labels:
    """What the teacher says of a table's rows: (N,) int64 labels, (N,) and (N, K) float32 probabilities."""

    labels: np.ndarray
    confidence: np.ndarray
    calibrated: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def from_probabilities(cls, probabilities: np.ndarray, temperature: float) -> Labels:
        """Take the most probable class of (N, K) probabilities."""
        calibrated = calibrate(probabilities, temperature).max(axis=1)
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1), calibrated, probabilities)


def choose_thresholds(
    own: ThresholdGate | TargetPrecisionGate, pool: Labels, judges: Predictions, classes: int
) -> tuple[np.ndarray, str]:
    """Choose every class's threshold.

    Returns:
        (K,) float32 thresholds, NaN where no label is to be accepted, and why, in one sentence.
    """
    if isinstance(own, ThresholdGate):
        return np.full(classes, own.threshold, np.float32), "The threshold is a fixed one."
    right = judges.predicted == judges.labels
    error = 1 - own.confidence_level
    target = own.target_precision
    if not own.per_class:
        search = lowest_threshold(pool.confidence, judges.confidence, right, target, error)
        return np.full(classes, _or_nan(search), np.float32), _verdict(own, [search], len(right))
    # All classes' promises hold at once with the confidence level: each has its part of the error.
    searches = [
        lowest_threshold(
            pool.confidence[pool.labels == label],
            judges.confidence[judges.predicted == label],
            right[judges.predicted == label],
            target,
            error / classes,
        )
        for label in range(classes)
    ]
    thresholds = np.array([_or_nan(search) for search in searches], dtype=np.float32)
    return thresholds, _verdict(own, searches, len(right))


def _or_nan(search: Search) -> float:
    return np.nan if search.threshold is None else search.threshold


def _verdict(own: TargetPrecisionGate, searches: list[Search], judges: int) -> str:
    promise = f"a precision of {own.target_precision:g} with a confidence of {own.confidence_level:g}"
    found = [search for search in searches if search.threshold is not None]
    of_class = f" for {len(found)} of {len(searches)} classes" if own.per_class else ""
    if found:
        right, rows = sum(search.right for search in found), sum(search.rows for search in found)
        return (
            f"The lowest threshold that shows {promise} was found{of_class}: {right} of {rows} labels at or "
            f"above it are right among the {judges} rows that judge."
        )
    needed = searches[0].needed
    return (
        f"No threshold shows {promise}, so nothing is accepted. To show it, at least {needed} "
        f"{'rows of a class' if own.per_class else 'rows'} at or above a threshold must all be right; "
        f"{judges} rows judge in all."
    )


def decide(own: ClassGate, pool: Labels, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accept the labels that reach their class's threshold and that the balance keeps.

    Returns:
        (N,) bool accepted, (N,) reasons.
    """
    of_row = thresholds[pool.labels]
    passed = pool.confidence >= of_row  # never where the threshold is NaN
    accepted = passed
    classes = len(thresholds)
    if own.balance.name != "none":
        if isinstance(own.balance, TopK):
            rows = np.full(classes, own.balance.rows_per_class)
        else:
            rows = rows_for_prior(np.bincount(pool.labels[passed], minlength=classes), own.prior(classes))
        accepted = most_confident(pool.labels, pool.confidence, passed, rows)
    reasons = np.select(
        [accepted, passed, np.isnan(of_row)],
        [
            "confidence at or above threshold",
            "left out to balance the classes",
            "no threshold shows the target precision",
        ],
        "confidence below threshold",
    )
    return accepted, reasons


def label_pool(model: Model, pool: Path, temperature: float) -> Labels:
    """Let the teacher label the whole pool, batch by batch; only what it says stays in memory."""
    from selfsame.model.models import iter_answers

    parts = [np.empty((0, len(model.info.classes)), np.float32)]
    with progress("pseudo_label", total=count_rows(pool), unit="row") as bar:
        for batch, probabilities in iter_answers(model, pool):
            parts.append(probabilities)
            bar.update(advance=batch.num_rows)
    return Labels.from_probabilities(np.concatenate(parts), temperature)


def main(stage: Stage) -> None:
    """Label the pool and write every row's decision: of classes by confidence, of values by agreement."""
    own = stage.section("pseudo_label", PseudoLabelParams)
    if isinstance(own, AgreementGate):
        label_values(stage, own)
    else:
        assert isinstance(own, ThresholdGate | TargetPrecisionGate)
        label_classes(stage, own)


def judging_role(stage: Stage) -> str:
    """Name the role whose rows judge the teacher: the rows kept for that, if there are any."""
    return "calibration" if count_rows(stage.inputs["calibration"]) else "validation"


def label_values(stage: Stage, own: AgreementGate) -> None:
    """Let the ensemble name values, and see on rows of known value what its agreement is worth."""
    from selfsame.model.device import prepare_device
    from selfsame.model.models import load_model, validated
    from selfsame.model.values import iter_values, predict_values

    device = prepare_device(stage.section("compute", ComputeParams))
    baseline = stage.inputs["baseline"]
    nets = [baseline, *sorted((baseline / ENSEMBLE).glob("*"))]
    folders = [validated(folder) for folder in nets]  # the gate judges them on validation rows
    views = stage.section("prediction", PredictionParams).test_time_augmentation
    # A committee's families agree or not, as an ensemble's nets do.
    models = [member for folder in folders for member in load_model(folder, device, views).members]
    target = models[0].scaling.target
    assert target is not None
    judged_on = judging_role(stage)
    judges = predict_values(models, stage.inputs[judged_on])
    record = judge(
        judges.values,
        judges.labels,
        judged_on=judged_on,
        largest_spread=own.largest_spread,
        unit=target[1],
        members=tuple(sha256_file(folder / WEIGHTS) for folder in folders),
    )
    pool = stage.inputs["pool"]
    with (
        progress("pseudo_label", total=count_rows(pool), unit="row") as bar,
        TableWriter(stage.outputs["pseudo_labels"], record.schema) as writer,
    ):
        for batch, values in iter_values(models, pool):
            writer.write(decide_values(batch.column("example_id"), values, record, FIRST_ROUND))
            bar.update(advance=batch.num_rows)


def label_classes(stage: Stage, own: ThresholdGate | TargetPrecisionGate) -> None:
    """Calibrate the teacher, label the pool, choose thresholds, write every row's decision."""
    from selfsame.model.device import prepare_device
    from selfsame.model.models import load_model, predict_table, validated

    device = prepare_device(stage.section("compute", ComputeParams))
    baseline = validated(stage.inputs["baseline"])  # the gate judges it on validation rows
    views = stage.section("prediction", PredictionParams).test_time_augmentation
    model = load_model(baseline, device, views)
    classes = len(model.info.classes)

    judged_on = judging_role(stage)
    judges = predict_table(model, stage.inputs[judged_on])
    temperature = fit_temperature(judges.probabilities, judges.labels)
    pool = label_pool(model, stage.inputs["pool"], temperature)
    thresholds, verdict = choose_thresholds(own, pool, judges, classes)
    accepted, reasons = decide(own, pool, thresholds)

    right = judges.predicted == judges.labels
    calibrated = Labels.from_probabilities(judges.probabilities, temperature).calibrated
    record = GateRecord(
        rule=own.rule,
        thresholds=tuple(None if np.isnan(value) else float(value) for value in thresholds),
        promise=(own.target_precision, own.confidence_level)
        if isinstance(own, TargetPrecisionGate)
        else None,
        verdict=verdict,
        judged_on=judged_on,
        judged_rows=len(right),
        temperature=temperature,
        before=measure_reliability(judges.confidence, right),
        after=measure_reliability(calibrated, right),
        balance=own.balance.name,
        prior=tuple(own.prior(classes).tolist()),
    )
    teacher = sha256_file(baseline / WEIGHTS)
    schema = record.attach(SCHEMA)
    with TableWriter(stage.outputs["pseudo_labels"], schema) as writer:
        for number, ids in enumerate(iter_batches(stage.inputs["pool"], ["example_id"])):
            rows = slice(number * BATCH_ROWS, number * BATCH_ROWS + ids.num_rows)
            columns = [
                ids.column("example_id"),
                pa.array(pool.labels[rows]),
                pa.array(pool.confidence[rows]),
                pa.array(pool.calibrated[rows]),
                pa.array(thresholds[pool.labels[rows]], from_pandas=True),  # NaN becomes null
                pa.array(accepted[rows]),
                pa.array(reasons[rows]),
                pa.array(np.full(ids.num_rows, FIRST_ROUND)),
                pa.array(np.full(ids.num_rows, teacher)),
                _as_lists(pool.probabilities[rows]),
            ]
            writer.write(pa.record_batch(columns, schema=schema))


def _as_lists(rows: np.ndarray) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, rows.ravel())


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("pseudo_label", main)
