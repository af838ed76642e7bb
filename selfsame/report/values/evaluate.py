"""The stage ``evaluate`` for a regression: champion, metrics, card, report, and the files for plots."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, count_rows, read_column, take_all, take_inputs
from selfsame.report.card import CARD
from selfsame.report.champion import keep_calibration
from selfsame.report.files import digest_files, read_history, settings_of, write_csv
from selfsame.report.promotion import promote
from selfsame.report.reference import Reference, fit_reference
from selfsame.report.values.agreement import ValueGate, measure_agreement
from selfsame.report.values.card import render_value_card
from selfsame.report.values.findings import (
    ValueFindings,
    ValueModelFindings,
    ValueReferenceFindings,
    value_metrics,
)
from selfsame.report.values.gallery import gate_rows, worst_values
from selfsame.report.values.page import render_value_report
from selfsame.report.values.scores import ValueScores, score_values
from selfsame.report.watches import POOL_SAMPLE, evenly, measure_drift, near_copies
from selfsame.selection.agreement import AgreementRecord

if TYPE_CHECKING:
    from selfsame.model.models import Model

TENTHS = 10


def evaluate_values(
    stage: Stage,
    models: Mapping[str, Model],
    judged: Mapping[str, Model],
    title: str,
    promotion_level: float,
) -> None:
    """Choose the champion on validation, then read the holdout once and write the report.

    Args:
        judged: the same models as they were before they learned the validation rows, if they did.
    """
    from selfsame.model.models import HISTORY, VALIDATED
    from selfsame.model.values import predict_values

    def score_all(nets: Mapping[str, Model], role: str) -> dict[str, ValueScores]:
        said = predict_values(list(nets.values()), stage.inputs[role])
        return {
            name: score_values(said.labels, values) for name, values in zip(nets, said.values, strict=True)
        }

    validation = score_all(judged, "validation")
    promotion = promote(
        validation["baseline"].squared_errors, validation["student"].squared_errors, promotion_level
    )
    champion = promotion.champion
    # The bytes alone: a file that DVC has linked from its cache is read-only.
    shutil.copytree(stage.inputs[champion], stage.outputs["champion"], copy_function=shutil.copyfile)
    gate_record = AgreementRecord.of(stage.inputs["pseudo_labels"])
    judges = stage.inputs[gate_record.judged_on]
    keep_calibration(stage.outputs["champion"], judged[champion], judges, gate_record)

    reference, reference_validation = learn_reference(stage)

    holdout = score_all(models, "holdout")
    baseline, student = (
        ValueModelFindings(name, validation[name], holdout[name], read_history(stage.inputs[name] / HISTORY))
        for name in models
    )
    pseudo_labels, pool = stage.inputs["pseudo_labels"], stage.inputs["pool"]
    gate = measure_agreement(pseudo_labels, stage.inputs["hidden_labels"])
    learned, held = take_all(stage.inputs["labeled"]), take_all(stage.inputs["validation"])
    sample = take_inputs(pool, evenly(count_rows(pool), POOL_SAMPLE))
    known = np.concatenate([learned, held])
    findings = ValueFindings(
        title=title,
        info=TableInfo.of(stage.inputs["holdout"]),
        labeled_rows=len(learned),
        gate=gate,
        baseline=baseline,
        student=student,
        reference=ValueReferenceFindings(
            reference.name,
            reference.rows,
            reference_validation,
            score_values(
                read_column(stage.inputs["holdout"], "label").astype(np.float64),
                reference.predict(take_all(stage.inputs["holdout"])),
            ),
        ),
        promotion=promotion,
        refitted=(stage.outputs["champion"] / VALIDATED).is_dir(),
        method=models["student"].recipe["retrain"]["method"],
        settings=settings_of(stage, models),
        digests=digest_files(stage.inputs.values()),
        near_copies=near_copies(
            np.concatenate([take_all(stage.inputs["holdout"]), held]), np.concatenate([learned, sample])
        ),
        drift=measure_drift(known, _one_kind(known), sample, _one_kind(sample), classes=1),
        galleries=(
            *gate_rows(pseudo_labels, pool, gate),
            worst_values(stage.inputs["holdout"], holdout[champion]),
        ),
    )
    text = json.dumps(value_metrics(findings), indent=2, sort_keys=True, allow_nan=False)
    stage.outputs["metrics"].write_text(text + "\n", encoding="utf-8")
    write_plots(stage, holdout[champion], gate)
    (stage.outputs["champion"] / CARD).write_text(render_value_card(findings), encoding="utf-8")
    stage.outputs["report"].write_text(render_value_report(findings), encoding="utf-8")


def learn_reference(stage: Stage) -> tuple[Reference, ValueScores]:
    """Fit a simple model to labeled and validation rows; score the latter by models trained without them."""
    tables = [stage.inputs["labeled"], stage.inputs["validation"]]
    labels = np.concatenate([read_column(table, "label") for table in tables]).astype(np.float64)
    inputs = np.concatenate([take_all(table) for table in tables])
    reference = fit_reference(inputs, labels, "regression")
    held = slice(count_rows(tables[0]), None)
    return reference, score_values(labels[held], reference.out_of_fold[held])


def write_plots(stage: Stage, champion: ValueScores, gate: ValueGate) -> None:
    """Write what DVC plots: confusion of tenths, coverage and closeness by spread, error by tenth of spread.

    The column ``precision`` is the share of accepted pseudo-targets that are close to the truth.
    """
    write_csv(stage.outputs["confusion_matrix"], confusion_of_tenths(champion))
    kept, tenths = gate.explored(), gate.tenths()
    write_csv(
        stage.outputs["threshold"],
        {
            "threshold": [f"{each.largest_spread:.6g}" for each in kept],
            "coverage": [each.coverage.value for each in kept],
            "precision": [each.close.value for each in kept],
            "error": [each.error for each in kept],
        },
    )
    write_csv(
        stage.outputs["reliability"],
        {"spread": [spread for spread, _ in tenths], "error": [error for _, error in tenths]},
    )


def confusion_of_tenths(scores: ValueScores) -> dict[str, list[str]]:
    """Name, for every row, the tenth of the true values in which its actual and its predicted value lie."""
    edges = np.unique(np.quantile(scores.actual, np.linspace(0, 1, TENTHS + 1)[1:-1]))
    bounds = [f"{edge:.4g}" for edge in edges]
    names = [f"{place:02d}: from {low}" for place, low in enumerate(["the lowest", *bounds], start=1)]
    columns = {"actual": scores.actual, "predicted": scores.predicted}
    return {
        name: [names[place] for place in np.searchsorted(edges, values, side="right")]
        for name, values in columns.items()
    }


def _one_kind(rows: np.ndarray) -> np.ndarray:
    """Give all rows one class: where there are none, the pool isn't thinned to their shares."""
    return np.zeros(len(rows), dtype=np.int64)
