"""Families of tables: what scikit-learn fitted predicts the same from arrays, read from a file too."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.svm import SVC, SVR
from torch import nn

from selfsame.families.committee import fit_committee, stack
from selfsame.families.fit import fit_families
from selfsame.families.rows import Rows
from selfsame.model.families import build_family
from selfsame.model.inputs import in_batches
from selfsame.params.model import FAMILIES

FITTED = {
    "linear": (LogisticRegressionCV, RidgeCV),
    "gaussian_process": (GaussianProcessClassifier, GaussianProcessRegressor),
    "boosting": (GradientBoostingClassifier, GradientBoostingRegressor),
    "forest": (RandomForestClassifier, RandomForestRegressor),
    "extra_trees": (ExtraTreesClassifier, ExtraTreesRegressor),
    "support_vectors": (SVC, SVR),
}


def some_rows(classes: int, count: int = 60) -> Rows:
    """Rows of four features, one of them constant, another sometimes missing."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(count, 4))
    inputs[:, 3] = 7.0
    score = inputs[:, 0] + inputs[:, 1] ** 2 + 0.3 * random.normal(size=count)
    labels = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)) if classes else score
    inputs[::5, 2] = np.nan
    return Rows(inputs, labels, np.ones(count), classes)


@pytest.fixture(params=[2, 3, 0], ids=["two classes", "three classes", "values"])
def rows(request: pytest.FixtureRequest) -> Rows:
    return some_rows(request.param)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that scikit-learn fits in a test, with the rows it was given, in their order."""
    found: list[Any] = []
    for kind in {kind for kinds in FITTED.values() for kind in kinds}:

        def fit(self: Any, x: Any, y: Any, sample_weight: Any = None, original: Any = kind.fit) -> Any:
            found.append((self, x))
            return original(self, x, y, **({} if sample_weight is None else {"sample_weight": sample_weight}))

        monkeypatch.setattr(kind, "fit", fit)
    return found


def fit_family(name: str, rows: Rows, seed: int, extra: Rows | None = None) -> nn.Module:
    return fit_families([name], rows, seed, extra)[0]


def outputs(net: nn.Module, inputs: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return net(torch.from_numpy(inputs))


@pytest.mark.parametrize("name", FITTED)
def test_arrays_predict_as_scikit_learn_does(name: str, rows: Rows, fitted: list[Any]) -> None:
    net = fit_family(name, rows, 0)
    (model, seen) = fitted[-1]
    said = outputs(net[1], seen)
    if not rows.classes:
        np.testing.assert_allclose(said[:, 0], model.predict(seen), atol=1e-5)
    elif name == "support_vectors":
        assert (said.argmax(dim=1).numpy() == model.predict(seen)).all()
    elif name != "gaussian_process" or rows.classes == 2:
        np.testing.assert_allclose(said.softmax(dim=1), model.predict_proba(seen), atol=1e-5)
    else:  # of the last class against the others
        np.testing.assert_allclose(net[1][-1](seen_tensor(seen)), model.predict_proba(seen)[:, 1], atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_boosting_by_histograms_predicts_as_scikit_learn_does(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsame.families.estimators.MOST_ROWS_TO_SORT", 0)
    rows = some_rows(classes, 300)
    kind, found = (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor), []
    fit = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, x, *rest: found.append((self, x)) or fit(self, x, *rest))
    net = fit_family("boosting", rows, 0)
    ((model, seen),) = found
    said = outputs(net[1], seen)
    if classes:
        np.testing.assert_allclose(said.softmax(dim=1), model.predict_proba(seen), atol=1e-5)
    else:
        np.testing.assert_allclose(said[:, 0], model.predict(seen), atol=1e-5)


def seen_tensor(seen: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(seen))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_learns_and_keeps_what_it_learned(name: str, rows: Rows) -> None:
    net = fit_family(name, rows, 0)
    said = outputs(net, rows.inputs)
    if rows.classes:
        assert (said.argmax(dim=1).numpy() == rows.labels).mean() > 0.55
    else:
        assert np.corrcoef(said[:, 0], rows.labels)[0, 1] > 0.6
    weights = {key: value.contiguous() for key, value in net.state_dict().items()}
    read = build_family(name, [name], max(rows.classes, 1), values=not rows.classes)
    read.load_state_dict(load(save(weights)))
    assert torch.equal(outputs(read, rows.inputs), said)


def test_a_missing_value_is_information() -> None:
    random = np.random.default_rng(1)
    inputs, labels = random.normal(size=(80, 2)), np.arange(80) % 2
    inputs[labels == 1, 0] = np.nan
    for name in FAMILIES:
        said = outputs(fit_family(name, Rows(inputs, labels, np.ones(80), 2), 0), inputs)
        assert (said.argmax(dim=1).numpy() == labels).all(), name


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_gets_the_same_bits_whatever_else_is_predicted_with_it(name: str, rows: Rows) -> None:
    net = fit_family(name, rows, 0)
    inputs = torch.from_numpy(np.random.default_rng(2).normal(size=(1000, 4)))

    def said(some: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return in_batches(net, some, torch.device("cpu"))

    together = said(inputs)
    for row in (0, 1, 500, 999):
        assert torch.equal(said(inputs[row : row + 1])[0], together[row])
    assert torch.equal(said(inputs[:37]), together[:37])


def test_threads_change_no_bit() -> None:
    rows, before = replace(some_rows(3, 30), folds=2), torch.get_num_threads()
    made = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        weights = fit_committee(list(FAMILIES), rows, None, 0)[0].state_dict()
        made.append(save({key: value.contiguous() for key, value in weights.items()}))
    torch.set_num_threads(before)
    assert made[0] == made[1]


def test_the_committee_trusts_who_is_right() -> None:
    random = np.random.default_rng(0)
    truth = torch.from_numpy(random.normal(size=(200, 1)))
    noise = torch.from_numpy(random.normal(size=(3, 200, 1)))
    said = truth + noise * torch.tensor([0.1, 1.0, 3.0])[:, None, None]
    weights = stack(said, truth, torch.ones(200))
    assert weights.sum().item() == pytest.approx(1)
    assert weights[0] > 0.8 and (weights >= 0).all()
    none = stack(said[:, :0], truth[:0], torch.ones(0))
    np.testing.assert_allclose(none, 1 / 3)


def test_rows_that_nobody_vouches_for_weigh_no_member() -> None:
    rows = replace(some_rows(2), folds=2)
    wrong = Rows(rows.inputs, 1 - rows.labels, np.ones(len(rows.labels)), 2)
    plain, taught = (fit_committee(["linear", "boosting"], rows, extra, 0)[0] for extra in (None, wrong))
    assert torch.equal(plain.weight, taught.weight) and torch.equal(plain.temperature, taught.temperature)
    assert not torch.equal(outputs(plain, rows.inputs), outputs(taught, rows.inputs))


def test_support_vectors_of_many_rows_are_tuned_on_few_and_learn_from_the_heaviest(
    monkeypatch: pytest.MonkeyPatch, fitted: list[Any]
) -> None:
    monkeypatch.setattr("selfsame.families.kernels.MOST_ROWS_OF_SUPPORT_VECTORS", 50)
    monkeypatch.setattr("selfsame.families.kernels.MOST_ROWS_TO_TUNE_SUPPORT_VECTORS", 30)
    rows = some_rows(2, 60)
    fit_family("support_vectors", replace(rows, weights=np.repeat([1.0, 0.1], [50, 10])), 0)
    counts = [len(seen) for _, seen in fitted]
    assert counts[-1] == 50 and max(counts[:-1]) == 30


def circles(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on two circles, one within the other."""
    random, labels = np.random.default_rng(seed), np.arange(count) % 2
    angle, radius = random.uniform(0, 2 * np.pi, count), 1.0 + labels + random.normal(0, 0.05, count)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), labels


