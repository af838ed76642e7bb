"""A pool that lies in parts is decided as if it were one: exact ranks, cuts and columns."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from project import section

from selfsame.selection import ranks
from selfsame.selection.balance import cut_for
from selfsame.selection.by_confidence import ByConfidence
from selfsame.selection.gate import Heard
from selfsame.selection.pool import Briefs
from selfsame.selection.threshold import candidates

ROWS, CLASSES = 5000, 4
SIZES = [1700, 1, 0, 2299, 1000]


@pytest.fixture
def _never_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "FEW", 0)


def said(rows: int, seed: int) -> np.ndarray:
    """Probabilities (1, N, K), many of them equal."""
    logits = np.random.default_rng(seed).normal(0, 2, (rows, CLASSES)).round(1)
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)[None]


def parts(values: np.ndarray) -> list[np.ndarray]:
    return np.split(values, np.cumsum(SIZES)[:-1], axis=values.ndim - 2 if values.ndim == 3 else 0)


@pytest.mark.usefixtures("_never_sorted")
def test_a_rank_is_that_of_the_sorted_values() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.random(4000), np.repeat([0.0, 1.0, 0.25], 300), random.random(100) / 1e9])
    values = random.permutation(values).astype(np.float32)
    some = np.r_[np.arange(0, len(values), 97), len(values) - 1]
    np.testing.assert_array_equal(ranks.ranked(parts(values), some), np.sort(values)[some])


@pytest.mark.usefixtures("_never_sorted")
@pytest.mark.parametrize("needed", [1, 40, 199])
def test_candidates_are_the_quantiles_of_numpy(needed: int) -> None:
    pool = said(ROWS, 1)[0].max(axis=1)
    shares = np.linspace(needed / 200, 1, 60)
    expected = np.unique(np.quantile(pool, 1 - shares, method="lower"))[::-1]
    np.testing.assert_array_equal(candidates(parts(pool), 200, needed), expected)


@pytest.mark.usefixtures("_never_sorted")
def test_a_cut_keeps_the_most_confident_and_of_equal_ones_the_first() -> None:
    pool = said(ROWS, 2)[0]
    labels, confidence = pool.argmax(axis=1), pool.max(axis=1)
    wanted = np.array([0, 7, 500, ROWS])
    cut = cut_for(lambda: zip(parts(labels), parts(confidence), strict=True), wanted)
    kept = [
        cut.kept(own, sure, np.ones(len(own), bool), part)
        for part, (own, sure) in enumerate(zip(parts(labels), parts(confidence), strict=True))
    ]
    expected = np.zeros(ROWS, bool)
    for label, rows in enumerate(wanted):
        of_class = np.flatnonzero(labels == label)
        expected[of_class[np.argsort(-confidence[of_class], kind="stable")[:rows]]] = True
    np.testing.assert_array_equal(np.concatenate(kept), expected)


@pytest.mark.parametrize(
    "asked",
    [
        {"threshold": 0.6},
        {"rule": "target_precision", "target_precision": 0.5, "balance": {"name": "prior"}},
        {"rule": "target_precision", "target_precision": 0.75, "per_class": True},
        {"balance": {"name": "top_k", "rows_per_class": 30}, "threshold": 0.3},
    ],
    ids=lambda asked: "-".join(map(str, asked)),
)
def test_parts_and_slices_decide_as_one(asked: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    calibration = said(400, 3)
    lucky = np.random.default_rng(5).random(400) < calibration[0].max(axis=1)
    truth = np.where(lucky, calibration[0].argmax(axis=1), calibration[0].argmin(axis=1))
    heard = Heard("validation", truth, calibration, ("ab" * 32,), None)
    gate, pool = ByConfidence(section("pseudo_label", **asked)), said(ROWS, 4)

    def decide(pieces: list[np.ndarray], rows: int) -> tuple[pa.Schema, pa.Table]:
        briefs = Briefs(BytesIO())
        for piece in pieces:
            briefs.add(gate.brief(piece))
        decided = gate.decide(heard, briefs, 1)
        made = [
            pa.table(dict(columns))
            for part, piece in enumerate(pieces)
            for columns in decided.columns(piece, part, rows)
        ]
        return decided.schema, pa.concat_tables(made).combine_chunks()

    whole = decide([pool], ROWS)
    monkeypatch.setattr(ranks, "FEW", 0)
    assert 0 < whole[1]["accepted"].to_numpy().sum() < ROWS
    assert decide(parts(pool), 64) == whole
