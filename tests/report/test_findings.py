"""The metrics and the warnings that follow from findings."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from selfsame.report.card import render_card
from selfsame.report.findings import Findings, metrics, warnings
from selfsame.report.gate import Gate
from selfsame.report.page import render_report
from selfsame.report.watches import Drift
from selfsame.stats.share import Share

MakeFindings = Callable[..., Findings]


def test_metrics_hold_the_promised_keys(make_findings: MakeFindings) -> None:
    figures = metrics(make_findings(baseline_wrong=20, student_wrong=6))
    assert figures["champion"] == "student"
    assert (
        figures["baseline"]["validation"]["accuracy"]
        == figures["baseline"]["holdout"]["accuracy"]
        == 0.666667
    )
    assert figures["student"]["holdout"]["accuracy"] == 0.9
    pool = {
        key: figures["pool"][key]
        for key in ("rows", "accepted", "rejected", "coverage", "precision", "threshold")
    }
    assert pool == {
        "rows": 5,
        "accepted": 4,
        "rejected": 1,
        "coverage": 0.8,
        "precision": 0.75,
        "threshold": 0.9,
    }
    assert [figures[role]["rows"] for role in ("labeled", "validation", "holdout")] == [14, 60, 60]
    assert figures["validation"] == {
        "rows": 60,
        "gained_by_student": 14,
        "lost_by_student": 0,
        "promotion_p_value": 1 / 5000,  # fourteen gained: no flip of signs is as good
        "promotion_level": 0.05,
    }
    assert figures["calibration"] == {
        "rows": 20,
        "temperature": 1.5,
        "error_before": 0.05,
        "error_after": 0.01,
    }


def test_metrics_without_truth_are_null_and_strict_json(
    make_findings: MakeFindings, write_gate: Callable[..., Gate]
) -> None:
    figures = metrics(make_findings(gate=write_gate([0], [0.5], {})))
    assert figures["pool"]["precision"] is None
    json.dumps(figures, allow_nan=False)


def test_a_clear_improvement_needs_no_warning(
    make_findings: MakeFindings, write_gate: Callable[..., Gate]
) -> None:
    assert warnings(make_findings(gate=write_gate([0, 1, 2], [0.95] * 3, {0: 0, 1: 1, 2: 2}))) == []


@pytest.mark.parametrize(
    ("labels", "confidence", "truth", "said"),
    [
        ([0, 0, 0, 0, 0, 1, 2], [0.95] * 7, 0, "collapse on one class: 71.4% of them are cat"),
        ([0, 1], [0.5, 0.6], 0, "No pseudo-label was accepted"),
        ([0, 0, 1], [0.95, 0.99, 0.5], 0, "No pool row was accepted as dog, emu"),
        ([0, 1, 2] * 20, [0.95] * 60, 0, "overconfident"),
    ],
)
def test_the_gate_warns(
    make_findings: MakeFindings,
    write_gate: Callable[..., Gate],
    labels: list[int],
    confidence: list[float],
    truth: int,
    said: str,
) -> None:
    gate = write_gate(labels, confidence, dict.fromkeys(range(len(labels)), truth))
    assert said in " ".join(warnings(make_findings(gate=gate)))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"pool_disagreement": Share(20, 100)}, "disagree on 20.0% of the pool, but on 2.0%"),
        ({"near_copies": Share(3, 80)}, "3 of 80 holdout and validation rows have a near copy"),
        ({"drift": Drift(0.001, Share(4, 9))}, "The pool looks different from the labeled rows, in 4 of 9"),
    ],
)
def test_the_watches_warn(make_findings: MakeFindings, seen: dict[str, Any], said: str) -> None:
    quiet = make_findings()
    assert not any(said in warning for warning in warnings(quiet))
    loud = replace(quiet, watches=replace(quiet.watches, **seen))
    assert said in " ".join(warnings(loud))
    assert metrics(loud)["watches"] != metrics(quiet)["watches"]


def test_a_broken_promise_is_named(make_findings: MakeFindings, write_gate: Callable[..., Gate]) -> None:
    gate = write_gate([0, 1, 2] * 20, [0.95] * 60, dict.fromkeys(range(60), 0), promise=(0.9, 0.95))
    assert "promise of a precision of 0.9 is broken" in " ".join(warnings(make_findings(gate=gate)))


def test_a_difference_by_chance_is_called_that(make_findings: MakeFindings) -> None:
    assert "chance" in " ".join(warnings(make_findings(baseline_wrong=8, student_wrong=6)))


def test_a_champion_that_loses_on_the_holdout_is_named(make_findings: MakeFindings) -> None:
    found = warnings(make_findings(baseline_wrong=20, student_wrong=6, promotion_level=1e-9))
    assert (
        found[-1]
        == "The baseline was chosen on validation, as it must be; on the holdout the student does better."
    )


def test_labels_made_in_training_are_not_said_to_be_the_gates(
    make_findings: MakeFindings, write_gate: Callable[..., Gate]
) -> None:
    nothing_accepted = write_gate([0, 1], [0.5, 0.6], {})
    findings = make_findings(gate=nothing_accepted, method="fixmatch")
    assert metrics(findings)["method"] == "fixmatch"
    assert "accepted" not in " ".join(warnings(findings))
    assert "The student didn’t learn these labels" in render_report(findings)
    assert "The student didn’t learn these labels" not in render_report(make_findings())


def test_rows_that_were_asked_for_are_no_random_draw(make_findings: MakeFindings) -> None:
    said = [text for text in warnings(make_findings(asked={"margin": 3, "random": 1})) if "asked" in text]
    assert said[0].startswith("3 of 14 labeled rows were asked for (margin 3) and are no random draw")
    assert not any("asked" in text for text in warnings(make_findings(asked={"random": 4})))
    assert "validation and holdout rows, which stay a random draw" in said[0]
    assert "no random draw" in render_card(make_findings(asked={"margin": 4}))
    assert "of them asked for" in render_report(make_findings(asked={"margin": 4}))
    assert "of them asked for" not in render_report(make_findings())
    assert metrics(make_findings(asked={"margin": 4}))["labeled"] == {"rows": 14, "asked": {"margin": 4}}
    assert not [text for text in warnings(make_findings()) if "asked" in text]
