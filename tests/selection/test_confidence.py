"""A champion's confidence and intervals: what is promised, and what comes back from its folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.selection.confidence import Calibration


def test_intervals_hold_the_truth_as_often_as_they_promise() -> None:
    random = np.random.default_rng(0)
    held = dict.fromkeys(("0.5", "0.8", "0.9", "0.95"), 0.0)
    for _ in range(300):
        widths = Calibration.of_values(random.standard_cauchy(40), "validation").half_widths
        errors = np.abs(random.standard_cauchy(200))
        for level, width in widths.items():
            held[level] += (errors <= width).mean() / 300
    for level, share in held.items():
        assert float(level) - 0.01 < share < float(level) + 0.04


def test_too_few_rows_promise_nothing() -> None:
    widths = Calibration.of_values(np.array([-3.0, 1.0, 2.0]), "validation").half_widths
    assert widths == {"0.5": 2.0, "0.8": None, "0.9": None, "0.95": None}


@pytest.mark.parametrize(
    "made",
    [
        Calibration("calibration", 7, temperature=1.3, threshold=None),
        Calibration("validation", 9, half_widths={"0.5": 1 / 3, "0.8": None}),
    ],
    ids=["classes", "values"],
)
def test_what_is_written_comes_back(made: Calibration, tmp_path: Path) -> None:
    assert Calibration.load(tmp_path) is None
    made.save(tmp_path)
    assert Calibration.load(tmp_path) == made


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 1}', '{"format_version": 9}'])
def test_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(SelfsameError, match=r"calibration\.json: no calibration"):
        Calibration.load(tmp_path)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    Calibration("validation", 9).save(tmp_path)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temprature": 1}))
    with pytest.raises(SelfsameError, match="temprature"):
        Calibration.load(tmp_path)
