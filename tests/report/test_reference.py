"""The simple model beside the pipeline's own: chosen well, and the same everywhere."""

import numpy as np
import pytest
from made import VALUES, target
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from selfsame.report.reference import fit_reference
from selfsame.report.target import Target

CLASSES = target(tuple("0123456789"))
RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(240, 4))
SUM, CROSSED = TABLE.sum(axis=1), TABLE[:, 0] * TABLE[:, 1]


@pytest.mark.parametrize(
    ("labels", "target", "best"),
    [
        ((SUM > 0).astype(np.int64), CLASSES, "logistic regression"),
        ((CROSSED > 0).astype(np.int64), CLASSES, "gradient boosting"),
        (SUM, VALUES, "ridge regression"),
        (CROSSED, VALUES, "gradient boosting"),
    ],
)
def test_the_data_choose_the_model(labels: np.ndarray, target: Target, best: str) -> None:
    reference = fit_reference(TABLE, labels, target)
    assert reference.name == best
    assert reference.cross_validated[best] == max(reference.cross_validated.values()) > 0.6
    assert reference.predict(TABLE).shape == reference.out_of_fold.shape == (240,)
    assert reference.rows == 240


@pytest.mark.parametrize(("labels", "target"), [((SUM > 0).astype(np.int64), CLASSES), (SUM, VALUES)])
def test_missing_values_are_no_hindrance(labels: np.ndarray, target: Target) -> None:
    table = np.column_stack([TABLE, np.full(len(TABLE), np.nan)])
    table[::7, 0] = np.nan
    reference = fit_reference(table, labels, target)
    assert min(reference.cross_validated.values()) > 0.6
    assert np.isfinite(reference.predict(table)).all()


def test_images_are_seen_whole() -> None:
    digits = load_digits()
    images = np.round(digits.images * 255 / 16).astype(np.uint8)[:, None]
    reference = fit_reference(images[::10], digits.target[::10], CLASSES)
    assert reference.name == "support vector machine"
    assert (reference.predict(images[5::10]) == digits.target[5::10]).mean() > 0.9


def test_wide_rows_of_few_examples_are_projected() -> None:
    labels = np.arange(12) % 2
    images = RANDOM.integers(0, 100, (12, 3, 20, 20), dtype=np.uint8)
    images[labels == 1] += 100
    assert (fit_reference(images, labels, CLASSES).predict(images) == labels).all()


def test_few_rows_are_not_boosted() -> None:
    assert fit_reference(TABLE[:100], (CROSSED[:100] > 0).astype(np.int64), CLASSES).name == (
        "logistic regression"
    )


def test_no_row_is_judged_by_a_model_that_has_seen_it() -> None:
    """Of labels that mean nothing, only a model that remembers can get nearly all right."""
    labels = RANDOM.integers(0, 2, 240)
    reference = fit_reference(TABLE, labels, CLASSES)
    assert (reference.out_of_fold == labels).mean() < 0.65


def test_the_number_of_cores_changes_nothing() -> None:
    labels = (CROSSED + RANDOM.normal(size=240) > 0).astype(np.int64)
    answers = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            answers.append(fit_reference(TABLE, labels, CLASSES))
    assert answers[0].cross_validated == answers[1].cross_validated
    assert (answers[0].predict(TABLE) == answers[1].predict(TABLE)).all()


def test_half_of_the_labels_teach_less() -> None:
    labels = (SUM + RANDOM.normal(0, 1, 240) > 0).astype(np.int64)
    reference = fit_reference(TABLE[:60], labels[:60], CLASSES)
    assert reference.halved.shape == (60,) and (reference.halved != reference.out_of_fold).any()
    two_of_a_class = fit_reference(TABLE[:4], np.array([0, 0, 1, 1]), CLASSES)
    assert two_of_a_class.halved is None, "half would leave a class without a row"
