"""The data sets inside scikit-learn: the very content that our figures rest on."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from selfsame.sources.embedded import breast_cancer, digits
from selfsame.sources.source import Source

DIGITS = {
    "inputs": "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
    "labels": "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21",
}
BREAST_CANCER = {
    "inputs": "6b202a2072f9a0385f405a8f8605b1b06f6f36ae6d23d9cd6cbbc0974a416bc7",
    "labels": "1763c0f8cd3f454b9eda72031113884593bb382411c0cd511e3ec6e7ac85cddb",
}


@pytest.mark.parametrize(
    ("open_source", "content"),
    [(digits, DIGITS), (breast_cancer, BREAST_CANCER)],
    ids=["digits", "breast_cancer"],
)
def test_the_content_is_the_known_one(open_source: Callable[[], Source], content: dict[str, str]) -> None:
    source = open_source()
    assert source.content == content
    assert source.origin
    assert source.license


def test_digits_are_images() -> None:
    source, (batch,) = digits(), digits().batches
    assert source.info.image_shape == (1, 8, 8)
    assert source.info.classes == tuple("0123456789")
    assert (batch.inputs.shape, batch.inputs.dtype, batch.inputs.max()) == ((1797, 1, 8, 8), np.uint8, 16)
    np.testing.assert_array_equal(batch.inputs.reshape(1797, 64), load_digits().data)
    np.testing.assert_array_equal(batch.labels, load_digits().target)
    assert batch.own is None


def test_breast_cancer_is_a_table_of_features() -> None:
    source, (batch,) = breast_cancer(), breast_cancer().batches
    assert source.info.classes == ("malignant", "benign")
    assert source.info.features[:2] == ("mean_radius", "mean_texture")
    assert len(set(source.info.features)) == 30
    np.testing.assert_array_equal(batch.inputs, load_breast_cancer().data)
    np.testing.assert_array_equal(batch.labels, load_breast_cancer().target)
