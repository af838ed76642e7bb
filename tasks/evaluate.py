"""Stage evaluate: choose the champion on validation, then read the holdout once and write the report.

In: ``labeled``, ``validation``, ``holdout``, ``hidden_labels``, ``pseudo_labels``, both models, params
``compute evaluate``. Out: ``models/champion`` (a copy of the better model) and the report:
``metrics.json``, ``confusion_matrix.csv`` (the champion on the holdout) and ``report.html``.
"""

import csv
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import Field

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableInfo, read_column
from selfsame.learning.params import ComputeParams
from selfsame.report.findings import Findings, ModelFindings, metrics
from selfsame.report.gate import measure_gate
from selfsame.report.page import render_report
from selfsame.report.scores import Scores, choose_champion, compare, score


class EvaluateParams(Section):
    """Section ``evaluate``: when the student is promoted, and how the report is headed.

    ``promotion_level`` is at most 0.5: above, a student that is no better would do.
    """

    promotion_level: float = Field(gt=0, le=0.5)
    title: str = Field(min_length=1)


PARAMS = {"compute": ComputeParams, "evaluate": EvaluateParams}


def read_history(path: Path) -> dict[str, np.ndarray]:
    """Read a training's curves: every column as (epochs,) float64."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def rows_per_class(table: Path, info: TableInfo) -> np.ndarray:
    """Count a labeled table's rows of every class: (K,)."""
    return np.bincount(read_column(table, "label").astype(np.int64), minlength=len(info.classes))


def digest_files(paths: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of every file that is or lies below one of ``paths``."""
    files = sorted(file for path in paths for file in files_under(path))
    return {file.as_posix(): sha256_file(file) for file in files}


def write_confusion(path: Path, scores: Scores, classes: tuple[str, ...]) -> None:
    """Write one row per example, actual and predicted class, as DVC's ``confusion`` template counts them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["actual", "predicted"])
        pairs = zip(scores.actual, scores.predicted, strict=True)
        writer.writerows([classes[actual], classes[predicted]] for actual, predicted in pairs)


def main(stage: Stage) -> None:
    """Score both models, promote the better one, measure the gate, write the report."""
    from selfsame.learning.device import prepare_device
    from selfsame.learning.models import HISTORY, load_model, predict_table

    compute = stage.section("compute", ComputeParams)
    device = prepare_device(compute)
    info = TableInfo.of(stage.inputs["holdout"])
    models = {name: load_model(stage.inputs[name], device) for name in ("baseline", "student")}

    def score_all(role: str) -> dict[str, Scores]:
        predictions = {name: predict_table(model, stage.inputs[role]) for name, model in models.items()}
        return {
            name: score(each.labels, each.probabilities, info.classes) for name, each in predictions.items()
        }

    own = stage.section("evaluate", EvaluateParams)
    validation = score_all("validation")
    champion = choose_champion(compare(validation["baseline"], validation["student"]), own.promotion_level)
    # The bytes alone: a file that DVC has linked from its cache is read-only.
    shutil.copytree(stage.inputs[champion], stage.outputs["champion"], copy_function=shutil.copyfile)

    holdout = score_all("holdout")
    baseline, student = (
        ModelFindings(name, validation[name], holdout[name], read_history(stage.inputs[name] / HISTORY))
        for name in models
    )
    findings = Findings(
        title=own.title,
        info=info,
        labeled_per_class=rows_per_class(stage.inputs["labeled"], info),
        gate=measure_gate(stage.inputs["pseudo_labels"], stage.inputs["hidden_labels"], len(info.classes)),
        baseline=baseline,
        student=student,
        promotion_level=own.promotion_level,
        method=models["student"].recipe["retrain"]["method"],
        settings={"model": models["student"].params.model_dump(), **models["student"].recipe},
        digests=digest_files(stage.inputs.values()),
    )
    text = json.dumps(metrics(findings), indent=2, sort_keys=True, allow_nan=False)
    stage.outputs["metrics"].write_text(text + "\n", encoding="utf-8")
    write_confusion(stage.outputs["confusion_matrix"], holdout[champion], info.classes)
    stage.outputs["report"].write_text(render_report(findings), encoding="utf-8")


if __name__ == "__main__":
    run_stage("evaluate", main, PARAMS)