def test_labels_spread_along_the_pool() -> None:
    (inputs, labels), (pool, truth) = circles(24, 1), circles(1200, 2)
    rows = Rows(inputs, labels, np.ones(24), 2)
    alone, taught = (
        (outputs(fit_family("neighbors", each, 0), pool).argmax(dim=1).numpy() == truth).mean()
        for each in (rows, replace(rows, unlabeled=pool[:600]))
    )
    assert taught > 0.95 > alone + 0.1
    wrong = Rows(pool, 1 - truth, np.ones(1200), 2)  # a teacher's labels are none of its business
    said = outputs(fit_family("neighbors", rows, 0, wrong), pool)
    assert torch.equal(said, outputs(fit_family("neighbors", rows, 0), pool))


def test_features_that_share_a_unit_keep_it() -> None:
    random, labels = np.random.default_rng(0), np.arange(60) % 2
    inputs = np.append(
        random.normal(3.0 * labels[:, None], 1, (60, 2)), random.normal(0, 0.1, (60, 20)), axis=1
    )
    for unit, alike in ((1.0, True), (1e-3, False)):  # of the two features that tell something
        scaled = inputs * np.repeat([unit, 1], [2, 20])
        knots = fit_family("neighbors", Rows(scaled, labels, np.ones(60), 2), 0)[0].knots
        assert bool(knots.diff(dim=1).std() < 1e-9) is alike


def test_a_rare_class_that_counts_as_much_is_said_more_often() -> None:
    random, labels = np.random.default_rng(0), np.repeat([0, 1], [90, 10])
    inputs = random.normal(1.5 * labels[:, None], 1, (100, 3))
    plain = Rows(inputs, labels, np.ones(100), 2, folds=2)
    heavy = replace(plain, weights=np.repeat([100 / 180, 100 / 20], [90, 10]))
    found = []
    for rows in (plain, heavy):
        said = outputs(fit_committee(["linear", "neighbors"], rows, None, 0)[0], inputs).argmax(dim=1).numpy()
        found.append((said[labels == 1].mean(), (said == labels).mean()))
    assert found[1][0] > found[0][0] + 0.1 and found[1][1] < found[0][1]
