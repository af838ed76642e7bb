"""The simple model beside the pipeline's own: chosen well, and the same everywhere."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from selfsame.core.tables import TableInfo
from selfsame.families.reference import JUDGED, WHOLE, Reference, fit_reference
from selfsame.families.rows import Rows
from selfsame.model.folder import validated
from selfsame.model.inputs import Scaling
from selfsame.model.models import load_model, predict_inputs

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(240, 4))
SUM, CROSSED = TABLE.sum(axis=1), TABLE[:, 0] * TABLE[:, 1]


def learn(inputs: np.ndarray, labels: np.ndarray, held: int = 4) -> Reference:
    """Learn all rows but the last ``held``, which are for validation."""
    classes = 0 if labels.dtype == np.float64 else int(labels.max()) + 1
    features = {"features": tuple("abcdefgh"[: inputs.shape[1]])}
    shape = {"image_shape": inputs.shape[1:]} if inputs.ndim > 2 else features
    kind = "classification" if classes else "regression"
    info = TableInfo("toy", kind, tuple(str(each) for each in range(classes)), **shape)
    parts = [
        Rows(inputs[part], labels[part], np.ones(len(labels[part])), classes)
        for part in (slice(None, -held), slice(-held, None))
    ]
    scaling = Scaling((0.0,), (1.0,), target=None if classes else (0.0, 1.0))
    return Reference(fit_reference(*parts), info, scaling)


def said(reference: Reference, inputs: np.ndarray, key: str = WHOLE) -> np.ndarray:
    answers = predict_inputs(reference.model(key), inputs)
    return answers.argmax(axis=1) if answers.ndim > 1 else answers


@pytest.mark.parametrize(
    ("labels", "best"),
    [
        ((SUM > 0).astype(np.int64), ["linear"]),
        ((CROSSED > 0).astype(np.int64), ["boosting", "support_vectors"]),
        (SUM, ["linear"]),
        (CROSSED, ["boosting", "support_vectors"]),
    ],
)
def test_the_data_choose_the_model(labels: np.ndarray, best: list[str]) -> None:
    reference = learn(TABLE, labels)
    assert reference.family(WHOLE) in best
    places, _, out_of_fold = reference.halved()
    assert places.tolist() == list(range(240)) and len(out_of_fold) == 240


@pytest.mark.parametrize("labels", [(SUM > 0).astype(np.int64), SUM])
def test_missing_values_are_no_hindrance(labels: np.ndarray) -> None:
    table = np.column_stack([TABLE, np.full(len(TABLE), np.nan)])
    table[::7, 0] = np.nan
    assert np.isfinite(said(learn(table, labels), table)).all()


def test_images_are_seen_whole_and_a_folder_holds_both_models(tmp_path: Path) -> None:
    digits = load_digits()
    images = np.round(digits.images * 255 / 16).astype(np.uint8)[:, None]
    reference = learn(images[::10], digits.target[::10].astype(np.int64), held=20)
    assert reference.family(WHOLE) == "support_vectors"
    assert (said(reference, images[5::10]) == digits.target[5::10]).mean() > 0.9
    reference.save(tmp_path / "champion", {"accuracy": 0.9})
    for folder, key in ((tmp_path / "champion", WHOLE), (validated(tmp_path / "champion"), JUDGED)):
        again = predict_inputs(load_model(folder), images)
        assert (again == predict_inputs(reference.model(key), images)).all()
    assert (said(reference, images) != said(reference, images, JUDGED)).any()


def test_wide_rows_of_few_examples_are_projected() -> None:
    labels = np.arange(16) % 2
    images = RANDOM.integers(0, 100, (16, 3, 20, 20), dtype=np.uint8)
    images[labels == 1] += 100
    assert (said(learn(images, labels), images) == labels).all()


def test_a_single_row_of_a_class_leaves_no_choice() -> None:
    reference = learn(TABLE[:5], np.array([0, 1, 1, 0, 1]), held=2)
    assert (reference.family(WHOLE), reference.halved()) == ("linear", None)


def test_few_rows_are_not_boosted() -> None:
    assert learn(TABLE[:100], (CROSSED[:100] > 0).astype(np.int64)).family(WHOLE) != "boosting"


def test_no_row_is_judged_by_a_model_that_has_seen_it() -> None:
    """Of labels that mean nothing, only a model that remembers can get nearly all right."""
    labels = RANDOM.integers(0, 2, 240)
    reference = learn(TABLE, labels, held=120)
    assert (reference.halved()[2].argmax(axis=1) == labels).mean() < 0.65
    assert (said(reference, TABLE[120:], JUDGED) == labels[120:]).mean() < 0.65


def test_the_number_of_cores_changes_nothing() -> None:
    labels = (CROSSED + RANDOM.normal(size=240) > 0).astype(np.int64)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(learn(TABLE, labels).found)
    assert found[0].keys() == found[1].keys()
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_half_of_the_labels_teach_less() -> None:
    labels = (SUM + RANDOM.normal(0, 1, 240) > 0).astype(np.int64)
    _, half, everything = learn(TABLE[:64], labels[:64]).halved()
    assert len(half) == 64 and (half != everything).any()
    two_of_a_class = learn(TABLE[:4], np.array([0, 1, 0, 1]), held=2)
    assert two_of_a_class.halved() is None, "half would leave a class without a row"
