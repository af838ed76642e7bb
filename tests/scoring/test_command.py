"""``selfsame predict``: every input and every form of output, from a model's folder alone."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from champions import Command, Trained, penguins
from project import ROOT

from selfsame.core.digests import sha256_file
from selfsame.core.layout import PREDICTION_KEY


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A CSV file of rows without labels."""
    path = tmp_path / "new.csv"
    pa_csv.write_csv(penguins(50, seed=9).drop_columns(["species"]), path)
    return path


def test_every_form_says_the_same(penguins_trained: Trained, new: Path, selfsame: Command) -> None:
    champion = penguins_trained.champion
    asked = ("--model", champion, "--keep", "--probabilities")
    for name in ("out.parquet", "out.csv", "out.jsonl"):
        said = selfsame("predict", new, "-o", new.with_name(name), *asked)
    assert "50 rows predicted" in said and "ignored, the model has no use for them: 'id'" in said
    table = pq.read_table(new.with_name("out.parquet"))
    model = penguins_trained.model
    expected = model.predict_proba(new)
    assert table.column_names == [
        *(
            "file",
            "row",
            "id",
            "island",
            "bill_mm",
            "mass_g",
            "banded",
            "predicted",
            "confidence",
            "abstained",
        ),
        *(f"probability_{name}" for name in model.classes_),
    ]
    assert table["file"].unique().to_pylist() == ["new.csv"]
    assert table["row"].to_pylist() == list(range(50))
    assert table["id"].to_pylist() == [f"p{row}" for row in range(50)]
    np.testing.assert_array_equal(table["predicted"].to_numpy(), model.predict(new))
    np.testing.assert_array_equal(table["confidence"].to_numpy(), expected.max(axis=1))
    threshold = np.float32(model.calibration.threshold)
    np.testing.assert_array_equal(table["abstained"].to_numpy(), expected.max(axis=1) < threshold)
    for place, name in enumerate(model.classes_):
        np.testing.assert_array_equal(table[f"probability_{name}"].to_numpy(), expected[:, place])

    lines = [json.loads(line) for line in new.with_name("out.jsonl").read_text().splitlines()]
    assert lines == table.to_pylist()
    read = pa_csv.read_csv(
        new.with_name("out.csv"), convert_options=pa_csv.ConvertOptions(column_types=table.schema)
    )
    assert read.select(["row", "predicted", "confidence"]).equals(
        table.select(["row", "predicted", "confidence"])
    )

    about = json.loads(table.schema.metadata[PREDICTION_KEY])
    for name in ("model.safetensors", "config.json", "calibration.json"):
        assert about["model"][name] == sha256_file(champion / name)
    for name in ("out.csv", "out.jsonl"):
        assert json.loads(new.with_name(f"{name}-metadata.json").read_text()) == about
    assert sorted(path.name for path in new.parent.iterdir() if path.name.startswith(".")) == []


def test_standard_output_gets_csv_and_nothing_else(
    penguins_trained: Trained, new: Path, selfsame: Command
) -> None:
    selfsame("predict", new, "-o", new.with_name("out.csv"), "--model", penguins_trained.champion)
    said = selfsame("predict", new, "--model", penguins_trained.champion)
    assert selfsame.out == new.with_name("out.csv").read_bytes()
    assert sha256_file(penguins_trained.champion / "model.safetensors") in said


def test_a_threshold_of_ones_own(penguins_trained: Trained, new: Path, selfsame: Command) -> None:
    out = new.with_name("out.parquet")
    for threshold, abstained in (("0", 0), ("1", 50)):
        said = selfsame(
            "predict", new, "-o", out, "--model", penguins_trained.champion, "--threshold", threshold
        )
        assert f"abstained from {abstained} of 50 rows" in said
        assert sum(pq.read_table(out)["abstained"].to_pylist()) == abstained


def test_values_have_intervals(housing_trained: Trained, tmp_path: Path, selfsame: Command) -> None:
    out, holdout = tmp_path / "out.parquet", housing_trained.table("holdout")
    selfsame("predict", holdout, "-o", out, "--model", housing_trained.champion, "--level", "0.8")
    table = pq.read_table(out)
    assert table.column_names == ["file", "row", "predicted", "low", "high"]
    np.testing.assert_array_equal(table["predicted"].to_numpy(), housing_trained.model.predict(holdout))
    interval = housing_trained.model.predict_interval(holdout, 0.8)
    np.testing.assert_array_equal(np.stack([table["low"], table["high"]], axis=1), interval)
    said = selfsame("predict", holdout, "-o", out, "--model", housing_trained.folder / "models/baseline")
    assert "is not calibrated, as a champion is: there are no intervals" in said
    assert pq.read_table(out)["low"].null_count == len(table)


