"""Data sets that ship inside scikit-learn: no network, no files of ours."""

import hashlib

import numpy as np

from selfsame.core.tables import TableInfo
from selfsame.sources.source import Batch, Source


def digits() -> Source:
    """Return 1,797 handwritten digits, 8×8 pixels of 0…16 (Alpaydin and Kaynak, UCI, 1998)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, None]
    info = TableInfo(
        source="digits",
        target="classification",
        classes=tuple(str(name) for name in bunch.target_names),
        image_shape=(1, 8, 8),
    )
    return _source(
        info,
        images,
        bunch.target,
        origin="scikit-learn load_digits: UCI Optical Recognition of Handwritten Digits, test part",
        terms="CC BY 4.0",
    )


def breast_cancer() -> Source:
    """Return 569 cell-nucleus measurements, 30 features (Wolberg et al., UCI, 1995)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    info = TableInfo(
        source="breast_cancer",
        target="classification",
        classes=tuple(str(name) for name in bunch.target_names),
        features=tuple(str(name).replace(" ", "_") for name in bunch.feature_names),
    )
    return _source(
        info,
        bunch.data,
        bunch.target,
        origin="scikit-learn load_breast_cancer: UCI Breast Cancer Wisconsin (Diagnostic)",
        terms="CC BY 4.0",
    )


def _source(info: TableInfo, inputs: np.ndarray, labels: np.ndarray, origin: str, terms: str) -> Source:
    labels = labels.astype(np.int64)
    content = {
        "inputs": hashlib.sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest(),
        "labels": hashlib.sha256(labels.tobytes()).hexdigest(),
    }
    return Source(info, origin, terms, content, iter([Batch(inputs, labels)]))
