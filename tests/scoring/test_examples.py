"""The example scripts run; here with trainings of seconds."""

import json
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from champions import Trained, penguins, train
from project import ROOT

from selfsame.core.graph_file import read_yaml
from selfsame.export.onnx_file import build

sys.path.append(str(ROOT / "examples"))
import digits
import serve
import table


def test_digits(
    digits_trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(digits_trained.folder)
    capsys.readouterr()
    digits.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("champion: ")
    pool = int(lines[1].split()[0])
    assert sum(int(line.split()[0]) for line in lines[2:-8]) == pool > 1000
    assert all("sure), is " in line for line in lines[-8:])


def test_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, name)
    shutil.copytree(ROOT / "presets", "presets")
    Path("data/inbox").mkdir(parents=True)

    def repro() -> None:
        written = read_yaml(Path("params.yaml"))
        train(tmp_path, data=written["data"], split=written["split"])

    monkeypatch.setattr(table, "repro", repro)
    table.main()
    lines = capfd.readouterr().out.splitlines()
    assert any("tumors.csv" in line for line in lines)
    assert len(Path("predicted.csv").read_text().splitlines()) == 1 + 5
    assert any("benign" in line or "malignant" in line for line in lines[-5:])


@contextmanager
def serving(trained: Trained, folder: Path) -> Iterator[str]:
    """Serve a champion as ONNX; give the address."""
    file = folder / "model.onnx"
    file.write_bytes(build(trained.model))
    with serve.server(str(file), 0) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def ask(address: str, rows: Any = None) -> Any:
    data = None if rows is None else rows if isinstance(rows, bytes) else json.dumps(rows).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data), timeout=60) as answer:
        return json.load(answer)


def refusal(address: str, rows: Any) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, rows)
    with caught.value as answer:
        assert answer.code == 400
        return json.load(answer)["error"]


def test_serve_rows_of_a_table(penguins_trained: Trained, tmp_path: Path) -> None:
    model, table = penguins_trained.model, penguins(40, seed=9).drop_columns(["species"])
    rows = table.to_pylist()
    rows[3]["island"] = "Mars"
    assert any(row["bill_mm"] is None for row in rows) and any(row["island"] is None for row in rows)
    with serving(penguins_trained, tmp_path) as address:
        assert ask(address)["classes"] == model.classes_.tolist()
        answers = ask(address, rows)
        said = np.array([list(each["probabilities"].values()) for each in answers])
        expected = model.predict_proba(type(table).from_pylist(rows, table.schema))
        np.testing.assert_allclose(said, expected, atol=1e-5)
        assert [each["label"] for each in answers] == model.classes_[said.argmax(axis=1)].tolist()
        assert "row 1 lacks the column 'mass_g'" in refusal(
            address, [rows[0], {"island": "Dream"} | dict.fromkeys(("bill_mm", "banded"), 1)]
        )
        assert "'heavy': no number" in refusal(address, [rows[0] | {"mass_g": "heavy"}])
        assert "give a list of rows" in refusal(address, rows[0])
        assert "Expecting" in refusal(address, b"[{")
        assert ask(address, rows[:1]) == answers[:1] and ask(address, []) == []


def test_serve_images_and_values(digits_trained: Trained, housing_trained: Trained, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    images = load_digits().images[:9].astype(int)[:, None]
    with serving(digits_trained, tmp_path) as address:
        answers = ask(address, [{"image": image.tolist()} for image in images])
        said = [list(each["probabilities"].values()) for each in answers]
        np.testing.assert_allclose(said, digits_trained.model.predict_proba(images), atol=1e-5)
        assert "whole numbers" in refusal(address, [{"image": (images[0] - 1).tolist()}])
        assert "image" in refusal(address, [{"image": images[0, :, :5].tolist()}])
    model, holdout = housing_trained.model, housing_trained.table("holdout")
    rows = pq.read_table(holdout).select(model.feature_names_in_.tolist()).to_pylist()
    with serving(housing_trained, tmp_path) as address:
        values = [each["value"] for each in ask(address, rows)]
    np.testing.assert_allclose(values, model.predict(holdout), atol=1e-5 * model.unit)
