"""Stage pseudo_label: the baseline, as teacher, labels the pool; the gate accepts the labels to trust.

In: ``pool``, ``validation``, ``calibration``, ``baseline``, params ``compute pseudo_label``.
Out: ``pseudo_labels``, one row for every pool row, accepted or not, with the decision, its reason and
the teacher's digest; its metadata hold the gate's record (``selfsame.selection.record`` for classes,
``selfsame.selection.agreement`` for values). Part by part: a part of it has the rows of the pool's part of
the same number, memory holds one, and a killed stage goes on with the one that it was at.
"""

import shutil
from functools import partial
from tempfile import TemporaryFile

from selfsame.core.ahead import read_ahead
from selfsame.core.digests import sha256_file
from selfsame.core.layout import ENSEMBLE, WEIGHTS
from selfsame.core.stage import Stage
from selfsame.core.table_writer import part_name
from selfsame.core.tables import count_rows, parts_of, read_column
from selfsame.engine import resources, start_engine
from selfsame.labeling import Teachers
from selfsame.model.folder import read_config, validated
from selfsame.model.kept import keep
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
from selfsame.selection.pool import Briefs

FIRST_ROUND = 1


def gate_of(own: PseudoLabelParams) -> Gate:
    """Return the gate that the parameters describe."""
    if isinstance(own, AgreementGate):
        return ByAgreement(own.largest_ensemble_std)
    assert isinstance(own, ThresholdGate | TargetPrecisionGate)
    return ByConfidence(own)


def main(stage: Stage) -> None:
    """Hear the teachers on every part of the pool, decide, and write every part's decisions."""
    gate = gate_of(stage.section("pseudo_label", PseudoLabelParams))
    compute = stage.section("compute", ComputeParams)
    baseline = stage.inputs["baseline"].absolute()
    nets = [baseline, *sorted((baseline / ENSEMBLE).glob("*"))] if gate.ensemble else [baseline]
    folders = [validated(net) for net in nets]  # as they were before they learned the rows that judge them
    values = read_config(baseline)["scaling"]["target"]
    kept = keep(stage.spec.name, stage.spec.code, stage.params, but="pseudo_label")
    teachers = Teachers(
        tuple(folders),
        tuple(sha256_file(folder / WEIGHTS) for folder in folders),
        gate,
        stage.section("prediction", PredictionParams).test_time_augmentation,
        compute,
        kept,
    )
    # The calibration set, if there is one.
    calibrated_on = "calibration" if count_rows(stage.inputs["calibration"]) else "validation"
    heard = Heard(
        calibrated_on=calibrated_on,
        truth=read_column(stage.inputs[calibrated_on], "label"),
        calibration=teachers.hear(stage.inputs[calibrated_on].absolute()),
        teachers=teachers.weights,
        unit=values and values["std"],
    )
    parts = parts_of(stage.inputs["pool"].absolute())
    made = stage.outputs["pseudo_labels"]
    made.mkdir(parents=True, exist_ok=True)
    given = resources()
    with start_engine(given, compute.cpu_threads) as over, TemporaryFile(dir=made.parent) as file:
        briefs = Briefs(file)
        rows = len(heard.calibration) * count_rows(stage.inputs["pool"])
        with progress("pseudo_label", total=rows, unit="row") as bar:
            local = partial(teachers.brief, seen=lambda rows: bar.update(advance=rows))
            taken = read_ahead(kept.digested(parts)) if given.engine == "local" else iter(parts)
            for part, (brief, used) in zip(parts, over(teachers.brief, taken, local), strict=True):
                briefs.add(brief)
                kept.used |= used
                if given.engine != "local":
                    bar.update(advance=len(heard.calibration) * count_rows(part))
        decision = gate.decide(heard, briefs, FIRST_ROUND)
        written = list(over(partial(teachers.write, decision=decision), list(enumerate(parts))))
    for number, path in enumerate(written):
        shutil.move(path, made / part_name(number))
    kept.clean()


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("pseudo_label", main)
