"""Stage pseudo_label: the baseline, as teacher, labels the pool; the gate accepts the labels to trust.

In: ``pool``, ``validation``, ``calibration``, ``baseline``, params ``compute pseudo_label``.
Out: ``pseudo_labels``, one row for every pool row, accepted or not, with the decision, its reason and
the teacher's digest; its metadata hold the gate's record (``selfsame.selection.record`` for classes,
``selfsame.selection.agreement`` for values).
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from selfsame.core.digests import sha256_file
from selfsame.core.layout import ENSEMBLE, WEIGHTS
from selfsame.core.stage import Stage
from selfsame.core.tables import BATCH_ROWS, TableWriter, count_rows, iter_batches, read_column
from selfsame.model.folder import read_config, validated
from selfsame.model.kept import Arrays, keep
from selfsame.observe.progress import progress
from selfsame.params.compute import ComputeParams
from selfsame.params.prediction import PredictionParams
from selfsame.params.pseudo_label import (
    AgreementGate,
    PseudoLabelParams,
    TargetPrecisionGate,
    ThresholdGate,
)
from selfsame.selection.agreement import ByAgreement
from selfsame.selection.by_confidence import ByConfidence
from selfsame.selection.gate import Gate, Heard

if TYPE_CHECKING:
    from pathlib import Path

    from selfsame.model.models import Model

FIRST_ROUND = 1


def gate_of(own: PseudoLabelParams) -> Gate:
    """Return the gate that the parameters describe."""
    if isinstance(own, AgreementGate):
        return ByAgreement(own.largest_ensemble_std)
    assert isinstance(own, ThresholdGate | TargetPrecisionGate)
    return ByConfidence(own)


def main(stage: Stage) -> None:
    """Hear the teachers on the pool and on rows of known label, decide, and write every row's decision."""
    gate = gate_of(stage.section("pseudo_label", PseudoLabelParams))
    baseline = stage.inputs["baseline"]
    nets = [baseline, *sorted((baseline / ENSEMBLE).glob("*"))] if gate.ensemble else [baseline]
    folders = [validated(net) for net in nets]  # as they were before they learned the rows that judge them
    values = read_config(baseline)["scaling"]["target"]
    kept = keep(stage.spec.name, stage.spec.code, stage.params, but="pseudo_label")

    @cache
    def load(folder: Path) -> tuple[Model, ...]:
        from selfsame.model.device import prepare_device
        from selfsame.model.models import load_model

        views = stage.section("prediction", PredictionParams).test_time_augmentation
        model = load_model(folder, prepare_device(stage.section("compute", ComputeParams)), views)
        return model.members if gate.ensemble else (model,)

    def hear(role: str) -> np.ndarray:
        table = stage.inputs[role]

        def said_by(folder: Path) -> Arrays:
            from selfsame.model.models import answer_table

            models = load(folder)
            with progress("pseudo_label", total=count_rows(table) * len(models), unit="row") as bar:
                said = [answer_table(model, table, lambda rows: bar.update(advance=rows)) for model in models]
            return {"said": np.stack(said)}

        said = [kept.get("heard", [folder, table], partial(said_by, folder))["said"] for folder in folders]
        return np.concatenate(said)

    # The calibration set, if there is one.
    judged_on = "calibration" if count_rows(stage.inputs["calibration"]) else "validation"
    heard = Heard(
        judged_on=judged_on,
        truth=read_column(stage.inputs[judged_on], "label"),
        judges=hear(judged_on),
        pool=hear("pool"),
        teachers=tuple(sha256_file(folder / WEIGHTS) for folder in folders),
        unit=values and values["std"],
    )
    decision = gate.decide(heard, FIRST_ROUND)
    with TableWriter(stage.outputs["pseudo_labels"], decision.schema) as writer:
        for number, ids in enumerate(iter_batches(stage.inputs["pool"], ["example_id"])):
            columns = [
                column.slice(number * BATCH_ROWS, ids.num_rows)
                for column in (decision.columns[name] for name in decision.schema.names[1:])
            ]
            writer.write(pa.record_batch([ids.column(0), *columns], schema=decision.schema))
    kept.clean()


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("pseudo_label", main)
