"""What people look at first: the confusion matrix as a heat map, and losses on a log axis."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made import class_findings, target

from selfsame.report.figures import loss_figure
from selfsame.report.report_page import render_report

CELL = re.compile(r'<td class="(right|wrong)" style="--heat:(\d+)%">(\d+)</td>|<td>()</td>')


def test_the_confusion_matrix_is_a_heat_map() -> None:
    findings = class_findings(baseline_wrong=20, student_wrong=6)
    tables = re.findall(r'<table class="confusion">.*?</table>', render_report(findings), re.DOTALL)
    assert len(tables) == 2
    for model, table in zip((findings.student, findings.baseline), tables, strict=True):
        cells = CELL.findall(table)
        counts = [int(count or 0) for _, _, count, _ in cells]
        assert counts == target().confusion(model.holdout).flatten().tolist()
        heats = np.array([float(heat or 0) for _, heat, _, _ in cells]).reshape(3, 3)
        rows = target().confusion(model.holdout)
        order = [(rows / rows.sum(axis=1, keepdims=True)).argsort(axis=None), heats.argsort(axis=None)]
        assert len(set(counts)) > 2 and order[0].tolist() == order[1].tolist(), "hotter where more rows are"
        assert [kind for kind, _, _, _ in cells[::4]] == ["right"] * 3


def test_losses_are_on_a_log_axis() -> None:
    findings = class_findings()
    for loss in (np.array([1.0, 0.1, 0.01]), np.array([100.0, 1.0, 0.01])):
        history = {"epoch": np.arange(1.0, 4), "training_loss": loss, "validation_loss": loss}
        drawn = loss_figure([replace(findings.student, history=history)], "loss")
        (curve,) = set(re.findall(r'<path d="M ([\d. ]+) \nL ([\d. ]+) \nL ([\d. ]+) \n" clip-path', drawn))
        points = np.array([[float(number) for number in point.split()] for point in curve])
        assert np.diff(points[:, 1]) == pytest.approx([np.ptp(points[:, 1]) / 2] * 2), (
            "equal factors, equal steps"
        )
