"""The metrics that follow from findings."""

import json
from typing import Any

import pytest
from made import checks, class_findings, class_gate, value_findings

from selfsame.report.data_checks import Drift
from selfsame.report.findings import metrics
from selfsame.report.honest import warnings
from selfsame.stats.share import Share


def test_metrics_hold_the_promised_keys() -> None:
    figures = metrics(class_findings(baseline_wrong=20, student_wrong=6))
    assert figures["champion"] == "student"
    baseline = figures["baseline"]
    assert baseline["validation"]["accuracy"] == baseline["holdout"]["accuracy"] == 0.666667
    assert figures["student"]["holdout"]["accuracy"] == 0.9
    keys = ("rows", "accepted", "rejected", "coverage", "precision", "threshold")
    assert [figures["pool"][key] for key in keys] == [5, 4, 1, 0.8, 0.75, 0.9]
    assert [figures[role]["rows"] for role in ("labeled", "validation", "holdout")] == [14, 60, 60]
    assert figures["validation"] == {
        "rows": 60,
        "gained_by_student": 14,
        "lost_by_student": 0,
        "promotion_p_value": pytest.approx(1 / 5000),  # fourteen gained: no flip of signs is as good
        "promotion_level": 0.05,
        "reference_promotion_p_value": 1.0,
        "reference_promotion_out_of_fold_rows": 0,
    }
    calibration = {"rows": 20, "temperature": 1.5, "error_before": 0.05, "error_after": 0.01}
    assert figures["calibration"] == calibration
    assert (figures["reference"]["champion_is"], figures["constant"]["champion_is"]) == ("better", "better")


def test_both_targets_have_the_same_sections() -> None:
    classes, values = metrics(class_findings()), metrics(value_findings())
    assert {*classes} - {"calibration"} == {*values} - {"agreement"}
    for section in ("reference", "constant", "validation", "holdout", "data_checks"):
        assert classes[section].keys() == values[section].keys(), section
    assert values["student"]["holdout"]["r2_low"] < values["student"]["holdout"]["r2"]
    assert values["pool"]["rmse_accepted"] < values["pool"]["rmse_rejected"]


def test_metrics_without_truth_are_null_and_strict_json() -> None:
    figures = metrics(class_findings(class_gate([0], [0.5], {})))
    assert figures["pool"]["precision"] is None
    json.dumps(figures, allow_nan=False)


@pytest.mark.parametrize("make", [class_findings, value_findings])
@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"pool_disagreement": Share(20, 100)}, "disagree on 20.0\xa0% of the pool, but on 2.0\xa0%"),
        ({"near_copies": Share(3, 80)}, "3 of 80 holdout and validation rows have a near copy"),
        ({"drift": Drift(0.001, Share(4, 9))}, "The pool looks different from the labeled rows, in 4 of 9"),
    ],
)
def test_the_data_checks_warn(make: Any, seen: dict[str, Any], said: str) -> None:
    quiet, loud = make(), make(checks=checks(**seen))
    assert not any(said in warning for warning in warnings(quiet))
    assert said in " ".join(warnings(loud))
    assert metrics(loud)["data_checks"] != metrics(quiet)["data_checks"]
