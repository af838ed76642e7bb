"""Predictions in Python: the bits of ``evaluate``, from everything that rows can come as."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from champions import Trained, penguins, train
from PIL import Image

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import example_ids, read_column
from selfsame.model.models import answer_table
from selfsame.model.models import load_model as load_net
from selfsame.model.nets import for_prediction
from selfsame.predict import Classifier, Regressor, load_model
from selfsame.selection.calibration import calibrate


def test_the_holdouts_predictions_are_those_of_evaluate_to_the_last_bit(trained: Trained) -> None:
    model, holdout = trained.model, trained.table("holdout")
    expected = answer_table(load_net(trained.champion), holdout)
    if isinstance(model, Regressor):
        np.testing.assert_array_equal(model.predict(holdout), expected, strict=True)
        low, high = model.predict_interval(holdout, 0.8).T
        width = 2 * model.calibration.half_widths["0.8"]
        np.testing.assert_allclose(high - low, width)
        return
    np.testing.assert_array_equal(model.predict(holdout), model.classes_[expected.argmax(axis=1)])
    expected = calibrate(expected, model.calibration.temperature)
    np.testing.assert_array_equal(model.predict_proba(holdout), expected, strict=True)


def test_evaluates_figures_are_those_of_the_predictions(trained: Trained) -> None:
    figures = json.loads((trained.folder / "reports" / "metrics.json").read_text(encoding="utf-8"))
    scores = figures[figures["champion"]]["holdout"]
    holdout = trained.table("holdout")
    truth, said = read_column(holdout, "label"), trained.model.predict(holdout)
    if isinstance(trained.model, Regressor):
        assert scores["rmse"] == pytest.approx(np.sqrt(np.square(said - truth).mean()), rel=1e-5)
    else:
        assert scores["accuracy"] == pytest.approx((said == trained.model.classes_[truth]).mean(), abs=1e-6)


def test_a_holdout_file_with_gaps_and_words_that_nobody_learned(tmp_path: Path) -> None:
    own = penguins(80, seed=3)
    island = pa.array(["Mars"] * 9 + own["island"].to_pylist()[9:])
    own = own.set_column(1, "island", island)
    for name, rows in (("train", penguins(120, seed=2)), ("test", own)):
        place = tmp_path / "data" / "inbox" / name
        place.mkdir(parents=True)
        pa_csv.write_csv(rows, place / "rows.csv")
    data = {"source": "table", "target_column": "species", "ignore_columns": ["id"]}
    made = train(tmp_path, data=data, split={"holdout_fraction": None}, model={"widths": [7, 5]})
    model, holdout = made.model, made.table("holdout")
    assert isinstance(model, Classifier)
    for role in ("labeled", "validation"):
        assert 1.0 not in pq.read_table(made.table(role))["island=Mars"].to_pylist()
    seen = pq.read_table(holdout)
    assert seen["island=Mars"].to_pylist().count(1.0) == 9 and np.isnan(seen["bill_mm"].to_numpy()).any()
    inputs = model.preparation.of_batch(own.combine_chunks().to_batches()[0], "here", 0)
    places = {name: place for place, name in enumerate(example_ids(inputs))}
    order = [places[name] for name in seen["example_id"].to_pylist()]
    assert sorted(order) == list(range(80))
    pa_csv.write_csv(own.drop_columns(["species"]), tmp_path / "new.csv")
    expected = calibrate(answer_table(load_net(made.champion), holdout), model.calibration.temperature)
    np.testing.assert_array_equal(model.predict_proba(tmp_path / "new.csv")[order], expected, strict=True)
    said = model.classes_[expected.argmax(axis=1)]
    figures = json.loads((tmp_path / "reports" / "metrics.json").read_text(encoding="utf-8"))
    right = (said == model.classes_[seen["label"].to_numpy()]).mean()
    assert figures[figures["champion"]]["holdout"]["accuracy"] == pytest.approx(right, abs=1e-6)


def test_a_row_is_predicted_alike_in_any_company(trained: Trained) -> None:
    model, holdout = trained.model, pq.read_table(trained.table("holdout"))
    predict = model.predict if isinstance(model, Regressor) else model.predict_proba
    whole = predict(holdout)
    assert len(whole) == len(holdout) > 8
    for cuts in ([0, 1, 4, len(holdout)], [0, 5, len(holdout)]):
        parts = [predict(holdout[start:stop]) for start, stop in pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    for threads in (2, 3):
        again = load_model(trained.champion, "cpu", threads)
        predict = again.predict if isinstance(again, Regressor) else again.predict_proba
        np.testing.assert_array_equal(predict(holdout), whole)


def test_a_net_is_made_for_prediction_once(trained: Trained) -> None:
    net = trained.model.model.net
    assert for_prediction(net) is net


def test_raw_rows_are_prepared_as_training_prepared_them(penguins_trained: Trained, tmp_path: Path) -> None:
    model = penguins_trained.model
    examples = pq.read_table(penguins_trained.folder / "data" / "raw" / "examples")
    expected = model.predict_proba(examples)
    raw = penguins().drop_columns(["species"])
    np.testing.assert_array_equal(model.predict_proba(raw), expected)
    mixed = raw.select(["mass_g", "banded", "island", "bill_mm"])
    np.testing.assert_array_equal(model.predict_proba(mixed), expected)
    pa_csv.write_csv(raw, tmp_path / "new.csv")
    pq.write_table(raw, tmp_path / "new.parquet")
    for path in (tmp_path / "new.csv", str(tmp_path / "new.parquet")):
        np.testing.assert_array_equal(model.predict_proba(path), expected)
    assert model.feature_names_in_.tolist() == ["banded", "bill_mm", "island", "mass_g"]
    assert (model.n_features_in_, model.classes_.tolist()) == (4, ["Adelie", "Chinstrap", "Gentoo"])


def test_a_value_that_was_never_seen_is_none_of_the_known(penguins_trained: Trained) -> None:
    model = penguins_trained.model
    rows = penguins(6).drop_columns(["species"])
    island = rows.column_names.index("island")
    strange = rows.set_column(island, "island", pa.array(["Mars", "Mars", "Venus", None, "Dream", "Biscoe"]))
    inputs = model.preparation.of_batch(strange.to_batches()[0], "here", 0)
    assert (inputs[:3, 2:5] == 0).all() and np.isnan(inputs[3, 2:5]).all()
    assert "column 'island': 3 rows have a value that the model has never seen: 'Mars' (2), 'Venus' (1)" in (
        "\n".join(model.preparation.notes())
    )


def test_census_rows_become_the_features_that_training_made_of_them(housing_trained: Trained) -> None:
    model = housing_trained.model
    examples = pq.read_table(housing_trained.folder / "data" / "raw" / "examples")
    np.testing.assert_array_equal(
        model.predict(housing_trained.folder / "data/inbox/housing.csv"), model.predict(examples)
    )
    assert "MedInc" in model.feature_names_in_


def test_photos_are_prepared_as_training_prepared_them(photos_trained: Trained) -> None:
    model = photos_trained.model
    examples = pq.read_table(photos_trained.folder / "data" / "raw" / "examples")
    expected = model.predict_proba(examples)
    inbox = photos_trained.folder / "data" / "inbox"
    paths = sorted(inbox.rglob("*.png"))
    np.testing.assert_array_equal(model.predict_proba(paths), expected)
    np.testing.assert_array_equal(model.predict_proba(inbox), expected)
    opened = [Image.open(path) for path in paths]
    np.testing.assert_array_equal(model.predict_proba(opened), expected)
    np.testing.assert_array_equal(model.predict_proba(opened[0]), expected[:1])


def test_images_come_as_arrays_of_any_usual_shape(digits_trained: Trained) -> None:
    from sklearn.datasets import load_digits

    model = digits_trained.model
    images = load_digits().images  # float64, (N, 8, 8), whole numbers
    expected = model.predict_proba(pq.read_table(digits_trained.folder / "data" / "raw" / "examples"))
    for form in (images, images.astype(np.uint8)[:, None], images.astype(np.int64)[..., None]):
        np.testing.assert_array_equal(model.predict_proba(form), expected)
    grey = Image.fromarray(images[0].astype(np.uint8))
    np.testing.assert_array_equal(model.predict_proba([grey]), expected[:1])
    assert model.n_features_in_ == 64 and len(model.feature_names_in_) == 0


def test_features_come_as_an_array(housing_trained: Trained) -> None:
    model = housing_trained.model
    table = pq.read_table(housing_trained.table("holdout")).select(model.feature_names_in_.tolist())
    array = np.stack([column.to_numpy() for column in table.columns], axis=1)
    np.testing.assert_array_equal(model.predict(array), model.predict(table))
    np.testing.assert_array_equal(model.predict(np.asfortranarray(array)), model.predict(table))


def test_no_rows_have_no_predictions(trained: Trained) -> None:
    model = trained.model
    assert model.predict([]).shape == (0,)
    if isinstance(model, Classifier):
        assert model.predict_proba([]).shape == (0, len(model.classes_))


WRONG = {
    "no rows at all": (7, "rows of the type int"),
    "a set of numbers": ([1, 2], "a row of the type int"),
    "too few features": (np.zeros((2, 3)), r"an array of numbers, but the model's columns 'island'"),
    "a missing column": (
        pa.table({"island": ["Dream"], "mass": [1]}),
        "lacks the columns 'banded', 'bill_mm', 'mass_g'",
    ),
    "text for a number": (
        penguins(2).set_column(3, "mass_g", [["1", "heavy"]]),
        "'mass_g' has 'heavy' in row 1",
    ),
    "an infinite value": (
        penguins(2).set_column(2, "bill_mm", [[1.0, np.inf]]),
        "'bill_mm' is infinite in row 1",
    ),
    "another truth": (
        penguins(2).set_column(4, "banded", [["true", "maybe"]]),
        "'banded' has 'maybe' in row 1",
    ),
    "an image": (Image.new("L", (8, 8)), "an image, but the model takes a table"),
}


@pytest.mark.parametrize(("rows", "message"), WRONG.values(), ids=WRONG)
def test_rows_that_do_not_fit_are_named(rows: object, message: str, penguins_trained: Trained) -> None:
    with pytest.raises(SelfsameError, match=message):
        penguins_trained.model.predict(rows)


def test_a_near_name_is_offered(penguins_trained: Trained) -> None:
    rows = penguins(2).rename_columns(["id", "islands", "bill_mm", "mass_g", "banded", "species"])
    with pytest.raises(SelfsameError) as caught:
        penguins_trained.model.predict(rows)
    assert caught.value.fix == "'island' may be 'islands'"


def test_a_damaged_folder_is_one_sentence(digits_trained: Trained, tmp_path: Path) -> None:
    import shutil

    for name in ("config.json", "model.safetensors", "calibration.json"):
        folder = tmp_path / name
        shutil.copytree(digits_trained.champion, folder)
        for content in (
            b"",
            b"{}",
            b'{"format_version": 4}',
            (folder / name).read_bytes()[:-50],
            b"\x00" * 99,
        ):
            (folder / name).write_bytes(content)
            with pytest.raises(SelfsameError, match=name.replace(".", r"\.")):
                load_model(folder)
    with pytest.raises(SelfsameError, match="no model there"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(SelfsameError, match="no such device"):
        load_model(digits_trained.champion, "tpu")
