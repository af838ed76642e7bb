"""Doubtful labels: of planted wrong ones most are among the first named, and a person settles them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from selfsame.core.annotations import Annotation
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, example_ids, input_columns
from selfsame.families.reference import Reference, fit_reference
from selfsame.families.rows import Rows
from selfsame.model.inputs import Scaling
from selfsame.report.doubtful import Doubts, doubt, doubtful_file, doubtful_gallery, settled
from selfsame.report.target import target_of

PARTS = (slice(None, 300), slice(300, None))  # labeled and validation rows
SHARE = 0.05  # of the labels are wrong


def made(name: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Return inputs, true labels and the number of classes: images, for which the best model has no
    probabilities, and a table of two classes.
    """
    if name == "digits":
        digits = load_digits()
        return np.round(digits.images * 255 / 16).astype(np.uint8)[::3, None], digits.target[::3], 10
    cancer = load_breast_cancer()
    return cancer.data, cancer.target, 2


def planted(labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    rows = random.choice(len(labels), round(SHARE * len(labels)), replace=False)
    wrong = labels.copy()
    wrong[rows] = (wrong[rows] + random.integers(1, classes, len(rows))) % classes
    return wrong, rows


@pytest.mark.parametrize("name", ["digits", "cancer"])
def test_wrong_labels_are_the_first_named(name: str) -> None:
    inputs, truth, classes = made(name)
    labels, rows = planted(truth, classes)
    kind = (
        {"image_shape": inputs.shape[1:]} if inputs.ndim > 2 else {"features": tuple("x" * inputs.shape[1])}
    )
    info = TableInfo("toy", "classification", tuple(map(str, range(classes))), **kind)
    rows_of = [Rows(inputs[part], labels[part], np.ones(len(labels[part])), classes) for part in PARTS]
    reference = Reference(fit_reference(*rows_of), info, Scaling((0.0,), (1.0,)))
    found = doubt(labels, reference.sureness, np.zeros(len(labels), bool))
    first = found.rows[: len(rows)]
    assert np.isin(first, rows).mean() > 0.75  # of as many as were planted
    assert np.isin(rows, found.rows).mean() > 0.75
    assert len(found.rows) < 2.5 * len(rows)
    assert (found.instead[: len(rows)] == truth[first]).mean() > 0.7


def test_what_a_person_settled_is_not_named_again_and_values_have_no_doubts() -> None:
    sureness = np.tile([[0.9, 0.1], [0.1, 0.9]], (10, 1))
    labels = np.tile([0, 1], 10)
    labels[0] = 1
    asked = np.zeros(20, bool)
    found = doubt(labels, sureness, asked)
    assert (found.rows.tolist(), found.instead.tolist()) == ([0], [0])
    asked[0] = True
    assert not len(doubt(labels, sureness, asked).rows)
    assert not len(doubt(np.array([0.5, 1.5]), np.empty((0, 0)), np.zeros(2, bool)).rows)


def test_they_stand_in_a_file_that_can_be_filled_in(tmp_path: Path) -> None:
    info = TableInfo("toy", "classification", ("cat", "dog"), features=("x",))
    inputs = np.arange(5.0)[:, None]
    schema = info.schema(pa.field("source_row", pa.int64()))
    tables = {"labeled": tmp_path / "labeled.parquet", "validation": tmp_path / "validation.parquet"}
    labels = np.array([0, 1, 0, 1, 1])
    for (_, path), rows in zip(tables.items(), (slice(0, 3), slice(3, 5)), strict=True):
        columns = [
            pa.array(example_ids(inputs[rows])),
            *input_columns(inputs[rows], info),
            pa.array(labels[rows]),
            pa.array(np.arange(50, 55)[rows]),
        ]
        with TableWriter(path, schema) as writer:
            writer.write(pa.record_batch(columns, schema=schema))
    sureness = np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.6, 0.4], [0.0, 1.0]])
    found = Doubts(np.array([3, 1]), np.array([0, 0]), sureness)
    columns = doubtful_file(target_of(info), tables, labels, found)
    assert columns["example_id"] == example_ids(inputs[[3, 1]])
    assert columns["label"] == ["", ""] and columns["role"] == ["validation", "labeled"]
    assert columns["given"] == ["dog", "dog"] and columns["looks_like"] == ["cat", "cat"]
    assert columns["source_row"] == [53, 51] and columns["probability_of_given"] == ["0.4000", "0.2000"]
    gallery = doubtful_gallery(tables, labels, found)
    assert "2 of the 5" in gallery.title
    assert [(each.raw.tolist(), each.label, each.truth) for each in gallery.examples] == [
        ([3.0], 0, 1),
        ([1.0], 0, 1),
    ]
    answers = {columns["example_id"][0]: Annotation(columns["example_id"][0], "cat", "Ada", "now", "x")}
    assert settled(tables, answers).tolist() == [False, False, False, True, False]