def test_a_folder_of_parts_is_read_file_by_file(
    penguins_trained: Trained, new: Path, selfsame: Command
) -> None:
    folder = new.parent / "parts"
    (folder / "b").mkdir(parents=True)
    rows = pa_csv.read_csv(new)
    pq.write_table(rows[:20], folder / "b" / "one.parquet")
    pa_csv.write_csv(rows[20:], folder / "a.csv")
    (folder / ".DS_Store").write_bytes(b"\0")
    out = new.with_name("out.parquet")
    selfsame("predict", folder, "-o", out, "--model", penguins_trained.champion)
    table = pq.read_table(out)
    places = [*(("a.csv", row) for row in range(30)), *(("b/one.parquet", row) for row in range(20))]
    assert list(zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)) == places
    expected = penguins_trained.model.predict_proba(rows).max(axis=1)
    np.testing.assert_array_equal(table["confidence"].to_numpy(), [*expected[20:], *expected[:20]])


def test_images_come_in_every_file(digits_trained: Trained, tmp_path: Path, selfsame: Command) -> None:
    from sklearn.datasets import load_digits

    images = load_digits().images[:40].astype(np.uint8)
    idx = np.array([0x803, *images.shape], ">u4").tobytes() + images.tobytes()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx)
    (tmp_path / "images.idx3-ubyte.gz").write_bytes(gzip.compress(idx))
    np.savez(tmp_path / "a.npz", x=images, labels=np.zeros(40))
    np.savez_compressed(tmp_path / "b.npz", np.asfortranarray(images))
    np.save(tmp_path / "c.npy", images[:, None].astype(np.float32))
    expected = digits_trained.model.predict_proba(images).max(axis=1)
    out = tmp_path / "out" / "out.parquet"
    out.parent.mkdir()
    places = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(places) == 5
    for place in places:
        selfsame("predict", place, "-o", out, "--model", digits_trained.champion)
        np.testing.assert_array_equal(pq.read_table(out)["confidence"].to_numpy(), expected)


def test_a_single_photo_and_a_folder_of_them(
    photos_trained: Trained, tmp_path: Path, selfsame: Command
) -> None:
    inbox, out = photos_trained.folder / "data" / "inbox", tmp_path / "out.parquet"
    selfsame("predict", inbox, "-o", out, "--model", photos_trained.champion)
    whole = pq.read_table(out)
    assert whole["file"][0].as_py() == "dark/00.png" and whole["row"].to_pylist() == [0] * 48
    selfsame("predict", inbox / "dark" / "00.png", "-o", out, "--model", photos_trained.champion)
    one = pq.read_table(out)
    assert one["file"].to_pylist() == ["00.png"]
    assert one.drop_columns(["file"]).equals(whole[:1].drop_columns(["file"]))


def test_the_folder_alone_is_enough_and_nothing_heavy_is_imported(
    penguins_trained: Trained, new: Path
) -> None:
    alone = new.parent / "elsewhere" / "model"
    shutil.copytree(penguins_trained.champion, alone)
    for name in ("history.csv", "validation.json", "README.md"):
        (alone / name).unlink()
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['selfsame', 'predict', {str(new)!r}, '--model', 'model', '-o', 'out.csv']\n"
        "try:\n    runpy.run_module('selfsame', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*sorted({'dvc', 'prefect', 'matplotlib', 'sklearn', 'torchvision'} & sys.modules.keys()))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=alone.parent, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert len((alone.parent / "out.csv").read_text().splitlines()) == 51


def test_a_releases_model_is_used_if_its_sums_hold(
    penguins_trained: Trained, new: Path, selfsame: Command
) -> None:
    release, out = new.parent / "release", new.with_name("out.csv")
    shutil.copytree(penguins_trained.champion, release / "model")
    sums = "".join(
        f"{sha256_file(path)}  model/{path.name}\n"
        for path in (release / "model").iterdir()
        if path.is_file()
    )
    (release / "SHA256SUMS").write_text(sums)
    selfsame("predict", new, "-o", out, "--model", release)
    (release / "model" / "config.json").write_text("{}")
    said = selfsame("predict", new, "-o", new.with_name("other.csv"), "--model", release, status=1)
    assert "config.json: expected sha256" in said and not new.with_name("other.csv").exists()
