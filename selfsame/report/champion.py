"""What a champion's folder holds beside its net, so that predictions need nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from selfsame.selection.agreement import AgreementRecord
from selfsame.selection.confidence import Calibration
from selfsame.selection.record import GateRecord

if TYPE_CHECKING:
    from selfsame.model.models import Model


def keep_calibration(folder: Path, judged: Model, judges: Path, gate: GateRecord | AgreementRecord) -> None:
    """Fit the champion's confidence, or its intervals, and write them into its folder.

    Args:
        judged: the champion as it was before it learned the validation rows, if it did.
        judges: the table of the rows that judged the gate.
        gate: its record; its threshold, or its target precision, is the confidence below which a person
            should look.
    """
    from selfsame.model.models import predict_table
    from selfsame.model.values import predict_values

    if isinstance(gate, AgreementRecord):
        said = predict_values([judged], judges)
        calibration = Calibration.of_values(said.values[0] - said.labels, gate.judged_on)
    else:
        predictions = predict_table(judged, judges)
        threshold = gate.promise[0] if gate.promise else gate.thresholds[0]
        calibration = Calibration.of_classes(
            predictions.probabilities, predictions.labels, gate.judged_on, threshold
        )
    calibration.save(folder)
