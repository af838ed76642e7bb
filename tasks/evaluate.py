"""Stage evaluate: choose the champion on validation, then read the holdout once and write the report.

In: ``labels`` (people's answers), ``labeled``, ``validation``, ``calibration``, ``pool``, ``holdout``,
``hidden_labels``, ``pseudo_labels``, both models, params ``compute evaluate``. Out: ``models/champion`` (a
copy of the better model, its calibration, its model card) and the report: ``metrics.json``, ``report.html``,
and for plots ``confusion_matrix.csv`` (the champion on the holdout), ``threshold.csv``, ``reliability.csv``.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selfsame.core.annotations import read_annotations
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, count_rows, read_column, take_all, take_inputs
from selfsame.params.compute import ComputeParams
from selfsame.params.evaluate import EvaluateParams
from selfsame.report.card import CARD, render_card
from selfsame.report.champion import keep_calibration
from selfsame.report.files import digest_files, read_history, settings_of, write_csv
from selfsame.report.findings import Findings, ModelFindings, ReferenceFindings, metrics
from selfsame.report.gallery import gate_galleries, mistakes
from selfsame.report.gate import THRESHOLDS, Gate, measure_gate
from selfsame.report.page import render_report
from selfsame.report.promotion import promote_classifier
from selfsame.report.reference import Reference, fit_reference
from selfsame.report.scores import Scores, score, score_labels
from selfsame.report.values.evaluate import evaluate_values
from selfsame.report.watches import (
    POOL_SAMPLE,
    QUERY_ROWS,
    Watches,
    disagreement,
    evenly,
    measure_drift,
    near_copies,
)
from selfsame.selection.calibration import BINS
from selfsame.selection.record import GateRecord

if TYPE_CHECKING:
    from selfsame.model.models import Model, Predictions


def rows_per_class(table: Path, info: TableInfo) -> np.ndarray:
    """Count a labeled table's rows of every class: (K,)."""
    return np.bincount(read_column(table, "label").astype(np.int64), minlength=len(info.classes))


def asked_by_strategy(labeled: Path, answers: Path) -> dict[str, int]:
    """Count the labeled rows that people labeled on request, by the strategy that chose them."""
    given = read_annotations(answers)
    ids = read_column(labeled, "example_id").tolist()
    return dict(sorted(Counter(given[each].strategy for each in ids if each in given).items()))


def write_confusion(path: Path, scores: Scores, classes: tuple[str, ...]) -> None:
    """Write one row per example, actual and predicted class, as DVC's ``confusion`` template counts them."""
    columns = {"actual": scores.actual, "predicted": scores.predicted}
    write_csv(path, {name: [classes[label] for label in labels] for name, labels in columns.items()})


def write_gate(stage: Stage, gate: Gate) -> None:
    """Write what DVC plots of the gate: coverage and precision by threshold, reliability by confidence."""
    places = range(len(THRESHOLDS))
    write_csv(
        stage.outputs["threshold"],
        {
            "threshold": [f"{value:.6g}" for value in THRESHOLDS],
            "coverage": [gate.coverage_at(place).value for place in places],
            "precision": [gate.precision_at(place).value for place in places],
        },
    )
    raw, calibrated = gate.record.before.shares, gate.record.after.shares
    bins = [place for place in range(BINS) if raw[place] is not None or calibrated[place] is not None]
    write_csv(
        stage.outputs["reliability"],
        {
            "confidence": [f"{(place + 0.5) / BINS:.6g}" for place in bins],
            "right": [raw[place] for place in bins],
            "calibrated_right": [calibrated[place] for place in bins],
        },
    )


def watch(
    stage: Stage, validation: Mapping[str, Scores], student: Callable[[np.ndarray], np.ndarray], classes: int
) -> Watches:
    """Compare rows that should be alike, on a sample of the pool.

    Args:
        student: its probabilities (N, K) of raw inputs.
    """
    pool, labeled = stage.inputs["pool"], stage.inputs["labeled"]
    rows = evenly(count_rows(pool), POOL_SAMPLE)
    sample = take_inputs(pool, rows)
    teacher_says = read_column(stage.inputs["pseudo_labels"], "pseudo_label").astype(np.int64)[rows]
    held, learned = stage.inputs["validation"], take_all(labeled)
    known = np.concatenate([learned, take_all(held)])
    known_labels = np.concatenate([read_column(table, "label") for table in (labeled, held)])
    few = evenly(len(sample), QUERY_ROWS)
    return Watches(
        pool_disagreement=disagreement(teacher_says[few], student(sample[few]).argmax(axis=1)),
        validation_disagreement=disagreement(
            validation["baseline"].predicted, validation["student"].predicted
        ),
        near_copies=near_copies(
            np.concatenate([take_all(stage.inputs["holdout"]), take_all(held)]),
            np.concatenate([learned, sample]),
        ),
        drift=measure_drift(known, known_labels.astype(np.int64), sample, teacher_says, classes),
    )


