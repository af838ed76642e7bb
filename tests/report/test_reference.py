"""The simple model beside the pipeline's own: chosen well, the same everywhere, and told of honestly."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from selfsame.report.advice import advice, holdout_verdict
from selfsame.report.card import render_card
from selfsame.report.findings import Findings, metrics
from selfsame.report.page import render_report
from selfsame.report.reference import fit_reference

MakeFindings = Callable[..., Findings]
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(240, 4))
SUM, CROSSED = TABLE.sum(axis=1), TABLE[:, 0] * TABLE[:, 1]


@pytest.mark.parametrize(
    ("labels", "target", "best"),
    [
        ((SUM > 0).astype(np.int64), "classification", "logistic regression"),
        ((CROSSED > 0).astype(np.int64), "classification", "gradient boosting"),
        (SUM, "regression", "ridge regression"),
        (CROSSED, "regression", "gradient boosting"),
    ],
)
def test_the_data_choose_the_model(labels: np.ndarray, target: str, best: str) -> None:
    reference = fit_reference(TABLE, labels, target)
    assert reference.name == best
    assert reference.cross_validated[best] == max(reference.cross_validated.values()) > 0.6
    assert reference.predict(TABLE).shape == reference.out_of_fold.shape == (240,)
    assert reference.rows == 240


@pytest.mark.parametrize(
    ("labels", "target"), [((SUM > 0).astype(np.int64), "classification"), (SUM, "regression")]
)
def test_missing_values_are_no_hindrance(labels: np.ndarray, target: str) -> None:
    table = np.column_stack([TABLE, np.full(len(TABLE), np.nan)])
    table[::7, 0] = np.nan
    reference = fit_reference(table, labels, target)
    assert min(reference.cross_validated.values()) > 0.6
    assert np.isfinite(reference.predict(table)).all()


def test_images_are_seen_whole() -> None:
    digits = load_digits()
    images = np.round(digits.images * 255 / 16).astype(np.uint8)[:, None]
    reference = fit_reference(images[::10], digits.target[::10], "classification")
    assert reference.name == "support vector machine"
    assert (reference.predict(images[5::10]) == digits.target[5::10]).mean() > 0.9


def test_wide_rows_of_few_examples_are_projected() -> None:
    labels = np.arange(12) % 2
    images = RANDOM.integers(0, 100, (12, 3, 20, 20), dtype=np.uint8)
    images[labels == 1] += 100
    assert (fit_reference(images, labels, "classification").predict(images) == labels).all()


def test_few_rows_are_not_boosted() -> None:
    assert fit_reference(TABLE[:100], (CROSSED[:100] > 0).astype(np.int64), "classification").name == (
        "logistic regression"
    )


def test_no_row_is_judged_by_a_model_that_has_seen_it() -> None:
    """Of labels that mean nothing, only a model that remembers can get nearly all right."""
    labels = RANDOM.integers(0, 2, 240)
    reference = fit_reference(TABLE, labels, "classification")
    assert (reference.out_of_fold == labels).mean() < 0.65


def test_the_number_of_cores_changes_nothing() -> None:
    labels = (CROSSED + RANDOM.normal(size=240) > 0).astype(np.int64)
    answers = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            answers.append(fit_reference(TABLE, labels, "classification"))
    assert answers[0].cross_validated == answers[1].cross_validated
    assert (answers[0].predict(TABLE) == answers[1].predict(TABLE)).all()


def test_a_simple_model_that_wins_is_told_of_first(make_findings: MakeFindings) -> None:
    findings = make_findings(baseline_wrong=20, student_wrong=6, reference_wrong=0)
    said = advice(findings)
    assert said is not None
    assert said.startswith("A logistic regression on the same labels is better: it gets 100.0%")
    assert "is beyond chance" in said
    assert metrics(findings)["reference"]["recommended"] is True
    html = render_report(findings)
    assert html.index(said.split(":")[0]) < html.index("is the champion")
    card = render_card(findings)
    assert card.index(said.split(":")[0]) < card.index("The student: ")


@pytest.mark.parametrize(
    ("p_value", "champion_ahead", "said"),
    [
        (0.5, True, ", which is no more than chance would explain"),
        (0.001, False, ", which is beyond chance"),
        (0.001, True, "; there the champion is ahead, which is beyond chance"),
    ],
)
def test_the_holdout_may_say_the_opposite(p_value: float, champion_ahead: bool, said: str) -> None:
    assert holdout_verdict(p_value, champion_ahead) == said


def test_as_well_is_not_better(make_findings: MakeFindings) -> None:
    for reference_wrong in (6, 5):  # one row more is no proof
        said = advice(make_findings(baseline_wrong=20, student_wrong=6, reference_wrong=reference_wrong))
        assert said is not None
        assert "does as well: " in said
        assert "no more than chance" in said


def test_a_simple_model_that_loses_is_no_advice(make_findings: MakeFindings) -> None:
    findings = make_findings(baseline_wrong=20, student_wrong=6, reference_wrong=15)
    assert advice(findings) is None
    figures = metrics(findings)["reference"]
    assert (figures["recommended"], figures["gained_by_champion"]) == (False, 9)
    assert figures["holdout"]["accuracy"] == 0.75
    assert "loss" not in figures["holdout"]
    html = render_report(findings)
    assert "on the same labels is better" not in html
    assert "logistic regression, holdout" in html
    assert "| logistic regression | 75.0%" in render_card(findings)