def learn_reference(stage: Stage, info: TableInfo) -> tuple[Reference, Scores]:
    """Fit a simple model to labeled and validation rows; score the latter by models trained without them."""
    tables = [stage.inputs["labeled"], stage.inputs["validation"]]
    inputs = np.concatenate([take_all(table) for table in tables])
    labels = np.concatenate([read_column(table, "label") for table in tables]).astype(np.int64)
    reference = fit_reference(inputs, labels, info.target)
    held = slice(count_rows(tables[0]), None)
    return reference, score_labels(labels[held], reference.out_of_fold[held], info.classes)


def main(stage: Stage) -> None:
    """Score both models, promote the better one, measure the gate, write the report."""
    from selfsame.model.device import prepare_device
    from selfsame.model.models import (
        HISTORY,
        VALIDATED,
        load_model,
        predict_inputs,
        predict_table,
        validated,
    )

    compute = stage.section("compute", ComputeParams)
    device = prepare_device(compute)
    info = TableInfo.of(stage.inputs["holdout"])
    models = {name: load_model(stage.inputs[name], device) for name in ("baseline", "student")}
    judged = {name: load_model(validated(stage.inputs[name]), device) for name in models}

    own = stage.section("evaluate", EvaluateParams)
    if info.target == "regression":
        evaluate_values(stage, models, judged, own.title, own.promotion_level)
        return

    def score_all(predictions: Mapping[str, Predictions]) -> dict[str, Scores]:
        return {
            name: score(each.labels, each.probabilities, info.classes) for name, each in predictions.items()
        }

    def predict_all(nets: Mapping[str, Model], role: str) -> dict[str, Predictions]:
        return {name: predict_table(model, stage.inputs[role]) for name, model in nets.items()}

    held = predict_all(judged, "validation")
    validation = score_all(held)
    promotion = promote_classifier(
        held["baseline"].labels,
        *(held[name].probabilities for name in ("baseline", "student")),
        own.promotion_level,
    )
    champion = promotion.champion
    # The bytes alone: a file that DVC has linked from its cache is read-only.
    shutil.copytree(stage.inputs[champion], stage.outputs["champion"], copy_function=shutil.copyfile)
    gate = GateRecord.of(stage.inputs["pseudo_labels"])
    keep_calibration(stage.outputs["champion"], judged[champion], stage.inputs[gate.judged_on], gate)

    reference, reference_validation = learn_reference(stage, info)

    predictions = predict_all(models, "holdout")
    holdout = score_all(predictions)
    baseline, student = (
        ModelFindings(name, validation[name], holdout[name], read_history(stage.inputs[name] / HISTORY))
        for name in models
    )
    pseudo_labels, hidden_labels = stage.inputs["pseudo_labels"], stage.inputs["hidden_labels"]
    worst = mistakes(
        stage.inputs["holdout"], predictions[champion].labels, predictions[champion].probabilities
    )
    findings = Findings(
        title=own.title,
        info=info,
        labeled_per_class=rows_per_class(stage.inputs["labeled"], info),
        asked=asked_by_strategy(stage.inputs["labeled"], stage.inputs["labels"]),
        gate=measure_gate(pseudo_labels, hidden_labels, len(info.classes)),
        baseline=baseline,
        student=student,
        reference=ReferenceFindings(
            reference.name,
            reference.rows,
            reference_validation,
            score_labels(
                predictions[champion].labels,
                reference.predict(take_all(stage.inputs["holdout"])),
                info.classes,
            ),
        ),
        promotion=promotion,
        refitted=(stage.outputs["champion"] / VALIDATED).is_dir(),
        method=models["student"].recipe["retrain"]["method"],
        settings=settings_of(stage, models),
        digests=digest_files(stage.inputs.values()),
        watches=watch(
            stage, validation, partial(predict_inputs, judged["student"]), classes=len(info.classes)
        ),
        galleries=(*gate_galleries(pseudo_labels, stage.inputs["pool"], hidden_labels), worst),
    )
    text = json.dumps(metrics(findings), indent=2, sort_keys=True, allow_nan=False)
    stage.outputs["metrics"].write_text(text + "\n", encoding="utf-8")
    write_confusion(stage.outputs["confusion_matrix"], holdout[champion], info.classes)
    write_gate(stage, findings.gate)
    (stage.outputs["champion"] / CARD).write_text(render_card(findings), encoding="utf-8")
    stage.outputs["report"].write_text(render_report(findings), encoding="utf-8")


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("evaluate", main)
